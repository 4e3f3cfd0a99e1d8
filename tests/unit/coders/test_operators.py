"""Every operator by example: a wrong line, and the right one that must be among its mutants."""

from __future__ import annotations

from typing import Any

import pytest

from octolimb.limbs.coders.pain import PainHints

BY_OPERATION = [
    ("return a < b", "return a <= b"),
    ("return a < b", "return a > b"),
    ("return a == b", "return a != b"),
    ("return a in xs", "return a not in xs"),
    ("return a not in xs", "return a in xs"),
    ("return a is None", "return a is not None"),
    ("return a is 3", "return a == 3"),
    ("return a in xs", "return xs in a"),
    ("return 0 < a < b", "return 0 < a"),
    ("return 0 < a < b", "return a < b"),
    ("return a and b", "return a or b"),
    ("return a or b", "return a"),
    ("return a == 1 and b == 2 and xs", "return a == 1 and xs"),
    ("return a == 1 and b == 2 and xs", "return a == 1 or b == 2 or xs"),
    ("return a == 1 and b == 2 and xs", "return a == 1 or b == 2 and xs"),
    ("return not a", "return a"),
    ("return a + b", "return a - b"),
    ("return a - b", "return b - a"),
    ("return a // b", "return a / b"),
    ("return a % b", "return a // b"),
    ("return a * b", "return a ** b"),
    ("return a & b", "return a | b"),
    ("return a << b", "return a >> b"),
    ("return a % 1.0 + 1.0", "return a % 1.0"),
    ("return a + b", "return b"),
    ("return a ** 2 * b", "return a ** b"),
    ("return a - b + 1", "return b + 1"),
    ("return a + b * 2", "return (a + b) * 2"),
    ("return -a", "return a"),
    ("a += b\nreturn a", "a -= b\nreturn a"),
    ("a -= b\nreturn a", "a //= b\nreturn a"),
    ("a += b\nreturn a", "a = b\nreturn a"),
    ("for x in xs:\n    a = x\nreturn a", "for x in xs:\n    a += x\nreturn a"),
]

BY_LITERAL = [
    ("return a + 1", "return a + 2"),
    ("return a + 1", "return a + 0"),
    ("return a[-2]", "return a[-1]"),
    ("return a[-1]", "return a[0]"),
    ("return a * 3", "return a * -3"),
    ("return 0.5", "return 1.0"),
    ("a = 0\nreturn a", "a = float('-inf')\nreturn a"),
    ("a = 0\nreturn a", "a = []\nreturn a"),
    ("return True", "return False"),
    ("return None", "return []"),
    ("return ' '.join(xs)", "return ''.join(xs)"),
    ('return ",".join(xs)', 'return "".join(xs)'),
    ("return s == '('", "return s == ')'"),
    ("return s == '('", "return s == '['"),
    ("return s + '__'", "return s + '_'"),
    ("return s == 'abc'", "return s == 'ABC'"),
    ("return s == 'x', 'y'", "return s == 'y', 'y'"),
    ("return (1, 2, 3, 5)", "return (1, 3, 5)"),
    ("return [a, b]", "return [b, a]"),
    ("return {1, 2, 3}", "return {1, 3}"),
    ("a, b = xs\nreturn a", "b, a = xs\nreturn a"),
    ("if a:\n    return ' '\nreturn ' '", "if a:\n    return ''\nreturn ''"),
    ("if a:\n    return True\nreturn False", "if a:\n    return False\nreturn True"),
    ("return s == 's'", "return s == s"),
    ("return a + 1", "return a + b"),
    ("return f(\n    a,  # one, two\n    1,\n)", "return f(\n    a,  # one, two\n    2,\n)"),
    ("for x in []:\n    a = x\nreturn a", "for x in xs:\n    a = x\nreturn a"),
    ("b = len(())\nreturn b", "b = len(xs)\nreturn b"),
]

