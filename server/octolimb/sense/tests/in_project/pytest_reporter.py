"""Runs `python -m pytest` in the project's own interpreter and reports every phase of every test to a descriptor.

Standard library only, Python 3.9 and newer, pytest 6 and newer. It is started as a script with the repository's root
as working directory. Standard input holds one JSON request; the environment's OCTOLIMB_REPORT_FD names an open
descriptor that takes one JSON array a line: `[kind, ...]`. What the project prints never goes there.

Each batch of lines ends with a seal: `=` and a digest, keyed with the request's `key`, of all that was written so far.
The key is not kept, and is in no environment, argument or file.

Request: `{"key": hex, "args": [path] | null, "files": [path], "directories": [path], "ids": [node id], "visit": [path],
"all": bool, "collect_only": bool, "stop_first": bool}`. Paths are relative to the root, and so are all node ids, in
and out, wherever pytest's own rootdir lies. With `args` null pytest collects what it would without arguments; only
what `files`, `directories` and `ids` name is kept of that, and only these and `visit` are looked into. With `all`
nothing is left out.

It does NOT judge: an outcome, an exit status or a missing record means something only to the parent.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import types
from importlib.machinery import SourceFileLoader
from operator import attrgetter, itemgetter
from operator import is_ as same
from typing import Any, Callable, Dict, Generator, Iterator

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
WATCHED_MODULES = (
    "_pytest.assertion",
    "_pytest.assertion.rewrite",
    "_pytest.main",
    "_pytest.nodes",
    "_pytest.outcomes",
    "_pytest.python",
    "_pytest.python_api",
    "_pytest.raises",
    "_pytest.recwarn",
    "_pytest.reports",
    "_pytest.runner",
    "_pytest.skipping",
    "_pytest.unittest",
    "pluggy._callers",
    "pluggy._hooks",
    "pluggy._manager",
    "pluggy._result",
    "pluggy.callers",
    "pluggy.hooks",
    "pluggy.manager",
    "unittest.case",
)
WATCHED_HOOKS = (
    "pytest_collection_modifyitems",
    "pytest_pyfunc_call",
    "pytest_runtest_call",
    "pytest_runtest_logreport",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtest_teardown",
    "pytest_runtestloop",
)
BUILT_INS = sys.modules["builtins"]
WATCHED_BUILT_INS = (
    "AssertionError",
    "BaseException",
    "Exception",
    "abs",
    "all",
    "any",
    "callable",
    "getattr",
    "hasattr",
    "isinstance",
    "issubclass",
    "len",
    "max",
    "min",
    "repr",
    "round",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
    "type",
)
ENCODE = json.JSONEncoder(separators=(",", ":")).encode


# What the project's code can put in the place of built-in functions must not change what the checks below say.
EVERY, EACH = all, map


class Stream:
    """The way out. It survives tests that close descriptors, and never writes into a file that is not ours."""

    def __init__(self, descriptor: int, key: bytes) -> None:
        import fcntl
        import resource

        self.seal = sealer(key)
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
        left += self.seal(left)
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


def sealer(key: bytes) -> Callable[[bytes], bytes]:
    """A function that seals batch after batch. The key itself is in no object of Python's afterwards."""
    state = hashlib.blake2b(key=key, digest_size=16)

    def seal(batch: bytes) -> bytes:
        state.update(batch)
        return b"=" + state.hexdigest().encode("ascii") + b"\n"

    return seal


