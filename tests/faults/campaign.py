"""The long randomised runs: every property test of the suite, with many times the examples of `make test`.

usage: campaign.py [--examples N] [--seconds N] [--seeds N] [--steps N] [PYTEST ARGUMENT ...]

Before them, random days of live sensing, for each seed the same test as in `make test`, for many times as long; and a
random editor on the real server.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import pytest


class Campaign:
    """Loads the settings once pytest has loaded Hypothesis; earlier, pytest would warn of its import."""

    def __init__(self, examples: int) -> None:
        self._examples = examples

    def pytest_configure(self) -> None:
        from hypothesis import settings

        # A failing example is printed with the line that reproduces it.
        settings.register_profile("campaign", max_examples=self._examples, deadline=None, print_blob=True)
        settings.load_profile("campaign")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--examples", type=int, default=5_000, help="for each property; fewer where each one starts processes"
    )
    parser.add_argument("--seconds", type=int, default=120, help="for each random day of live sensing")
    parser.add_argument("--seeds", type=int, default=4, help="how many random days")
    parser.add_argument("--steps", type=int, default=20_000, help="of the random editor")
    options, rest = parser.parse_known_args()
    # Read by `tests.support.properties`: what a test itself asks for would rule over a profile.
    os.environ["OCTOLIMB_EXAMPLES"] = str(options.examples)
    os.environ["OCTOLIMB_SECONDS"] = str(options.seconds)
    for seed in range(options.seeds):
        os.environ["OCTOLIMB_SEED"] = str(seed)
        command = [sys.executable, "-m", "pytest", "-q", "-s", "tests/unit/sense/test_live.py", "-k", "random_days"]
        if code := subprocess.run(command, check=False).returncode:
            return code
    os.environ["OCTOLIMB_EXAMPLES"] = str(options.steps)
    command = [sys.executable, "-m", "pytest", "-q", "tests/protocol/test_random_editor.py"]
    if code := subprocess.run(command, check=False).returncode:
        return code
    os.environ["OCTOLIMB_EXAMPLES"] = str(options.examples)
    # The plugin of Hypothesis marks each property test with its name.
    return pytest.main(["tests", "-m", "hypothesis", *rest], plugins=[Campaign(options.examples)])


if __name__ == "__main__":
    raise SystemExit(main())