BY_NAME = [
    ("return a", "return b"),
    ("a += 1\nreturn b", "b += 1\nreturn b"),
    ("for x in xs:\n    b = x\nreturn a", "for x in xs:\n    b = x\nreturn b"),
    ("return [a for x in xs]", "return [x for x in xs]"),
    ("return a * a + b", "return b * b + b"),
    ("return len(a)", "return len(xs)"),
    ("return s.split(a)", "return s.split(b)"),
    ("b = len(xs)\nreturn a / b", "b = len(xs)\nreturn a / len(xs)"),
    ("for i in range(len(xs)):\n    a = i", "for i in range(len(xs)):\n    a = xs"),
    ("return xs.count(1)", "return str(a).count(1)"),
    (
        "def g(x):\n    return x\ndef h(x):\n    return x\ndef f(x):\n    return g(x)",
        "def g(x):\n    return x\ndef h(x):\n    return x\ndef f(x):\n    return h(x)",
    ),
    (
        "class C:\n    def m(self):\n        self.left = 1\n        self.right = 2\n        return self.left",
        "class C:\n    def m(self):\n        self.left = 1\n        self.right = 2\n        return self.right",
    ),
    (
        "class C:\n    def m(self):\n        self.value = 1\n        return value",
        "class C:\n    def m(self):\n        self.value = 1\n        return self.value",
    ),
    ("return a.x + b.y", "return a.y + b.y"),
    ("LIMIT = 3\nOTHER = 4\ndef f():\n    return LIMIT", "LIMIT = 3\nOTHER = 4\ndef f():\n    return OTHER"),
]

BY_CALL = [
    ("return min(xs)", "return max(xs)"),
    ("return any(xs)", "return all(xs)"),
    ("return s.lower()", "return s.upper()"),
    ("return s.startswith(a)", "return s.endswith(a)"),
    ("xs.append(a)", "xs.extend(a)"),
    ("return s.find(a)", "return s.index(a)"),
    ("return s.strip()", "return s.lstrip()"),
    ("return s.split()", "return s.rsplit()"),
    ("return math.floor(a)", "return math.ceil(a)"),
    ("return f(a, b)", "return f(b, a)"),
    ("return f(a, b)", "return f(a)"),
    ("return f(a, key=b)", "return f(a)"),
    ("return g(a)", "return g(a, b)"),
    ("return sorted(xs)", "return sorted(xs, reverse=True)"),
    ("return sorted(xs)", "return xs"),
    ("return xs", "return sorted(xs)"),
    ("return a - b", "return abs(a - b)"),
    ("return len(set(s))", "return len(set(s.lower()))"),
    ("return sorted(xs)", "return sorted(set(xs))"),
    ("return xs == s", "return set(xs) == set(s)"),
    ("return xs.sort(reverse=True)", "return sorted(xs, reverse=True)"),
    ("return xs.sort(reverse=True)", "return xs"),
    ("return s.strip().lower()", "return s.strip()"),
    ("def f(x):\n    return f(x)", "def f(x):\n    return f(f(x))"),
    ("xs.append(a)", "xs.insert(0, a)"),
    ("xs.append(a)", "xs.append(list(a))"),
    ("return a.get(b)", "return a.get(b, 0)"),
    ("return a.get(b)", "return a[b]"),
    ("return isinstance(a, int)", "return isinstance(a, str)"),
    ("return abs(a - b)", "return abs(a) - b"),
    ("return enumerate(xs)", "return enumerate(xs, 1)"),
]

BY_BOUND = [
    ("return range(a)", "return range(a + 1)"),
    ("return range(a)", "return range(1, a)"),
    ("return range(1, a)", "return range(a)"),
    ("return range(2, len(xs))", "return range(2, len(xs) + 1)"),
    ("return range(a, b)", "return range(a, b, -1)"),
    ("return xs[a]", "return xs[a - 1]"),
    ("return xs[a]", "return xs[-a]"),
    ("return xs[a:]", "return xs[:a]"),
    ("return xs[:a]", "return xs[:a + 1]"),
    ("return xs[a:b]", "return xs[a:]"),
    ("return xs[1:]", "return xs"),
    ("return xs[::2]", "return xs[::-2]"),
    ("return xs", "return xs[1:]"),
    ("return xs", "return xs[::-1]"),
    ("a = len(s)\nreturn s", "a = len(s)\nreturn s[a:]"),
    ("return xs[-1]", "return sum(xs)"),
    ("return a['k']", "return a.get('k', None)"),
    ("return s[len(s) - a]", "return s[len(s) - a - 1]"),
    ("def f(a=1):\n    return a", "def f(a=None):\n    return a"),
]

