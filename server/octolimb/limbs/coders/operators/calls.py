"""Operators on calls: counterpart functions and methods, arguments swapped, dropped or added, wrapped and unwrapped."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from octolimb.limbs.coders.scopes import NUMBERS, alike, base, element
from octolimb.limbs.coders.sites import Mutation, Site, on
from octolimb.limbs.coders.source import precedence

_FUNCTION_GROUPS = (
    ("min", "max", "sum", "len"),
    ("any", "all"),
    ("floor", "ceil", "round", "int", "trunc"),
    ("sorted", "reversed", "list"),
    ("list", "tuple", "set", "sorted"),
    ("str", "repr", "int"),
    ("int", "float", "round"),
    ("abs", "int"),
    ("ord", "chr", "int"),
    ("map", "filter"),
    ("zip", "zip_longest"),
    ("isinstance", "issubclass"),
    ("getattr", "hasattr"),
    ("set", "frozenset"),
    ("bin", "hex", "oct"),
    ("deepcopy", "copy"),
    ("sin", "cos"),
    ("log", "log2", "log10"),
    ("any", "sum", "all"),
    ("enumerate", "reversed"),
    ("permutations", "combinations"),
    ("heappush", "heappop"),
    ("iter", "list"),
)
_METHOD_GROUPS = (
    ("lower", "upper", "title", "capitalize", "swapcase"),
    ("islower", "isupper", "isalpha", "isdigit", "isalnum", "isspace"),
    ("startswith", "endswith"),
    ("append", "extend", "add"),
    ("append", "appendleft", "insert"),
    ("pop", "popleft"),
    ("find", "index", "rfind", "rindex"),
    ("find", "rfind"),
    ("split", "rsplit", "splitlines"),
    ("partition", "rpartition"),
    ("strip", "lstrip", "rstrip"),
    ("ljust", "rjust", "center", "zfill"),
    ("keys", "values", "items"),
    ("remove", "discard"),
    ("union", "intersection", "difference", "symmetric_difference"),
    ("issubset", "issuperset"),
    ("count", "index"),
    ("get", "setdefault", "pop"),
    ("update", "add"),
    ("encode", "decode"),
    ("match", "search", "fullmatch"),
    ("removeprefix", "removesuffix"),
    ("isdigit", "isnumeric", "isdecimal"),
    ("sort", "reverse"),
    ("search", "findall"),
    ("get", "index"),
    ("put", "get"),
    ("successors", "predecessors"),
    ("first", "last"),
    ("left", "right"),
    ("next", "prev"),
    ("read", "readline", "readlines"),
    ("lower", "casefold"),
    ("items", "iteritems"),
    ("start", "end"),
    ("sub", "match"),
)
_WRAPPERS = {
    "num": ("abs", "int", "str", "round", "float"),
    "str": ("len", "int", "list", "set", "sorted", "reversed", "ord"),
    "list": ("sorted", "set", "len", "list", "sum", "max", "min", "reversed", "tuple", "any", "all"),
    "iter": ("list", "sorted", "set", "tuple", "sum", "len"),
    "set": ("sorted", "list", "len"),
    "dict": ("list", "sorted", "len", "dict"),
    "": ("abs", "str", "int", "len", "list", "sorted", "set", "tuple", "float"),
}
_STRING_METHODS = (".lower()", ".strip()", ".upper()", ".split()", ".encode()", ".rstrip()", ".lstrip()", ".isdigit()")
_SORT_KEYS = (
    "key=len",
    "key=lambda x: (len(x), x)",
    "key=abs",
    "key=str",
    "key=lambda x: x[1]",
    "key=lambda x: x[0]",
    "key=lambda x: -x",
    "key=lambda x: len(set(x))",
)
_BARE_CONVERSIONS = frozenset(
    {"list", "set", "sorted", "str", "int", "float", "tuple", "abs", "round", "reversed", "len", "sum", "bool", "iter"}
)


@on(ast.Name)
def swap_function(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Name)
    parent = site.source.parents.get(node)
    called = isinstance(parent, ast.Call) and parent.func is node
    if not called and not isinstance(parent, ast.Call | ast.keyword):
        return
    if node.id in site.scope.locals or node.id in site.scope.functions:
        return
    for other, cost in _counterparts(node.id, _FUNCTION_GROUPS).items():
        yield site.replace("swap-function", cost + (0.0 if called else 0.4), node, other)


@on(ast.Attribute)
def swap_method(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Attribute)
    end = site.source.span(node)[1]
    for other, cost in _counterparts(node.attr, (*_METHOD_GROUPS, *_FUNCTION_GROUPS)).items():
        yield site.put("swap-method", cost, end - len(node.attr), end, other)


def _counterparts(name: str, groups: tuple[tuple[str, ...], ...]) -> dict[str, float]:
    """What may stand for `name`, with its cost: neighbours in its group first."""
    costs: dict[str, float] = {}
    for group in groups:
        if name in group:
            place = group.index(name)
            for index, other in enumerate(group):
                if other != name:
                    costs.setdefault(other, 0.9 + 0.2 * abs(index - place) + 0.1 * len(costs))
    return costs


@on(ast.Call)
def change_arguments(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Call)
    items = site.source.items(node)
    text = site.source.text
    # Where a comment stands between the arguments, their text cannot be told apart.
    plain = len(node.args) if items else 0
    for first in range(plain):
        for second in range(first + 1, min(plain, first + 3)):
            (a, b), (c, d) = items[first], items[second]
            kinds = (site.scope.infer(node.args[first]), site.scope.infer(node.args[second]))
            cost = 1.3 + 1.2 * (1 - alike(*kinds)) + 0.4 * (second - first - 1)
            yield site.put("swap-arguments", cost, a, d, text[c:d] + text[b:c] + text[a:b])
    if len(items) >= 2:
        for index, (start, end) in enumerate(items):
            low, high = (start, items[index + 1][0]) if index + 1 < len(items) else (items[index - 1][1], end)
            yield site.put("drop-argument", 2.2, low, high, "")
    elif len(items) == 1:
        removable = isinstance(node.func, ast.Attribute)
        if removable:
            yield site.put("drop-argument", 2.8, *items[0], "")


@on(ast.Call)
def add_argument(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """Another name in reach as the last argument, and the options that builtins have."""
    assert isinstance(node, ast.Call)
    start, end = site.source.span(node)
    before = site.source.text[start : end - 1].rstrip()
    comma = "" if not (node.args or node.keywords) else " " if before.endswith(",") else ", "
    if len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp) and not node.keywords:
        return
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    options = list(_options(node, name))
    for rank, option in enumerate(options):
        yield site.put("add-argument", 2.4 + 0.15 * rank, end - 1, end - 1, comma + option)
    if (
        node.keywords
        or name in _BARE_CONVERSIONS
        or name in ("range", "enumerate", "isinstance", "zip", "map", "filter")
    ):
        return
    arity = site.scope.functions.get(name)
    likely = 0.0 if arity is not None and arity > len(node.args) else 1.2
    for rank, other in enumerate(other for other in site.names_at(node)[:8] if other not in ("self", "cls")):
        yield site.put("add-argument", 2.2 + likely + 0.1 * rank, end - 1, end - 1, comma + other)


def _options(node: ast.Call, name: str) -> Iterator[str]:
    """The options of well-known functions that the call does without."""
    has = {keyword.arg for keyword in node.keywords}
    if name in ("sorted", "sort", "min", "max"):
        if name in ("sorted", "sort") and "reverse" not in has:
            yield "reverse=True"
        if "key" not in has and len(node.args) == (0 if name == "sort" else 1):
            yield from _SORT_KEYS
    elif name in ("split", "rsplit") and not node.args:
        yield from ("' '", "','")
    elif name in ("round", "int") and len(node.args) == 1:
        yield "2"


@on(ast.Call)
def unwrap_call(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.Call)
    if isinstance(site.source.parents.get(node), ast.Expr):
        return
    if isinstance(node.func, ast.Attribute):
        owner = node.func.value
        if not (isinstance(owner, ast.Name) and owner.id in ("self", "cls")) and not _is_module(site, owner):
            yield site.instead("drop-method", 1.8, node, owner)
        if node.func.attr == "sort":
            inner = site.source.text[
                site.source.text.find("(", site.source.span(node.func)[1]) + 1 : site.source.span(node)[1] - 1
            ]
            options = f", {inner}" if inner.strip() else ""
            yield site.replace("sort-to-sorted", 1.4, node, f"sorted({site.source.of(owner)}{options})")
    for index, argument in enumerate(node.args[:3]):
        if not isinstance(argument, ast.Starred | ast.GeneratorExp):
            bare = isinstance(node.func, ast.Name) and node.func.id in _BARE_CONVERSIONS
            yield site.instead("drop-call", (1.6 if bare else 2.2) + 0.3 * index, node, argument)


def _is_module(site: Site, node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id not in site.scope.locals and node.id not in site.scope.constants


@on(ast.Call)
def repeat_call(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """The same function once more on its own result, as in `encode(encode(s))`."""
    assert isinstance(node, ast.Call)
    if not isinstance(node.func, ast.Name) or node.func.id not in site.scope.functions or node.keywords:
        return
    if len(node.args) == 1:
        yield site.replace("repeat-call", 2.2, node, f"{node.func.id}({site.source.of(node)})")


@on(
    ast.Name,
    ast.Call,
    ast.BinOp,
    ast.Subscript,
    ast.Attribute,
    ast.ListComp,
    ast.GeneratorExp,
    ast.Constant,
    ast.UnaryOp,
)
def wrap_value(site: Site, node: ast.AST) -> Iterator[Mutation]:
    assert isinstance(node, ast.expr)
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    parent = site.source.parents.get(node)
    if isinstance(parent, ast.Call) and (parent.func is node or isinstance(node, ast.GeneratorExp)):
        return
    if isinstance(parent, ast.Attribute | ast.Slice | ast.FormattedValue | ast.Starred | ast.Expr | ast.Lambda):
        return
    if isinstance(node, ast.Constant) and not isinstance(node.value, str):
        return
    if isinstance(node, ast.Name) and node.id in ("self", "cls"):
        return
    kind = site.scope.infer(node)
    bare = base(kind)
    group = "num" if bare in NUMBERS else "list" if bare in ("tuple", "range") else bare
    text = site.source.of(node)
    cost = _wrap_cost(parent) + (0.0 if bare else 0.5)
    outer = parent.func.id if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) else ""
    rank = 0
    for name in _WRAPPERS.get(group, ()):
        if name == outer or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name):
            continue
        if name in ("sum", "max", "min") and element(kind) == "str" and name == "sum":
            continue
        yield site.replace("wrap-value", cost + 0.15 * rank, node, f"{name}({text})")
        rank += 1
    if group in ("list", "str", "iter", ""):
        yield site.replace("wrap-twice", cost + 0.7, node, f"list(set({text}))")
        yield site.replace("wrap-twice", cost + 0.7, node, f"sorted(set({text}))")
        yield site.replace("wrap-twice", cost + 1.0, node, f"len(set({text}))")
    if group in ("str", ""):
        for index, method in enumerate(_STRING_METHODS):
            yield site.replace(
                "wrap-method", cost + 0.15 * index + (0.0 if bare else 0.5), node, site.source.atom(node) + method
            )
    if group in ("num", "") and isinstance(node, ast.Name):
        yield site.replace("wrap-value", cost + 0.9, node, f"bin({text})")
        if bare:
            yield site.replace("wrap-value", cost + 0.9, node, f"len({text})")
    if group in ("num", "") and not isinstance(node, ast.Constant):
        clamps = [f"max(0, {text})", f"min(1, {text})", f"max(1, {text})"]
        clamps += [f"{name}({text}, {other})" for other in site.names_at(node)[:4] for name in ("max", "min")]
        for place, clamp in enumerate(clamps if bare or isinstance(parent, ast.Assign | ast.Return) else clamps[:1]):
            yield site.replace("clamp", cost + 0.8 + 0.12 * place, node, clamp)
    if group in ("list", "str", ""):
        yield site.replace("wrap-in-display", cost + 0.8, node, f"[{text}]")
        yield site.replace("wrap-in-display", cost + 1.3, node, f"({text},)")
    if group in ("list", "") and isinstance(parent, ast.Return | ast.Assign):
        yield site.replace("wrap-method", cost + 0.7, node, f"''.join({text})")


def _wrap_cost(parent: ast.AST | None) -> float:
    if isinstance(parent, ast.Return | ast.Assign | ast.AugAssign):
        return 1.9
    if isinstance(parent, ast.Compare | ast.comprehension | ast.For | ast.AsyncFor):
        return 2.1
    if isinstance(parent, ast.Call):
        return 2.2
    return 2.5


@on(ast.Compare)
def wrap_both_sides(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """Both sides of a comparison want the same treatment, as in `set(a) == set(b)`."""
    assert isinstance(node, ast.Compare)
    if len(node.ops) != 1:
        return
    left, right = node.left, node.comparators[0]
    if isinstance(left, ast.Constant) or isinstance(right, ast.Constant):
        return
    group = base(site.scope.infer(left)) or base(site.scope.infer(right))
    wrappers = {"str": ("set", "len", "sorted"), "list": ("len", "set", "sorted", "sum")}.get(
        group, ("abs", "len", "str")
    )
    if not group:
        wrappers = ("len", "set", "sorted", "abs", "sum", "str")
    texts = (site.source.of(left), site.source.of(right))
    spans = (site.source.span(left), site.source.span(right))
    for rank, name in enumerate(wrappers):
        edits = tuple((*span, f"{name}({text})") for span, text in zip(spans, texts, strict=True))
        yield Mutation("wrap-both-sides", 2.4 + 0.15 * rank, edits)
    if group in ("str", ""):
        atoms = (site.source.atom(left), site.source.atom(right))
        for method in (".lower()", ".strip()"):
            edits = tuple((*span, text + method) for span, text in zip(spans, atoms, strict=True))
            yield Mutation("wrap-both-sides", 2.8, edits)


@on(ast.Call)
def change_operand_of_call(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """`f(a) op b` for `f(a op b)`, and the argument's sign."""
    assert isinstance(node, ast.Call)
    if len(node.args) != 1 or node.keywords:
        return
    argument = node.args[0]
    if isinstance(argument, ast.BinOp):
        callee, source = site.source.of(node.func), site.source
        low, high = source.span(argument)
        symbol = source.text[source.span(argument.left)[1] : source.span(argument.right)[0]]
        left, right = source.of(argument.left), source.of(argument.right)
        if "(" not in symbol and ")" not in symbol and low < high:
            strength = precedence(argument)
            yield site.replace(
                "move-operand",
                2.8,
                node,
                f"{callee}({left}){symbol}{source.atom(argument.right, strength + 1)}",
                strength,
            )
            yield site.replace(
                "move-operand", 3.0, node, f"{source.atom(argument.left, strength)}{symbol}{callee}({right})", strength
            )


