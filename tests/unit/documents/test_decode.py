"""A crate is taken exactly or refused with the place that is wrong."""

from __future__ import annotations

import pytest

from octolimb.core.errors import BadInput
from octolimb.documents.decode import crate_from_json


def test_a_crate_is_files_and_renames() -> None:
    crate = crate_from_json(b'{"files": {"a.py": "x\\n", "b.py": null}, "renames": {"c.py": "d.py"}}', name="crate")
    assert crate.files == {"a.py": "x\n", "b.py": None}
    assert crate.renames == {"c.py": "d.py"}


@pytest.mark.parametrize(
    "raw", [b"{}", b'{"files": {}}', b'\xef\xbb\xbf{"files": {}}', b'{"schema": "octolimb/crate/1"}']
)
def test_an_empty_crate_is_a_crate(raw: bytes) -> None:
    assert crate_from_json(raw, name="crate").files == {}


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not a crate"),
        (b"null", "not a crate"),
        (b'"files"', "not a crate"),
        (b'{"file": {}}', "file"),
        (b'{"files": {"a.py": 1}}', "files.a.py"),
        (b'{"files": ["a.py"]}', "files"),
        (b'{"files": {}, "renames": {"a": null}}', "renames.a"),
        (b'{"files": {"a.py": "1", "a.py": "2"}}', "twice"),
        (b'{"schema": "octolimb/crate/2"}', "schema"),
        (b"\xff\xfe", "UTF-8"),
        (b"[" * 200_000, "nested"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(raw: bytes, told: str) -> None:
    with pytest.raises(BadInput, match=r"crate\.json|key") as refused:
        crate_from_json(raw, name="crate.json")
    assert told in refused.value.message
