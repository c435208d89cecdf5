"""How often a probe errs: counted on specimens whose right answers are known, and kept beside it.

`error_rates.json` is written by `benchmarks/audit_validity.py`; a probe that is not in it was not
counted.
"""

import functools
from pathlib import Path

import msgspec

from ..stats.intervals import exact_proportion

FILE = Path(__file__).parent / "error_rates.json"
MOST = 0.05
"""A probe that is wrong about more of those that do not respond gives no verdict that they do."""


class Rates(msgspec.Struct, frozen=True):
    """Of `nulls` audits of specimens that do not respond, a probe said of `wrong` that they do; of
    `effects` that do, it said so of `found`.
    """

    wrong: int
    nulls: int
    found: int
    effects: int

    @property
    def trusted(self) -> bool:
        """Whether it is wrong seldom enough to be believed."""
        return self.nulls == 0 or self.wrong / self.nulls <= MOST

    def __str__(self) -> str:
        if not self.nulls and not self.effects:
            return "error rates not counted"
        parts = []
        if self.nulls:
            bound = exact_proportion(self.wrong, self.nulls).high
            parts.append(
                f"wrongly said of {self.wrong} in {self.nulls} that do not respond "
                f"(at most {100 * bound:.1f} %)"
            )
        if self.effects:
            parts.append(f"found in {self.found} of {self.effects} that do")
        return ", ".join(parts)


@functools.cache
def list_rates() -> dict[str, Rates]:
    """The error rates of every probe that was counted, by name."""
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, Rates])


def rates(probe: str) -> Rates:
    """Those of one probe; all zero where it was not counted."""
    return list_rates().get(probe, Rates(0, 0, 0, 0))
