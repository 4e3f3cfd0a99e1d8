"""Snapshots as real files to real processes: overlay mounts or copies, the sandbox around them, and all children."""
