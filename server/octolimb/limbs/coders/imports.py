"""Missing imports: which module a name may come from, and where the import goes.

The modules are the standard library's, those that the project's files import a name from already, and the project's
own. It does NOT import anything, nor look at what is installed.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from octolimb.core.paths import RelPath
from octolimb.core.snapshot import Snapshot
from octolimb.limbs.candidates import TextEdit
from octolimb.limbs.coders.source import Source

PRUNED: Final = frozenset(
    {".git", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", "build", "dist", "site-packages", ".eggs"}
)
MAX_FILES: Final = 4000

_MEMBERS = {
    "abc": "ABC ABCMeta abstractmethod",
    "argparse": "ArgumentParser Namespace",
    "collections": "Counter OrderedDict defaultdict deque namedtuple ChainMap UserDict",
    "collections.abc": "Callable Generator Hashable Iterable Iterator Mapping MutableMapping Sequence",
    "concurrent.futures": "ThreadPoolExecutor ProcessPoolExecutor as_completed Future",
    "contextlib": "contextmanager suppress closing ExitStack redirect_stdout nullcontext asynccontextmanager",
    "copy": "deepcopy",
    "dataclasses": "dataclass field asdict astuple replace fields is_dataclass",
    "datetime": "datetime date timedelta timezone",
    "decimal": "Decimal ROUND_HALF_UP",
    "enum": "Enum IntEnum auto Flag StrEnum",
    "fractions": "Fraction",
    "functools": "partial wraps lru_cache reduce cached_property total_ordering singledispatch cmp_to_key cache",
    "heapq": "heappush heappop heapify nlargest nsmallest heapreplace",
    "bisect": "bisect_left bisect_right insort bisect",
    "io": "StringIO BytesIO TextIOWrapper",
    "itertools": (
        "chain combinations permutations product groupby islice count cycle repeat zip_longest "
        "accumulate starmap takewhile dropwhile tee combinations_with_replacement pairwise"
    ),
    "math": "sqrt ceil floor pi inf gcd log isclose factorial hypot sin cos log2 log10",
    "operator": "itemgetter attrgetter methodcaller",
    "pathlib": "Path PurePath PurePosixPath",
    "random": "randint choice shuffle sample",
    "string": "ascii_lowercase ascii_letters digits punctuation ascii_uppercase Template",
    "subprocess": "Popen CalledProcessError PIPE",
    "tempfile": "TemporaryDirectory NamedTemporaryFile mkdtemp",
    "textwrap": "dedent indent wrap",
    "threading": "Thread Lock RLock Event",
    "time": "sleep perf_counter monotonic",
    "types": "SimpleNamespace MappingProxyType ModuleType TracebackType",
    "typing": (
        "Any Optional Union List Dict Set Tuple Type Literal Protocol TypeVar Generic cast overload "
        "NamedTuple TypedDict ClassVar Final TYPE_CHECKING Awaitable NoReturn Annotated"
    ),
    "unittest": "TestCase",
    "unittest.mock": "Mock MagicMock patch",
    "urllib.parse": "urlparse urlencode urljoin quote unquote parse_qs urlsplit",
    "uuid": "uuid4 UUID",
    "warnings": "warn",
    "hashlib": "md5 sha1 sha256",
    "json": "dumps loads",
    "statistics": "mean median stdev",
    "glob": "iglob",
    "re": "compile",
    "base64": "b64encode b64decode",
    "inspect": "signature getmembers",
    "weakref": "WeakKeyDictionary WeakValueDictionary",
    "traceback": "format_exc",
    "importlib": "import_module",
    "numbers": "Number Integral Real",
    "queue": "Queue",
    "os.path": "join",
}
_ALIASES = {
    "np": "numpy",
    "pd": "pandas",
    "plt": "matplotlib.pyplot",
    "tf": "tensorflow",
    "sns": "seaborn",
    "nx": "networkx",
    "ET": "xml.etree.ElementTree",
    "osp": "os.path",
}
_KNOWN: dict[str, list[str]] = {}
for _module, _names in _MEMBERS.items():
    for _name in _names.split():
        _KNOWN.setdefault(_name, []).append(_module)


class Import(NamedTuple):
    """`import module as alias` where `name` is empty, else `from module import name`; `level` counts leading dots."""

    module: str
    name: str = ""
    alias: str = ""
    level: int = 0

    @property
    def line(self) -> str:
        if self.name:
            return f"from {'.' * self.level}{self.module} import {self.name}"
        return f"import {self.module} as {self.alias}" if self.alias else f"import {self.module}"


def sources_of(name: str, snapshot: Snapshot, path: RelPath) -> list[Import]:
    """Where `name`, missing in the file `path`, may be imported from, the likeliest first."""
    used: Counter[Import] = Counter()
    defined: list[Import] = []
    text = snapshot.document(path).text
    relative = re.search(r"^from \.", text, re.MULTILINE) is not None
    pattern = re.compile(
        rf"^(?:(?:async\s+)?def|class)\s+{re.escape(name)}\b|^{re.escape(name)}\s*(?::[^=\n]+)?=", re.MULTILINE
    )
    for other, content in project_files(snapshot):
        if other == path or name not in content:
            continue
        used.update(_imports_of(name, content))
        if pattern.search(content) and not _is_test(other):
            defined.append(_project_import(name, other, path, snapshot, relative=relative))
    found = [entry for entry, _ in used.most_common() if not entry.level]
    if name in sys.stdlib_module_names and not name.startswith("_"):
        found.append(Import(name))
    found += defined
    found += [Import(module, name) for module in _KNOWN.get(name, ())]
    if name in _ALIASES:
        found.append(Import(_ALIASES[name], alias=name))
    return list(dict.fromkeys(found))


def project_files(snapshot: Snapshot) -> Iterator[tuple[RelPath, str]]:
    """The project's Python files with their texts, at most `MAX_FILES`; those that are not text left out."""
    count = 0
    for path in snapshot.walk(prune=PRUNED):
        if path.suffix == ".py":
            count += 1
            if count > MAX_FILES:
                return
            document = snapshot.get(path)
            if document is not None and document.is_text:
                yield path, document.text


