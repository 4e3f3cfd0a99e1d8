#!/usr/bin/env bash
# make_project.sh DIRECTORY: a small project with one failing test, to open in the editor.
set -euo pipefail
mkdir -p "$1"
cd "$1"

cat > pyproject.toml << 'FILE'
[project]
name = "baskets"
version = "1.0"
FILE

cat > baskets.py << 'FILE'
"""A shop's basket: prices in cents."""


def total(prices: list[int], discount: int = 0) -> int:
    """The sum of the prices, less the discount in per cent."""
    return sum(prices) * (100 + discount) // 100
FILE

cat > test_baskets.py << 'FILE'
from baskets import total


def test_without_a_discount_the_total_is_the_sum() -> None:
    assert total([250, 750]) == 1000


def test_a_discount_makes_it_cheaper() -> None:
    assert total([250, 750], discount=10) == 900
FILE
