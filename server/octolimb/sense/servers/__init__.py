"""Long-lived ruff and ty in the live shadow, over the language server protocol's wire as plain JSON."""
