"""Published numbers, measured again: one file each, found by the runner (`reproductions.py`).

A file's `REPRODUCTION` names under "by_construction" those of its rows that cannot miss unless the
code is wrong, each with the reason: {row, "*" standing for anything: why}. They check the code and
are no reproductions. Under "unprinted" it names rows whose number no paper prints, with whence it
comes: "simulated" (another simulation of what a paper describes) or "formula". It is read without
importing the file, so that earlier measurements are marked as well.
"""

import math
from typing import Literal

import msgspec

from deliberation.stats import Estimate

Verdict = Literal["holds", "not decided", "misses"]


class Row(msgspec.Struct, frozen=True):
    """One published number beside what was measured; the tolerated range was set beforehand.

    With `low` or `high` alone everything beyond it holds: a direction, a bound. Without either it
    is told beside the others (a curve, what was tried) and not judged.
    """

    what: str
    published: float | None
    measured: Estimate
    low: float | None = None
    high: float | None = None

    @property
    def near(self) -> bool:
        """Whether the estimate alone lies in the range, whatever its interval."""
        low = -math.inf if self.low is None else self.low
        return low <= self.measured.estimate <= (math.inf if self.high is None else self.high)

    @property
    def verdict(self) -> Verdict | None:
        """Whether the interval lies in the tolerated range (holds), apart from it (misses), or
        neither (not decided: more repeats would tell); None where no range was set.

        Of a quantity with bounds, the part of its interval that lies within them is meant.
        """
        if self.low is None and self.high is None:
            return None
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        found = self.measured.shown
        if low <= found.low and found.high <= high:
            return "holds"
        return "misses" if found.high < low or found.low > high else "not decided"
