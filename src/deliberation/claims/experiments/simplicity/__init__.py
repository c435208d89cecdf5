"""Experiments: Rule or table."""
