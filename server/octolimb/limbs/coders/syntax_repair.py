"""Repairs for a file that does not parse: colons, brackets, quotes, commas, indentation, misspelt keywords.

It tries small textual edits near the error that the parser reports and keeps what parses. It does NOT look at what
the code means.
"""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass

from octolimb.limbs.coders.source import parse

_OPENERS = {"(": ")", "[": "]", "{": "}"}
_CLOSERS = {closer: opener for opener, closer in _OPENERS.items()}
_COMPOUND = re.compile(r"\s*(?:if|elif|else|for|while|def|class|try|except|finally|with|async|match|case)\b")
_REPLACED = (
    (r"\belse\s+if\b", "elif"),
    (r"\belseif\b", "elif"),
    (r"=>", ">="),
    (r"=<", "<="),
    (r"&&", " and "),
    (r"\|\|", " or "),
    (r"!(?!=)\s*", "not "),
    (r"\+\+", " += 1"),
    (r"--$", " -= 1"),
    (r"<>", "!="),
    (r"\bnull\b", "None"),
    (r";\s*$", ""),
    (r"===", "=="),
    (r"!==", "!="),
    (r"\bprint\s+(?!\()(.+?)\s*$", r"print(\1)"),
    (r"\braise\s+(\w+)\s*,\s*(.+)$", r"raise \1(\2)"),
    (r"\bexcept\s+(\w+)\s*,\s*(\w+)\s*:", r"except \1 as \2:"),
    (r"\{\s*$", ":"),
    (r":\s*:", ":"),
    (r",\s*,", ","),
    (r"\bdef\s+(\w+)\s*:", r"def \1():"),
)
_STRING = re.compile(r"""(?:'''.*?'''|\"\"\".*?\"\"\"|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|\#[^\r\n]*)""", re.DOTALL)
_MAX_FRONTIER = 12


@dataclass(frozen=True)
class Repair:
    """The whole text after a repair, and what was done, for a person."""

    text: str
    note: str


def syntax_error(text: str) -> SyntaxError | None:
    """The first syntax error of a file, or None where it parses."""
    try:
        parse(text)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError) as error:
        return SyntaxError(str(error))
    return None


def repair_syntax(text: str) -> Iterator[Repair]:
    """Texts that parse, one slip repaired, the likeliest first; then such with two. Nothing where `text` parses."""
    error = syntax_error(text)
    if error is None:
        return
    seen = {text}
    frontier: list[tuple[int, Repair]] = []
    for repair in _repairs(text, error):
        if repair.text in seen:
            continue
        seen.add(repair.text)
        left = syntax_error(repair.text)
        if left is None:
            yield repair
        elif (left.lineno or 0) > (error.lineno or 0):
            frontier.append((left.lineno or 0, repair))
    frontier.sort(key=lambda entry: -entry[0])
    for _, first in frontier[:_MAX_FRONTIER]:
        left = syntax_error(first.text)
        assert left is not None
        for second in _repairs(first.text, left):
            if second.text not in seen:
                seen.add(second.text)
                if syntax_error(second.text) is None:
                    yield Repair(second.text, f"{first.note}; {second.note}")


def _repairs(text: str, error: SyntaxError) -> Iterator[Repair]:
    rows = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", text)
    if not rows:
        return
    place = min(max((error.lineno or 1) - 1, 0), len(rows) - 1)
    before = place - 1
    while before > 0 and not rows[before].strip():
        before -= 1
    message = (error.msg or "").lower()
    near = [place, *([before] if before >= 0 else [])]
    if "indent" in message:
        yield from _indentation(rows, place, before, message)
    for row in near:
        yield from _colon(rows, row)
    for row in near:
        yield from _equality(rows, row)
        yield from _keywords(rows, row)
    yield from _comma(rows, place, error)
    yield from _brackets(text, rows, near)
    for row in near:
        yield from _quotes(rows, row)
        yield from _replaced(rows, row)
    for row in near:
        if before >= 0 or rows[row].strip():
            yield _with_row(rows, row, "", f"remove line {row + 1}")


def _with_row(rows: list[str], row: int, content: str, note: str) -> Repair:
    """`rows` with the content of one of them replaced, its line end kept (unless it is removed)."""
    end = rows[row][len(rows[row].rstrip("\r\n")) :] if content else ""
    return Repair("".join([*rows[:row], content + end, *rows[row + 1 :]]), note)


def _split(row: str) -> tuple[str, str]:
    """Code and comment of a line, white space between them with the comment."""
    content = row.rstrip("\r\n")
    for match in _STRING.finditer(content):
        if match.group().startswith("#"):
            code = content[: match.start()].rstrip()
            return code, content[len(code) :]
    code = content.rstrip()
    return code, content[len(code) :]


