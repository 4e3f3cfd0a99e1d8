"""Quick, warm trials of many candidates against a project's own tests. Never a verdict: winners are confirmed cold."""
