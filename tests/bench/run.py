"""Every claim about speed, measured as a ratio in one run against what a person would do instead.

usage: run.py [NAME ...] [--rounds N]        with no NAME, all of them

The machines that this runs on are noisy: the alternatives take turns within one run, and medians are printed.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scenarios")]

BENCHES = ("shadow", "sense", "live", "search")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], help="which to run")
    parser.add_argument("--rounds", type=int, default=7, help="how often each alternative takes its turn")
    options = parser.parse_args()
    for name in options.names or BENCHES:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"bench_{name}").run(options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
