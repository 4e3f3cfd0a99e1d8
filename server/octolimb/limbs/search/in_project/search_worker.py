"""Tries many candidates against a project's own pytest tests, in the project's interpreter, warm.

It runs `pytest.main` as `python -m pytest` would from the root and parks in forks of it: the hub before any conftest is
loaded, the collected park when the tests stand ready, and file parks where a given file is first imported. A request
forks a child from the park that fits, so that nothing a candidate does outlives it. Requests and answers are JSON
objects behind a four-byte big-endian length, on the descriptor that OCTOLIMB_CHANNEL_FD names.

It decides nothing: what passed here must be confirmed by a cold run. It isolates nothing either, so it belongs in a
shadow. Standard library only, Python 3.9 and newer.
"""

from __future__ import annotations
import __future__

import collections
import contextlib
import functools
import gc
import importlib.machinery
import importlib.util
import json
import marshal
import os
import pathlib
import random
import re
import select
import signal
import struct
import sys
import threading
import time
import types

FUTURES = functools.reduce(
    lambda mask, name: mask | getattr(__future__, name).compiler_flag, __future__.all_feature_names, 0
)
FOREIGN = ("/site-packages/", "/dist-packages/", "/.venv/", "/venv/", "/.tox/", "/.nox/", "/node_modules/")
TEST_FILE = re.compile(r"(^|/)(tests?/.*|test_[^/]*\.py|[^/]*_test\.py|conftest\.py)$")
ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
HANGUP = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)
FLOOR = 0.04  # Seconds that every candidate may take.
SLOWER = 8  # How many times longer than the original a candidate may take.
MEMORY = 2 << 30  # How much address space a candidate may add, in bytes.
STRIDE = 16  # How many candidates run in one fork between two looks at the original.
FORK_SLACK = 0.06  # Seconds that a first answer may take longer, since it includes the fork.


class HungUp(BaseException):
    """The other end of the channel, or of the pipe to the hub, has closed: there is nobody left to work for."""


class Unsupported(Exception):
    """Says why a candidate cannot be tried in one way, though it may be in another."""


class Frames:
    """JSON objects with a length before each, over one or two descriptors."""

    def __init__(self, fd):
        self.fd = fd
        self.buffer = b""

    def send(self, frame):
        body = json.dumps(frame).encode("utf-8", "backslashreplace")
        body = struct.pack(">I", len(body)) + body
        while body:
            body = body[os.write(self.fd, body) :]

    def whole(self):
        """The next frame if all of it is here, else None."""
        if len(self.buffer) < 4:
            return None
        size = 4 + struct.unpack(">I", self.buffer[:4])[0]
        if len(self.buffer) < size:
            return None
        body, self.buffer = self.buffer[4:size], self.buffer[size:]
        return json.loads(body)

    def fill(self):
        """Reads what there is; False at the end of the stream."""
        try:
            piece = os.read(self.fd, 1 << 20)
        except OSError:
            piece = b""
        self.buffer += piece
        return bool(piece)

    def receive(self):
        """Waits for a frame; None at the end of the stream."""
        while True:
            frame = self.whole()
            if frame is not None:
                return frame
            if not self.fill():
                return None


