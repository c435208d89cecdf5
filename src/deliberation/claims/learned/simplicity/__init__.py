"""Claims: Rule or table."""