class Watch:
    """Notices when what runs the tests is replaced: functions of pytest, pluggy and unittest, built-ins, hooks, bodies.

    What an installed plugin puts there is taken as the project's wish; what lies in the repository is not, but for
    hooks in a conftest. It sees replacements and not lies: an object that equals everything is none of its business.
    """

    def __init__(self, root: str) -> None:
        self.own = os.path.join(root, "")
        self.spaces: list[tuple[str, Any, tuple[str, ...], Callable[[Any], tuple[Any, ...]], tuple[Any, ...]]] = []
        self.functions: list[Any] = []
        self.told: set[str] = set()
        self.bodies: dict[int, tuple[Any, Any, Any]] = {}
        for name in WATCHED_MODULES:
            module = sys.modules.get(name)
            if module is not None:
                self.remember(name, vars(module), name)
                for key, value in list(vars(module).items()):
                    if isinstance(value, type) and value.__module__ == name:
                        self.remember(name + "." + key, value.__dict__, name)
        self.codes = list(EACH(attrgetter("__code__"), self.functions))
        built_ins = vars(sys.modules["builtins"])
        self.built_ins = (itemgetter(*WATCHED_BUILT_INS), tuple(built_ins[name] for name in WATCHED_BUILT_INS))

    def remember(self, label: str, space: Any, module: str) -> None:
        kept = [
            (key, value)
            for key, value in space.items()
            if isinstance(value, (types.FunctionType, type, classmethod, staticmethod, property))
            and (not isinstance(value, (types.FunctionType, type)) or value.__module__ == module)
        ]
        if len(kept) > 1:
            keys = tuple(key for key, _ in kept)
            self.spaces.append((label, space, keys, itemgetter(*keys), tuple(value for _, value in kept)))
            for _, value in kept:
                function = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
                if isinstance(function, types.FunctionType):
                    self.functions.append(function)

    def replaced(self, between_tests: bool) -> Iterator[str]:
        """Names of what is not any more what it was. While it runs a test may replace built-ins for itself."""
        for label, space, keys, get, values in self.spaces:
            try:
                if EVERY(EACH(same, get(space), values)):
                    continue
            except KeyError:
                pass
            for number, key in enumerate(keys):
                value = values[number]
                if space.get(key) is not value and not self.is_installed(space.get(key)):
                    yield label + "." + key
        if not EVERY(EACH(same, EACH(attrgetter("__code__"), self.functions), self.codes)):
            for number, function in enumerate(self.functions):
                if function.__code__ is not self.codes[number]:
                    yield "the code of " + function.__module__ + "." + function.__qualname__
        if not between_tests:
            return
        get, values = self.built_ins
        try:
            unchanged = EVERY(EACH(same, get(vars(BUILT_INS)), values))
        except KeyError:
            unchanged = False
        if not unchanged:
            yield "a built-in function or exception"

    def is_installed(self, value: object) -> bool:
        """True for a function of an installed plugin; pytest's own in another place are none."""
        code = getattr(getattr(value, "__func__", value), "__code__", None)
        file = str(getattr(code, "co_filename", "")).replace(os.sep, "/")
        return "-packages/" in file and "/_pytest/" not in file and "/pluggy/" not in file

    def is_foreign(self, file: str) -> bool:
        if not file or file.startswith("<"):
            return False
        return not file.startswith(self.own) or "-packages" + os.sep in file

    def hooks(self, manager: Any) -> list[tuple[str, Any, Any]]:
        """Every implementation of the hooks that decide about tests."""
        callers = [(name, getattr(manager.hook, name, None)) for name in WATCHED_HOOKS]
        return [
            (name, implementation, implementation.function)
            for name, caller in callers
            if caller is not None
            for implementation in caller.get_hookimpls()
        ]

    def new_hooks(self, before: list[tuple[str, Any, Any]], after: list[tuple[str, Any, Any]]) -> Iterator[str]:
        known = {(id(implementation), id(function)) for _, implementation, function in before}
        for name, implementation, function in after:
            if (id(implementation), id(function)) in known:
                continue
            file = getattr(getattr(getattr(function, "__func__", function), "__code__", None), "co_filename", "")
            if not self.is_foreign(file) and os.path.basename(file) != "conftest.py":
                yield "the hook " + name

    def is_own_module(self, collector: Any) -> bool:
        """False for a module that something of the repository made in the place of what its file says."""
        module = vars(collector).get("_obj")
        if module is None:
            return True
        loader = type(getattr(getattr(module, "__spec__", None), "loader", None))
        known = (sys.modules["_pytest.assertion.rewrite"].AssertionRewritingHook, SourceFileLoader)
        return loader in known or self.is_installed(getattr(loader, "exec_module", None))

    def remember_body(self, item: Any) -> None:
        function = body_of(item)
        if function is not None:
            self.bodies[id(item)] = (item, function, function.__code__)

    def changed_body(self, item: Any) -> bool:
        known = self.bodies.get(id(item))
        if known is None:
            return False
        _, function, code = known
        if function.__code__ is not code:
            return True
        now = body_of(item)
        if now is not None and now is not function and not self.is_installed(now):
            return not item.originalname.startswith("runTest")
        return "runtest" in vars(item) and not self.is_installed(vars(item)["runtest"])


