"""Cheats: they look as if they responded, and must not be believed."""
