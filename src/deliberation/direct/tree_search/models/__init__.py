"""What a tree search walks on: a task, its listed chance, or a few sampled actions."""
