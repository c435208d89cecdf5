"""Claims: Reward and prediction."""
