"""Which positions something was measured in, kept beside its numbers."""
