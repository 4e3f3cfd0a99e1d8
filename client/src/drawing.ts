/**
 * Where a proposal's hunks lie in a buffer and what is drawn there. Pure: the editor is not known here.
 *
 * Nothing here changes a text. A hunk whose lines were edited since is not drawn at all: a preview that is slightly off
 * would be believed.
 */

import type { Hunk, Span } from './wire';

export interface Anchored {
  readonly hunk: Hunk;
  /** Where the hunk's old text lies now. */
  readonly span: Span;
}

/** A line of the buffer, and what would stand there. */
export interface Drawing {
  readonly line: number;
  /** The line goes away. */
  readonly removed: boolean;
  /** What is shown at its end; empty for nothing. */
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
 * Pairs old lines with new ones. New lines that have no old line beside them cannot be given a line of their own without
 * touching the buffer, so they are told as a number after the last one; the hover has them all.
 */
export function draw({ hunk, span }: Anchored): Drawing[] {
  const oldLines = linesOf(hunk.oldText);
  const newLines = linesOf(hunk.newText);
  if (oldLines.length === 0) {
    const more = newLines.length > 1 ? `  (+${newLines.length - 1} more)` : '';
    const line = Math.max(0, span.start.character === 0 ? span.start.line - 1 : span.start.line);
    return [{ line, removed: false, added: `+ ${(newLines[0] ?? '').trim()}${more}` }];
  }
  return oldLines.map((_, index) => {
    const last = index === oldLines.length - 1;
    const extra = last ? newLines.length - oldLines.length : 0;
    const added = newLines[index]?.trim() ?? '';
    const more = extra > 0 ? `  (+${extra} more)` : '';
    return { line: span.start.line + index, removed: true, added: added || more ? `→ ${added}${more}` : '' };
  });
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
