"""What candidates do on inputs that no test checks: how the tests call the project, varied a little.

It says what came out, and judges nothing: which candidate is right cannot be known from here.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import itertools
import os
import sys
import time
import types
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from .batches import Clock, Overtime
from .forks import Process
from .frames import Frame
from .outcomes import FORK_SLACK, stable
from .running import Tests
from .surroundings import Surroundings
from .swapping import LiveFunctions, Unsupported

Place = Tuple[str, int, str]
MOST_CALLS = 24
MOST_INPUTS = 96
MOST_CHARACTERS = 2000
MOST_ITEMS = 50
CALL_SECONDS = 0.01
CASE_SECONDS = 0.25


class Behaviour:
    """For the collected park and its children."""

    def __init__(self, process: Process, tests: Tests, live: LiveFunctions, surroundings: Surroundings) -> None:
        self.process = process
        self.tests = tests
        self.live = live
        self.surroundings = surroundings
        self.inputs: Optional[List[Frame]] = None

    def observe(self, request: Frame) -> None:
        """Answers each case with what came out for each input, in short; not at all where there are no inputs."""
        end = time.monotonic() + request["seconds"]
        if self.inputs is None:
            self.inputs = self.mine(request["companions"], request["limit"])
        for case in request["cases"] if self.inputs else ():
            left = end - time.monotonic()
            if left <= 0:
                return
            child = self.process.fork()
            if child is None:
                self.child(case)
                raise AssertionError("the child has ended")
            frame = None
            with contextlib.suppress(TimeoutError):
                frame = child.next(min(CASE_SECONDS + FORK_SLACK, left))
            child.end()
            if frame is not None:
                self.process.channel.send(dict(frame, id=request["id"], n=case["n"]))

    # -- the inputs --------------------------------------------------------------------------------------------

    def mine(self, companions: Sequence[str], limit: float) -> List[Frame]:
        """How the targets and companions call functions of the project, and variations of that."""
        child = self.process.fork()
        if child is None:
            self.mining_child(companions)
            raise AssertionError("the child has ended")
        calls: List[Frame] = []
        with contextlib.suppress(TimeoutError):
            end = time.monotonic() + limit
            while True:
                frame = child.next(max(0.0, end - time.monotonic()) + FORK_SLACK)
                if frame is None:
                    break
                calls.append(frame)
        child.end()
        return list(itertools.islice(varied(calls), MOST_INPUTS))

    def mining_child(self, companions: Sequence[str]) -> None:
        self.surroundings.restore()
        recorder = Calls(self.live, self.tests, self.process.report.send)
        sys.setprofile(recorder.profile)
        names = [*self.tests.chosen, *companions]
        self.tests.run([(name, self.tests.item_of[name]) for name in names], stop=False)
        os._exit(0)

    # -- what comes out ----------------------------------------------------------------------------------------

    def child(self, case: Frame) -> None:
        """Swaps the candidate in and calls; only in a fork."""
        try:
            for unit in case["units"]:
                for function, code, _ in self.live.swaps(unit):
                    function.__code__ = code
        except (Unsupported, SyntaxError, ValueError, RecursionError, MemoryError):
            os._exit(0)
        self.surroundings.restore()
        end = time.monotonic() + CASE_SECONDS
        clock = Clock()
        found = []
        for one in self.inputs or ():
            function = self.live.functions[one["path"], one["first"], one["name"]][0]
            found.append(outcome_of_call(function, one, clock) if time.monotonic() < end else "")
        self.process.report.send({"outcomes": found})
        os._exit(0)


class Calls:
    """Tells of each call of a function of the project from outside of it, where its arguments are plain values."""

    def __init__(self, live: LiveFunctions, tests: Tests, tell: Any) -> None:
        self.live = live
        self.tests = tests
        self.tell = tell
        self.places: Dict[types.CodeType, Optional[Place]] = {}
        self.seen: Dict[Place, set[str]] = {}

    def profile(self, frame: types.FrameType, event: str, _argument: object) -> None:
        if event != "call":
            return
        place = self.place(frame.f_code)
        caller = frame.f_back
        if place is None or caller is None or self.place(caller.f_code) is not None:
            return
        known = self.seen.setdefault(place, set())
        if len(known) >= MOST_CALLS:
            return
        text = written(arguments(frame))
        if text is not None and text not in known:
            known.add(text)
            self.tell({"path": place[0], "first": place[1], "name": place[2], "call": text})

    def place(self, code: types.CodeType) -> Optional[Place]:
        """Where a function of the project is; None for all other code, and for functions that do not live on."""
        if code not in self.places:
            path = self.tests.names.product_file(code.co_filename)
            place = None if path is None else (path, code.co_firstlineno, code.co_name)
            self.places[code] = place if place in self.live.functions else None
        return self.places[code]


def arguments(frame: types.FrameType) -> Tuple[List[Any], Dict[str, Any]]:
    """The positional and the named arguments of a call that has just begun."""
    code, values = frame.f_code, frame.f_locals
    names = iter(code.co_varnames)
    positional = [values.get(name) for name in itertools.islice(names, code.co_argcount)]
    named = {name: values.get(name) for name in itertools.islice(names, code.co_kwonlyargcount)}
    if code.co_flags & 0x04:  # CO_VARARGS
        positional += values.get(next(names), ())
    if code.co_flags & 0x08:  # CO_VARKEYWORDS
        named.update(values.get(next(names), {}))
    return positional, named


def written(value: Any) -> Optional[str]:
    """A value that consists of literals, as text from which it can be made again; else None."""
    if not is_plain(value, 0):
        return None
    text = repr(value)
    return text if len(text) <= MOST_CHARACTERS and "nan" not in text and "inf" not in text else None


def is_plain(value: Any, depth: int) -> bool:
    kind = type(value)
    if kind in (int, float, complex, str, bytes, bool, type(None)):
        return True
    if depth > 4 or kind not in (list, tuple, dict, set) or (kind is set and not value):
        return False
    items = itertools.chain(value, value.values()) if kind is dict else value
    return len(value) <= 200 and all(is_plain(item, depth + 1) for item in items)


def varied(calls: Sequence[Frame]) -> Iterator[Frame]:
    """The calls themselves, then one variation of each in turn, as long as there are any."""
    seen = {(call["path"], call["first"], call["name"], call["call"]) for call in calls}
    yield from calls
    streams = [(call, variations_of(*ast.literal_eval(call["call"]))) for call in calls]
    while streams:
        left = []
        for call, stream in streams:
            text = next(stream, None)
            if text is None:
                continue
            left.append((call, stream))
            key = (call["path"], call["first"], call["name"], text)
            if key not in seen:
                seen.add(key)
                yield dict(call, call=text)
        streams = left


def variations_of(positional: List[Any], named: Dict[str, Any]) -> Iterator[str]:
    """One argument at a time is another one of its kind."""
    streams = [(index, variants(value)) for index, value in enumerate(positional)]
    while streams:
        left = []
        for index, stream in streams:
            for value in itertools.islice(stream, 1):
                left.append((index, stream))
                text = written(([*positional[:index], value, *positional[index + 1 :]], named))
                if text is not None:
                    yield text
        streams = left


def variants(value: Any) -> Iterator[Any]:
    """Values of the same kind, the most telling first."""
    kind = type(value)
    if kind is bool:
        yield not value
    elif kind is int:
        yield from (value + 1, value - 1, 0, 1, -value, value * 2 if abs(value) < 1000 else value // 2)
    elif kind is float:
        yield from (value + 1.0, value - 0.5, 0.0, -value)
    elif kind is dict:
        pairs = list(value.items())
        yield from (dict(pairs[1:]), dict(pairs[:-1]), {})
        for key, inner in pairs[:2]:
            for other in itertools.islice(variants(inner), 2):
                yield {**value, key: other}
    elif kind in (list, tuple) and not value:
        yield from (kind([0]), kind(["a", "b"]))
    elif kind is str and not value:
        yield from ("a", "0 1")
    elif kind in (list, tuple, str, bytes):
        yield from (value[:-1], value[1:], value[::-1], value[:0], value + value[:1], value + value, value[:1])
        if kind in (str, bytes):
            yield from (value.swapcase(), value.upper())
        elif value:
            yield kind(sorted(value, key=repr))
            for index in (0, len(value) // 2, len(value) - 1):
                for other in itertools.islice(variants(value[index]), 2):
                    yield kind([*value[:index], other, *value[index + 1 :]])
    elif kind is set:
        items = sorted(value, key=repr)
        yield from (set(items[1:]), set(items[:-1]))


def outcome_of_call(function: Any, one: Frame, clock: Clock) -> str:
    """What came of one call, and of its arguments, in a few characters."""
    positional, named = ast.literal_eval(one["call"])
    try:
        clock.start(CALL_SECONDS)
        value = function(*positional, **named)
        if isinstance(value, types.GeneratorType) or hasattr(value, "__next__"):
            value = list(itertools.islice(value, MOST_ITEMS))
        told = stable(repr(value))
        clock.stop()
        # What it did to its arguments is part of what it does.
        text = "%s %r" % (told, (positional, named))
    except Overtime:
        text = "overtime"
    except BaseException as error:  # Whatever a candidate raises is what came of it.
        text = "raises " + type(error).__name__
    finally:
        clock.stop()
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:8]
