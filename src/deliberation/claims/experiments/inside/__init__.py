"""Experiments: Searching inside."""
