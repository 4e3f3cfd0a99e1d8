/** Longer texts that are opened in the editor: what the doctor found, why a proposal is what it is, a reproducer. Pure. */

import { diffText } from './drawing';
import type { CauseFound, Doctor, Proposal, Verdict } from './wire';
import { isolationText, proposalTitle, reasonLines, whyLines } from './words';

export function doctorPaper(doctor: Doctor): string {
  const { isolation } = doctor;
  return [
    '# What works here',
    '',
    doctor.ready ? '**Ready.** Everything that sensing needs is there.' : '**Not ready.** See what is missing below.',
    '',
    '| | |',
    '|---|---|',
    `| Octolimb | ${doctor.version} |`,
    `| Folder | \`${doctor.root}\` |`,
    `| Trusted | ${doctor.trusted ? 'yes' : 'no: nothing that belongs to the folder is run'} |`,
    `| Project’s Python | \`${doctor.python}\` |`,
    `| Isolation | ${isolation.sandbox} (files: ${isolation.files}, network: ${isolation.network ? 'cut off' : 'reachable'}) |`,
    '',
    '## In detail',
    '',
    ...doctor.capabilities.map(({ name, holds, advice }) => `- ${holds ? '✓' : '✗'} **${name}**: ${advice}`),
    '',
  ].join('\n');
}

export function whyPaper(proposal: Proposal): string {
  const [hurt, tried, holds] = whyLines(proposal);
  const reasons = reasonLines(proposal.decision);
  return [
    `# ${proposalTitle(proposal)}`,
    '',
    `- **What hurt:** ${hurt}`,
    `- **What was tried:** ${tried}`,
    `- **What holds:** ${holds}`,
    '',
    ...(reasons.length > 0 ? ['## What the guard says', '', ...reasons.map((line) => `- ${line}`), ''] : []),
    '## The change',
    '',
    ...proposal.hunks.flatMap((hunk) => [
      `${fileName(hunk.uri)}, line ${hunk.range.start.line + 1}`,
      '',
      fenced(diffText(hunk), 'diff'),
      '',
    ]),
    'Nothing of it is in your files until you accept it, and nothing is on the disk until you save.',
    '',
  ].join('\n');
}

export function causePaper(cause: CauseFound): string {
  return [
    '# What broke it',
    '',
    cause.message,
    '',
    ...cause.pains.map((pain) => `- ${pain}`),
    ...(cause.pains.length > 0 ? [''] : []),
    ...cause.hunks.flatMap((hunk) => [
      `${fileName(hunk.uri)}, line ${hunk.after.start.line + 1}`,
      '',
      fenced(diffText(hunk), 'diff'),
      '',
    ]),
  ].join('\n');
}

/**
 * A script of the standard library alone that makes the failing state out of a checkout and runs the failing tests.
 * `files` are the unsaved texts by their path in the repository.
 */
export function reproducer(verdict: Verdict, files: ReadonlyMap<string, string>): string {
  const errors = verdict.findings.filter((finding) => finding.severity === 'error');
  const pains = errors.map((finding) => `${finding.path}:${finding.range.start.line + 1}: ${finding.message}`);
  const entries = [...files].map(([path, text]) => `    ${pythonString(path)}: ${pythonString(text)},`);
  const { failures } = verdict.tests;
  return `"""Reproduces a failing state. Run it from the root of the checkout: python reproduce.py

It copies the checkout to a temporary directory, puts the unsaved files over it, and runs the failing tests there.
The checkout itself is not touched. Isolation when it was sensed: ${isolationText(verdict)}.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

WHAT_HURT = [
${pains.map((pain) => `    ${pythonString(pain)},`).join('\n')}
]

UNSAVED = {
${entries.join('\n')}
}

TESTS = [
${failures.map((id) => `    ${pythonString(id)},`).join('\n')}
]

print("What hurt:", *WHAT_HURT, sep="\\n  ")
with tempfile.TemporaryDirectory() as directory:
    copy = pathlib.Path(directory) / "checkout"
    left_out = shutil.ignore_patterns(".git", ".venv", "__pycache__", "node_modules")
    shutil.copytree(".", copy, symlinks=True, ignore=left_out)
    for path, text in UNSAVED.items():
        target = copy / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    sys.exit(subprocess.call([sys.executable, "-m", "pytest", *TESTS], cwd=copy))
`;
}

/** A JSON string is a Python string too, once every character beyond ASCII is written as Python writes it. */
function pythonString(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\u{10ffff}]/gu, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return code.length > 4 ? `\\U${code.padStart(8, '0')}` : `\\u${code.padStart(4, '0')}`;
  });
}

/** A fence that is longer than any in the text. */
function fenced(text: string, language: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text}\n${fence}`;
}

function fileName(uri: string): string {
  return decodeURIComponent(uri.slice(uri.lastIndexOf('/') + 1));
}
