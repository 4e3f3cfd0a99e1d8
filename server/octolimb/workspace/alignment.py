"""Which lines of two texts correspond, chosen as git chooses.

Often more than one shortest edit leads from one text to the other, and which of them is taken decides what a
three-way merge merges. So this takes the one that git takes: Myers' algorithm from both ends (An O(ND) Difference
Algorithm, 1986) over the lines that can correspond at all, then each changed run moved to where it fits the other
side. It works on any hashable lines and knows no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_MOST_EDITS: Final = 256
"""Where two stretches differ by more, git no longer looks for the shortest edit, and we give up."""
_MOST_OCCURRENCES: Final = 1024
_WINDOW: Final = 100
_LIMIT: Final = 1 << 62

Lines = Sequence[bytes]


class TooDifferent(Exception):
    """The texts differ by more than can be aligned exactly."""


@dataclass(frozen=True)
class Edit:
    """`old[old_start:old_end]` became `new[new_start:new_end]`."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int

    @property
    def shift(self) -> int:
        """By how many lines `new` is longer than `old` up to here."""
        return self.new_end - self.old_end


def align(old: Lines, new: Lines) -> list[Edit]:
    """The edits that lead from `old` to `new`, in order. Raises `TooDifferent`."""
    left, right = _Side(old), _Side(new)
    start, end = _common_ends(old, new)
    kept_left = left.keep_alignable(start, len(old) - end, _count(new))
    kept_right = right.keep_alignable(start, len(new) - end, _count(old))
    _Search(left, kept_left, right, kept_right).run()
    left.settle(right)
    right.settle(left)
    return _edits(left, right)


