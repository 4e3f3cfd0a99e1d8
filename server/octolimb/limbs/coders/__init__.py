"""The offline coder's generation side: tactics, mutation operators and ranking. Pure functions; nothing here is run."""
