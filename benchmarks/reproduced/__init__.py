"""Published numbers, measured again: one file each, found by the runner (`reproductions.py`)."""

import msgspec

from deliberation.stats import Estimate


class Row(msgspec.Struct, frozen=True):
    """One published number beside what was measured; the tolerated range was set beforehand."""

    what: str
    published: float | None
    measured: Estimate
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether what was measured lies in the tolerated range."""
        return self.low <= self.measured.estimate <= self.high
