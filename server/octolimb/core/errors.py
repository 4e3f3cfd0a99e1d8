"""What can go wrong, as a person would want to be told.

OctolimbError
├── BadInput                 the request is malformed or hostile; nothing was done
│   └── BadPath              a path that is not a plain path below the root
├── NotFound                 no such file in this snapshot
├── NotText                  the file's bytes are not text in its declared encoding
├── CannotSense              a requested sensor could not run at all
├── CannotIsolate            no shadow can be made on this machine or for this root
├── Cancelled                somebody who was waiting for it no longer wants it
├── TimeIsUp                 its deadline passed before there was an answer
├── Stale                    the base moved since the change set was made
└── ApplyFailed              the disk refused; every file is as it was before
"""

from __future__ import annotations


class OctolimbError(Exception):
    """A failure with a one-line message, an optional next step, and a stable code for programs."""

    code = "internal"

    def __init__(self, message: str, *, hint: str | None = None, path: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.path = path


class BadInput(OctolimbError):
    code = "bad-input"


class BadPath(BadInput, ValueError):
    code = "bad-path"


class NotFound(OctolimbError, FileNotFoundError):
    """Also a `FileNotFoundError`, so that code written for real files needs no change."""

    code = "not-found"

    def __str__(self) -> str:
        return self.message


class NotText(OctolimbError, ValueError):
    code = "not-text"


class CannotSense(OctolimbError):
    code = "cannot-sense"


class CannotIsolate(OctolimbError):
    code = "cannot-isolate"


class Cancelled(OctolimbError):
    code = "cancelled"


class TimeIsUp(OctolimbError):
    code = "time-is-up"


class Stale(OctolimbError):
    code = "stale"


class ApplyFailed(OctolimbError):
    code = "apply-failed"
