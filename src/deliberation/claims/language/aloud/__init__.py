"""Claims: Thinking aloud."""