class Fork:
    """A forked child in the parent's eyes: frames arrive from it, and `frames` may carry some to it."""

    def __init__(self, pid, frames, watched):
        self.pid = pid
        self.frames = frames
        self.watched = watched
        self.code = None

    def next(self, seconds):
        """Its next frame, or None once it has ended. Raises TimeoutError, and HungUp when our own side has closed.

        On a busy machine a child may wait longer than it runs, so while it has not had the processor for that many
        seconds it gets up to four times as long, but no more than half a second on top.
        """
        begun = time.monotonic()
        end = begun + seconds
        used = self.processor_seconds()
        while True:
            frame = self.frames.whole()
            if frame is not None:
                return frame
            poll = select.poll()
            poll.register(self.frames.fd, select.POLLIN)
            poll.register(self.watched, getattr(select, "POLLRDHUP", 0))
            ready = dict(poll.poll(max(0.0, end - time.monotonic()) * 1000))
            if ready.get(self.watched, 0) & HANGUP:
                self.end()
                raise HungUp
            if self.frames.fd in ready:
                if not self.frames.fill():
                    return None
            elif time.monotonic() >= end:
                lacks = used is not None and (self.processor_seconds() or 0.0) - used < 0.7 * seconds
                if not lacks or time.monotonic() >= begun + seconds + min(3 * seconds, 0.5):
                    raise TimeoutError
                end = time.monotonic() + min(0.25 * seconds, 0.1)

    def processor_seconds(self):
        """How long it has had a processor; None where the system does not say."""
        try:
            with open("/proc/%d/schedstat" % self.pid) as file:
                return int(file.read().split()[0]) / 1e9
        except (OSError, ValueError, IndexError):
            return None

    def end(self):
        """Kills it with every process in its group, and says how it ended: an exit code, or a negative signal."""
        if self.code is None:
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(self.pid, signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
            os.close(self.frames.fd)
            self.code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return self.code


class Ran:
    """Records which code objects below the root run, from now until `stop`."""

    def __init__(self, root):
        self.codes = {}
        self.prefix = root + "/"
        self.tool = free_tool() if hasattr(sys, "monitoring") else None
        if self.tool is not None:
            monitoring = sys.monitoring
            monitoring.use_tool_id(self.tool, "octolimb-ran")
            monitoring.register_callback(self.tool, monitoring.events.PY_START, self.start)
            monitoring.set_events(self.tool, monitoring.events.PY_START)
        else:
            threading.setprofile(self.profile)
            sys.setprofile(self.profile)

    def start(self, code, _offset):
        self.codes[id(code)] = code  # Held, so that the id of a dead code object is never used again.
        return sys.monitoring.DISABLE

    def profile(self, frame, event, _argument):
        if event == "call":
            code = frame.f_code
            if id(code) not in self.codes and code.co_filename.startswith(self.prefix):
                self.codes[id(code)] = code

    def stop(self):
        if self.tool is not None:
            sys.monitoring.set_events(self.tool, 0)
            sys.monitoring.free_tool_id(self.tool)
            self.tool = None
        else:
            threading.setprofile(None)
            sys.setprofile(None)


class Lines:
    """Records which lines of the files that `wanted` accepts run; `take` hands them out and starts afresh."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.files = {}
        self.found = collections.defaultdict(set)
        self.tool = free_tool() if hasattr(sys, "monitoring") else None
        if self.tool is not None:
            monitoring = sys.monitoring
            monitoring.use_tool_id(self.tool, "octolimb-lines")
            monitoring.register_callback(self.tool, monitoring.events.LINE, self.line)
            monitoring.set_events(self.tool, monitoring.events.LINE)
        else:
            threading.settrace(self.trace)
            sys.settrace(self.trace)

    def place(self, code):
        name = code.co_filename
        if name not in self.files:
            self.files[name] = self.wanted(name)
        return self.files[name]

    def line(self, code, number):
        path = self.place(code)
        if path is not None:
            self.found[path].add(number)
        return sys.monitoring.DISABLE

    def trace(self, frame, _event, _argument):
        path = self.place(frame.f_code)
        if path is None:
            return None
        lines = self.found[path]

        def local(frame, event, _argument):
            if event == "line":
                lines.add(frame.f_lineno)
            return local

        return local

    def take(self):
        found = {path: sorted(lines) for path, lines in self.found.items() if lines}
        self.found.clear()
        if self.tool is not None:
            sys.monitoring.restart_events()
        return found


def free_tool():
    return next((tool for tool in (4, 3, 5, 2) if sys.monitoring.get_tool(tool) is None), None)


def threads():
    """How many threads this process has, those that Python does not know included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def sources_key(sources):
    return tuple(sorted(sources))


class Worker:
    """The state of this process: which park or child it is, and what it knows of the tests. Also the pytest plugin."""

    def __init__(self, channel, request):
        self.channel = channel
        self.request = request
        self.root = os.path.realpath(request["root"])
        self.targets = request["targets"]
        self.companions = request["companions"]
        self.files = list(dict.fromkeys(node.split("::")[0] for node in self.targets + self.companions))
        self.role = "hub"
        self.control = None  # How a park hears from the hub.
        self.report = None  # How a child of a park answers it.
        self.parks = collections.OrderedDict()
        self.override = {}  # Real path to the text that its loader sees in place of the file.
        self.seen = set()  # Those of `override` that a loader has asked for.
        self.awaited = frozenset()  # The real paths of which a file park awaits the first import.
        self.config = None
        self.session = None
        self.ran = None
        self.lines = None
        self.quick = True
        self.reports = []
        self.problems = []
        self.failure = None
        self.collect_errors = {}
        self.current = None
        self.order = None
        self.canaries = {}
        self.restless = set()  # What changes from run to run although nobody spoils it.
        self.modules = {}
        self.caches = []
        self.functions = {}
        self.early = set()
        self.stride = STRIDE
        self.lone = 0
        self.real = functools.lru_cache(None)(os.path.realpath)

    # -- pytest calls these ------------------------------------------------------------------------------------

    def pytest_load_initial_conftests(self, early_config):
        self.config = early_config
        self.hub()

    def pytest_configure(self, config):
        without_spreading(config)
        if self.role == "child" and self.quick:
            config.option.tbstyle = "no"

    def pytest_collectreport(self, report):
        if report.failed:
            path = report.nodeid.split("::")[0] or report.nodeid
            self.collect_errors.setdefault(path, str(report.longrepr))

    def pytest_exception_interact(self, node, call):
        if call.excinfo is not None and not hasattr(node, "runtest"):
            self.problems.append((self.node_id(node).split("::")[0], self.describe(call.excinfo)))

    def pytest_runtestloop(self, session):
        self.session = session
        self.config = session.config
        if self.role == "collected":
            self.collected_park()
        elif self.role == "file":
            self.not_parked()
        elif self.role == "child":
            self.fresh_run()
        os._exit(0)

    def pytest_runtest_logreport(self, report):
        self.reports.append(report)

    def pytest_runtest_makereport(self, item, call):
        """The outcome as pytest sees it; the long form, slow to make, only where a person or a coder will read it."""
        import pytest

        excinfo = call.excinfo
        skipped = excinfo is not None and isinstance(excinfo.value, pytest.skip.Exception)
        if excinfo is not None and not skipped and self.failure is None:
            self.failure = self.describe(excinfo)
        if not self.quick:
            return None
        detail = None
        if skipped:
            detail = (item.location[0], item.location[1] or 0, str(excinfo.value))
        elif excinfo is not None:
            detail = "failed"
        return pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords={},
            outcome="skipped" if skipped else "passed" if excinfo is None else "failed",
            longrepr=detail,
            when=call.when,
            duration=call.duration,
            user_properties=item.user_properties,
        )

    def describe(self, excinfo):
        """An exception's type and message and, where there is time, its frames below the root, outermost first."""
        try:
            message = str(excinfo.value)
        except Exception as error:  # A project's __str__ may raise anything.
            message = "<no message: %s>" % type(error).__name__
        frames = []
        trace = None if self.quick else excinfo.tb
        while trace is not None:
            path = self.below_root(trace.tb_frame.f_code.co_filename)
            if path is not None:
                frames.append([path, trace.tb_lineno])
            trace = trace.tb_next
        return {"type": excinfo.type.__qualname__, "message": message[:4000], "frames": frames[-40:]}

    # -- names -------------------------------------------------------------------------------------------------

    def below_root(self, name):
        """The path of a file of the project, relative to the root, or None for all other files."""
        path = self.real(name)
        if not path.startswith(self.root + "/") or any(part in path[len(self.root) :] for part in FOREIGN):
            return None
        return path[len(self.root) + 1 :]

    def product_file(self, name):
        """As `below_root`, but None for tests too."""
        path = self.below_root(name) if name[:1] != "<" else None
        return None if path is None or path in self.files or TEST_FILE.search(path) else path

    def node_id(self, node):
        """The node id of pytest, with the path relative to our root whatever pytest's own root is."""
        path = str(getattr(node, "path", None) or node.fspath)
        rest = node.nodeid.partition("::")[2]
        relative = os.path.relpath(path, self.root)
        return relative + "::" + rest if rest else relative

    def select(self, wanted):
        """The collected items that `wanted` (a node id, a class, a file) names, in order; empty where it names none."""
        items = [(self.node_id(item), item) for item in self.session.items]
        exact = [pair for pair in items if pair[0] == wanted]
        return exact or [pair for pair in items if pair[0].startswith((wanted + "::", wanted + "["))]

    def select_all(self, wanted):
        chosen = {}
        for node in wanted:
            for name, item in self.select(node):
                chosen.setdefault(name, item)
        return chosen

    # -- processes ---------------------------------------------------------------------------------------------

    def fork(self):
        """Forks. The parent gets a `Fork`; the child gets None, and a way to answer in `report`."""
        reader, writer = os.pipe()
        watched = self.control if self.control is not None else self.channel.fd
        pid = os.fork()
        if pid:
            os.close(writer)
            with contextlib.suppress(OSError):  # The child has done it, and may even have ended.
                os.setpgid(pid, pid)
            return Fork(pid, Frames(reader), watched)
        os.setpgid(0, 0)
        os.close(reader)
        self.report = Frames(writer)
        self.become_child(watched)
        return None

    def become_child(self, watched):
        """What every child needs that may run a candidate: nothing to leak into, limits, and the same luck."""
        for fd in {watched, self.channel.fd}:
            os.close(fd)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.close(null)
        limit_memory()
        factory = getattr(self.config, "_tmp_path_factory", None)
        if factory is not None and self.role == "collected":
            base = os.path.join(str(factory.getbasetemp()), "t%d" % os.getpid())
            os.mkdir(base, 0o700)
            factory._basetemp = type(factory.getbasetemp())(base)

    def fork_park(self, role, awaited=()):
        """Forks a park. The parent gets a `Fork` whose frames go both ways; the child None, and runs on."""
        import socket

        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid:
            theirs.close()
            return Fork(pid, Frames(ours.detach()), self.channel.fd)
        ours.close()
        self.role = role
        self.awaited = frozenset(awaited)
        self.control = theirs.detach()
        for park in self.parks.values():
            if park is not None:
                os.close(park.frames.fd)
        self.parks.clear()
        return None

    def park(self):
        gc.collect()
        gc.freeze()
        self.luck = random.getstate()
        self.depth = sys.getrecursionlimit()
        self.environment = os.environ.copy()
        self.raw_environment = dict(getattr(os.environ, "_data", {}))
        self.streams = sys.stdin, sys.stdout, sys.stderr

    # -- the hub -----------------------------------------------------------------------------------------------

    def hub(self):
        """Parks before any code of the project runs. Returns only in a fork of this process."""
        if threads() > 1:
            self.channel.send({"id": 0, "state": "ended", "why": "a pytest plugin started a thread"})
            os._exit(0)
        self.early = set(self.loaded())
        self.park()
        park = self.fork_park("collected")
        if park is None:
            self.ran = Ran(self.root)
            return
        self.parks["collected"] = park
        try:
            self.await_park(park)
            while True:
                request = self.channel.receive()
                if request is None:
                    raise HungUp
                if request["op"] == "fresh":
                    if self.fresh(request):
                        return
                else:
                    self.forward("collected", request)
                self.channel.send({"id": request["id"], "end": True})
        except HungUp:
            for park in self.parks.values():
                if park is not None:
                    park.end()
            os._exit(0)

    def await_park(self, park):
        """Waits for the collected park, which introduces itself on the channel; without it there is the slow way."""
        why, hung = "the process that collected the tests ended", False
        try:
            hello = park.next(self.request["limit"])
        except TimeoutError:
            hello, hung = None, True
            why = "the tests were not collected within %.1f s" % self.request["limit"]
        if hello is None:
            self.channel.send({"id": 0, "state": "missing", "why": why, "hung": hung})
        if hello is None or not hello["parked"]:
            self.forget("collected")

    def forget(self, key):
        return self.parks.pop(key).end()

    def forward(self, key, request):
        """Lets a park do the request; it answers on the channel by itself, and tells us only that it is done."""
        park = self.parks.get(key)
        if park is None:
            return
        park.frames.send(request)
        if park.next(1e6) is None:
            self.forget(key)

    def fresh(self, request):
        """Tries candidates by importing the project afresh. True in a child that must run on."""
        end = time.monotonic() + request["seconds"]
        for case in request["cases"]:
            if time.monotonic() > end:
                return False
            order = dict(request, case=case, seconds=max(0.0, end - time.monotonic()))
            del order["cases"]
            key = sources_key(case["sources"]) if case["sources"] and not request.get("trace") else None
            if self.early.intersection(case["sources"]):
                why = "a pytest plugin imports a changed file before any test is collected"
                self.answer(order, case, {"s": "unsupported", "why": why})
            elif key is not None and self.file_park(key, order["seconds"]):
                if self.role != "hub":
                    return True
                self.forward(key, order)
            elif self.role != "hub" or self.fresh_fork(order):
                return True
        return False

    def file_park(self, key, seconds):
        """True where a park for these files stands, also in the process that becomes it.

        False where there can be none, and every candidate starts from here: the tests import the files only while they
        run, or the project has threads by the time that it imports them, and a process with threads cannot fork.
        """
        if key not in self.parks:
            park = self.fork_park("file", [os.path.join(self.root, path) for path in key])
            if park is None:
                return True
            self.parks[key] = park
            try:
                hello = park.next(seconds)
            except TimeoutError:
                hello = None
            if hello is None or not hello["parked"]:
                self.forget(key)
                self.parks[key] = None
            standing = [name for name, park in self.parks.items() if name != "collected" and park is not None]
            if len(standing) > 3:
                self.forget(standing[0])
        return self.parks[key] is not None

    def fresh_fork(self, order):
        """One child that imports, collects and runs afresh. True in that child, which runs on."""
        child = self.fork()
        if child is None:
            self.role = "child"
            self.order = order
            self.override = {os.path.join(self.root, path): text for path, text in order["case"]["sources"].items()}
            self.refresh()
            if hasattr(self.config.option, "tbstyle") and not order.get("trace"):
                self.config.option.tbstyle = "no"  # Nobody reads it, and it is slow to make.
            if order.get("trace"):
                self.quick = False
                self.current = self.targets[0]
                self.lines = Lines(self.product_file)
                self.watch_clock(self.last_traced)
                signal.setitimer(signal.ITIMER_REAL, order["limit"])
            return True
        if order.get("trace"):
            self.relay(child, order)
        else:
            self.channel.send(self.outcome_of(child, order))
        return False

    def relay(self, child, order):
        """Hands on what a traced child says of each test, until it has said all."""
        end = time.monotonic() + order["seconds"] + 0.5
        try:
            frame = child.next(end - time.monotonic())
            while frame is not None:
                self.channel.send(dict(frame, id=order["id"]))
                frame = child.next(end - time.monotonic())
        except TimeoutError:
            pass
        child.end()

    def outcome_of(self, child, order):
        """Waits for a child that runs one candidate to the end: first the targets, then the companions."""
        answer = {"id": order["id"], "n": order["case"]["n"]}
        started = time.monotonic()
        limit = min(order["limit"], order["seconds"] + 0.05)
        try:
            frame = child.next(limit + FORK_SLACK)
            if frame is not None and frame["s"] == "targets":
                frame = child.next(max(limit, order.get("after", limit)))
        except TimeoutError:
            frame = {"s": "hung", "why": SLOW % limit}
        code = child.end()
        if frame is None:
            frame = {"s": "crashed", "why": ended(code)}
        answer.update(frame, ms=(time.monotonic() - started) * 1000)
        return answer

    # -- file parks --------------------------------------------------------------------------------------------

    def source_of(self, name):
        """What the loader is to see for this file; None for the file itself. This is where file parks stand."""
        path = self.real(name)
        if self.role == "file" and path in self.awaited:
            if threads() > 1:
                self.not_parked()
            self.park()
            control = Frames(self.control)
            control.send({"parked": True})
            while True:
                order = control.receive()
                if order is None:
                    os._exit(0)
                if self.fresh_fork(order):
                    break
                control.send({"done": True})
        if path in self.override:
            self.seen.add(path)
        return self.override.get(path)

    def not_parked(self):
        Frames(self.control).send({"parked": False})
        os._exit(0)

    # -- a child that collects afresh --------------------------------------------------------------------------

    def fresh_run(self):
        """In such a child, with the tests collected: runs them and answers."""
        self.session.shouldfail = False
        if self.order.get("trace"):
            self.fresh_traced()
            return
        results = []
        for target in self.targets:
            problem = self.collection_problem(target)
            chosen = [] if problem else self.select(target)
            if problem or (not chosen and "::" in target):
                results.append(problem or result(target, "lost"))
                break
            # A file that asserts while it is imported may hold no test at all; then the import was the test.
            results += self.run(chosen, stop=True)[0] or [result(target, "passed")]
            if results[-1]["outcome"] not in GOOD:
                break
        good = [one for one in results if one["outcome"] in GOOD]
        if len(good) < len(results):
            self.report.send(dict(failed(results[-1]), passed=len(good)))
            return
        if len(self.seen) < len(self.override):
            self.report.send({"s": "unsupported", "why": "the tests pass without ever importing a changed file"})
            return
        self.report.send({"s": "targets"})
        self.report.send(self.after_targets(self.order.get("companions", ()), len(good)))

    def fresh_traced(self):
        """Answers test by test, with what each covered; the lines that the import of a broken file ran are its own."""
        if not self.problems:
            self.lines.take()
        for target in self.targets:
            problem = self.collection_problem(target)
            chosen = [] if problem else self.select(target)
            if not chosen:
                bare = result(target, "lost" if "::" in target else "passed")
                self.report.send(dict(problem or bare, lines=self.lines.take()))
        names = [node for node in self.targets + self.companions if not self.collection_problem(node)]
        chosen = list(self.select_all(names).items())
        self.run(chosen, stop=False, limit=self.order["limit"], each=self.report.send)
        self.last_traced()

    def last_traced(self, hung=None):
        if hung is not None:
            self.report.send(hung)
        self.report.send({"loaded": self.loaded()})

    def collection_problem(self, target):
        path = target.split("::")[0]
        for where, failure in self.problems:
            if where == path or path.startswith(where.rstrip("/") + "/") or where in ("", "."):
                return dict(result(target, "error"), detail=self.collect_errors.get(path, "")[-20000:], **failure)
        return None

    def after_targets(self, companions, passed):
        """With all targets passed, sees whether the tests that passed before still do."""
        chosen = self.select_all(companions)
        results, _ = self.run(list(chosen.items()), stop=True)
        bad = [one for one in results if one["outcome"] not in GOOD]
        if bad or len(chosen) < len(companions):
            why = failed(bad[0])["why"] if bad else "a test that passed before is lost"
            return {"s": "failed", "passed": passed, "why": "breaks " + why}
        return {"s": "passed", "passed": passed, "why": ""}

    # -- the collected park ------------------------------------------------------------------------------------

    def collected_park(self):
        """Parks with the tests collected, answers requests, and never returns."""
        self.ran.stop()
        self.session.shouldfail = False
        count = threads()
        errors = dict(self.problems)
        missing = [node for node in self.targets if not self.select(node)]
        hello = {"id": 0, "state": "ready", "why": "", "loaded": self.loaded(), "ran": self.ran_at_import()}
        if count > 1:
            hello.update(state="unsupported", why="the project runs %d threads once its tests are collected" % count)
        elif missing:
            broken = [path for path in errors if any(node.startswith(path) for node in missing)]
            why = "%s is not collected" % missing[0]
            hello.update(state="missing", why="%s cannot be collected" % broken[0] if broken else why)
        if hello["state"] != "ready":
            self.leave(hello)
        self.index()
        factory = getattr(self.config, "_tmp_path_factory", None)
        if factory is not None:
            factory.getbasetemp()
        self.item_of = self.select_all(self.targets + self.companions)
        self.chosen = self.select_all(self.targets)
        hello["targets"] = list(self.chosen)
        hello["companions"] = [name for name in self.item_of if name not in self.chosen]
        self.park()
        control = Frames(self.control)
        self.channel.send(hello)
        control.send({"parked": True})
        while True:
            request = control.receive()
            if request is None:
                os._exit(0)
            try:
                if request["op"] == "survey":
                    self.survey(request)
                elif request["op"] == "try":
                    self.try_cases(request)
            except HungUp:
                os._exit(0)
            control.send({"done": True})

    def leave(self, hello):
        """Ends this process before it has parked, and says why."""
        self.channel.send(hello)
        Frames(self.control).send({"parked": False})
        os._exit(0)

    def ended_early(self, code):
        """Answers where pytest ended before it ran any test: a usage error, or a conftest that cannot be imported."""
        why = "pytest ended with exit code %d before it ran a test" % code
        sys.stdout.flush()
        if self.role == "hub":
            self.channel.send({"id": 0, "state": "ended", "why": why})
        elif self.role == "collected":
            self.leave({"id": 0, "state": "missing", "why": why})
        elif self.role == "file":
            self.not_parked()
        elif self.order.get("trace"):
            broken = dict(result(self.targets[0], "error"), type="Error", message=why, frames=[])
            broken.update(self.collection_problem(self.targets[0]) or {}, lines=self.lines.take())
            self.last_traced(broken)
        else:
            self.report.send({"s": "failed", "passed": 0, "why": why})
        os._exit(0)

    def index(self):
        """Finds the live functions by where their code comes from, and the caches around them."""
        self.functions = collections.defaultdict(list)
        for module in list(sys.modules.values()):
            name = getattr(module, "__file__", None)
            path = self.below_root(name) if isinstance(name, str) else None
            if path is not None:
                self.modules[path] = module
        for thing in gc.get_objects():
            kind = type(thing)
            if kind is types.FunctionType:
                code = thing.__code__
                path = self.below_root(code.co_filename)
                if path is not None:
                    self.functions[path, code.co_firstlineno, code.co_name].append(thing)
            elif kind is functools._lru_cache_wrapper:
                wrapped = getattr(thing, "__wrapped__", None)
                code = getattr(wrapped, "__code__", None)
                if code is not None and self.below_root(code.co_filename) is not None:
                    self.caches.append(thing)

    def loaded(self):
        """The files of the project that are loaded as modules, tests left out."""
        names = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        return sorted({path for name in names if isinstance(name, str) for path in [self.product_file(name)] if path})

    def ran_at_import(self):
        """Path, first line and name of every function of the project that ran before the tests did."""
        found = set()
        for code in list(self.ran.codes.values()):
            path = self.product_file(code.co_filename)
            if path is not None and code.co_flags & 0x02:  # CO_NEWLOCALS: a function, not a module or a class body.
                found.add((path, code.co_firstlineno, code.co_name))
        return sorted(found)

    # -- running tests -----------------------------------------------------------------------------------------

    def run(self, chosen, stop, limit=None, each=None):
        """Runs items in order. Gives their results, and whether the process is fit to run more.

        `limit`, in seconds a test, ends this process once a test exceeds it; `each` hears every result at once.
        """
        results = []
        fit = True
        for position, (name, item) in enumerate(chosen):
            following = chosen[position + 1][1] if position + 1 < len(chosen) else None
            self.reports = []
            self.failure = None
            self.current = name
            self.session.shouldfail = self.session.shouldstop = False
            started = time.monotonic()
            if limit is not None:
                signal.setitimer(signal.ITIMER_REAL, limit)
            try:
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                one = result(name, outcome(self.reports))
            except BaseException as error:  # KeyboardInterrupt and pytest.exit end a session, so they come through.
                self.failure = {"type": type(error).__qualname__, "message": str(error)[:4000], "frames": []}
                one = result(name, "failed")
                fit = False
            if limit is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
            one["ms"] = (time.monotonic() - started) * 1000
            if self.failure is not None and one["outcome"] not in GOOD:
                one.update(self.failure)
            if not self.quick:
                one["detail"] = "\n".join(str(report.longrepr) for report in self.reports if report.failed)[-20000:]
            if self.lines is not None:
                one["lines"] = self.lines.take()
            results.append(one)
            if each is not None:
                each(one)
            if not fit or (stop and one["outcome"] not in GOOD):
                self.tear_down()
                break
        return results, fit

    def tear_down(self):
        """Ends what a test that was not the last left set up for the next one."""
        state = self.session._setupstate
        try:
            if hasattr(state, "teardown_all"):
                state.teardown_all()
            else:
                state.teardown_exact(None)
        except BaseException:  # Whatever a fixture raises here, the outcome is known, and the canary will see the rest.
            pass

    def watch_clock(self, answer):
        """Where a test exceeds its limit, answers what is known of it, and ends this process."""

        def alarm(_number, frame):
            frames = []
            while frame is not None:
                path = self.below_root(frame.f_code.co_filename)
                if path is not None:
                    frames.insert(0, [path, frame.f_lineno])
                frame = frame.f_back
            hung = dict(result(self.current, "hung"), **TIMEOUT)
            hung.update(frames=frames[-40:], lines=self.lines.take() if self.lines else {})
            answer(hung)
            os._exit(0)

        signal.signal(signal.SIGALRM, alarm)

    # -- survey: outcomes and coverage -------------------------------------------------------------------------

    def survey(self, request):
        """Runs the original's targets and the named companions, and answers test by test, with coverage if asked."""
        end = time.monotonic() + request["seconds"]
        groups = collections.deque([name] for name in self.chosen)
        asked = set(request["companions"])
        others = [name for name in self.item_of if name not in self.chosen and name in asked]
        groups += [others[first : first + 40] for first in range(0, len(others), 40)]
        while groups and time.monotonic() < end:
            group = groups.popleft()
            child = self.fork()
            if child is None:
                self.survey_child(group, request)
            for position, name in enumerate(group):
                frame, code = None, 0
                try:
                    frame = child.next(min(request["limit"], max(0.05, end - time.monotonic())) + 0.5)
                except TimeoutError:
                    frame = dict(result(name, "hung"), **TIMEOUT)
                if frame is None:
                    code = child.end()
                    frame = dict(result(name, "crashed"), type="Crash", message=ended(code))
                elif frame["outcome"] == "hung" or position + 1 == len(group):
                    child.end()
                self.channel.send(dict(frame, id=request["id"]))
                if frame["outcome"] in ("hung", "crashed"):
                    if group[position + 1 :]:
                        groups.appendleft(group[position + 1 :])
                    break

    def survey_child(self, group, request):
        self.refresh()
        self.quick = not request["trace"]
        self.watch_clock(self.report.send)
        if request["trace"]:
            self.lines = Lines(self.product_file)
        self.run([(name, self.item_of[name]) for name in group], False, request["limit"], self.report.send)
        os._exit(0)

    # -- trying candidates -------------------------------------------------------------------------------------

    def try_cases(self, request):
        """Tries candidates that change function bodies only, many to a fork, and answers as soon as one is known."""
        end = time.monotonic() + request["seconds"]
        queue = collections.deque(request["cases"])
        canary, pace = self.canary(request)
        request["limit"] = max(FLOOR, SLOWER * pace) * request["patience"]
        while queue and time.monotonic() < end:
            if not canary or request["patience"] > 1 or self.stride < 2:
                self.alone(queue.popleft(), request, end)
                self.recover()
            else:
                self.together(queue, request, end, canary)

    def recover(self):
        """After many lone trials, together again: what polluted may be behind us."""
        self.lone += 1
        if self.lone >= 40:
            self.lone, self.stride = 0, 2

    def canary(self, request):
        """The original's outcomes as far as they repeat, and how many seconds they take.

        Empty where there is nothing to go by: the original hangs, or its first run spoils its second.
        """
        names = tuple(request["canary"])
        if names not in self.canaries:
            self.canaries[names] = [], 0.0
            watched = self.watched(request["cases"])
            child = self.fork()
            if child is None:
                self.canary_child(names, watched)
            try:
                first = child.next(request["after"] + 1.0)
                second = first and child.next(request["after"] + 1.0)
            except TimeoutError:
                second = None
            child.end()
            if second:
                self.canaries[names] = repeated(first, second["again"], self.chosen), second["seconds"]
                self.restless.update(second["restless"])
        return self.canaries[names]

    def canary_child(self, names, watched):
        before = self.state(watched)
        self.report.send(self.vector(names))
        between = self.state(watched)
        started = time.monotonic()
        again = self.vector(names)
        seconds = time.monotonic() - started
        after = self.state(watched)
        restless = [name for name in before if not before[name] == between.get(name) == after.get(name)]
        self.report.send({"again": again, "seconds": seconds, "restless": restless})
        os._exit(0)

    def watched(self, cases):
        """The modules that the tests or the changed functions see by name, where a candidate could spoil something."""
        paths = {unit["path"] for case in cases for unit in case["units"]}
        near = [module for path, module in self.modules.items() if path in paths or path in self.files]
        found = {id(module): module for module in near}
        for module in near:
            for value in list(vars(module).values()):
                if isinstance(value, types.ModuleType):
                    found[id(value)] = value
        return list(found.values())

    def state(self, watched):
        """Which objects these modules hold, and what is in the tests' own values, each under a name."""
        found = {}
        for module in watched:
            values = list(vars(module).values())
            found[module.__name__] = hash(tuple(map(id, values)))
            if self.below_root(getattr(module, "__file__", None) or "<none>") in self.files:
                found["in " + module.__name__] = hash(tuple(contents(value) for value in values))
        for name, item in self.chosen.items():
            parameters = getattr(getattr(item, "callspec", None), "params", {})
            found["for " + name] = hash(tuple(contents(value) for value in parameters.values()))
        return {name: number for name, number in found.items() if name not in self.restless}

    def vector(self, names):
        self.refresh()
        results, _ = self.run([(name, self.item_of[name]) for name in names], stop=False)
        return [[one["test"], one["outcome"], one.get("type"), stable(one.get("message"))] for one in results]

    def together(self, queue, request, end, canary):
        """One fork for many candidates. What the canary has not vouched for when it ends stays in the queue."""
        stride = self.stride
        child = self.fork()
        if child is None:
            self.together_child(list(queue), canary, stride)
        pending = []
        slack = FORK_SLACK
        try:
            while queue:
                at_canary = len(pending) == min(stride, len(queue))
                limit = request["after"] if at_canary else request["limit"]
                left = end - time.monotonic()
                try:
                    frame = child.next(max(0.0, min(limit, left)) + slack)
                except TimeoutError:
                    if left < limit:
                        queue.clear()
                    elif at_canary:
                        self.stride = 1
                    else:
                        self.answer(request, queue[len(pending)], {"s": "hung", "why": SLOW % limit})
                        del queue[len(pending)]
                    return
                slack = 0.0
                if frame is None:
                    if at_canary:
                        self.stride = 1
                        return
                    # Perhaps those before it are to blame, so it is tried once more, by itself.
                    suspect = queue[len(pending)]
                    del queue[len(pending)]
                    self.alone(suspect, request, end)
                    return
                if "vector" not in frame:
                    pending.append(frame)
                    continue
                settled = same(frame["vector"], canary)
                for answer in pending:
                    case = queue.popleft()
                    if settled and answer["s"] != "passed":
                        self.answer(request, case, answer)
                    else:
                        self.alone(case, request, end)
                pending = []
                if not settled:
                    self.stride = max(1, stride // 2)
                    return
                self.stride = min(STRIDE, self.stride + 1)
        finally:
            child.end()

    def together_child(self, cases, canary, stride):
        names = [one[0] for one in canary]
        watched = self.watched(cases)
        before = self.state(watched)
        for position, case in enumerate(cases):
            answer = self.trial(case)
            self.report.send(answer)
            if answer.get("unfit") or threading.active_count() > 1:
                self.report.send({"vector": []})
                break
            if (position + 1) % stride == 0 or position + 1 == len(cases):
                self.report.send({"vector": self.vector(names) if self.state(watched) == before else []})
        os._exit(0)

    def alone(self, case, request, end):
        """One candidate in its own fork, the companions too. The only way that anything is called passed."""
        left = end - time.monotonic()
        if left <= 0:
            return
        child = self.fork()
        if child is None:
            answer = self.trial(case, request["companions"])
            self.report.send(answer)
            os._exit(0)
        self.channel.send(self.outcome_of(child, dict(request, case=case, seconds=left)))

    def answer(self, request, case, frame):
        self.channel.send(dict(frame, id=request["id"], n=case["n"]))

    def trial(self, case, companions=None):
        """Swaps the changed functions in, runs the targets, and swaps them out again."""
        try:
            swaps = [swap for unit in case["units"] for swap in self.swaps(unit)]
        except Unsupported as error:
            return {"s": "unsupported", "why": str(error)}
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return {"s": "failed", "why": "does not compile: %s" % error}
        self.refresh()
        for function, code, _ in swaps:
            function.__code__ = code
        try:
            results, fit = self.run(list(self.chosen.items()), stop=True)
            good = [one for one in results if one["outcome"] in GOOD]
            if len(good) < len(self.chosen):
                bad = next(one for one in results if one["outcome"] not in GOOD)
                return dict(failed(bad), passed=len(good), **({} if fit else {"unfit": True}))
            if companions is None:
                return {"s": "passed", "passed": len(good)}
            self.report.send({"s": "targets"})
            return self.after_targets(companions, len(good))
        finally:
            for function, _, original in swaps:
                function.__code__ = original

    def swaps(self, unit):
        """Each live function that the unit stands for, with its new code and its old. Raises `Unsupported`."""
        functions = self.functions.get((unit["path"], unit["first"], unit["name"]), ())
        if not functions:
            raise Unsupported("no live function %s at %s:%d" % (unit["name"], unit["path"], unit["first"]))
        if unit["decorated"] and "numba" in sys.modules:
            raise Unsupported("numba may have compiled %s" % unit["name"])
        found = []
        for function in functions:
            old = function.__code__
            if id(old) in self.ran.codes or unit["path"] in self.early:
                raise Unsupported("%s ran before the tests did" % unit["name"])
            new = compile_unit(unit, old)
            if signature(old) != signature(new) or old.co_freevars != new.co_freevars:
                raise Unsupported("%s has another signature or other free variables" % unit["name"])
            found.append((function, new, old))
        return found

    def refresh(self):
        """Puts back what a test or a candidate commonly leaves changed in the process."""
        random.setstate(self.luck)
        for cache in self.caches:
            cache.cache_clear()
        if sys.getrecursionlimit() != self.depth:
            sys.setrecursionlimit(self.depth)
        # Comparing the raw mapping is many times faster than comparing what it decodes to.
        if getattr(os.environ, "_data", None) != self.raw_environment:
            os.environ.clear()
            os.environ.update(self.environment)
        os.chdir(self.root)
        sys.stdin, sys.stdout, sys.stderr = self.streams


SLOW = "no answer within %.2f s"
GOOD = ("passed", "xpassed")
TIMEOUT = {"type": "Timeout", "message": "it did not end in time", "frames": []}


def result(name, how):
    return {"test": name, "outcome": how, "ms": 0.0}


def failed(one):
    what = ": ".join(part for part in (one.get("type"), (one.get("message") or "").split("\n")[0][:200]) if part)
    return {"s": "failed", "why": "%s %s%s" % (one["test"], one["outcome"], what and " (%s)" % what)}


def repeated(first, again, targets):
    """What two runs of the original in one process agree on; nothing where a target's outcome is not the same."""
    found = []
    for one, other in zip(first, again):  # noqa: B905  Older interpreters do not know `strict`.
        if one[:3] == other[:3]:
            found.append(one if one == other else one[:3])
        elif one[0] in targets:
            return []
    return found


def contents(value):
    """A number that changes when a common container, or an object's attributes, change."""
    if isinstance(value, (list, dict, set, bytearray)):
        try:
            return hash(marshal.dumps(value, 2))  # Later versions write reference counts too, in a way.
        except ValueError:
            return hash(tuple(map(id, value.values() if isinstance(value, dict) else value)))
    if isinstance(value, (type, types.ModuleType, types.FunctionType)) or not hasattr(value, "__dict__"):
        return 0
    return hash(tuple(map(id, vars(value).values())))


def same(vector, canary):
    """Whether the original behaves as ever; where a message was never the same twice, the canary leaves it out."""
    return len(vector) == len(canary) and all(vector[at][: len(one)] == one for at, one in enumerate(canary))


def stable(message):
    return None if message is None else ADDRESS.sub("0x", message)


def ended(code):
    if code >= 0:
        return "the process ended with exit code %d" % code
    return "the process died of %s" % signal.Signals(-code).name


def outcome(reports):
    """One test's outcome over the reports of all its phases, subtests included."""
    for report in reports:
        if report.failed:
            return "failed" if report.when == "call" else "error"
    for report in reports:
        if report.skipped:
            return "xfailed" if hasattr(report, "wasxfail") else "skipped"
    for report in reports:
        if report.when == "call":
            return "xpassed" if hasattr(report, "wasxfail") else "passed"
    return "lost"


def signature(code):
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)  # CO_VARARGS, CO_VARKEYWORDS
    return code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_varnames[:count]


