"""Experiments: Reward and prediction."""
