"""Experiments: Oracles."""
