"""Which names a function can use where, and a rough guess of what they hold.

The guesses order hypotheses; they are never proofs, and nothing is refused for good because of one. A type is a plain
word such as `int`, or `list:str` where the elements are known; the empty word means unknown.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from octolimb.limbs.coders.source import Function

UNKNOWN: Final = ""
NUMBERS: Final = frozenset({"int", "float", "num", "bool"})
SEQUENCES: Final = frozenset({"list", "str", "tuple", "bytes", "range"})
CONTAINERS: Final = SEQUENCES | {"dict", "set", "iter"}

_RESULTS = {
    "len": "int", "int": "int", "ord": "int", "hash": "int", "id": "int", "float": "float", "str": "str", "repr": "str",
    "chr": "str", "bin": "str", "hex": "str", "oct": "str", "format": "str", "input": "str", "list": "list",
    "sorted": "list", "set": "set", "frozenset": "set", "dict": "dict", "tuple": "tuple", "range": "range",
    "bool": "bool", "any": "bool", "all": "bool", "isinstance": "bool", "issubclass": "bool", "hasattr": "bool",
    "callable": "bool", "abs": "num", "sum": "num", "round": "num", "pow": "num", "divmod": "tuple", "map": "iter",
    "filter": "iter", "zip": "iter", "enumerate": "iter", "reversed": "iter", "iter": "iter", "defaultdict": "dict",
    "Counter": "dict", "OrderedDict": "dict", "deque": "list",
}  # fmt: skip
_METHODS = {
    "split": "list:str", "rsplit": "list:str", "splitlines": "list:str", "join": "str", "lower": "str", "upper": "str",
    "strip": "str", "lstrip": "str", "rstrip": "str", "replace": "str", "title": "str", "capitalize": "str",
    "swapcase": "str", "zfill": "str", "ljust": "str", "rjust": "str", "center": "str", "format": "str",
    "decode": "str", "encode": "bytes", "hexdigest": "str", "count": "int", "index": "int", "find": "int",
    "rfind": "int", "rindex": "int", "bit_length": "int", "startswith": "bool", "endswith": "bool", "isdigit": "bool",
    "isalpha": "bool", "isupper": "bool", "islower": "bool", "isalnum": "bool", "isspace": "bool",
    "isnumeric": "bool", "issubset": "bool", "issuperset": "bool", "items": "iter", "keys": "iter", "values": "iter",
    "union": "set", "intersection": "set", "difference": "set", "group": "str",
}  # fmt: skip
# A method that only one builtin type has tells what its owner is.
_OWNERS = {
    "append": "list", "extend": "list", "sort": "list", "insert": "list", "reverse": "list", "items": "dict",
    "keys": "dict", "values": "dict", "setdefault": "dict", "add": "set", "lower": "str", "upper": "str",
    "split": "str", "strip": "str", "startswith": "str", "endswith": "str", "isdigit": "str", "isalpha": "str",
    "islower": "str", "isupper": "str", "swapcase": "str", "join": "str", "splitlines": "str", "rstrip": "str",
    "lstrip": "str", "encode": "str", "replace": "str", "find": "str",
}  # fmt: skip
_ANNOTATIONS = {
    "List": "list", "Sequence": "list", "Iterable": "iter", "Iterator": "iter", "Dict": "dict", "Mapping": "dict",
    "Set": "set", "Tuple": "tuple", "list": "list", "dict": "dict", "set": "set", "tuple": "tuple", "int": "int",
    "float": "float", "str": "str", "bool": "bool", "bytes": "bytes",
}  # fmt: skip


def base(kind: str) -> str:
    return kind.partition(":")[0]


def element(kind: str) -> str:
    """What iterating over, or indexing, a value of this type gives."""
    if kind == "str":
        return "str"
    if kind == "range":
        return "int"
    return kind.partition(":")[2]


def alike(first: str, second: str) -> float:
    """From 0 (cannot stand for each other) to 1 (same type)."""
    first, second = base(first), base(second)
    if not first or not second:
        return 0.6
    if first == second:
        return 1.0
    if first in NUMBERS and second in NUMBERS:
        return 0.4 if "bool" in (first, second) else 0.9
    if first in CONTAINERS and second in CONTAINERS:
        return 0.35
    return 0.1


@dataclass
class Scope:
    """The names of one function, those of the functions around it, and the module's.

    `locals` maps each name bound here to the line that first binds it (0 for parameters); `kinds` to its type.
    """

    function: Function | None
    parameters: list[str] = field(default_factory=list)
    locals: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, list[str]] = field(default_factory=dict)
    functions: dict[str, int] = field(default_factory=dict)
    constants: list[str] = field(default_factory=list)

    def infer(self, node: ast.expr | None) -> str:
        """The expression's type, or the empty word."""
        return infer(node, self.kinds)


