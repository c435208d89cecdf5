"""Experiments with small models of language on texts whose truth is known."""