def body_of(item: Any) -> Any:
    """The function behind a test, as far as it is known without making the instance that it belongs to."""
    found = vars(item).get("_obj")
    found = getattr(found, "__func__", found)
    return found if isinstance(found, types.FunctionType) else None


class Reporter:
    """The pytest plugin. Method names that start with `pytest_` are hooks; `mark_wrappers` says which ones wrap."""

    def __init__(self, stream: Stream, request: dict[str, Any], root: str, watch: Watch) -> None:
        self.stream = stream
        self.watch = watch
        self.manager: Any = None
        self.hooks: list[tuple[str, Any, Any]] = []
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
        self.manager = config.pluginmanager
        self.hooks = self.watch.hooks(self.manager)
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

    def tell_replaced(self, before: list[tuple[str, Any, Any]] | None, between_tests: bool = True) -> None:
        """Reports what was replaced; `before` are the hooks that there were, None where they may have changed."""
        names = list(self.watch.replaced(between_tests))
        if before is not None:
            names += self.watch.new_hooks(before, self.watch.hooks(self.manager))
        for name in names:
            if name not in self.watch.told:
                self.watch.told.add(name)
                self.stream.send("tampered", name)

    def pytest_collectstart(self, collector: Any) -> None:
        self.collecting = self.id_of(collector)
        if is_module(collector):
            try:
                with open(file_of(collector), "rb") as source:
                    digest = hashlib.sha256(source.read()).hexdigest()
            except OSError:
                # pytest will say what is wrong with it.
                return
            self.stream.add("source", file_of(collector), digest)

    def pytest_make_collect_report(self, collector: Any) -> Wrapper:
        before = self.watch.hooks(self.manager) if is_module(collector) else None
        outcome = yield
        self.tell_replaced(before)
        if before is not None and not self.watch.is_own_module(collector):
            self.stream.send("tampered", "the module of " + self.id_of(collector))
        if raised(outcome) is not None:
            return
        report = outcome.get_result()
        for node in report.result if isinstance(report.result, list) else ():
            if hasattr(node, "runtest"):
                self.watch.remember_body(node)
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
        self.hooks = self.watch.hooks(self.manager)
        self.stream.send("collected", groups)

    # -- tests -------------------------------------------------------------------------------------------------

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self.raised.clear()
        self.stream.send("start", self.index.get(nodeid, nodeid), location[1])

    def pytest_runtest_protocol(self, item: Any) -> None:
        if self.watch.changed_body(item):
            self.stream.send("tampered", "the body of " + self.id_of(item))
        self.tell_replaced(None)

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        # No wrapper, and no answer either: this only keeps what the report will no longer have. It runs behind pytest's
        # support for unittest, which puts the test's own exception into the call first.
        if call.excinfo is not None:
            self.raised[item.nodeid, call.when] = (call.excinfo.value, file_of(item))

    def pytest_runtest_logreport(self, report: Any) -> None:
        error, test_file = self.raised.pop((report.nodeid, report.when), (None, ""))
        if report.when == "call":
            self.tell_replaced(self.hooks, between_tests=False)
        if (
            report.outcome == "passed"
            and error is None
            and not hasattr(report, "wasxfail")
            and not hasattr(report, "context")
        ):
            number = self.index.get(report.nodeid)
            if number is not None and report.when in PHASES:
                self.stream.pending.append('["phase",%d,"%s","passed",%.6f]' % (number, report.when, report.duration))
                return
        extra: Facts = {}
        if report.outcome == "passed" and error is not None:
            extra["raised"] = type_name(error)
        wasxfail = getattr(report, "wasxfail", None)
        if wasxfail is not None:
            extra["xfail"] = clip(str(wasxfail), MESSAGE_LIMIT)
        if hasattr(report, "context"):
            # pytest 9 and the plugin that older ones need spell it differently.
            names = ("_sub_test_description", "sub_test_description")
            describe = next((getattr(report, name) for name in names if hasattr(report, name)), str)
            extra["sub"] = clip(safe_text(describe), MESSAGE_LIMIT)
        if report.outcome == "failed":
            extra.update(self.facts(error, test_file))
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


