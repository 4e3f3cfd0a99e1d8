import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { doctorPaper, reproducer, whyPaper } from '../src/papers';
import { finding, hunk, proposal, verdict } from './builders';

test('a reproducer is a script whose texts come out as they went in', () => {
  const directory = mkdtempSync(join(tmpdir(), 'octolimb-'));
  try {
    const text = 'quote = "\'\'\'"\nback = "\\\\n"\nuni = "é \u2028 😀"\n';
    const script = reproducer(
      verdict({ findings: [finding({ message: 'a "quoted" one' })] }),
      new Map([['a b.py', text]]),
    );
    const path = join(directory, 'reproduce.py');
    // The texts are read back by Python itself, without running anything.
    const reader = `import ast, sys
tree = ast.parse(open(sys.argv[1], encoding="utf-8").read())
value = next(n.value for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "UNSAVED")
open(sys.argv[2], "w", encoding="utf-8", newline="").write(ast.literal_eval(value)["a b.py"])`;
    writeFileSync(path, script);
    execFileSync('python3', ['-c', reader, path, join(directory, 'out')]);
    assert.equal(readFileSync(join(directory, 'out'), 'utf8'), text);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('why shows the change in a fence that its own text cannot close', () => {
  const paper = whyPaper(proposal({ hunks: [hunk({ newText: '"""```"""\n' })] }));
  assert.match(paper, /````diff\n-a = 1\n\+"""```"""\n````/);
  assert.match(paper, /\*\*What hurt:\*\* test_a fails/);
});

test('the doctor’s page says what holds and what does not', () => {
  const paper = doctorPaper({
    version: '1',
    root: '/p',
    trusted: false,
    python: 'py',
    isolation: verdict().isolation,
    capabilities: [{ name: 'overlay', holds: false, advice: 'Allow user namespaces.' }],
    ready: false,
  });
  assert.match(paper, /Not ready/);
  assert.match(paper, /✗ \*\*overlay\*\*: Allow user namespaces\./);
});
