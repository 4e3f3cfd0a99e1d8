"""JSON objects over a descriptor, each behind a four-byte big-endian length. It does not know what they mean."""

from __future__ import annotations

import json
import os
import struct
from typing import Any, Dict, Optional

Frame = Dict[str, Any]


class Frames:
    """JSON objects with a length before each, both ways over one descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.buffer = b""

    def send(self, frame: Frame) -> None:
        """Writes all of it. Raises `OSError`."""
        body = json.dumps(frame).encode("utf-8", "backslashreplace")
        body = struct.pack(">I", len(body)) + body
        while body:
            body = body[os.write(self.fd, body) :]

    def whole(self) -> Optional[Frame]:
        """The next frame if all of it is here, else None."""
        if len(self.buffer) < 4:
            return None
        size = 4 + struct.unpack(">I", self.buffer[:4])[0]
        if len(self.buffer) < size:
            return None
        body, self.buffer = self.buffer[4:size], self.buffer[size:]
        frame: Frame = json.loads(body)
        return frame

    def fill(self) -> bool:
        """Reads what there is; False at the end of the stream."""
        try:
            piece = os.read(self.fd, 1 << 20)
        except OSError:
            piece = b""
        self.buffer += piece
        return bool(piece)

    def receive(self) -> Optional[Frame]:
        """Waits for a frame; None at the end of the stream."""
        while True:
            frame = self.whole()
            if frame is not None:
                return frame
            if not self.fill():
                return None