class _Side:
    """One text, and which of its lines are changed. `changed[line]` may be asked for one line past either end."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.changed = _Marks(len(lines))

    def keep_alignable(self, start: int, end: int, others: dict[bytes, int]) -> list[int]:
        """Marks the lines of `start` to `end` that cannot correspond, or too loosely; returns the rest's numbers.

        A line that is very frequent on the other side is left out where it stands among lines that it lacks.
        """
        frequent = min(_rough_root(len(self.lines)), _MOST_OCCURRENCES)
        counts = [others.get(self.lines[number], 0) for number in range(start, end)]
        classes = [0 if count == 0 else 2 if count >= frequent else 1 for count in counts]
        kept: list[int] = []
        for offset, cls in enumerate(classes):
            if cls == 1 or (cls == 2 and not _is_lost(classes, offset)):
                kept.append(start + offset)
            else:
                self.changed[start + offset] = True
        return kept

    def settle(self, other: _Side) -> None:
        """Moves each changed run down as far as equal lines allow, or back up to face a changed run of `other`."""
        here, there = _Run(self), _Run(other)
        while True:
            if here.end > here.start:
                self._settle_run(here, there)
            if not here.advance():
                return
            there.advance()

    @staticmethod
    def _settle_run(here: _Run, there: _Run) -> None:
        while True:
            size = here.end - here.start
            facing = False
            while here.slide_up():
                there.retreat()
            highest = here.end
            facing = there.end > there.start
            while here.slide_down():
                there.advance()
                facing = facing or there.end > there.start
            if size == here.end - here.start:
                break
        if here.end != highest and facing:
            while there.end == there.start:
                here.slide_up()
                there.retreat()


class _Marks(list[bool]):
    """Flags for lines 0 to `size` - 1. Line -1 is the last of one more, which like line `size` is never set."""

    def __init__(self, size: int) -> None:
        super().__init__([False] * (size + 1))


class _Run:
    """A maximal run of changed lines, possibly empty: between each two lines that correspond there is one."""

    def __init__(self, side: _Side) -> None:
        self._lines = side.lines
        self._changed = side.changed
        self.start = self.end = 0
        self._grow_down()

    def advance(self) -> bool:
        """To the next run; False where this is the last."""
        if self.end == len(self._lines):
            return False
        self.start = self.end = self.end + 1
        self._grow_down()
        return True

    def retreat(self) -> None:
        self.end = self.start = self.start - 1
        self._grow_up()

    def slide_down(self) -> bool:
        """One line down, taking in the run that it meets; False where the lines do not allow it."""
        if self.end >= len(self._lines) or self._lines[self.start] != self._lines[self.end]:
            return False
        self._changed[self.start], self._changed[self.end] = False, True
        self.start += 1
        self.end += 1
        self._grow_down()
        return True

    def slide_up(self) -> bool:
        """One line up, taking in the run that it meets; False where the lines do not allow it."""
        if self.start == 0 or self._lines[self.start - 1] != self._lines[self.end - 1]:
            return False
        self.start -= 1
        self.end -= 1
        self._changed[self.start], self._changed[self.end] = True, False
        self._grow_up()
        return True

    def _grow_down(self) -> None:
        while self._changed[self.end]:
            self.end += 1

    def _grow_up(self) -> None:
        while self.start > 0 and self._changed[self.start - 1]:
            self.start -= 1


class _Search:
    """Marks what a shortest edit changes, dividing at the middle of the path that it finds from both ends."""

    def __init__(self, left: _Side, kept_left: list[int], right: _Side, kept_right: list[int]) -> None:
        self._marks = left.changed, right.changed
        self._numbers = kept_left, kept_right
        self._left = [left.lines[number] for number in kept_left]
        self._right = [right.lines[number] for number in kept_right]

    def run(self) -> None:
        pending = [(0, len(self._left), 0, len(self._right))]
        while pending:
            left, left_end, right, right_end = pending.pop()
            while left < left_end and right < right_end and self._left[left] == self._right[right]:
                left, right = left + 1, right + 1
            while left < left_end and right < right_end and self._left[left_end - 1] == self._right[right_end - 1]:
                left_end, right_end = left_end - 1, right_end - 1
            if left == left_end or right == right_end:
                for side, changed in enumerate((range(left, left_end), range(right, right_end))):
                    for position in changed:
                        self._marks[side][self._numbers[side][position]] = True
                continue
            middle_left, middle_right = self._middle(left, left_end, right, right_end)
            pending.append((middle_left, left_end, middle_right, right_end))
            pending.append((left, middle_left, right, middle_right))

    def _middle(self, left: int, left_end: int, right: int, right_end: int) -> tuple[int, int]:
        """A point on a shortest path. Diagonals are numbered by position on the left less position on the right."""
        lowest, highest = left - right_end, left_end - right
        first, last = left - right, left_end - right_end
        odd = (first - last) % 2 == 1
        forward: dict[int, int] = {first: left}
        backward: dict[int, int] = {last: left_end}
        forward_low = forward_high = first
        backward_low = backward_high = last
        for _ in range(_MOST_EDITS):
            forward_low, forward_high = _widen(forward, forward_low, forward_high, lowest, highest, -1)
            for diagonal in range(forward_high, forward_low - 1, -2):
                below, above = forward[diagonal - 1], forward[diagonal + 1]
                at = below + 1 if below >= above else above
                while at < left_end and at - diagonal < right_end and self._left[at] == self._right[at - diagonal]:
                    at += 1
                forward[diagonal] = at
                if odd and backward_low <= diagonal <= backward_high and backward[diagonal] <= at:
                    return at, at - diagonal
            backward_low, backward_high = _widen(backward, backward_low, backward_high, lowest, highest, _LIMIT)
            for diagonal in range(backward_high, backward_low - 1, -2):
                below, above = backward[diagonal - 1], backward[diagonal + 1]
                at = below if below < above else above - 1
                while at > left and at - diagonal > right and self._left[at - 1] == self._right[at - diagonal - 1]:
                    at -= 1
                backward[diagonal] = at
                if not odd and forward_low <= diagonal <= forward_high and at <= forward[diagonal]:
                    return at, at - diagonal
        raise TooDifferent


def _widen(reached: dict[int, int], low: int, high: int, lowest: int, highest: int, nowhere: int) -> tuple[int, int]:
    """One diagonal more on each side, or one less where there is none; `nowhere` bounds what was reached."""
    if low > lowest:
        low -= 1
        reached[low - 1] = nowhere
    else:
        low += 1
    if high < highest:
        high += 1
        reached[high + 1] = nowhere
    else:
        high -= 1
    return low, high


def _common_ends(old: Lines, new: Lines) -> tuple[int, int]:
    """How many lines the two have in common at the start, and then at the end."""
    shorter = min(len(old), len(new))
    start = 0
    while start < shorter and old[start] == new[start]:
        start += 1
    end = 0
    while end < shorter - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return start, end


def _is_lost(classes: list[int], offset: int) -> bool:
    """True where both neighbourhoods hold lines that cannot correspond, and far more of those than frequent ones."""
    before = _neighbours(classes[max(0, offset - _WINDOW) : offset][::-1])
    after = _neighbours(classes[offset + 1 : offset + 1 + _WINDOW])
    if before[0] == 0 or after[0] == 0:
        return False
    absent, frequent = before[0] + after[0], before[1] + after[1] + 2
    return frequent * 4 < frequent + absent


def _neighbours(classes: Iterable[int]) -> tuple[int, int]:
    """How many lines are absent, and how many frequent, up to the first ordinary one."""
    absent = frequent = 0
    for cls in classes:
        if cls == 1:
            break
        absent += cls == 0
        frequent += cls == 2
    return absent, frequent


def _count(lines: Lines) -> dict[bytes, int]:
    counts: dict[bytes, int] = {}
    for line in lines:
        counts[line] = counts.get(line, 0) + 1
    return counts


def _rough_root(number: int) -> int:
    """A power of two near the square root."""
    root = 1
    while number > 0:
        root, number = root * 2, number // 4
    return root


def _edits(left: _Side, right: _Side) -> list[Edit]:
    edits: list[Edit] = []
    one, two = _Run(left), _Run(right)
    while True:
        if one.end > one.start or two.end > two.start:
            edits.append(Edit(one.start, one.end, two.start, two.end))
        if not (one.advance() and two.advance()):
            return edits
