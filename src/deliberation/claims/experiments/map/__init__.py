"""Experiments: Where choices are optimal."""
