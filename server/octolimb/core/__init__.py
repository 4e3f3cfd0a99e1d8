"""Values only: paths, documents, overlays, snapshots, change sets, verdicts, proposals. No files, no processes."""