@on(ast.Call)
def swap_accessor(site: Site, node: ast.AST) -> Iterator[Mutation]:
    """`d.get(key)` and `d[key]`, `x.extend([y])` and `x.append(y)`, `isinstance` of another type."""
    assert isinstance(node, ast.Call)
    source = site.source
    if isinstance(node.func, ast.Attribute):
        owner = source.atom(node.func.value)
        if node.func.attr in ("get", "setdefault", "pop") and node.args and not node.keywords:
            key = source.of(node.args[0])
            yield site.replace("get-to-index", 2.6, node, f"{owner}[{key}]")
            if node.func.attr == "get" and len(node.args) == 1:
                for default in ("0", "[]", "''", "{}", "False"):
                    yield site.replace("get-default", 2.6, node, f"{owner}.get({key}, {default})")
        if node.func.attr in ("append", "add") and len(node.args) == 1:
            text = source.of(node.args[0])
            for varied in (f"list({text})", f"[{text}]", f"{source.atom(node.args[0])}[:]", f"str({text})"):
                yield site.replace("change-appended", 2.8, node.args[0], varied)
        if node.func.attr == "append" and len(node.args) == 1:
            yield site.replace("append-to-insert", 2.6, node, f"{owner}.insert(0, {source.of(node.args[0])})")
    elif isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass") and len(node.args) == 2:
        kind = source.of(node.args[1])
        for rank, other in enumerate(
            ("int", "str", "list", "float", "(int, float)", "(list, tuple)", "dict", "tuple", "bool")
        ):
            if other != kind:
                yield site.replace("change-type", 2.2 + 0.15 * rank, node.args[1], other)
