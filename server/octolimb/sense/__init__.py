"""What is wrong with a snapshot: syntax, lint, types and tests, compared with a baseline and judged as one verdict."""
