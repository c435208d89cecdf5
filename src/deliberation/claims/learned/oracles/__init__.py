"""Claims: Oracles."""
