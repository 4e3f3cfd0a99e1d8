"""The repository on disk as a base for snapshots, and `LimbWorkspace`, the handle that limbs and tools hold."""
