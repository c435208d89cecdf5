"""Experiments: models of language."""
