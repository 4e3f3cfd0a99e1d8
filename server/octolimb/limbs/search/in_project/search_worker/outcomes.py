"""How a test or a candidate fared, in the words of the answers. Pure, but for waiting on a child in `outcome_of`."""

from __future__ import annotations

import re
import signal
import time
from typing import Any, Iterable, List, Optional

from .forks import Fork
from .frames import Frame

ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
FORK_SLACK = 0.06  # Seconds that a first answer may take longer, since it includes the fork.
SLOW = "no answer within %.2f s"
GOOD = ("passed", "xpassed")
TIMEOUT = {"type": "Timeout", "message": "it did not end in time", "frames": []}


def result(name: str, how: str) -> Frame:
    return {"test": name, "outcome": how, "ms": 0.0}


def failed(one: Frame) -> Frame:
    """The answer for a candidate, from the test that it did not pass."""
    what = ": ".join(part for part in (one.get("type"), (one.get("message") or "").split("\n")[0][:200]) if part)
    return {"s": "failed", "why": "%s %s%s" % (one["test"], one["outcome"], what and " (%s)" % what)}


def first_bad(results: Iterable[Frame]) -> Optional[Frame]:
    return next((one for one in results if one["outcome"] not in GOOD), None)


def stable(message: Optional[str]) -> Optional[str]:
    """A message without the addresses in it."""
    return None if message is None else ADDRESS.sub("0x", message)


def ended(code: int) -> str:
    if code >= 0:
        return "the process ended with exit code %d" % code
    return "the process died of %s" % signal.Signals(-code).name


def outcome(reports: List[Any]) -> str:
    """One test's outcome over the reports of all its phases, subtests included."""
    for report in reports:
        if report.failed:
            return "failed" if report.when == "call" else "error"
    for report in reports:
        if report.skipped:
            return "xfailed" if hasattr(report, "wasxfail") else "skipped"
    for report in reports:
        if report.when == "call":
            return "xpassed" if hasattr(report, "wasxfail") else "passed"
    return "lost"


def outcome_of(child: Fork, order: Frame) -> Frame:
    """Waits for a child that runs one candidate to the end: first the targets, then the companions."""
    answer: Frame = {"id": order["id"], "n": order["case"]["n"]}
    started = time.monotonic()
    limit = min(order["limit"], order["seconds"] + 0.05)
    frame: Optional[Frame]
    try:
        frame = child.next(limit + FORK_SLACK)
        if frame is not None and frame["s"] == "targets":
            frame = child.next(max(limit, order.get("after", limit)))
    except TimeoutError:
        frame = {"s": "hung", "why": SLOW % limit}
    code = child.end()
    if frame is None:
        frame = {"s": "crashed", "why": ended(code)}
    answer.update(frame, ms=(time.monotonic() - started) * 1000)
    return answer
