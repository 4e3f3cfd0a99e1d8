"""The mutation operators by family. Importing this package registers them all."""

from octolimb.limbs.coders.operators import (
    borrowing,
    calls,
    completions,
    conditions,
    constants,
    insertions,
    names,
    operations,
    slices,
    statements,
)

__all__ = [
    "borrowing",
    "calls",
    "completions",
    "conditions",
    "constants",
    "insertions",
    "names",
    "operations",
    "slices",
    "statements",
]
