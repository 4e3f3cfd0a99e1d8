"""Forgeries that put something of theirs in the place of what runs, collects, skips or reports the tests."""

from __future__ import annotations

from typing import Final

from tests.faults.forgeries.catalogue import Forgery, at_import, in_answer, in_first

_FRAMES: Final = """
import sys

def frames():
    frame = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back

def local(name):
    return next(frame.f_locals[name] for frame in frames() if name in frame.f_locals)

def test_names():
    return next(frame.f_globals for frame in frames() if frame.f_globals.get("__name__", "").endswith("test_app"))
"""
_REACHES_US: Final = "it speaks with our reporter's own voice, which lives in the same process"

RUNNERS: Final[tuple[Forgery, ...]] = (
    at_import(
        "pytest's Function.runtest", "import _pytest.python\n_pytest.python.Function.runtest = lambda self: None"
    ),
    at_import(
        "pytest's Function.runtest, by another of pytest's functions",
        "import _pytest.python\n_pytest.python.Function.runtest = _pytest.python.Function.setup",
    ),
    at_import(
        "the code of pytest_pyfunc_call",
        "import _pytest.python\n_pytest.python.pytest_pyfunc_call.__code__ = (lambda pyfuncitem: True).__code__",
    ),
    at_import(
        "pytest's TestReport",
        """
        import _pytest.reports
        made = _pytest.reports.TestReport.from_item_and_call.__func__
        def lie(cls, item, call):
            report = made(cls, item, call)
            report.outcome, report.longrepr = "passed", None
            return report
        _pytest.reports.TestReport.from_item_and_call = classmethod(lie)
        """,
    ),
    in_answer(
        "pytest's TestReport, while the failing test runs",
        """
        made = _pytest.reports.TestReport.from_item_and_call.__func__
        def lie(cls, item, call):
            _pytest.reports.TestReport.from_item_and_call = classmethod(made)
            report = made(cls, item, call)
            report.outcome, report.longrepr = "passed", None
            return report
        _pytest.reports.TestReport.from_item_and_call = classmethod(lie)
        """,
        "import _pytest.reports",
    ),
    at_import(
        "pytest's CallInfo",
        """
        import _pytest.runner
        made = _pytest.runner.CallInfo.from_call.__func__
        def lie(cls, func, when, reraise=None):
            call = made(cls, func, when, reraise)
            call.excinfo = None
            return call
        _pytest.runner.CallInfo.from_call = classmethod(lie)
        """,
    ),
    at_import(
        "unittest's assertEqual",
        "import unittest\nunittest.TestCase.assertEqual = lambda self, first, second, msg=None: None",
        tests=("tests/test_unit.py",),
    ),
    at_import(
        "a plugin registered from the code",
        _FRAMES
        + """
class Agreeable:
    def pytest_pyfunc_call(self, pyfuncitem):
        return True

from _pytest.config import PytestPluginManager
import gc
for found in gc.get_objects():
    if isinstance(found, PytestPluginManager):
        found.register(Agreeable())
""",
    ),
    in_first(
        "a plugin registered while a test runs, found by frames",
        """
        class Agreeable:
            def pytest_pyfunc_call(self, pyfuncitem):
                return True
        config = local("self").config if hasattr(local("self"), "config") else local("item").config
        config.pluginmanager.register(Agreeable())
        """,
        _FRAMES,
    ),
    in_first(
        "the function of a hook's implementation",
        """
        for implementation in local("item").config.hook.pytest_pyfunc_call.get_hookimpls():
            implementation.function = lambda *arguments: True
        """,
        _FRAMES,
    ),
    in_first(
        "the runtest of every test, found by gc",
        """
        for found in gc.get_objects():
            if type(found).__name__ == "Function" and hasattr(found, "runtest"):
                found.runtest = lambda: None
        """,
        "import gc",
    ),
    in_first(
        "the object of every test, found by gc",
        """
        for found in gc.get_objects():
            if type(found).__name__ == "Function" and hasattr(found, "runtest"):
                found.obj = lambda: None
        """,
        "import gc",
    ),
    in_first(
        "the list of tests, shortened",
        """
        for found in gc.get_objects():
            if type(found).__name__ == "Session":
                del found.items[1:]
        """,
        "import gc",
    ),
    in_first("the code of the test", 'test_names()["test_answer"].__code__ = (lambda: None).__code__', _FRAMES),
    in_first("the test's name in its module", 'test_names()["test_answer"] = lambda: None', _FRAMES),
    at_import("__test__ = False in the test's module", _FRAMES + '\ntest_names()["__test__"] = False'),
    at_import(
        "a skip mark in the test's module",
        _FRAMES + '\nimport pytest\ntest_names()["pytestmark"] = pytest.mark.skip(reason="tired")',
    ),
    at_import(
        "an expected failure in the test's module",
        _FRAMES + '\nimport pytest\ntest_names()["pytestmark"] = pytest.mark.xfail(reason="known")',
    ),
    at_import(
        "another module in the place of the test's",
        """
        import sys, types
        fake = types.ModuleType("test_data")
        exec("def test_data(): pass", fake.__dict__)
        fake.__file__ = __file__.replace("app.py", "tests/test_data.py")
        sys.modules["test_data"] = sys.modules["tests.test_data"] = fake
        """,
        tests=("tests/test_a_passing.py", "tests/test_data.py"),
    ),
    at_import(
        "an importer that serves other tests",
        """
        import importlib.abc, importlib.util, sys
        class Liar(importlib.abc.Loader):
            def exec_module(self, module):
                exec("def test_data(): pass", module.__dict__)
        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name.endswith("test_data"):
                    place = __file__.replace("app.py", "tests/test_data.py")
                    return importlib.util.spec_from_file_location(name, place, loader=Liar())
        sys.meta_path.insert(0, Finder)
        """,
        tests=("tests/test_a_passing.py", "tests/test_data.py"),
    ),
    at_import(
        "a profile function that swaps the test when its module has been read",
        """
        import sys
        def profile(frame, event, argument):
            if event == "return" and "test_answer" in frame.f_globals and frame.f_code.co_name == "<module>":
                frame.f_globals["test_answer"] = lambda: None
                sys.setprofile(None)
        sys.setprofile(profile)
        """,
        known="the test is another function before pytest first sees it",
    ),
    at_import(
        "a trace function that jumps over the assertion",
        """
        import sys
        def trace(frame, event, argument):
            if frame.f_code.co_name != "test_answer":
                return trace if event == "call" and frame.f_code.co_name == "test_answer" else None
            if event == "line" and frame.f_lineno == frame.f_code.co_firstlineno + 2:
                frame.f_lineno = frame.f_code.co_firstlineno + 3
            return trace
        sys.settrace(trace)
        """,
        known="the assertion is never executed, and nothing is replaced",
    ),
    at_import(
        "sys.monitoring that leaves the test early",
        """
        import sys
        tool = sys.monitoring.PROFILER_ID
        sys.monitoring.use_tool_id(tool, "app")
        sys.monitoring.register_callback(tool, sys.monitoring.events.PY_START, lambda code, offset: None)
        sys.monitoring.set_events(tool, sys.monitoring.events.PY_START)
        """,
    ),
    in_answer("pytest.skip", 'pytest.skip("tired")', "import pytest"),
    at_import("pytest.skip of the whole module", 'import pytest\npytest.skip("tired", allow_module_level=True)'),
    in_answer("unittest.SkipTest", 'raise unittest.SkipTest("tired")', "import unittest"),
    in_answer("pytest.xfail", 'pytest.xfail("known")', "import pytest"),
    at_import("pytest.importorskip", 'import pytest\npytest.importorskip("nowhere")'),
    in_answer(
        "an exception whose __class__ says that it is a skip",
        "raise Tired()",
        """
        import pytest
        class Tired(Exception):
            msg, allow_module_level, _use_item_location = "tired", True, False
            @property
            def __class__(self):
                return pytest.skip.Exception
        """,
    ),
    in_answer(
        "a skip found among the subclasses of BaseException",
        """
        pending = [BaseException]
        while pending:
            kind = pending.pop()
            pending += kind.__subclasses__()
            if kind.__name__ == "Skipped":
                raise kind("tired")
        """,
    ),
    at_import(
        "another AssertionError",
        "import builtins, pytest\nbuiltins.AssertionError = pytest.skip.Exception",
    ),
    at_import(
        "another isinstance",
        "import builtins\nbuiltins.isinstance = lambda value, kind: True",
        tests=("tests/test_kind.py",),
    ),
    in_answer(
        "speaks through our reporter, found by frames",
        """
        reporter = next(plugin for plugin in local("item").config.pluginmanager.get_plugins()
                        if hasattr(plugin, "stream"))
        reporter.stream.send("phase", 1, "call", "passed", 0.1)
        reporter.stream.send("phase", 1, "teardown", "passed", 0.1)
        reporter.stream.send("finish", 0)
        import os
        os._exit(0)
        """,
        _FRAMES,
        known=_REACHES_US,
    ),
    in_answer(
        "replaces our writer, found by gc",
        """
        for found in gc.get_objects():
            if type(found).__name__ == "Stream" and hasattr(found, "seal"):
                add, send = found.add, found.send
                def add_lie(kind, *rest):
                    if kind == "phase":
                        rest = (rest[0], rest[1], "passed", 0.1)
                    add(kind, *rest)
                def send_lie(kind, *rest):
                    add_lie(kind, *([0] if kind == "finish" else rest))
                    found.flush()
                    if kind == "finish":
                        os._exit(0)
                found.add, found.send = add_lie, send_lie
                return 41
        """,
        "import gc, os",
        known=_REACHES_US,
    ),
)
