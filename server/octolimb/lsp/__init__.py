"""The language server: decodes messages, calls the engine, encodes answers. Nothing is decided here."""
