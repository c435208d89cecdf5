"""Kinds of output, one file each: what is optimised directly, and what a network can be taught."""
