"""What a tree search plans with: a task, its listed chance, or a few sampled actions."""
