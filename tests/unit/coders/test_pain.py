"""What a failure message and a test's source give away."""

from __future__ import annotations

import pytest

from octolimb.limbs.coders.pain import PainHints, read_pain


def test_the_values_of_an_assertion() -> None:
    hints = read_pain(["E       assert 3 == 4\nE        +  where 3 = f(1)"])
    assert (hints.got, hints.expected) == (("3",), ("4",))


def test_the_produced_value_may_stand_on_the_right() -> None:
    hints = read_pain(["assert 4 == 3\n +  where 3 = f(1)"])
    assert (hints.got, hints.expected) == (("3",), ("4",))


def test_values_are_canonical_literals() -> None:
    assert read_pain(["AssertionError: assert [1,2] == ['a', \"b\"]"]).expected == ("['a', 'b']",)


@pytest.mark.parametrize(
    ("message", "exception"),
    [
        ("E   IndexError: list index out of range", "IndexError"),
        ("KeyError: 'x'", "KeyError"),
        ("json.decoder.JSONDecodeError: bad", "JSONDecodeError"),
        ("StopIteration", "StopIteration"),
        ("all is well", ""),
    ],
)
def test_the_exceptions_name(message: str, exception: str) -> None:
    assert read_pain([message]).exception == exception


def test_names_that_the_message_quotes() -> None:
    assert read_pain(["NameError: name 'foo' is not defined. Did you mean: 'food'?"]).names == ("foo", "food")


def test_literals_and_expectations_of_the_tests() -> None:
    source = "def test_it():\n    assert f(1, 'a') == [3]\n    assert f(7) == 'none'\n    assert f(7) is None\n"
    hints = read_pain([], [source])
    assert hints.expected == ("[3]", "'none'", "None")
    assert hints.constants[0] == "7"
    assert set(hints.constants) == {"1", "'a'", "3", "7", "'none'"}


def test_what_unittest_expects() -> None:
    assert read_pain([], ["class T:\n    def test(self):\n        self.assertEqual(f(1), 5)\n"]).expected == ("5",)


def test_long_literals_and_broken_sources_are_passed_over() -> None:
    assert read_pain([f"assert 1 == {'x' * 100!r}"]).expected == ()
    assert read_pain([], ["def (:", "x = 1\0"]) == PainHints()


def test_what_has_no_literal_form_is_passed_over() -> None:
    assert read_pain(["assert 1 == 1e999", "assert f == {1, 2} - {1}"]).expected == ()


def test_no_pain_gives_no_hints() -> None:
    assert read_pain([]) == PainHints()
