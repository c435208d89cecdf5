"""Experiments: Control and selection."""
