"""Octolimb: edits tried in a shadow of the repository, sensed there, and let out only when judged and seen."""

from importlib.metadata import version

__version__ = version("octolimb")