def compile_unit(unit, old):
    """The unit's new code object, with the line numbers, file name and future flags of the old one."""
    lines = [*unit["wrappers"], unit["text"]]
    source = "\n" * (unit["first"] - len(lines)) + "\n".join(lines)
    module = compile(source, old.co_filename, "exec", old.co_flags & FUTURES, dont_inherit=True)
    level = [module]
    while level:
        codes = [const for code in level for const in code.co_consts if isinstance(const, types.CodeType)]
        for code in codes:
            if code.co_name == unit["name"] and code.co_firstlineno == unit["first"]:
                return code
        level = codes
    raise Unsupported("%s is not there any more" % unit["name"])


def limit_memory():
    try:
        import resource

        used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = used + MEMORY
        if soft == resource.RLIM_INFINITY or soft > wanted:
            resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    except (ImportError, OSError, ValueError):
        pass  # No such limit on this system; the time limit still holds.


def without_spreading(config):
    """Makes pytest-xdist run the tests in this process, whatever the project's options say."""
    option = config.option
    if hasattr(option, "numprocesses"):
        option.numprocesses = None
        option.dist = "no"
        option.tx = []


def hook_loaders(worker):
    """Lets `worker.source_of` stand between every Python source file and its import."""
    from _pytest.assertion.rewrite import AssertionRewritingHook

    loader = importlib.machinery.SourceFileLoader
    get_code, exec_module = loader.get_code, AssertionRewritingHook.exec_module

    def get_code_of(self, fullname):
        path = self.get_filename(fullname)
        text = worker.source_of(path)
        return get_code(self, fullname) if text is None else compile(text, path, "exec", dont_inherit=True)

    def exec_rewritten(self, module):
        path = module.__spec__.origin
        text = worker.source_of(path)
        if text is None:
            return exec_module(self, module)
        return exec(compile(text, path, "exec", dont_inherit=True), module.__dict__)

    loader.get_code = get_code_of
    AssertionRewritingHook.exec_module = exec_rewritten


