"""What the language server does, one family of methods a file: decode, call the engine, encode."""