def infer(node: ast.expr | None, kinds: dict[str, str]) -> str:
    """The expression's type given those of its names."""
    match node:
        case ast.Constant(value=value):
            return UNKNOWN if value is None else type(value).__name__
        case ast.JoinedStr():
            return "str"
        case ast.Name(id=name):
            return kinds.get(name, UNKNOWN)
        case ast.List(elts=elts):
            return _collection("list", elts, kinds)
        case ast.Tuple(elts=elts):
            return _collection("tuple", elts, kinds)
        case ast.Set(elts=elts):
            return _collection("set", elts, kinds)
        case ast.Dict() | ast.DictComp():
            return "dict"
        case ast.ListComp(elt=elt):
            return _of("list", infer(elt, kinds))
        case ast.SetComp(elt=elt):
            return _of("set", infer(elt, kinds))
        case ast.GeneratorExp(elt=elt):
            return _of("iter", infer(elt, kinds))
        case ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return "bool"
        case ast.UnaryOp(operand=operand):
            return infer(operand, kinds)
        case ast.BoolOp(values=values):
            found = {infer(value, kinds) for value in values}
            return found.pop() if len(found) == 1 else UNKNOWN
        case ast.IfExp(body=body, orelse=orelse):
            return infer(body, kinds) or infer(orelse, kinds)
        case ast.BinOp(left=left, op=op, right=right):
            return _arithmetic(infer(left, kinds), op, infer(right, kinds))
        case ast.Subscript(value=value, slice=ast.Slice()):
            return infer(value, kinds)
        case ast.Subscript(value=value):
            return element(infer(value, kinds))
        case ast.Call():
            return _call(node, kinds)
        case _:
            return UNKNOWN


def _of(outer: str, inner: str) -> str:
    return f"{outer}:{inner}" if inner else outer


def _collection(outer: str, elts: list[ast.expr], kinds: dict[str, str]) -> str:
    found = {infer(elt, kinds) for elt in elts[:8]}
    return _of(outer, found.pop()) if len(found) == 1 else outer


def _arithmetic(left: str, op: ast.operator, right: str) -> str:
    first, second = base(left), base(right)
    if isinstance(op, ast.Mod) and first == "str":
        return "str"
    for kind in (left, right):
        if base(kind) in CONTAINERS:
            return kind
    if isinstance(op, ast.Div):
        return "float"
    if first == second and first in NUMBERS:
        return "int" if first == "bool" else first
    if first in NUMBERS or second in NUMBERS or isinstance(op, ast.Sub | ast.Pow | ast.FloorDiv | ast.Mod):
        return "float" if "float" in (first, second) else "num"
    return UNKNOWN


def _call(node: ast.Call, kinds: dict[str, str]) -> str:
    argument = infer(node.args[0], kinds) if node.args else UNKNOWN
    if isinstance(node.func, ast.Name):
        name = node.func.id
        if name in ("list", "sorted", "set", "tuple", "reversed", "iter", "deque"):
            return _of(_RESULTS[name], element(argument))
        if name in ("min", "max"):
            return element(argument) if len(node.args) == 1 else argument
        if name in ("sum", "abs") and base(argument if name == "abs" else element(argument)) in NUMBERS:
            return argument if name == "abs" else element(argument)
        if name == "map" and node.args and isinstance(node.args[0], ast.Name):
            return _of("iter", _RESULTS.get(node.args[0].id, UNKNOWN))
        if name == "filter" and len(node.args) == 2:
            return _of("iter", element(infer(node.args[1], kinds)))
        return _RESULTS.get(name, UNKNOWN)
    if isinstance(node.func, ast.Attribute):
        owner = infer(node.func.value, kinds)
        if node.func.attr == "copy":
            return owner
        if node.func.attr == "pop" and base(owner) == "list":
            return element(owner)
        return _METHODS.get(node.func.attr, UNKNOWN)
    return UNKNOWN


# -- reading scopes --------------------------------------------------------------------------------------------


def module_scope(tree: ast.Module) -> Scope:
    """What every function of the file can name: its functions (with their parameter counts), classes and constants."""
    scope = Scope(None)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            _read_class(node, scope)
    for statement in tree.body:
        if isinstance(statement, Function):
            scope.functions[statement.name] = len(statement.args.args)
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    scope.constants.append(target.id)
                    scope.kinds[target.id] = infer(statement.value, scope.kinds)
    return scope


def _read_class(node: ast.ClassDef, scope: Scope) -> None:
    names: dict[str, None] = {}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name) and inner.value.id in ("self", "cls"):
            names[inner.attr] = None
    for statement in node.body:
        if isinstance(statement, Function):
            names[statement.name] = None
    scope.attributes[node.name] = list(names)


