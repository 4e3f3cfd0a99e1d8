// A language server that says what a test tells it to, for states that the real one is seldom in.
//
// The directory $OCTOLIMB_FAKE holds what passes between it and the test, a JSON object a line: `script.jsonl` is what it
// shall do, `heard.jsonl` what it was sent. A line of the script is one of
//   {"answers": METHOD, "with": RESULT, "first": [MESSAGE, ...], "after": MS}   from now on, to each such request
//   {"answers": METHOD, "sides": {"before": RESULT, "after": RESULT}}         by the side that is asked for
//   {"send": {"method", "params", "id"?}}                                      at once, and to no fresh server
// It knows nothing of code.

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const directory = process.env.OCTOLIMB_FAKE;
const script = join(directory, 'script.jsonl');
const heard = join(directory, 'heard.jsonl');
const answers = new Map();
const cancelled = new Set();
let read = 0;
let asked = 0;

readScript(false);
setInterval(() => readScript(true), 30);

let buffer = Buffer.alloc(0);
process.stdin.on('data', (chunk) => {
  buffer = Buffer.concat([buffer, chunk]);
  for (;;) {
    const headEnd = buffer.indexOf('\r\n\r\n');
    const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, Math.max(0, headEnd)))?.[1]);
    if (headEnd < 0 || buffer.length < headEnd + 4 + length) return;
    const body = buffer.subarray(headEnd + 4, headEnd + 4 + length);
    buffer = buffer.subarray(headEnd + 4 + length);
    receive(JSON.parse(body));
  }
});
process.stdin.on('end', () => process.exit());

function receive(message) {
  appendFileSync(heard, `${JSON.stringify(message)}\n`);
  if (message.method === 'exit') process.exit();
  if (message.method === '$/cancelRequest') cancelled.add(message.params.id);
  if (message.method === undefined || message.id === undefined) return;
  const answer = answers.get(message.method);
  for (const first of answer?.first ?? []) send({ id: `fake-${++asked}`, ...first });
  const respond = () => {
    if (cancelled.has(message.id)) send({ id: message.id, error: { code: -32800, message: 'cancelled' } });
    else if (answer?.sides) send({ id: message.id, result: answer.sides[message.params.side ?? 'after'] });
    else if (answer) send({ id: message.id, result: answer.with });
    else if (message.method === 'initialize') send({ id: message.id, result: initializeResult() });
    else if (message.method === 'shutdown') send({ id: message.id, result: null });
    else send({ id: message.id, error: { code: -32601, message: `nothing is scripted for ${message.method}` } });
  };
  if (answer?.after) setTimeout(respond, answer.after);
  else respond();
}

function initializeResult() {
  const methods = [...answers.keys(), 'octolimb/standBack'].filter((method) => method.startsWith('octolimb/'));
  return {
    capabilities: { textDocumentSync: 2, experimental: { octolimb: { protocol: 1, schemas: '', methods } } },
    serverInfo: { name: 'scripted' },
  };
}

function readScript(sends) {
  const text = existsSync(script) ? readFileSync(script, 'utf8') : '';
  const whole = text.slice(read, text.lastIndexOf('\n') + 1);
  read += whole.length;
  for (const line of whole.split('\n').filter(Boolean)) {
    const step = JSON.parse(line);
    if (step.answers) answers.set(step.answers, step);
    else if (sends) send(step.send);
  }
}

function send(message) {
  const body = JSON.stringify({ jsonrpc: '2.0', ...message });
  process.stdout.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
