"""Claims: Control and selection."""