def function_scope(function: Function, outer: Scope) -> Scope:
    """The names of `function` over those of `outer`. Nested functions' own names are left out."""
    scope = Scope(
        function,
        locals=dict.fromkeys(outer.locals, 0),
        kinds=dict(outer.kinds),
        attributes=outer.attributes,
        functions=dict(outer.functions),
        constants=outer.constants,
    )
    arguments = function.args
    everything = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    for argument in everything:
        scope.parameters.append(argument.arg)
        scope.locals[argument.arg] = 0
        scope.kinds[argument.arg] = _annotation(argument.annotation)
    for argument, default in zip(reversed(arguments.args), reversed(arguments.defaults), strict=False):
        scope.kinds[argument.arg] = scope.kinds[argument.arg] or infer(default, scope.kinds)
    for extra in (arguments.vararg, arguments.kwarg):
        if extra is not None:
            scope.parameters.append(extra.arg)
            scope.locals[extra.arg] = 0
            scope.kinds[extra.arg] = "tuple" if extra is arguments.vararg else "dict"
    _guess_from_use(function, scope)
    for statement in function.body:
        if isinstance(statement, Function):
            scope.functions[statement.name] = len(statement.args.args)
    seen: dict[str, set[str]] = {}
    # Two rounds, because a loop's later lines say what its earlier ones hold.
    for _ in range(2):
        for target, line, kind in _bindings(function, scope):
            if target not in scope.parameters:
                scope.locals[target] = min(line, scope.locals.get(target, line))
            if kind:
                seen.setdefault(target, set()).add(kind)
        for name, kinds in seen.items():
            if name not in scope.parameters or not scope.kinds.get(name):
                scope.kinds[name] = _merge(kinds)
    return scope


def _merge(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    bases = {base(kind) for kind in kinds}
    if len(bases) == 1:
        whole = [kind for kind in sorted(kinds) if ":" in kind]
        return whole[0] if len(whole) == 1 else bases.pop()
    return "num" if bases <= NUMBERS else UNKNOWN


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Every node of a function but those of the functions and classes in it."""
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef):
            stack.extend(ast.iter_child_nodes(node))


def _guess_from_use(function: Function, scope: Scope) -> None:
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in _OWNERS:
                kind = _OWNERS[attr]
            case ast.Call(func=ast.Name(id="range"), args=[ast.Name(id=name), *_]):
                kind = "int"
            case ast.BinOp(left=ast.Name(id=name), op=ast.Mod() | ast.Sub(), right=ast.Constant(value=int())):
                kind = "int"
            case ast.Compare(
                left=ast.Name(id=name), comparators=[ast.Constant(value=int() | float() | str() as value)]
            ):
                kind = type(value).__name__
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Slice()):
                kind = "list"
            case _:
                continue
        if name in scope.locals and not scope.kinds.get(name) and kind != "bool":
            scope.kinds[name] = kind


def _bindings(function: Function, scope: Scope) -> Iterator[tuple[str, int, str]]:
    for node in own_nodes(function):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from _unpack(target, scope.infer(value), value, scope)
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                yield from _unpack(target, _annotation(annotation) or scope.infer(value), None, scope)
            case ast.AugAssign(target=ast.Name(id=name) as target, value=value, op=op):
                yield name, target.lineno, _arithmetic(scope.kinds.get(name, UNKNOWN), op, scope.infer(value))
            case ast.NamedExpr(target=target, value=value):
                yield from _unpack(target, scope.infer(value), None, scope)
            case ast.For(target=target, iter=iterable) | ast.comprehension(target=target, iter=iterable):
                yield from _iterate(target, iterable, scope)
            case ast.With(items=items):
                for item in items:
                    if item.optional_vars is not None:
                        yield from _unpack(item.optional_vars, UNKNOWN, None, scope)
            case ast.ExceptHandler(name=str(name)):
                yield name, node.lineno, "exception"
            case _:
                continue


def _iterate(target: ast.expr, iterable: ast.expr, scope: Scope) -> Iterator[tuple[str, int, str]]:
    if isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Name) and isinstance(target, ast.Tuple):
        inner = [element(scope.infer(argument)) for argument in iterable.args]
        if iterable.func.id == "enumerate" and len(target.elts) == 2 and inner:
            yield from _unpack(target.elts[0], "int", None, scope)
            yield from _unpack(target.elts[1], inner[0], None, scope)
            return
        if iterable.func.id == "zip" and len(inner) == len(target.elts):
            for part, kind in zip(target.elts, inner, strict=True):
                yield from _unpack(part, kind, None, scope)
            return
    yield from _unpack(target, element(scope.infer(iterable)), None, scope)


def _unpack(target: ast.expr, kind: str, value: ast.expr | None, scope: Scope) -> Iterator[tuple[str, int, str]]:
    if isinstance(target, ast.Name):
        yield target.id, target.lineno, kind
    elif isinstance(target, ast.Starred):
        yield from _unpack(target.value, "list", None, scope)
    elif isinstance(target, ast.Tuple | ast.List):
        parts = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts) else None
        for index, inner in enumerate(target.elts):
            yield from _unpack(inner, scope.infer(parts[index]) if parts else element(kind), None, scope)


def _annotation(node: ast.expr | None) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _ANNOTATIONS.get(name, UNKNOWN)
        case ast.Constant(value=str(text)):
            try:
                return _annotation(ast.parse(text, mode="eval").body)
            except (SyntaxError, ValueError):
                return UNKNOWN
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            if name == "Optional":
                return _annotation(inner)
            outer = _ANNOTATIONS.get(name, UNKNOWN)
            return _of(outer, _annotation(inner)) if outer in ("list", "set", "iter") else outer
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return _annotation(left)
        case _:
            return UNKNOWN
