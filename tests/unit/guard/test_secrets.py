"""The rule `no-secrets`: new credentials are found however they are put, old ones and look-alikes are left alone."""

from __future__ import annotations

import base64
import codecs
import json
import random
import string
from collections.abc import Callable
from pathlib import Path

import pytest

from octolimb.core.changes import ChangeSet
from octolimb.core.document import Document
from octolimb.core.paths import RelPath
from octolimb.guard.credentials import Hit
from octolimb.guard.rulings import Ruling
from octolimb.guard.secrets import judge_secrets

Edit = Callable[..., ChangeSet]
KEY = " ".join(["RSA", "PRIVATE", "KEY"])


def token(prefix: str = "ghp_", length: int = 36, *, seed: int = 7) -> str:
    """A made-up token. It is built at run time so that no scanner finds one in this file."""
    source = random.Random(seed)
    return prefix + "".join(source.choice(string.ascii_letters + string.digits) for _ in range(length))


def judged(change_set: ChangeSet) -> list[Ruling]:
    rulings = judge_secrets(change_set)
    assert all(ruling.outcome == "deny" for ruling in rulings)
    return rulings


@pytest.mark.parametrize(
    "secret",
    [
        token("ghp_"),
        "-".join(["xoxb", str(10**12 + 7), str(10**12 + 9), token("", 24)]),
        token("sk_live_", 24),
        token("glpat-", 20),
        token("npm_", 36),
        "".join(random.Random(3).choices("ABCDEFGHKLMNPQRSTUVWXYZ234567", k=16)).join(["AKIA", ""]),
        "\n".join([f"-----BEGIN {KEY}-----", token("", 64), token("", 64, seed=2), f"-----END {KEY}-----"]),
    ],
    ids=["github", "slack", "stripe", "gitlab", "npm", "aws", "key"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["src/app.py", "config.yaml", ".env", "notes.md"])
def test_known_formats(secret: str, path: str, edit: Edit) -> None:
    text = f'VALUE = """{secret}"""\n' if path.endswith(".py") else f"VALUE={secret}\n"
    assert judged(edit(path, None, text))


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('password = "@@"', "x9!kfj22Q"),
        ('DB_PASSWORD: str = "@@"', "s3cr3tP4ss"),
        ('{"api_key": "@@"}', "9f86d081884c7d659a2feaa0c55ad015"),
        ("connect('postgres://app:@@@db.internal/x')", "s3cr3tP4ss"),
        ("os.environ['DB_PASSWORD'] = '@@'", "x9!kfj22Q"),
        ('client_secret="@@"', "aB3xK9mQ2pL7vN4wR8tY1zC6"),
        ('password = "x9" + "@@"', "!kfj22Q"),
    ],
)
def test_credentials_without_a_format(line: str, value: str, edit: Edit) -> None:
    assert judged(edit("src/app.py", None, line.replace("@@", value, 1) + "\n"))


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("DB_PASSWORD=@@", "x9!kfj22Q"),
        ("  passwd: @@", "Tr0ub4dor&3"),
        ("export API_TOKEN=@@", "aB3xK9mQ2pL7vN4wR8tY1zC6"),
    ],
)
def test_bare_values_in_settings(line: str, value: str, edit: Edit) -> None:
    assert judged(edit("deploy/settings.yml", None, line.replace("@@", value) + "\n"))


@pytest.mark.parametrize(
    "line",
    [
        'password = "changeme"',
        'password = "${DB_PASSWORD}"',
        'password = os.environ["DB_PASSWORD"]',
        'token = "ACCESS_TOKEN"',
        'API_KEY = "your-api-key-here"',
        'url = "https://user:pass@example.com/"',
        'token_url = "https://auth.internal/oauth2/v1/token"',
        'access_key_id = "fee5173a-3972-428e-ae73-cd4c2a371222"',
        'password_field = "user_password_1"',
        'secret = "<put your secret here>"',
        'pwd = "/home/user1/x"',
        'PASSWORD_RE = r"[a-z]{8,}\\d+"',
        'digest = "9f86d081884c7d659a2feaa0c55ad015"',
    ],
)
def test_placeholders_and_references_pass(line: str, edit: Edit) -> None:
    assert judged(edit("src/app.py", None, line + "\n")) == []


def disguises(secret: str) -> dict[str, str]:
    head, tail = secret[:9], secret[9:]
    codes = [ord(character) for character in secret]
    return {
        "concatenation": f'x = "{head}" + "{tail}"',
        "adjacent": f'x = ("{head}"\n     "{tail}")',
        "f-string": f'a = "{head}"\nx = f"{{a}}{tail}"',
        "names": f'a = "{head}"\nb = a + "{tail[:9]}"\nx = b + "{tail[9:]}"',
        "join": f'x = "".join(["{head}", "{tail}"])',
        "base64": f'import base64\nx = base64.b64decode("{base64.b64encode(secret.encode()).decode()}")',
        "hex": f'x = bytes.fromhex("{secret.encode().hex()}").decode()',
        "escapes": 'x = "' + "".join(f"\\x{code:02x}" for code in codes) + '"',
        "reversal": f'x = "{secret[::-1]}"[::-1]',
        "reversed": f'x = "".join(reversed("{secret[::-1]}"))',
        "map": f'x = "".join(map(chr, {codes}))',
        "comprehension": f'x = "".join(chr(c ^ 7) for c in {[code ^ 7 for code in codes]})',
        "bytes": f"x = bytes({codes}).decode()",
        "format": f'x = "{{}}{{}}".format("{head}", "{tail}")',
        "percent": f'x = "%s%s" % ("{head}", "{tail}")',
        "replace": f'x = "{head}@@{tail}".replace("@@", "")',
        "rot13": f'import codecs\nx = codecs.decode("{codecs.encode(secret, "rot13")}", "rot13")',
        "letters": "x = " + " + ".join(f'"{character}"' for character in secret),
        "call": f'connect(token="{head}" + "{tail}")',
        "unknown part": f'x = name + "{head}" + "{tail}"',
    }


