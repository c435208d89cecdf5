"""Experiments: Deontic action and attainment."""