BY_CONDITION = [
    ("if a and b:\n    return 1", "if not (a and b):\n    return 1"),
    ("if xs:\n    return 1", "if not xs:\n    return 1"),
    ("if a > 1:\n    return 1\nif b > 2:\n    return 2", "if a > 1 and b > 2:\n    return 1\nif b > 2:\n    return 2"),
    ("if a % 3 == 0:\n    return 1\nreturn 2", "if a % 3 == 0 and a % 4 == 0:\n    return 1\nreturn 2"),
    ("if a + b == xs:\n    return 1", "if a + b == xs or a + xs == b:\n    return 1"),
    ("while a < b:\n    a += 1", "while a < b and xs:\n    a += 1"),
    ("return [x for x in xs if x > 1]", "return [x for x in xs]"),
    ("return [x for x in xs]", "return [x for x in xs if x]"),
    ("return a if b else s", "return s if b else a"),
    ("return a if b else s", "return a"),
    ("return a == b", "return not a == b"),
    ("return a % 2", "return -(a % 2)"),
    ("for x in xs:\n    s.add(x)", "for x in xs:\n    if x > 0:\n        s.add(x)"),
    (
        "for x in xs:\n    for y in s:\n        a.add(x)",
        "for x in xs:\n    for y in s:\n        if x == y:\n            a.add(x)",
    ),
    ("while xs[a] > b:\n    a += 1", "while a < len(xs) and xs[a] > b:\n    a += 1"),
    ("if a.next:\n    return 1", "if a is not None and a.next:\n    return 1"),
    ("return max(xs)", "return max(xs) if xs else None"),
    ("return a", "return a or []"),
]

BY_STATEMENT = [
    ("a = 1\nb = 2\nreturn a", "b = 2\nreturn a"),
    ("a += 1\nb += 2\nxs.sort()\nreturn a", "xs.sort()\nreturn a"),
    ("if a:\n    b += 1\nreturn b", "if a:\n    pass\nreturn b"),
    ("a = b\nb = a\nreturn a", "b = a\na = b\nreturn a"),
    ("for x in xs:\n    a += x\n    return a", "for x in xs:\n    a += x\nreturn a"),
    ("for x in xs:\n    a += x\nb += 1\nreturn a", "for x in xs:\n    a += x\n    b += 1\nreturn a"),
    ("for x in xs:\n    if x:\n        break", "for x in xs:\n    if x:\n        continue"),
    ("for x in xs:\n    if x:\n        break\nreturn 1", "for x in xs:\n    if x:\n        return x\nreturn 1"),
    ("if a:\n    return b\nelse:\n    return s", "if a:\n    return s\nelse:\n    return b"),
    ("if a:\n    b = 1\nelif s:\n    b = 2\nreturn b", "if a:\n    b = 1\nif s:\n    b = 2\nreturn b"),
    ("if a:\n    b = 1\nif s:\n    b = 2\nreturn b", "if a:\n    b = 1\nelif s:\n    b = 2\nreturn b"),
    ("if a:\n    b = 1\nreturn b", "b = 1\nreturn b"),
    ("if a:\n    b = 1\nelse:\n    b = 2\nreturn b", "if a:\n    b = 1\nreturn b"),
    ("while a:\n    b += 1\nreturn b", "if a:\n    b += 1\nreturn b"),
    ("raise ValueError(a)", "raise TypeError(a)"),
    ("try:\n    return a\nexcept KeyError:\n    return b", "try:\n    return a\nexcept ValueError:\n    return b"),
    ('return f"{a}, {b}"', 'return f"{a}{b}"'),
]

