"""Claims: Where choices are optimal."""
