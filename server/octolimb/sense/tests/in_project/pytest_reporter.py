"""Runs `python -m pytest` in the project's own interpreter and reports every phase of every test to a descriptor.

Standard library only, Python 3.9 and newer, pytest 6 and newer. It is started as a script with the repository's root
as working directory. Standard input holds one JSON request; the environment's OCTOLIMB_REPORT_FD names an open
descriptor that takes one JSON array a line: `[kind, ...]`. What the project prints never goes there.

Request: `{"args": [path] | null, "files": [path], "directories": [path], "ids": [node id], "visit": [path],
"all": bool, "collect_only": bool, "stop_first": bool}`. Paths are relative to the root, and so are all node ids, in
and out, wherever pytest's own rootdir lies. With `args` null pytest collects what it would without arguments; only
what `files`, `directories` and `ids` name is kept of that, and only these and `visit` are looked into. With `all`
nothing is left out.

It does NOT judge: an outcome, an exit status or a missing record means something only to the parent.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any, Callable, Dict, Generator

Facts = Dict[str, Any]
Wrapper = Generator[None, Any, None]

OLDEST_PYTHON = (3, 9)
NO_PYTEST_STATUS = 86
DETAIL_LIMIT = 12_000
MESSAGE_LIMIT = 500
SECTIONS_LIMIT = 4_000
DETAIL_BUDGET = 24_000_000
SHORT_DETAIL = 600
PHASES = ("setup", "call", "teardown")
ENCODE = json.JSONEncoder(separators=(",", ":")).encode


class Stream:
    """The way out. It survives tests that close descriptors, and never writes into a file that is not ours."""

    def __init__(self, descriptor: int) -> None:
        import fcntl
        import resource

        self.owner = os.getpid()
        status = os.fstat(descriptor)
        self.identity = (status.st_dev, status.st_ino)
        # Two copies far from the low numbers: code that closes "all" descriptors usually stops at some round number.
        # Both close on exec, so that no process that a test starts can hold or write the stream.
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        top = 65536 if soft == resource.RLIM_INFINITY else min(soft, 65536)
        self.descriptors = [
            fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, max(3, floor)) for floor in (top - 8, top // 2 + 87)
        ]
        os.close(descriptor)
        self.pending: list[str] = []

    def add(self, *record: object) -> None:
        self.pending.append(ENCODE(record))

    def send(self, *record: object) -> None:
        self.add(*record)
        self.flush()

    def flush(self) -> None:
        if os.getpid() != self.owner:
            # A test forked and the child fell back into pytest: what it sees is not ours to report.
            self.pending.clear()
            return
        if not self.pending:
            return
        left = ("\n".join(self.pending) + "\n").encode("ascii")
        self.pending.clear()
        while left:
            descriptor = self._usable()
            if descriptor is None:
                return
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:
                import select

                select.select([], [descriptor], [])
            except OSError:
                self.descriptors.remove(descriptor)

    def _usable(self) -> int | None:
        while self.descriptors:
            try:
                status = os.fstat(self.descriptors[0])
                if (status.st_dev, status.st_ino) == self.identity:
                    return self.descriptors[0]
            except OSError:
                pass
            # Closed, or closed and opened again as something else: either way not ours any more.
            del self.descriptors[0]
        return None


class Reporter:
    """The pytest plugin. Method names that start with `pytest_` are hooks; `mark_wrappers` says which ones wrap."""

    def __init__(self, stream: Stream, request: dict[str, Any], root: str) -> None:
        self.stream = stream
        self.request = request
        self.root = root
        self.index: dict[str, int] = {}
        self.raised: dict[tuple[str, str], tuple[BaseException, str]] = {}
        self.budget = DETAIL_BUDGET
        self.collecting = ""
        self.dropping = False
        self.refusal: BaseException | None = None
        self.started = False
        self.files = frozenset(os.path.join(root, path) for path in request["files"])
        self.directories = tuple(os.path.join(root, path) if path else root for path in request["directories"])
        self.ids = frozenset(request["ids"])
        self.moved = False
        self.on_the_way = {root}
        for path in (*self.files, *self.directories, *(os.path.join(root, path) for path in request["visit"])):
            step = path
            while step not in self.on_the_way and len(step) > len(root):
                self.on_the_way.add(step)
                step = os.path.dirname(step)

    # -- configuration -----------------------------------------------------------------------------------------

    def pytest_cmdline_parse(self) -> Wrapper:
        outcome = yield
        self.report_refusal(outcome)

    def pytest_load_initial_conftests(self, early_config: Any) -> Wrapper:
        # Coverage and xdist act on the early options; as a wrapper this comes before them.
        quieten(early_config.known_args_namespace)
        yield

    def pytest_cmdline_main(self, config: Any) -> Wrapper:
        option = config.option
        quieten(option)
        # What a project asks for by default must not hide tests from us: earlier failures only, stop at the first.
        for name, value in (
            ("lf", False),
            ("failedfirst", False),
            ("newfirst", False),
            ("stepwise", False),
            ("stepwise_skip", False),
            ("stepwise_reset", False),
            ("testmon", False),
            ("usepdb", False),
            ("trace", False),
            ("setuponly", False),
            ("setupshow", False),
            ("setupplan", False),
            ("showfixtures", False),
            ("show_fixtures_per_test", False),
        ):
            if hasattr(option, name):
                setattr(option, name, value)
        option.collectonly = bool(self.request["collect_only"])
        option.maxfail = 1 if self.request["stop_first"] else 0
        option.continue_on_collection_errors = not self.request["stop_first"]
        if getattr(option, "tbstyle", "auto") in ("no", "line"):
            option.tbstyle = "short"
        if self.request["args"] is not None:
            config.args = list(self.request["args"])
        outcome = yield
        self.report_refusal(outcome)

    def report_refusal(self, outcome: Any) -> None:
        """Says why pytest would not even begin: a conftest that cannot be imported, a plugin or an option missing."""
        error = raised(outcome)
        if error is None or not isinstance(error, Exception):
            return
        # pytest wraps what went wrong in a conftest: pytest 8 keeps the cause, older ones its exc_info.
        where = getattr(error, "path", None)
        cause = getattr(error, "cause", None) or error.__cause__
        excinfo = getattr(error, "excinfo", None)
        if isinstance(excinfo, tuple):
            cause = excinfo[1]
        if cause is None or where is None:
            cause = error
        self.refusal = error
        facts = self.facts(cause, "")
        wrong_usage = isinstance(cause, type(error)) and type(error).__name__ == "UsageError"
        facts["detail"] = clip(safe_str(cause) if wrong_usage else traceback_of(cause), self.detail_limit())
        name = "conftest" if where is not None else "internal" if self.started and not wrong_usage else "usage"
        self.stream.send("error", name, str(where or ""), facts)

    # -- session and collection --------------------------------------------------------------------------------

    def pytest_sessionstart(self, session: Any) -> None:
        import pytest

        self.started = True
        config = session.config
        rootdir = getattr(config, "rootpath", None) or config.rootdir
        self.moved = str(rootdir) != self.root
        inifile = getattr(config, "inipath", None) or getattr(config, "inifile", None)
        self.stream.send("session", pytest.__version__, str(rootdir), str(inifile or ""))

    def ignores(self, path: object) -> bool | None:
        """True where nothing of the selection can lie at or below `path`; None leaves it to the project."""
        if self.request["all"]:
            return None
        text = str(path)
        if text in self.on_the_way or os.path.basename(text) == "__init__.py":
            return None
        if any(text.startswith(os.path.join(directory, "")) for directory in self.directories):
            return None
        return True

    def id_of(self, node: Any) -> str:
        """The node id with its file relative to our root, which need not be pytest's rootdir."""
        if not self.moved:
            return str(node.nodeid)
        file = file_of(node)
        if not file.startswith(os.path.join(self.root, "")):
            return str(node.nodeid)
        return os.path.relpath(file, self.root).replace(os.sep, "/") + "".join(node.nodeid.partition("::")[1:])

    def pytest_collectstart(self, collector: Any) -> None:
        self.collecting = self.id_of(collector)

    def pytest_make_collect_report(self, collector: Any) -> Wrapper:
        outcome = yield
        if raised(outcome) is not None:
            return
        report = outcome.get_result()
        if report.outcome == "failed":
            call = getattr(report, "call", None)
            error = call.excinfo.value if call is not None and call.excinfo is not None else None
            if type_name(error) == "CollectError":
                error = getattr(error, "__cause__", None) or error
            file = file_of(collector)
            facts = self.facts(error, file)
            facts["detail"] = clip(safe_text(lambda: report.longreprtext), self.detail_limit())
            if not facts["message"]:
                facts["message"] = last_line(facts["detail"])
            self.stream.send("error", "collect", file, facts, self.id_of(collector))
        elif report.outcome == "skipped":
            self.stream.send("skipped", self.id_of(collector), file_of(collector), skip_reason(report))

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> Wrapper:
        yield
        if self.request["all"]:
            return
        kept: list[Any] = []
        dropped: list[Any] = []
        for item in items:
            (kept if self.wants(item) else dropped).append(item)
        if dropped:
            items[:] = kept
            # The ids help a person who mistyped one; they are no deselection of the project's.
            if self.ids:
                self.stream.add("near", [self.id_of(item) for item in dropped[:2000]])
            self.dropping = True
            config.hook.pytest_deselected(items=dropped)
            self.dropping = False

    def wants(self, item: Any) -> bool:
        file, node_id = file_of(item), self.id_of(item)
        if file in self.files or node_id in self.ids:
            return True
        if any(file.startswith(os.path.join(directory, "")) for directory in self.directories):
            return True
        if not self.ids:
            return False
        # A function's or class's id stands for all of its parameters or methods, as on pytest's command line.
        path, _, names = node_id.partition("::")
        base = path + "::" + names.partition("[")[0]
        while base:
            if base in self.ids:
                return True
            base = base.rpartition("::")[0]
        return False

    def pytest_deselected(self, items: list[Any]) -> None:
        if not self.dropping:
            self.stream.add("deselected", [self.id_of(item) for item in items])

    def pytest_collection_finish(self, session: Any) -> None:
        groups: list[tuple[str, list[str]]] = []
        for number, item in enumerate(session.items):
            self.index.setdefault(item.nodeid, number)
            file = file_of(item)
            if not groups or groups[-1][0] != file:
                groups.append((file, []))
            groups[-1][1].append(self.id_of(item))
        self.collecting = ""
        self.stream.send("collected", groups)

    # -- tests -------------------------------------------------------------------------------------------------

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self.raised.clear()
        self.stream.send("start", self.index.get(nodeid, nodeid), location[1])

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        # No wrapper, and no answer either: this only keeps what the report will no longer have. It runs behind pytest's
        # support for unittest, which puts the test's own exception into the call first.
        if call.excinfo is not None:
            self.raised[item.nodeid, call.when] = (call.excinfo.value, file_of(item))

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.outcome == "passed" and not hasattr(report, "wasxfail") and not hasattr(report, "context"):
            number = self.index.get(report.nodeid)
            if number is not None and report.when in PHASES:
                self.stream.pending.append('["phase",%d,"%s","passed",%.6f]' % (number, report.when, report.duration))
                return
        extra: Facts = {}
        wasxfail = getattr(report, "wasxfail", None)
        if wasxfail is not None:
            extra["xfail"] = clip(str(wasxfail), MESSAGE_LIMIT)
        if hasattr(report, "context"):
            # pytest 9 and the plugin that older ones need spell it differently.
            names = ("_sub_test_description", "sub_test_description")
            describe = next((getattr(report, name) for name in names if hasattr(report, name)), str)
            extra["sub"] = clip(safe_text(describe), MESSAGE_LIMIT)
        if report.outcome == "failed":
            extra.update(self.facts(*self.raised.pop((report.nodeid, report.when), (None, ""))))
            longrepr = report.longrepr
            crash = getattr(longrepr, "reprcrash", None)
            if crash is not None:
                extra["crash"] = [str(crash.path), crash.lineno]
            if isinstance(longrepr, str) and not extra["message"]:
                extra["message"] = clip(one_line(longrepr), MESSAGE_LIMIT)
            if isinstance(getattr(longrepr, "errorstring", None), str):
                extra["message"] = clip(longrepr.errorstring.strip().partition("\n")[0], MESSAGE_LIMIT)
            if not extra["message"]:
                extra["message"] = clip(one_line(getattr(crash, "message", "") or ""), MESSAGE_LIMIT)
            extra["detail"] = self.detail(report)
        elif report.outcome == "skipped" and wasxfail is None:
            extra["message"] = skip_reason(report)
        record = ["phase", self.index.get(report.nodeid, report.nodeid), report.when, report.outcome]
        record.append(round(float(getattr(report, "duration", 0.0)), 6))
        if extra:
            record.append(extra)
        self.stream.add(*record)
        if report.outcome == "failed":
            # What was lost must stay lost, so a pass may wait for the next test; a failure is told at once.
            self.stream.flush()

    def pytest_internalerror(self, excrepr: object, excinfo: Any) -> None:
        facts = self.facts(excinfo.value, "")
        facts["detail"] = clip(safe_text(lambda: str(excrepr)), self.detail_limit())
        self.stream.send("error", "internal", "", facts, self.collecting)

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        self.stream.send("stopped", type_name(excinfo.value), clip(one_line(safe_str(excinfo.value)), MESSAGE_LIMIT))

    # -- facts about failures ----------------------------------------------------------------------------------

    def facts(self, error: BaseException | None, test_file: str) -> Facts:
        """`deepest`: the innermost frame of the project's own code; `test`: the innermost one of the test's file."""
        found: Facts = {"type": "", "message": "", "deepest": None, "test": None}
        if error is None:
            return found
        found["type"] = type_name(error)
        found["message"] = message_of(error)
        own = os.path.join(self.root, "")
        prefixes = tuple(os.path.join(prefix, "") for prefix in (sys.prefix, sys.exec_prefix) if prefix.startswith(own))
        traceback = error.__traceback__
        while traceback is not None:
            name = traceback.tb_frame.f_code.co_filename
            if name.startswith(own) and not name.startswith(prefixes) and "site-packages" not in name:
                found["deepest"] = [name, traceback.tb_lineno]
                if name == test_file:
                    found["test"] = [name, traceback.tb_lineno]
            traceback = traceback.tb_next
        doctest = getattr(error, "failures", [error])[:1] if "doctest" in found["type"].lower() else []
        if doctest and hasattr(doctest[0], "example") and hasattr(doctest[0], "got"):
            example, test = doctest[0].example, doctest[0].test
            expected = "expected {!r}, got {!r}".format(example.want.strip(), doctest[0].got.strip())
            found["message"] = clip(one_line(expected), MESSAGE_LIMIT)
            if isinstance(test.lineno, int) and str(test.filename).startswith(own):
                found["deepest"] = found["test"] = [str(test.filename), test.lineno + example.lineno + 1]
        if isinstance(error, SyntaxError) and isinstance(error.filename, str) and error.filename.startswith(own):
            found["deepest"] = [error.filename, error.lineno or 1]
        return found

    def detail(self, report: Any) -> str:
        text = clip(safe_text(lambda: report.longreprtext), self.detail_limit())
        shown = []
        for title, body in report.sections:
            if body and "Captured" in title:
                shown.append("--- " + title + " ---\n" + clip(body, SECTIONS_LIMIT // 2))
        if shown:
            text += "\n" + clip("\n".join(shown), min(SECTIONS_LIMIT, self.detail_limit()))
        self.budget -= len(text)
        return text

    def detail_limit(self) -> int:
        """A suite of which everything fails must not fill the stream: after so much, tracebacks are cut short."""
        return DETAIL_LIMIT if self.budget > 0 else SHORT_DETAIL


def quieten(option: object) -> None:
    """One process and no coverage: a worker would report to nobody, and a threshold would fail a part of the suite."""
    for name, value in (
        ("numprocesses", 0),
        ("dist", "no"),
        ("distload", False),
        ("tx", []),
        ("px", []),
        ("looponfail", False),
        ("cov_source", []),
        ("cov_fail_under", None),
        ("no_cov", True),
    ):
        if hasattr(option, name):
            setattr(option, name, value)


def raised(outcome: Any) -> BaseException | None:
    """The exception that a wrapped hook raised, or None. pluggy before 1.0 keeps an exc_info, later ones both."""
    error = getattr(outcome, "exception", None)
    if error is None:
        excinfo = getattr(outcome, "excinfo", None)
        error = excinfo[1] if excinfo else None
    return error


def file_of(node: Any) -> str:
    path = getattr(node, "path", None)
    if path is None:
        path = getattr(node, "fspath", "")
    return str(path)


def type_name(error: object) -> str:
    return type(error).__name__


def safe_str(error: object) -> str:
    return safe_text(lambda: str(error))


def safe_text(produce: Callable[[], object]) -> str:
    """Text out of the project's own `__str__` and `__repr__`, which may do anything."""
    try:
        text = produce()
    except Exception as error:
        return "<unprintable: {}>".format(type(error).__name__)
    return text if isinstance(text, str) else ""


def one_line(text: str) -> str:
    """A first line, with what pytest's assertion explanation adds on the next ones."""
    # Addresses differ from run to run; without them two runs of one failure say the same.
    text = re.sub(r"<function (\S+) at 0x[0-9a-fA-F]+>", r"\1", text)
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    lines = [line.strip() for line in text.strip().splitlines()]
    if not lines:
        return ""
    head = lines[0]
    for line in lines[1:]:
        if line.startswith("assert ") and not head.startswith("assert "):
            head += ": " + line
        elif line.startswith("+  where "):
            head += ", " + line[3:]
        elif head.endswith(":"):
            head += " " + line
    return head


def message_of(error: BaseException) -> str:
    text = one_line(safe_str(error))
    if not text:
        return type_name(error)
    if isinstance(error, AssertionError) and text.startswith("assert "):
        return clip(text, MESSAGE_LIMIT)
    if type_name(error) in ("Failed", "Skipped", "Exit", "UsageError"):
        # pytest.fail("reason") and the like: the reason is the message; argparse's usage text comes before its error.
        for line in safe_str(error).splitlines():
            if "error: " in line:
                return clip(line.partition("error: ")[2].strip(), MESSAGE_LIMIT)
        return clip(text, MESSAGE_LIMIT)
    return clip(type_name(error) + ": " + text, MESSAGE_LIMIT)


def skip_reason(report: Any) -> str:
    longrepr = report.longrepr
    text = str(longrepr[2]) if isinstance(longrepr, tuple) and len(longrepr) == 3 else safe_text(lambda: str(longrepr))
    return clip(one_line(text.removeprefix("Skipped: ")), MESSAGE_LIMIT)


def last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return clip(lines[-1].strip(), MESSAGE_LIMIT) if lines else ""


def traceback_of(error: BaseException) -> str:
    import traceback

    return safe_text(lambda: "".join(traceback.format_exception(type(error), error, error.__traceback__)))


def clip(text: str, limit: int) -> str:
    """The head and, mostly, the tail: a traceback's last lines say what went wrong."""
    if len(text) <= limit:
        return text
    head = limit // 3
    return text[:head] + " [...] " + text[len(text) - (limit - head) :]


def mark_wrappers(pytest: Any, reporter_class: Any) -> None:
    # Innermost, because old versions of pluggy do not come back to an outer wrapper when an inner one raises.
    pytest.hookimpl(hookwrapper=True, trylast=True)(reporter_class.pytest_cmdline_parse)
    wrapper = pytest.hookimpl(hookwrapper=True)
    for name in (
        "pytest_load_initial_conftests",
        "pytest_cmdline_main",
        "pytest_make_collect_report",
        "pytest_collection_modifyitems",
    ):
        wrapper(getattr(reporter_class, name))
    pytest.hookimpl(tryfirst=True)(reporter_class.pytest_runtest_logreport)

    # The argument's name changed in pytest 7, and a hook may only ask for a name that its version knows.
    def ignore_by_pathlib(self: Reporter, collection_path: object) -> bool | None:
        return self.ignores(collection_path)

    def ignore_by_py_path(self: Reporter, path: object) -> bool | None:
        return self.ignores(path)

    ignore = ignore_by_pathlib if int(pytest.__version__.split(".")[0]) >= 7 else ignore_by_py_path
    reporter_class.pytest_ignore_collect = pytest.hookimpl(tryfirst=True)(ignore)


def lead_path(root: str) -> None:
    """`sys.path` as `python -m pytest` has it, with `src` behind the root; this file's own folder is not on it."""
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.realpath(sys.path[0]) == os.path.realpath(here):
        del sys.path[0]
    source = os.path.join(root, "src")
    sys.path[:0] = [root, source] if os.path.isdir(source) else [root]


def stand_in_for_pytest(pytest: Any) -> None:
    """`__main__` is pytest's, as with `python -m pytest`: no test can import this file, nor `spawn` run it again."""
    import importlib.util
    import types

    spec = importlib.util.find_spec("pytest.__main__")
    module = types.ModuleType("__main__")
    module.__spec__ = spec
    program = (spec.origin if spec is not None else None) or str(pytest.__file__)
    module.__file__ = program
    module.__package__ = "pytest"
    module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = module
    sys.argv = [program]


def read_request() -> Any:
    chunks = []
    while True:
        chunk = os.read(0, 1 << 20)
        if not chunk:
            break
        chunks.append(chunk)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return json.loads(b"".join(chunks).decode("utf-8"))


def main() -> int:
    stream = Stream(int(os.environ.pop("OCTOLIMB_REPORT_FD")))
    request = read_request()
    stream.send("hello", list(sys.version_info[:3]), sys.executable or "")
    if sys.version_info < OLDEST_PYTHON:
        stream.send("unfit", "python")
        return NO_PYTEST_STATUS
    root = os.getcwd()
    lead_path(root)
    try:
        import pytest
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "pytest"
        stream.send("unfit", "pytest" if missing else message_of(error))
        return NO_PYTEST_STATUS
    stand_in_for_pytest(pytest)
    mark_wrappers(pytest, Reporter)
    reporter = Reporter(stream, request, root)
    try:
        status = pytest.main([], plugins=[reporter])
    except BaseException as error:
        if error is not reporter.refusal:
            facts = reporter.facts(error, "")
            facts["detail"] = clip(traceback_of(error), DETAIL_LIMIT)
            stream.send("error", "internal", "", facts, reporter.collecting)
        raise
    stream.send("finish", int(status))
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
