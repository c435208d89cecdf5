"""Claims: Evaluated."""
