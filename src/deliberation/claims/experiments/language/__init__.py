"""Experiments with models of language."""
