from __future__ import annotations

import pytest

from octolimb.core.errors import BadInput
from octolimb.lsp.options import Options, read_options


@pytest.mark.parametrize("raw", [None, {}, {"python": None}])
def test_nothing_said_is_nothing_trusted(raw: object) -> None:
    assert read_options(raw) == (Options(trusted=False), ())


def test_names_are_those_of_the_settings() -> None:
    options, unknown = read_options({"trusted": True, "serverPython": "/p", "codeIntelligence": False})
    assert (options.trusted, options.server_python, options.code_intelligence, unknown) == (True, "/p", False, ())


def test_unknown_names_are_told_and_harmless() -> None:
    assert read_options({"zeta": 1, "alpha": {}, "server_python": "/p"})[1] == ("alpha", "server_python", "zeta")


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ({"trusted": "yes"}, "initializationOptions.trusted:"),
        ({"trusted": 1}, "initializationOptions.trusted:"),
        ({"python": 3}, "initializationOptions.python:"),
        ({"sensors": "lint"}, "initializationOptions.sensors:"),
        ({"sensors": ["lint", 4]}, "initializationOptions.sensors.1:"),
        ({"tests": "some"}, "initializationOptions.tests:"),
        ([], "initializationOptions:"),
        ("trusted", "initializationOptions:"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(raw: object, place: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_options(raw)
    assert caught.value.message.startswith(place)
    assert "\n" not in caught.value.message


def test_a_wrong_token_is_not_repeated() -> None:
    with pytest.raises(BadInput) as caught:
        read_options({"token": ["s3cret"]})
    assert "s3cret" not in caught.value.message
