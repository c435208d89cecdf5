"""How often a probe errs: counted on specimens whose right answers are known, and kept beside it.

`error_rates.json` is written by `benchmarks/audit_validity.py`: for random worlds of one player
with exact values ("listed"), the same judged by a search in place of those ("judged"), and small
games of two ("game"). A probe that is not in it was not counted.
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
    `effects` that do, it said so of `found`, and of `missed` that there is no response.
    """

    wrong: int
    nulls: int
    found: int
    effects: int
    missed: int
    specimens: int
    """Ways of making one that does not respond: what the nulls are of."""

    @property
    def trusted(self) -> bool:
        """Whether it is wrong seldom enough to be believed."""
        return self.nulls == 0 or self.wrong / self.nulls <= MOST

    def of(self, verdict: str) -> str:
        """How often such a verdict is wrong, in words."""
        if verdict == "responds" and self.nulls:
            found = f"; said rightly of {self.found} in {self.effects} that do" * bool(self.effects)
            of = f"of {self.specimens} kinds that do not respond"
            return f"said wrongly of {_share(self.wrong, self.nulls)} {of}{found}"
        if verdict == "none" and self.effects:
            return f"said wrongly of {_share(self.missed, self.effects)} that do respond"
        return "not counted"


def _share(count: int, of: int) -> str:
    bound = exact_proportion(count, of).high
    return f"{count} in {of} (at most {100 * bound:.1f} %)"


@functools.cache
def list_rates() -> dict[str, dict[str, Rates]]:
    """The error rates of every probe that was counted: by kind of world, then by name."""
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, dict[str, Rates]])


def rates(probe: str, kind: str = "listed") -> Rates:
    """Those of one probe in one kind of world; all zero where it was not counted."""
    return list_rates().get(kind, {}).get(probe, Rates(0, 0, 0, 0, 0, 0))
