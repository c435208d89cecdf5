"""Claims: Searching inside."""
