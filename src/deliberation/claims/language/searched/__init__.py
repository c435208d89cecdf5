"""Claims: Searched with."""
