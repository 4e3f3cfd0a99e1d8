"""The policies that a repository brings in `.intent/`, read strictly: what cannot be read denies everything.

One TOML file holds one policy. Rule kinds form a union that is told apart by `kind`; today there is `path`. The
built-in rules are code and stand in no file, so no file can loosen them.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Final, Literal

import pathspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from octolimb.core.changes import ChangeSet
from octolimb.core.errors import OctolimbError
from octolimb.core.paths import RelPath
from octolimb.core.proposals import Outcome, Reason
from octolimb.core.snapshot import Base
from octolimb.guard.confusables import skeletons
from octolimb.guard.rulings import BUILT_IN, POLICY_FILES, Ruling

DIRECTORY: Final = ".intent"
_SUFFIX: Final = ".toml"
_PROSE: Final = frozenset({".md", ".rst", ".txt"})
"""Files beside the policies that explain them; everything else in the directory must be a policy."""

_MAX_FILE_BYTES: Final = 1 << 20

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
_OUTCOME_OF: Final[dict[str, Outcome]] = {"block": "deny", "ask": "ask", "warn": "allow"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Scope(_Strict):
    """Which files a policy speaks of: gitignore patterns, from the root."""

    paths: Annotated[tuple[Text, ...], Field(min_length=1, strict=False)]

    @field_validator("paths")
    @classmethod
    def _patterns_are_plain(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in paths:
            if pattern.startswith(("!", "#")):
                raise ValueError(f"the pattern {pattern!r} takes something out or is a comment; a scope only adds")
            try:
                pathspec.GitIgnoreSpec.from_lines([pattern])
            except ValueError as error:
                raise ValueError(f"the pattern {pattern!r} is none: {error}") from None
        return paths


class PathPolicy(_Strict):
    """Creating, changing, deleting or renaming any file in scope is blocked, asked about or warned of."""

    kind: Literal["path"]
    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,63}$")]
    statement: Text
    rationale: Text | None = None
    severity: Literal["block", "ask", "warn"]
    scope: Scope

    @field_validator("id")
    @classmethod
    def _id_is_free(cls, value: str) -> str:
        if value in BUILT_IN:
            raise ValueError(f"{value!r} is built in, and no file can replace or loosen it")
        return value

    def judge(self, change_set: ChangeSet) -> list[Ruling]:
        """One ruling for each path in scope, whatever its spelling. Pure."""
        spec = pathspec.GitIgnoreSpec.from_lines(self.scope.paths)
        disguised = pathspec.GitIgnoreSpec.from_lines([shape for path in self.scope.paths for shape in skeletons(path)])
        outcome = _OUTCOME_OF[self.severity]
        return [
            Ruling(outcome, Reason(self.id, path, f"{path}: {self.statement}"))
            for path in change_set.paths
            if spec.match_file(path) or any(disguised.match_file(shape) for shape in skeletons(path))
        ]


@dataclass(frozen=True)
class PolicySet:
    """What judges besides the built-in rules. `problems` are reasons for which nothing at all may pass."""

    policies: tuple[PathPolicy, ...] = ()
    problems: tuple[Reason, ...] = ()
    files: tuple[tuple[RelPath, str], ...] = field(default=())
    """Every file in the directory with the digest of its document."""

    @cached_property
    def files_digest(self) -> str:
        """SHA-256, in hex, over all files of the directory, those that are no policies included."""
        total = hashlib.sha256()
        for path, digest in self.files:
            total.update(f"{path}\0{digest}\0".encode())
        return total.hexdigest()


def load_policies(base: Base) -> PolicySet:
    """The policies on the disk. `base` is the disk itself and no snapshot: unsaved text must not judge itself.

    Never raises for what it finds there: that becomes a problem, which denies.
    """
    kind = base.kind(DIRECTORY)
    if kind is None:
        return PolicySet()
    if kind != "directory":
        return PolicySet(problems=(_problem(RelPath(DIRECTORY), "it is no directory", "make it one, or remove it"),))
    policies: dict[str, PathPolicy] = {}
    problems: list[Reason] = []
    files: list[tuple[RelPath, str]] = []
    for path in _files_below(base, DIRECTORY):
        try:
            document = base.read(path)
        except OctolimbError as error:
            problems.append(_problem(path, error.message, "make it readable"))
            continue
        if document is None or document.link or len(document.data) > _MAX_FILE_BYTES:
            problems.append(_problem(path, "it is no plain file of at most 1 MB", "replace it by one"))
            continue
        files.append((path, document.digest))
        if path.suffix in _PROSE:
            continue
        if path.suffix != _SUFFIX:
            problems.append(_problem(path, "this version reads policies from .toml files only", "write it as TOML"))
            continue
        policy = _parse(path, document.data)
        if isinstance(policy, Reason):
            problems.append(policy)
        elif policy.id in policies:
            problems.append(
                _problem(path, f"field id: another file has {policy.id!r} too", "give each policy its own id")
            )
        else:
            policies[policy.id] = policy
    return PolicySet(tuple(policies[name] for name in sorted(policies)), tuple(problems), tuple(files))


def _files_below(base: Base, directory: str) -> list[RelPath]:
    found: list[RelPath] = []
    for name, kind in sorted(base.names(directory).items()):
        path = RelPath(f"{directory}/{name}")
        found += _files_below(base, path) if kind == "directory" else [path]
    return found


def _parse(path: RelPath, content: bytes) -> PathPolicy | Reason:
    try:
        fields = tomllib.loads(content.decode("utf-8"))
        return PathPolicy.model_validate(fields)
    except UnicodeDecodeError:
        return _problem(path, "it is not UTF-8 text", "save it as UTF-8")
    except tomllib.TOMLDecodeError as error:
        return _problem(path, f"it is not TOML: {error}", "mend the syntax")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "(top level)"
        return _problem(path, f"field {name}: {first['msg']}", "mend the field")


def _problem(path: RelPath, message: str, fix: str) -> Reason:
    return Reason(POLICY_FILES, path, f"{path}: {message}; until then nothing may pass", fix=fix)
