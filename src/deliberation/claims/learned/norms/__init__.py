"""Claims: Deontic action and attainment."""
