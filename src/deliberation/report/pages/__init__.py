"""Pages of one subject or one question, beside the comparison table."""