@pytest.mark.parametrize("disguise", sorted(disguises("ghp_example1")))
def test_disguises_in_python(disguise: str, edit: Edit) -> None:
    rulings = judged(edit("src/app.py", "import os\n", "import os\n" + disguises(token())[disguise] + "\n"))
    assert rulings


@pytest.mark.parametrize(
    "comment",
    ["# kingfisher:ignore", "# gitleaks:allow", "# pragma: allowlist secret", "# nosec", "# trufflehog:ignore"],
)
def test_suppression_comments_do_not_silence(comment: str, edit: Edit) -> None:
    assert judged(edit("a.py", None, f'{comment}\nx = "{token()}"  {comment}\n'))


def test_the_secret_is_in_no_message(edit: Edit) -> None:
    (ruling,) = judged(edit("a.py", None, f'x = "{token()}"\n'))
    assert token()[4:16] not in json.dumps([ruling.reason.message, ruling.reason.fix])
    assert "sha256" in ruling.reason.message


def test_the_range_is_the_secret_in_utf16(edit: Edit) -> None:
    text = f'é = 1\ns = "😀"; x = "{token()}"\n'
    (ruling,) = judged(edit("a.py", None, text))
    span = ruling.reason.span
    assert span is not None
    assert (span.start.line, span.start.character) == (1, len('s = "😀😀"; x = "'))
    assert span.end.character - span.start.character == len(token())


def test_an_old_secret_does_not_block_another_edit(edit: Edit) -> None:
    old = f'x = "{token()}"\ny = 1\n'
    assert judged(edit("a.py", old, old.replace("y = 1", "y = 2"))) == []


def test_an_old_secret_may_be_indented(edit: Edit) -> None:
    assert judged(edit("a.py", f'x = "{token()}"\n', f'if True:\n    x = "{token()}"\n')) == []


def test_a_second_secret_beside_an_old_one_is_found(edit: Edit) -> None:
    old = f'x = "{token()}"\n'
    assert len(judged(edit("a.py", old, old + f'y = "{token(seed=8)}"\n'))) == 1


def test_a_secret_that_moves_to_another_file_is_new(edit: Edit) -> None:
    assert judged(edit("b.py", None, f'x = "{token()}"\n'))


def test_a_deletion_adds_nothing(edit: Edit) -> None:
    assert judged(edit("a.py", f'x = "{token()}"\n', None)) == []


def test_a_secret_in_a_name(edit: Edit) -> None:
    assert judged(edit(f"dump/{token()}.txt", None, ""))


def test_a_secret_in_binary_content(edit: Edit) -> None:
    assert judged(edit("blob.bin", None, b"\0\1" + f' "{token()}" '.encode() + b"\0\xff"))


def test_a_secret_in_another_encoding(edit: Edit) -> None:
    assert judged(edit("a.py", None, f'# coding: latin-1\né = "{token()}"\n'.encode("latin-1")))


def test_a_secret_in_a_link(edit: Edit) -> None:
    assert judged(edit("l", None, Document(RelPath("l"), token().encode(), 0o777, link=True)))


def test_a_secret_in_a_script_without_suffix(edit: Edit) -> None:
    text = f'#!/usr/bin/env python3\nx = "{token()[:9]}" + "{token()[9:]}"\n'
    assert judged(edit("bin/tool", None, text))


class SlowScanner:
    def scan(self, content: bytes, seconds: float) -> list[Hit]:
        raise TimeoutError("time is up")


def test_a_scan_that_does_not_finish_denies(edit: Edit) -> None:
    (ruling,) = judge_secrets(edit("a.txt", None, "x"), _NameOnly())
    assert "could not be searched" in ruling.reason.message


class _NameOnly(SlowScanner):
    """Finishes with the short name of a file and gives up on its content."""

    def scan(self, content: bytes, seconds: float) -> list[Hit]:
        return [] if content == b"a.txt" else super().scan(content, seconds)


@pytest.mark.parametrize(
    "source",
    [
        "x = 'a' * 10**9 * 10**9",
        "x = '%*s' % (10**9, 'a')",
        "x = '{:>999999999}'.format('a')",
        "a = 'x' * 16000\nb = a.join(a)\nc = b.join(b)",
        "x = " + " + ".join(["a"] * 900) + "\na = 'y' * 16000",
        "x = 2 ** 99999999 << 99999999",
        "a = a + 'x'\nb = c\nc = b",
    ],
)
def test_hostile_sources_cost_nothing(source: str, edit: Edit) -> None:
    assert judged(edit("a.py", None, source + "\n")) == []


def test_a_program_too_large_to_fold_denies(edit: Edit) -> None:
    text = "a = '" + "ab" * 8000 + "'\n" + "".join(f"x{n} = a + '{n}'\n" for n in range(2300))
    (ruling,) = judged(edit("a.py", None, text))
    assert "could not be searched" in ruling.reason.message


def test_the_standard_library_is_clean(edit: Edit) -> None:
    """A fixed tenth of it here; all of it was clean when the rules were made."""
    library = Path(json.__file__).parent.parent
    files = sorted(path for path in library.rglob("*.py") if not {"test", "tests", "site-packages"} & set(path.parts))
    hits = [
        (path.name, ruling.reason.message)
        for path in files[::10]
        for ruling in judged(edit("lib/" + path.name, None, path.read_bytes()))
    ]
    assert hits == []
