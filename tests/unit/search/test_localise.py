"""What localising says of real failures in real projects."""

from __future__ import annotations

from typing import Any

from octolimb.core.verdicts import Outcome

Lab = Any  # The class stands in conftest.py, which tests cannot import.

TWO = {
    "m.py": """
        LIMIT = 1

        def good(x):
            return x

        def bad(x):
            y = good(x)
            return y - LIMIT
        """,
    "test_m.py": """
        import pytest
        from m import bad, good
        def test_bad():
            assert bad(1) == 2
        def test_good():
            assert good(1) == 1
        @pytest.mark.skip
        def test_skipped(): pass
        """,
}


def test_the_lines_that_only_the_failing_test_ran_lead(lab: Lab) -> None:
    lab.write(TWO)
    found = lab.localise("test_m.py::test_bad", companions=["test_m.py"])
    scores = found.suspicion["m.py"]
    assert {line for line, score in scores.items() if score == max(scores.values())} == {7, 8}
    assert scores[4] < scores[7]
    assert found.import_lines == {"m.py": {1}}
    assert found.why == ""
    assert {name.partition("::")[2]: result.outcome for name, result in found.outcomes.items()} == {
        "test_bad": Outcome.FAILED,
        "test_good": Outcome.PASSED,
        "test_skipped": Outcome.SKIPPED,
    }
    failure = found.outcomes["test_m.py::test_bad"]
    assert "assert 0 == 2" in failure.message
    assert "bad(1)" in failure.detail
    assert failure.place == ("test_m.py", 4)


def test_the_deepest_frame_of_an_error_leads(lab: Lab) -> None:
    lab.write({**TWO, "m.py": "def good(x):\n    return x\n\ndef bad(x):\n    y = good(x)\n    return y.nothing\n"})
    found = lab.localise("test_m.py::test_bad")
    assert max(found.suspicion["m.py"], key=lambda line: found.suspicion["m.py"][line]) == 6
    assert found.outcomes["test_m.py::test_bad"].place == ("m.py", 6)


def test_a_script_that_asserts_while_it_is_imported(lab: Lab) -> None:
    lab.write({"m.py": "def f():\n    x = 1\n    return x\n", "test_m.py": "from m import f\nassert f() == 2, 'oh'\n"})
    found = lab.localise("test_m.py")
    assert set(found.suspicion["m.py"]) == {2, 3}
    assert found.outcomes["test_m.py"].outcome is Outcome.ERROR
    assert "oh" in found.outcomes["test_m.py"].message


def test_an_endless_loop(lab: Lab) -> None:
    lab.write(
        {
            "m.py": "def f(n):\n    while n:\n        n += 1\n    return n\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert f(1) == 0\n",
        }
    )
    with lab.session("test_m.py::test_it", deadline=20.0) as session:
        found = session.localise()
    assert set(found.suspicion["m.py"]) == {2, 3}
    assert found.outcomes["test_m.py::test_it"].outcome is Outcome.FAILED
    assert "did not end" in found.outcomes["test_m.py::test_it"].message


def test_a_project_with_threads(lab: Lab) -> None:
    lab.write(
        {
            **TWO,
            "conftest.py": "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n",
        }
    )
    found = lab.localise("test_m.py::test_bad", companions=["test_m.py::test_good"])
    assert {7, 8} <= set(found.suspicion["m.py"])
    assert found.outcomes["test_m.py::test_good"].outcome is Outcome.PASSED
    assert "thread" in found.why


def test_a_target_that_does_not_exist(lab: Lab) -> None:
    lab.write(TWO)
    found = lab.localise("test_m.py::test_nothing")
    assert found.outcomes["test_m.py::test_nothing"].outcome is Outcome.LOST
    assert "test_nothing" in found.why


def test_a_file_that_does_not_exist(lab: Lab) -> None:
    lab.write(TWO)
    found = lab.localise("test_none.py::test_nothing")
    assert found.suspicion == {}
    assert found.why
