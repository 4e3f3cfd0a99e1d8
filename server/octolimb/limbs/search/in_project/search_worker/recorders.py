"""What ran: which functions while the project was imported, and which lines during a test. It judges nothing."""

from __future__ import annotations

import collections
import sys
import threading
import types
from typing import Any, Callable, DefaultDict, Dict, List, Optional, Set

monitoring: Any = getattr(sys, "monitoring", None)  # New in Python 3.12.


class Ran:
    """Records which code objects below the root run, from now until `stop`."""

    def __init__(self, root: str) -> None:
        self.codes: Dict[int, types.CodeType] = {}
        self.prefix = root + "/"
        self.tool = free_tool()
        if self.tool is not None:
            monitoring.use_tool_id(self.tool, "octolimb-ran")
            monitoring.register_callback(self.tool, monitoring.events.PY_START, self.start)
            monitoring.set_events(self.tool, monitoring.events.PY_START)
        else:
            threading.setprofile(self.profile)
            sys.setprofile(self.profile)

    def start(self, code: types.CodeType, _offset: int) -> Any:
        self.codes[id(code)] = code  # Held, so that the id of a dead code object is never used again.
        return monitoring.DISABLE

    def profile(self, frame: types.FrameType, event: str, _argument: object) -> None:
        if event == "call":
            code = frame.f_code
            if id(code) not in self.codes and code.co_filename.startswith(self.prefix):
                self.codes[id(code)] = code

    def stop(self) -> None:
        if self.tool is not None:
            monitoring.set_events(self.tool, 0)
            monitoring.free_tool_id(self.tool)
            self.tool = None
        else:
            threading.setprofile(None)
            sys.setprofile(None)


class Lines:
    """Records which lines of the files that `wanted` accepts run; `take` hands them out and starts afresh."""

    def __init__(self, wanted: Callable[[str], Optional[str]]) -> None:
        self.wanted = wanted
        self.files: Dict[str, Optional[str]] = {}
        self.found: DefaultDict[str, Set[int]] = collections.defaultdict(set)
        self.tool = free_tool()
        if self.tool is not None:
            monitoring.use_tool_id(self.tool, "octolimb-lines")
            monitoring.register_callback(self.tool, monitoring.events.LINE, self.line)
            monitoring.set_events(self.tool, monitoring.events.LINE)
        else:
            threading.settrace(self.trace)
            sys.settrace(self.trace)

    def place(self, code: types.CodeType) -> Optional[str]:
        name = code.co_filename
        if name not in self.files:
            self.files[name] = self.wanted(name)
        return self.files[name]

    def line(self, code: types.CodeType, number: int) -> Any:
        path = self.place(code)
        if path is not None:
            self.found[path].add(number)
        return monitoring.DISABLE

    def trace(self, frame: types.FrameType, _event: str, _argument: object) -> Any:
        path = self.place(frame.f_code)
        if path is None:
            return None
        lines = self.found[path]

        def local(frame: types.FrameType, event: str, _argument: object) -> Any:
            if event == "line":
                lines.add(frame.f_lineno)
            return local

        return local

    def take(self) -> Dict[str, List[int]]:
        found = {path: sorted(lines) for path, lines in self.found.items() if lines}
        self.found.clear()
        if self.tool is not None:
            monitoring.restart_events()
        return found


def free_tool() -> Optional[int]:
    """A tool id of `sys.monitoring` that nobody uses; None where there is none, or no such module."""
    if monitoring is None:
        return None
    return next((tool for tool in (4, 3, 5, 2) if monitoring.get_tool(tool) is None), None)
