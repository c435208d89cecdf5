"""Tables of probabilities and rewards as tasks; they need no adapter but are looked for here."""

from ..tasks.arrays import from_arrays

__all__ = ["from_arrays"]