BY_COMPLETION = [
    ("for x in xs:\n    count += 1\nreturn count", "count = 0\nfor x in xs:\n    count += 1\nreturn count"),
    ("for x in xs:\n    found.append(x)\nreturn found", "found = []\nfor x in xs:\n    found.append(x)\nreturn found"),
    ("if a:\n    b += 1\nreturn b", "if a:\n    b += 1\nelse:\n    b -= 1\nreturn b"),
    (
        "for x in xs:\n    if x:\n        s.append(x)\nreturn s",
        "for x in xs:\n    if x:\n        s.append(x)\n    else:\n        s.append(a)\nreturn s",
    ),
    ("for i, x in xs:\n    a = i", "for i, x in enumerate(xs):\n    a = i"),
    ("return [x for i, x in xs]", "return [x for i, x in zip(xs, s)]"),
    ("for i in len(xs):\n    a = i", "for i in range(len(xs)):\n    a = i"),
    ("return a == 1", "return max(0, a) == 1"),
    ("return xs", "return [xs]"),
    ("a = 0\nreturn True", "a = 0\nreturn a == 0"),
]

BY_INSERTION = [
    ("a.sort()\nb = a", "a.sort()\nb = a\nreturn b"),
    ("len(xs)", "return len(xs)"),
    ("def f(n):\n    return f(n - 1)", "def f(n):\n    if n == 0:\n        return 1\n    return f(n - 1)"),
    ("def f(x: list):\n    return x[0]", "def f(x: list):\n    if not x:\n        return None\n    return x[0]"),
    ("while a:\n    b.append(1)", "while a:\n    b.append(1)\n    a -= 1"),
    ("b = []\nfor x in xs:\n    a += x", "b = []\nfor x in xs:\n    a += x\n    b.append(x)"),
    (
        "b = []\nfor x in xs:\n    b.append(x)\nreturn b",
        "b = []\nfor x in xs:\n    b.append(x)\nb.append(xs[-1])\nreturn b",
    ),
    (
        "for x in xs:\n    if x:\n        a = x\nreturn a",
        "for x in xs:\n    if x:\n        a = x\n        break\nreturn a",
    ),
    ("a = 0\nfor x in xs:\n    b += a\n    a = x", "a = 0\nfor x in xs:\n    a = 0\n    b += a\n    a = x"),
    ("for x in xs:\n    a = x\n    b += a\nreturn b", "for x in xs:\n    a = x\n    b += a\nb += a\nreturn b"),
]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        *BY_OPERATION,
        *BY_LITERAL,
        *BY_NAME,
        *BY_CALL,
        *BY_BOUND,
        *BY_CONDITION,
        *BY_STATEMENT,
        *BY_INSERTION,
        *BY_COMPLETION,
    ],
)
def test_the_right_line_is_among_the_mutants(check: Any, before: str, after: str) -> None:
    check(before, after)


def test_a_misspelt_literal_is_found_in_the_tests(check: Any) -> None:
    check("return s == 'Jupyter'", "return s == 'Jupiter'", pain=PainHints(constants=("'Jupiter'",)))


def test_a_guard_returns_what_the_tests_expect(check: Any) -> None:
    before = "def f(x: str):\n    return x[0]"
    after = "def f(x: str):\n    if not x:\n        return 'none'\n    return x[0]"
    check(before, after, pain=PainHints(expected=("'none'",)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return a / (b - 1)", "return a / b"),
        ("return a / (len(xs) - 1)", "return a / len(xs)"),
        ("return f(a - 1)", "return f(a)"),
        ("return a if (b + 1) else c", "return a if b else c"),
        ("return not(a + b)", "return not(a)"),
    ],
)
def test_a_dropped_operand_takes_its_parentheses_along(check: Any, before: str, after: str) -> None:
    check(before, after)


@pytest.mark.parametrize(("before", "later", "earlier"), [("a - 1", "a - 0", "a"), ("a * 2", "a * 1", "a")])
def test_an_operation_that_does_nothing_comes_after_its_operand(
    mutants: Any, before: str, later: str, earlier: str
) -> None:
    found = mutants(f"def f(a):\n    return {before}\n")
    places = [found.index(f"def f(a):\n    return {expression}\n") for expression in (earlier, later)]
    assert places == sorted(places)
