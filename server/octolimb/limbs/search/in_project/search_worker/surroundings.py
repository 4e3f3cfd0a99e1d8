"""What tests and candidates commonly leave changed in a process, kept when it parks and put back before each run.

It does not notice other changes: that is for the canary.
"""

from __future__ import annotations

import gc
import os
import random
import sys
from typing import Any, List


class Surroundings:
    """The environment, the streams, the luck and the caches of this process."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.caches: List[Any] = []  # The least-recently-used caches around functions of the project.

    def keep(self) -> None:
        """Remembers how things stand, and settles what is in memory so that children share it for long."""
        gc.collect()
        gc.freeze()
        self.luck = random.getstate()
        self.depth = sys.getrecursionlimit()
        self.environment = os.environ.copy()
        self.raw_environment = dict(getattr(os.environ, "_data", {}))
        self.streams = sys.stdin, sys.stdout, sys.stderr

    def restore(self) -> None:
        random.setstate(self.luck)
        for cache in self.caches:
            cache.cache_clear()
        if sys.getrecursionlimit() != self.depth:
            sys.setrecursionlimit(self.depth)
        # Comparing the raw mapping is many times faster than comparing what it decodes to.
        if getattr(os.environ, "_data", None) != self.raw_environment:
            os.environ.clear()
            os.environ.update(self.environment)
        os.chdir(self.root)
        sys.stdin, sys.stdout, sys.stderr = self.streams
