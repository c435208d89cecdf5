"""Functions of what is seen, written down beforehand."""
