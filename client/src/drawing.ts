/**
 * Where a proposal's hunks lie in a buffer and what is drawn there. Pure: the editor is not known here.
 *
 * Nothing here changes a text. A hunk whose lines were edited since is not drawn at all: a preview that is slightly off
 * would be believed.
 */

import type { Hunk, Span } from './wire';

const FEW = 3;

export interface Anchored {
  readonly hunk: Hunk;
  /** Where the hunk's old text lies now. */
  readonly span: Span;
}

/** What is drawn on one line of the buffer. */
export interface Drawing {
  readonly line: number;
  /** The columns that go away; null for none. */
  readonly removed: readonly [start: number, end: number] | null;
  /** What is shown after them, or at the line's end where nothing goes away; empty for nothing. */
  readonly added: string;
}

/** The hunks whose old text is what the buffer has at their place. */
export function anchor(hunks: readonly Hunk[], textAt: (span: Span) => string): Anchored[] {
  return hunks
    .filter((hunk) => !hunk.rejected && unixLines(textAt(hunk.range)) === unixLines(hunk.oldText))
    .map((hunk) => ({ hunk, span: hunk.range }));
}

/** Moves anchors along with an edit of whole or part lines; an edit inside a hunk drops it. */
export function shift(anchored: readonly Anchored[], edited: Span, text: string): Anchored[] {
  const moved = text.split('\n').length - 1 - (edited.end.line - edited.start.line);
  return anchored.flatMap(({ hunk, span }) => {
    if (isBefore(span.end, edited.start)) return [{ hunk, span }];
    const wholeLines = edited.end.line < span.start.line || (edited.end.character === 0 && text.endsWith('\n'));
    if (isBefore(edited.end, span.start) && wholeLines) {
      return [{ hunk, span: { start: down(span.start, moved), end: down(span.end, moved) } }];
    }
    return [];
  });
}

/**
 * Pairs old lines with new ones. A line that stays alike shows only the words that differ, in their place. New lines that
 * have no old line beside them cannot be given a line of their own without touching the buffer, so they are told as a
 * number after the last one; the hover has them all.
 */
export function draw({ hunk, span }: Anchored): Drawing[] {
  const oldLines = linesOf(hunk.oldText);
  const newLines = linesOf(hunk.newText);
  if (oldLines.length === 0) {
    const line = Math.max(0, span.start.character === 0 ? span.start.line - 1 : span.start.line);
    return [{ line, removed: null, added: `+ ${(newLines[0] ?? '').trim()}${moreText(newLines.length - 1)}` }];
  }
  return oldLines.flatMap((oldLine, index) => {
    const newLine = newLines[index];
    const more = index === oldLines.length - 1 ? moreText(newLines.length - oldLines.length) : '';
    const line = span.start.line + index;
    if (newLine === oldLine) return more ? [{ line, removed: null, added: more.trim() }] : [];
    return [drawLine(line, oldLine, newLine, more)];
  });
}

function drawLine(line: number, oldLine: string, newLine: string | undefined, more: string): Drawing {
  const indent = oldLine.length - oldLine.trimStart().length;
  if (newLine === undefined) return { line, removed: [indent, oldLine.length], added: '' };
  const [from, to] = differingWords(oldLine, newLine);
  const alike = oldLine.length - (to - from) - indent;
  // Beside a line that has little in common with it, the whole new line is easier to read than scattered words.
  if (alike * 2 < oldLine.length - indent) {
    return { line, removed: [indent, oldLine.length], added: `→ ${newLine.trim()}${more}` };
  }
  const [start, oldEnd, newEnd] = withNeighbours(oldLine, newLine);
  return { line, removed: [start, oldEnd], added: newLine.slice(start, newEnd) + more };
}

/** Where two lines begin to differ, and where they stop to, in whole words: start, end in the old, end in the new. */
function differingWords(oldLine: string, newLine: string): [number, number, number] {
  const most = Math.min(oldLine.length, newLine.length);
  let start = 0;
  while (start < most && oldLine[start] === newLine[start]) start += 1;
  let tail = 0;
  while (tail < most - start && oldLine.at(-1 - tail) === newLine.at(-1 - tail)) tail += 1;
  const isWord = (character: string | undefined) => character !== undefined && /[\w.]/.test(character);
  while (start > 0 && isWord(oldLine[start - 1]) && (isWord(oldLine[start]) || isWord(newLine[start]))) start -= 1;
  while (tail > 0 && isWord(oldLine.at(-tail)) && (isWord(oldLine.at(-tail - 1)) || isWord(newLine.at(-tail - 1)))) {
    tail -= 1;
  }
  return [start, oldLine.length - tail, newLine.length - tail];
}

/** A sign alone is overlooked: a change of a few letters is shown with the words on both sides. */
function withNeighbours(oldLine: string, newLine: string): [number, number, number] {
  const [start, oldEnd, newEnd] = differingWords(oldLine, newLine);
  if (Math.max(oldEnd, newEnd) - start > FEW) return [start, oldEnd, newEnd];
  const before = /[\w.]+\W{0,2}$/.exec(oldLine.slice(0, start))?.[0].length ?? 0;
  const after = /^\W{0,2}[\w.]+/.exec(oldLine.slice(oldEnd))?.[0].length ?? 0;
  return [start - before, oldEnd + after, newEnd + after];
}

function moreText(lines: number): string {
  return lines > 0 ? `  (+${lines} more)` : '';
}

/** The hunk as the lines of a diff, for a hover. */
export function diffText(hunk: Hunk): string {
  const minus = linesOf(hunk.oldText).map((line) => `-${line}`);
  const plus = linesOf(hunk.newText).map((line) => `+${line}`);
  return [...minus, ...plus].join('\n');
}

function linesOf(text: string): string[] {
  if (text === '') return [];
  return unixLines(text).replace(/\n$/, '').split('\n');
}

function unixLines(text: string): string {
  return text.replaceAll('\r\n', '\n');
}

function down<T extends { line: number; character: number }>(place: T, lines: number): T {
  return { ...place, line: place.line + lines };
}

function isBefore(one: Span['start'], other: Span['start']): boolean {
  return one.line < other.line || (one.line === other.line && one.character <= other.character);
}
