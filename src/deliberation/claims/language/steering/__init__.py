"""Claims: Steering."""
