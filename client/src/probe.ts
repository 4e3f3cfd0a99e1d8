/** Asks an interpreter whether it has the server, before the editor depends on it. Bounded in time and output. */

import { execFile } from 'node:child_process';
import { type Probe, probeCommand } from './server';

const PROBE_MS = 20_000;
const OUTPUT_BYTES = 64 * 1024;

/** `directory` is where the interpreter runs; it must not be the workspace, whose files are not ours to trust. */
export function probeServer(serverPython: string, directory: string): Promise<Probe> {
  const { command, args } = probeCommand(serverPython);
  const limits = { cwd: directory, timeout: PROBE_MS, maxBuffer: OUTPUT_BYTES };
  return new Promise((resolve) => {
    execFile(command, [...args], limits, (error, stdout, stderr) => {
      if (!error) {
        resolve({ kind: 'found', version: stdout.trim() });
      } else if (typeof error.code === 'string') {
        resolve({ kind: 'absent', reason: error.code === 'ENOENT' ? 'no such program' : error.code });
      } else {
        resolve({ kind: 'failed', stderr: error.killed ? `no answer within ${PROBE_MS} ms\n${stderr}` : stderr });
      }
    });
  });
}