def _indentation(rows: list[str], place: int, before: int, message: str) -> Iterator[Repair]:
    content = rows[place].rstrip("\r\n")
    bare = content.lstrip()
    above = rows[before] if before >= 0 else ""
    lead = above[: len(above) - len(above.lstrip())]
    unit = "\t" if "\t" in lead else "    "
    for row in rows:
        width = len(row) - len(row.lstrip(" "))
        if 0 < width < 8 and row.strip():
            unit = " " * width
            break
    wanted: list[str] = []
    if "expected an indented block" in message:
        wanted = [lead + unit]
    indents = [row[: len(row) - len(row.lstrip())] for row in rows[:place] if row.strip()]
    wanted += [lead, *reversed(indents)]
    for indent in dict.fromkeys(wanted):
        if indent + bare != content:
            # The lines below that stand at least as deep move along.
            yield _with_row(rows, place, indent + bare, f"indent line {place + 1} like its neighbours")
            yield _moved(rows, place, content, indent)
    if "expected an indented block" in message and before >= 0:
        end = above[len(above.rstrip("\r\n")) :] or "\n"
        inserted = [*rows[: before + 1], f"{lead}{unit}pass{end}", *rows[before + 1 :]]
        yield Repair("".join(inserted), f"insert pass after line {before + 1}")


def _moved(rows: list[str], place: int, content: str, indent: str) -> Repair:
    old = content[: len(content) - len(content.lstrip())]
    moved = list(rows)
    for row in range(place, len(rows)):
        if rows[row].strip() and not rows[row].startswith(old):
            break
        if rows[row].strip():
            if old == "" and row > place and rows[row][:1] not in " \t":
                break
            moved[row] = indent + rows[row][len(old) :]
    return Repair("".join(moved), f"indent the block from line {place + 1}")


def _colon(rows: list[str], row: int) -> Iterator[Repair]:
    code, comment = _split(rows[row])
    if _COMPOUND.match(code) and not code.endswith(":"):
        stripped = code.rstrip(";.,")
        yield _with_row(rows, row, stripped + ":" + comment, f"add the colon that line {row + 1} lacks")
        yield _with_row(rows, row, stripped + "):" + comment, f"add the bracket and colon that line {row + 1} lacks")
        for match in reversed(list(re.finditer(r"[)\]\w]\s+(?=\w)", code))):
            # A block on the same line: `if x return y`.
            text = code[: match.start() + 1] + ":" + code[match.start() + 1 :]
            yield _with_row(rows, row, text + comment, f"add the colon that line {row + 1} lacks")
    elif code.endswith(":") and not code.endswith("):"):
        yield _with_row(rows, row, code[:-1] + "):" + comment, f"close the bracket of line {row + 1}")
        yield _with_row(rows, row, code[:-1] + comment, f"remove the colon of line {row + 1}")


def _equality(rows: list[str], row: int) -> Iterator[Repair]:
    code, comment = _split(rows[row])
    if re.match(r"\s*(?:if|elif|while|return|assert)\b", code) or " if " in code:
        for match in re.finditer(r"(?<![=!<>:+\-*/%&|^])=(?!=)", code):
            text = code[: match.start()] + "==" + code[match.end() :]
            yield _with_row(rows, row, text + comment, f"compare with == in line {row + 1}")
    for match in re.finditer(r"==", code):
        if re.match(r"\s*[\w.\[\]]+\s*$", code[: match.start()]):
            text = code[: match.start()] + "=" + code[match.end() :]
            yield _with_row(rows, row, text + comment, f"assign with = in line {row + 1}")


def _keywords(rows: list[str], row: int) -> Iterator[Repair]:
    code, comment = _split(rows[row])
    for match in re.finditer(r"[A-Za-z_]\w*", code):
        word = match.group()
        if keyword.iskeyword(word):
            continue
        lowered = [word.lower()] if keyword.iskeyword(word.lower()) else []
        for other in [*lowered, *difflib.get_close_matches(word, keyword.kwlist, n=2, cutoff=0.7)]:
            text = code[: match.start()] + other + code[match.end() :]
            yield _with_row(rows, row, text + comment, f"{other} for {word} in line {row + 1}")
    for match in re.finditer(r"\b(def|class|if|elif|while|for|in|return|not|and|or|import|from|is)(?=[A-Za-z_])", code):
        text = code[: match.end()] + " " + code[match.end() :]
        yield _with_row(rows, row, text + comment, f"split {match.group()} off in line {row + 1}")


def _comma(rows: list[str], place: int, error: SyntaxError) -> Iterator[Repair]:
    code, comment = _split(rows[place])
    gaps = [match.start() + 1 for match in re.finditer(r"[\w)\]}'\"](?=\s+[\w(\[{'\"])|[)\]}'\"](?=[\w(\[{'\"])", code)]
    offset = (error.end_offset or error.offset or 1) - 1
    for gap in sorted(gaps, key=lambda gap: abs(gap - offset)):
        yield _with_row(rows, place, code[:gap] + "," + code[gap:] + comment, f"add a comma in line {place + 1}")
    for row in (place, place - 1):
        if row >= 0:
            code, comment = _split(rows[row])
            if code and code[-1] not in ",:([{\\":
                yield _with_row(rows, row, f"{code},{comment}", f"add a comma at the end of line {row + 1}")
    for gap in sorted(gaps, key=lambda gap: abs(gap - offset)):
        for symbol in (" =", " +", " ==", " in", ":", "."):
            code, comment = _split(rows[place])
            yield _with_row(rows, place, code[:gap] + symbol + code[gap:] + comment, f"add{symbol} in line {place + 1}")