def is_module(node: Any) -> bool:
    """True for a file of tests; a package collects its files, and conftests come in while it does."""
    return type(node).__name__ == "Module"


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
    pytest.hookimpl(tryfirst=True)(reporter_class.pytest_runtest_protocol)

    # The argument's name changed in pytest 7, and a hook may only ask for a name that its version knows.
    def ignore_by_pathlib(self: Reporter, collection_path: object) -> bool | None:
        return self.ignores(collection_path)

    def ignore_by_py_path(self: Reporter, path: object) -> bool | None:
        return self.ignores(path)

    ignore = ignore_by_pathlib if int(pytest.__version__.split(".")[0]) >= 7 else ignore_by_py_path
    reporter_class.pytest_ignore_collect = pytest.hookimpl(tryfirst=True)(ignore)


def lead_path(root: str) -> None:
    """`sys.path` as `python -m pytest` has it, with `src` behind the root; this file's own folder is not on it."""
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


def load_pytest(root: str) -> Any:
    """The installed pytest, and only where there is none the repository's own, as `python -m pytest` takes it.

    Otherwise a file named like pytest, or like anything that pytest imports, could stand in for it.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.realpath(sys.path[0]) == os.path.realpath(here):
        del sys.path[0]
    try:
        import pytest
    except ModuleNotFoundError as error:
        if error.name != "pytest":
            raise
        lead_path(root)
        import pytest
    for name in WATCHED_MODULES:
        try:
            __import__(name)
        except ImportError:
            # Each version of pytest and pluggy has some of them.
            continue
    if sys.path[:1] != [root]:
        lead_path(root)
    return pytest


def main() -> int:
    descriptor = int(os.environ.pop("OCTOLIMB_REPORT_FD"))
    request = read_request()
    stream = Stream(descriptor, bytes.fromhex(request.pop("key")))
    stream.send("hello", list(sys.version_info[:3]), sys.executable or "")
    if sys.version_info < OLDEST_PYTHON:
        stream.send("unfit", "python")
        return NO_PYTEST_STATUS
    root = os.getcwd()
    try:
        pytest = load_pytest(root)
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "pytest"
        stream.send("unfit", "pytest" if missing else message_of(error))
        return NO_PYTEST_STATUS
    stand_in_for_pytest(pytest)
    mark_wrappers(pytest, Reporter)
    reporter = Reporter(stream, request, root, Watch(root))
    try:
        status = pytest.main([], plugins=[reporter])
    except BaseException as error:
        if error is not reporter.refusal:
            facts = reporter.facts(error, "")
            facts["detail"] = clip(traceback_of(error), DETAIL_LIMIT)
            stream.send("error", "internal", "", facts, reporter.collecting)
        raise
    reporter.tell_replaced(None)
    stream.send("finish", int(status))
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
