"""What a warm trial says of candidates, for every shape of code and whatever a candidate does to the process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab

Status = Callable[..., dict[str, str]]

BODIES = {
    "a function": (
        {
            "m.py": "def f(a, b):\n    return a - b\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert f(2, 3) == 5\n",
        },
        "a - b",
        "a * b",
        "a + b",
    ),
    "a method": (
        {
            "m.py": "class A:\n    class B:\n        def __get(self):\n            return 1\n\n        def f(self):\n            return self.__get()\n",
            "test_m.py": "from m import A\ndef test_it():\n    assert A.B().f() == 2\n",
        },
        "return self.__get()",
        "return self.__get() - 1",
        "return self.__get() + 1",
    ),
    "a method that calls super": (
        {
            "m.py": "class A:\n    def f(self): return 1\nclass B(A):\n    def f(self):\n        return super().f()\n",
            "test_m.py": "from m import B\ndef test_it():\n    assert B().f() == 2\n",
        },
        "return super().f()",
        "return super().f() * 1",
        "return super().f() + 1",
    ),
    "a closure made in the test": (
        {
            "m.py": "def adder(n):\n    def add(x):\n        return x - n\n    return add\n",
            "test_m.py": "from m import adder\ndef test_it():\n    assert adder(2)(3) == 5\n",
        },
        "x - n",
        "x",
        "x + n",
    ),
    "a decorated function": (
        {
            "m.py": """
                import functools
                def twice(f):
                    @functools.wraps(f)
                    def inner(*a):
                        return 2 * f(*a)
                    return inner
                @twice
                def f(x):
                    return x - 1
                """,
            "test_m.py": "from m import f\ndef test_it():\n    assert f(1) == 4\n",
        },
        "x - 1",
        "x",
        "x + 1",
    ),
    "a cached function": (
        {
            "m.py": "import functools\n@functools.lru_cache(maxsize=None)\ndef f(n):\n    return n if n < 2 else f(n - 1) + f(n - 1)\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert f(10) == 55\n",
        },
        "f(n - 1) + f(n - 1)",
        "f(n - 1) - f(n - 2)",
        "f(n - 1) + f(n - 2)",
    ),
    "a generator": (
        {
            "m.py": "def f(n):\n    for i in range(n):\n        yield i\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert list(f(3)) == [1, 2, 3]\n",
        },
        "yield i",
        "yield i - 1",
        "yield i + 1",
    ),
    "an async function": (
        {
            "m.py": "async def f(n):\n    return n\n",
            "test_m.py": "import asyncio\nfrom m import f\ndef test_it():\n    assert asyncio.run(f(3)) == 4\n",
        },
        "return n",
        "return -n",
        "return n + 1",
    ),
    "a method of a data class": (
        {
            "m.py": "from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\n    def f(self) -> int:\n        return self.x\n",
            "test_m.py": "from m import P\ndef test_it():\n    assert P(1).f() == 2\n",
        },
        "return self.x",
        "return -self.x",
        "return self.x + 1",
    ),
    "a function in an except block": (
        {
            "m.py": "try:\n    import no_such_module_here\nexcept ImportError:\n    def f():\n        return 1\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert f() == 2\n",
        },
        "return 1",
        "return 3",
        "return 2",
    ),
    "a file with CRLF line ends": (
        {
            "m.py": b"def f():\r\n    x = 1\r\n    return x\r\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert f() == 2\n",
        },
        "return x",
        "return x - 1",
        "return x + 1",
    ),
    "a file that is not ASCII": (
        {
            "m.py": "GRÖSSE = 'größe'\ndef größe(ä):\n    return 'ß' * ä\n",
            "test_m.py": "from m import größe\ndef test_it():\n    assert größe(1) == 'ßü'\n",
        },
        "'ß' * ä",
        "'ß'",
        "'ß' * ä + 'ü'",
    ),
}

FILES = {
    "a constant of the module": (
        {
            "m.py": "LIMIT = 1\ndef f():\n    return LIMIT\n",
            "test_m.py": "from m import f\ndef test_it():\n    assert f() == 2\n",
        },
        "LIMIT = 1",
        "LIMIT = 3",
        "LIMIT = 2",
    ),
    "a function that ran at import": (
        {
            "m.py": "def f():\n    return 1\nVALUE = f()\n",
            "test_m.py": "import m\ndef test_it():\n    assert m.VALUE == 2\n",
        },
        "return 1",
        "return 3",
        "return 2",
    ),
    "a default argument": (
        {"m.py": "def f(x=1):\n    return x\n", "test_m.py": "from m import f\ndef test_it():\n    assert f() == 2\n"},
        "x=1",
        "x=3",
        "x=2",
    ),
    "a decorator": (
        {
            "m.py": "class A:\n    @property\n    def f(self):\n        return 2\n",
            "test_m.py": "from m import A\ndef test_it():\n    assert A().f() == 2\n",
        },
        "@property",
        "@classmethod\n    @property",
        "@staticmethod\n    def g(): pass\n",
    ),
    "a module that the function imports late": (
        {
            "m.py": "def f():\n    return 1\n",
            "test_m.py": "def test_it():\n    from m import f\n    assert f() == 2\n",
        },
        "return 1",
        "return 3",
        "return 2",
    ),
}


@pytest.mark.parametrize("shape", [*BODIES, *FILES])
def test_a_fix_is_told_from_a_miss_in(shape: str, status: Status) -> None:
    files, old, miss, fix = {**BODIES, **FILES}[shape]
    assert status(files, old, miss, fix) == {miss: "failed", fix: "passed"}