def _brackets(text: str, rows: list[str], near: list[int]) -> Iterator[Repair]:
    """Closers for what is left open, at the ends of likely lines; openers and closers too many, removed."""
    opened: list[tuple[str, int]] = []
    extra: list[int] = []
    masked = _STRING.sub(lambda match: re.sub(r"[^\r\n]", " ", match.group()), text)
    for offset, character in enumerate(masked):
        if character in _OPENERS:
            opened.append((character, offset))
        elif character in _CLOSERS:
            if opened and opened[-1][0] == _CLOSERS[character]:
                opened.pop()
            else:
                extra.append(offset)
    for offset in extra:
        line = text.count("\n", 0, offset) + 1
        yield Repair(text[:offset] + text[offset + 1 :], f"remove {text[offset]} from line {line}")
        if opened:
            closer = _OPENERS[opened[-1][0]]
            yield Repair(text[:offset] + closer + text[offset + 1 :], f"{closer} for {text[offset]} in line {line}")
        row = line - 1
        code, _ = _split(rows[row])
        start = sum(len(other) for other in rows[:row])
        for match in re.finditer(r"(?:(?<=[\s=,(\[{])|^)(?=[\w'\"(\[{])", code):
            opener = _CLOSERS[text[offset]]
            if start + match.start() < offset:
                where = start + match.start()
                yield Repair(text[:where] + opener + text[where:], f"open {opener} in line {line}")
        for match in re.finditer(r"\w(?=\s*[\w'\"])", code):
            where = start + match.end()
            if where < offset and not keyword.iskeyword(re.findall(r"\w+$", code[: match.end()])[0]):
                yield Repair(text[:where] + _CLOSERS[text[offset]] + text[where:], f"open a bracket in line {line}")
    for opener, offset in reversed(opened):
        row = text.count("\n", 0, offset)
        closer = _OPENERS[opener]
        for target in dict.fromkeys([row, *sorted(near), row + 1, row + 2]):
            if row <= target < len(rows):
                code, comment = _split(rows[target])
                note = f"close {opener} in line {target + 1}"
                if code.endswith(":"):
                    yield _with_row(rows, target, f"{code[:-1]}{closer}:{comment}", note)
                yield _with_row(rows, target, f"{code}{closer}{comment}", note)
                if code.endswith(","):
                    yield _with_row(rows, target, f"{code[:-1]}{closer}{comment}", note)
        code, comment = _split(rows[row])
        start = sum(len(other) for other in rows[:row])
        for match in re.finditer(r"[\w'\")\]}](?=\s*(?:[,+\-*/%<>=!)\]}]|\s(?:and|or|if|for|in|is|not|else)\b))", code):
            if start + match.end() > offset:
                piece = code[: match.end()] + closer + code[match.end() :]
                yield _with_row(rows, row, piece + comment, f"close {opener} in line {row + 1}")
        yield Repair(text[:offset] + text[offset + 1 :], f"remove {opener} from line {row + 1}")


def _quotes(rows: list[str], row: int) -> Iterator[Repair]:
    content = rows[row].rstrip("\r\n")
    for quote in "\"'":
        if content.replace("\\" + quote, "").count(quote) % 2 == 0:
            continue
        note = f"balance the quotes of line {row + 1}"
        stripped = content.rstrip()
        for tail in ("):", ")", "]", "}", ",", ":", "),", "])", ""):
            if stripped.endswith(tail):
                yield _with_row(rows, row, stripped[: len(stripped) - len(tail)] + quote + tail, note)
        for match in re.finditer(r"[\w.!?](?=\s*[,)\]}:+])", content):
            yield _with_row(rows, row, content[: match.end()] + quote + content[match.end() :], note)
        for match in re.finditer(r"(?<=[\s=,(\[{])(?=\w)", content):
            yield _with_row(rows, row, content[: match.start()] + quote + content[match.start() :], note)
        other = "'" if quote == '"' else '"'
        for match in re.finditer(re.escape(other), content):
            yield _with_row(rows, row, content[: match.start()] + quote + content[match.end() :], note)
        where = content.rindex(quote)
        yield _with_row(rows, row, content[:where] + content[where + 1 :], note)


def _replaced(rows: list[str], row: int) -> Iterator[Repair]:
    code, comment = _split(rows[row])
    for pattern, text in _REPLACED:
        changed = re.sub(pattern, text, code)
        if changed != code:
            yield _with_row(rows, row, changed + comment, f"Python's own spelling in line {row + 1}")
