"""The command line: decode arguments, call the engine, show or print what it answers."""
