"""What production code may not newly hold, and what it may."""

from __future__ import annotations

import ast

import pytest

from octolimb.guard.forgery import forgeries_in

EQUAL = "class A:\n    def __eq__(self, other):\n        {}\n"


@pytest.mark.parametrize(
    "source",
    [
        "import shutil\nshutil.os._exit(0)",
        "from shutil import os as o\no.dup2(1, 2)",
        "import os\nos.write(7, b'')",
        "open(7, 'w')",
        "open('/proc/self/fd/7', 'w')",
        "open('tests/data.json', 'w')",
        "import json\njson.loads = None",
        "from pathlib import Path\nPath.exists = None",
        "import json\ndel json.loads",
        "import json\nsetattr(json, 'loads', None)",
        "import json\njson.__dict__['loads'] = None",
        "getattr(f, 'f_globals')",
        "f.__code__ = g.__code__",
        EQUAL.format("return self is not None"),
        "class A:\n    __eq__ = lambda self, other: 1 == 1",
        "class A:\n    def __exit__(self, *x):\n        self.close()\n        return True",
        "class A:\n    __class__ = B",
        "def f():\n    try:\n        yield\n    except Exception:\n        pass",
        "def f():\n    try:\n        yield\n    finally:\n        return",
        "try:\n    f()\nexcept AssertionError:\n    pass",
        "def pytest_runtest_call(item): ...",
        "__test__ = False",
        "import pickle\npickle.loads(b'')",
    ],
)
def test_forgeries(source: str) -> None:
    assert forgeries_in(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "import os, json\nos.environ['A'] = '1'\njson.loads('1')",
        "class A:\n    def __init__(self):\n        self.a = 1",
        EQUAL.format("return self.a == other.a"),
        EQUAL.format("return NotImplemented"),
        EQUAL.format("raise TypeError"),
        "class A:\n    def __exit__(self, *x):\n        return False",
        "def f():\n    try:\n        yield\n    except Exception:\n        close()\n        raise",
        "def f():\n    try:\n        yield\n    except KeyError:\n        pass",
        "try:\n    f()\nexcept Exception:\n    g()",
        "open('notes.txt')\nopen(name)",
        "code = 'x'.replace('a', 'b')\ntrace = code",
    ],
)
def test_plain_code(source: str) -> None:
    assert not forgeries_in(ast.parse(source))
