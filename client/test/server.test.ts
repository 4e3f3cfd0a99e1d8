import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { probeServer } from '../src/probe';
import { chooseServerPython, explainFailure, initializationOptions, serverCommand } from '../src/server';

const NOTHING = {
  trusted: 'auto',
  serverPython: '',
  python: '',
  sensors: [],
  tests: 'auto',
  coder: 'auto',
  model: '',
  codeIntelligence: 'auto',
};
const ALONE = { trusted: true, hasCodeIntelligence: false };

test('the setting wins over the environment, and the environment over the path', () => {
  const environment = { OCTOLIMB_SERVER_PYTHON: '/env/python' };
  assert.equal(chooseServerPython('/set/python', environment, 'linux'), '/set/python');
  assert.equal(chooseServerPython('', environment, 'linux'), '/env/python');
  assert.equal(chooseServerPython('', {}, 'linux'), 'python3');
  assert.equal(chooseServerPython('', {}, 'win32'), 'python');
});

test('a blank setting or variable counts as none', () => {
  assert.equal(chooseServerPython('  ', { OCTOLIMB_SERVER_PYTHON: ' ' }, 'linux'), 'python3');
});

test('the server never imports from the directory that it starts in', () => {
  const { command, args } = serverCommand('/venv/bin/python');
  assert.equal(command, '/venv/bin/python');
  assert.deepEqual(args, ['-P', '-m', 'octolimb', 'serve']);
});

test('options carry trust and the interpreters, and leave out what is not set', () => {
  assert.deepEqual(initializationOptions(NOTHING, 'python3', { ...ALONE, trusted: false }), {
    trusted: false,
    serverPython: 'python3',
    codeIntelligence: true,
  });
  assert.deepEqual(initializationOptions({ ...NOTHING, python: ' /p/python ' }, 'python3', ALONE), {
    trusted: true,
    serverPython: 'python3',
    codeIntelligence: true,
    python: '/p/python',
  });
});

test('each way to fail names the interpreter and the next step', () => {
  const cases = [
    [{ kind: 'absent', reason: 'no such program' }, /cannot run py \(no such program\).*octolimb\.serverPython/],
    [{ kind: 'failed', stderr: 'unknown option -P\nusage: py' }, /needs Python 3\.11 or newer.*octolimb\.serverPython/],
    [{ kind: 'failed', stderr: "ModuleNotFoundError: No module named 'octolimb'" }, /not installed in py.*Install/],
    [{ kind: 'failed', stderr: 'Segmentation fault' }, /does not start with py.*log/],
  ] as const;
  for (const [probe, wanted] of cases) {
    const message = explainFailure('py', probe);
    assert.match(message, wanted);
    assert.equal(message.split('\n').length, 1);
  }
});

test('an interpreter that is not there is told from one that fails', async () => {
  assert.deepEqual(await probeServer('/nowhere/python', tmpdir()), { kind: 'absent', reason: 'no such program' });
  // Node stands in for an interpreter that refuses the options.
  assert.equal((await probeServer(process.execPath, tmpdir())).kind, 'failed');
});
