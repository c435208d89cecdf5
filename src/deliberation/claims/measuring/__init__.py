"""What claims share: what is examined, the cells that are measured, and reading them back."""
