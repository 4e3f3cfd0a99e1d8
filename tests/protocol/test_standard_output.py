"""Standard output carries the protocol and nothing else, whatever our code or a library prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

NOISY = """
import os, subprocess
from octolimb.lsp import protocol, server

class Noisy(protocol.Protocol):
    def receive(self, body):
        print("a stray print", flush=True)
        os.write(1, b"a stray write\\n")
        subprocess.run(["echo", "a stray child"], check=True)
        assert os.read(0, 1) == b"", "a child could eat the client's messages"
        super().receive(body)

server.Protocol = Noisy
server.serve(None, tcp=None, schemas="ab")
"""


def test_stray_output_goes_to_the_log(frame: Any, initialize: Any, call: Any, tmp_path: Path) -> None:
    messages = [initialize(), call("shutdown", message_id=2), call("exit")]
    done = subprocess.run(
        [sys.executable, "-P", "-c", NOISY],
        input=b"".join(map(frame, messages)),
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert b"stray" not in done.stdout
    assert done.stdout.startswith(b"Content-Length: ")
    for stray in (b"a stray print", b"a stray write", b"a stray child"):
        assert done.stderr.count(stray) == len(messages)