def module_name(path: RelPath, snapshot: Snapshot) -> str:
    """The dotted name that a file is imported by: its packages upward, or its place below the root or `src`."""
    parts = path.removesuffix(".py").split("/")
    if parts[-1] == "__init__":
        parts.pop()
    directories = path.split("/")[:-1]
    top = len(directories)
    while top > 0 and snapshot.kind("/".join([*directories[:top], "__init__.py"])) is not None:
        top -= 1
    if top == len(directories):
        return ".".join(parts[1:] if parts[:1] == ["src"] and len(parts) > 1 else parts)
    return ".".join(parts[top:])


def insert_import(source: Source, path: RelPath, wanted: Import) -> TextEdit | None:
    """The edit that adds the import: merged into one of the same module, else a line of its own in its place.

    None where the file imports it already.
    """
    body = source.tree.body
    for statement in body:
        if isinstance(statement, ast.ImportFrom) and wanted.name:
            if (statement.module or "", statement.level) != (wanted.module, wanted.level):
                continue
            names = [alias.name for alias in statement.names]
            if wanted.name in names:
                return None
            if "*" not in names:
                last = statement.names[-1]
                assert last.end_lineno is not None
                assert last.end_col_offset is not None
                place = source.offset(last.end_lineno, last.end_col_offset)
                return TextEdit(path, place, place, f", {wanted.name}")
        elif isinstance(statement, ast.Import) and (wanted.module, wanted.alias) in [
            (alias.name, alias.asname or "") for alias in statement.names
        ]:
            return None
    newline = source.newline
    anchor, imports = _anchor(body)
    if anchor is not None and source.own_lines(anchor) is not None:
        end = source.line_end(anchor.end_lineno or 1)
        lead = "" if source.text[:end].endswith(("\n", "\r")) else newline
        blank = "" if imports else newline
        after = (
            newline if not imports and body[-1] is not anchor and source.text[end:].split(newline)[0].strip() else ""
        )
        return TextEdit(path, end, end, f"{lead}{blank}{wanted.line}{newline}{after}")
    first = body[0] if body else None
    if first is None:
        end = len(source.text)
        return TextEdit(path, end, end, f"{wanted.line}{newline}")
    line = min([first.lineno, *(node.lineno for node in getattr(first, "decorator_list", ()))])
    start = source.line_start(line)
    gap = newline * (3 if isinstance(first, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else 2)
    if isinstance(first, ast.Import | ast.ImportFrom):
        gap = newline
    return TextEdit(path, start, start, wanted.line + gap)


def _anchor(body: list[ast.stmt]) -> tuple[ast.stmt | None, bool]:
    """The statement that the import follows (docstring or last import of the opening block), and whether it is one."""
    anchor: ast.stmt | None = None
    for index, statement in enumerate(body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            anchor = statement
        elif not (
            index == 0
            and isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Constant)
            and isinstance(statement.value.value, str)
        ):
            break
        else:
            anchor = statement
    return anchor, isinstance(anchor, ast.Import | ast.ImportFrom)


def _imports_of(name: str, text: str) -> Iterator[Import]:
    quoted = re.escape(name)
    for match in re.finditer(rf"^from ([\w.]+) import [^\n]*\b{quoted}\b", text, re.MULTILINE):
        if not match.group(1).startswith(".") and not re.search(rf"\bas {quoted}\b", match.group()):
            yield Import(match.group(1), name)
    for match in re.finditer(rf"^import ([\w.]+)(?: as ({quoted}))?[ \t]*$", text, re.MULTILINE):
        if match.group(2) or match.group(1) == name:
            yield Import(match.group(1), alias=match.group(2) or "")


def _is_test(path: RelPath) -> bool:
    return path.name.startswith("test_") or path.name.endswith("_test.py") or path.name == "conftest.py"


def _project_import(name: str, other: RelPath, path: RelPath, snapshot: Snapshot, *, relative: bool) -> Import:
    if relative and other.parent == path.parent:
        stem = other.name.removesuffix(".py")
        return Import("" if stem == "__init__" else stem, name, level=1)
    return Import(module_name(other, snapshot), name)