def main():
    fd = int(os.environ.pop("OCTOLIMB_CHANNEL_FD"))
    os.set_inheritable(fd, False)
    channel = Frames(fd)
    request = channel.receive()
    if request is None:
        return
    root = os.path.realpath(request["root"])
    os.chdir(root)
    own = os.path.dirname(os.path.realpath(__file__))
    leading = [root] + [path for path in [os.path.join(root, "src")] if os.path.isdir(path)]
    sys.path[:] = leading + [path for path in sys.path if os.path.realpath(path or ".") not in [own, *leading]]
    worker = Worker(channel, request)
    try:
        import pytest
    except ImportError as error:
        channel.send({"id": 0, "state": "ended", "why": "the project's interpreter cannot import pytest: %s" % error})
        return
    hook_loaders(worker)
    Worker.pytest_load_initial_conftests = pytest.hookimpl(tryfirst=True)(Worker.pytest_load_initial_conftests)
    Worker.pytest_runtestloop = pytest.hookimpl(tryfirst=True)(Worker.pytest_runtestloop)
    arguments = ["--rootdir=" + root, "--capture=no", "--maxfail=0", "-p", "no:randomly"]
    if not os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") and importlib.util.find_spec("pytest_cov") is not None:
        arguments.append("--no-cov")
    for path in worker.files:
        whole = os.path.join(root, path)
        arguments.append(os.path.dirname(whole) if "[" in path or "::" in path else whole)
    sys.argv = [pytest.__file__, *arguments]
    code = pytest.main(arguments, plugins=[worker])
    worker.ended_early(int(code))


if __name__ == "__main__":
    main()
