"""The way to a search worker: starts it in a shadow, and carries JSON frames. It does not know what they mean."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import time
from pathlib import Path
from typing import Any, Final

from octolimb.shadow.interpreter import Interpreter
from octolimb.shadow.shadow import Shadow

Frame = dict[str, Any]

_WORKER: Final = Path(__file__).parent / "in_project" / "search_worker"
_TAIL_CHARACTERS: Final = 500


class WorkerGone(Exception):
    """The worker has ended, or answers no more; the message says for people what is known of why."""


class Connection:
    """One worker process and the frames to and from it."""

    def __init__(self, shadow: Shadow, interpreter: Interpreter, opening: Frame, *, deadline: float) -> None:
        """Starts the worker; `deadline` is in seconds from now. Raises `CannotIsolate` and `WorkerGone`."""
        path = os.pathsep.join(filter(None, [str(interpreter.bin), os.environ.get("PATH", os.defpath)]))
        command = [str(interpreter.python), str(_WORKER)]
        keep = (*interpreter.keep, _WORKER.parent)
        self._child = shadow.spawn(command, env={"PATH": path}, keep=keep, channel=True, deadline=deadline)
        self._buffer = bytearray()
        try:
            self.send({"root": str(shadow.root), **opening})
        except BaseException:
            self.close()
            raise

    def send(self, frame: Frame) -> None:
        """Raises `WorkerGone`."""
        body = json.dumps(frame).encode()
        try:
            self._channel.settimeout(None)
            self._channel.sendall(struct.pack(">I", len(body)) + body)
        except OSError:
            raise self._gone() from None

    def receive(self, until: float) -> Frame:
        """The next frame. Raises `WorkerGone`, also where none has come by `until`, of `time.monotonic()`."""
        while (frame := self._whole()) is None:
            left = until - time.monotonic()
            if left <= 0:
                raise WorkerGone("the search worker did not answer in time")
            try:
                self._channel.settimeout(left)
                piece = self._channel.recv(1 << 18)
            except TimeoutError:
                continue
            except OSError:
                piece = b""
            if not piece:
                raise self._gone()
            self._buffer += piece
        return frame

    def last_words(self) -> str:
        """The last line that pytest wrote but for its summary, after a colon; "" where there is none."""
        lines = self._child.stdout_tail().decode(errors="replace").splitlines()
        telling = [line.strip() for line in lines if line.strip() and not line.startswith(("=", "-", "!"))]
        return f": {telling[-1][:_TAIL_CHARACTERS]}" if telling else ""

    def close(self) -> None:
        """Kills the worker and all that it started. Idempotent."""
        with contextlib.suppress(OSError):
            self._channel.close()
        self._child.kill()

    @property
    def _channel(self) -> Any:
        channel = self._child.channel
        assert channel is not None, "the worker was spawned with a channel"
        return channel

    def _whole(self) -> Frame | None:
        if len(self._buffer) < 4:
            return None
        size = 4 + struct.unpack(">I", self._buffer[:4])[0]
        if len(self._buffer) < size:
            return None
        frame: Frame = json.loads(self._buffer[4:size])
        del self._buffer[:size]
        return frame

    def _gone(self) -> WorkerGone:
        code = self._child.wait(1.0)
        tail = self._child.stderr_tail().decode(errors="replace").strip()[-_TAIL_CHARACTERS:]
        how = "still runs" if code is None else f"ended with {code}"
        return WorkerGone(f"the search worker {how} and closed its channel{': ' + tail if tail else ''}")
