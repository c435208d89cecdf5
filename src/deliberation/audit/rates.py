"""How often a probe errs: counted on specimens whose right answers are known, and kept beside it.

`error_rates.json` is written by `benchmarks/audit_validity.py`: for random worlds of one player
with exact values ("listed"), such of a few places ("small") or of many ("large"), the same judged
by a search in place of exact values ("judged"), and three small games of two ("game"). A probe that
is not in it was not counted.

Audits of one kind of specimen go together: who fools a probe in one world does in most, and who
cannot move by its making fools it in none. So audits are no independent trials, and the limit that
is told is one over kinds: how often the verdict is wrong of a kind that is drawn as these were.
Shares of kinds are numbers from 0 to 1, and the limit is Clopper and Pearson's for their sum, as if
each were 0 or 1: none of that mean is spread wider. (A bootstrap over kinds would say 0 to 0 where
none is, and to count kinds that err "often" takes what was seen in ten worlds for what is so.) The
limit over audits holds for just those worlds and specimens, and is told as such.
"""

import functools
from collections.abc import Iterable
from pathlib import Path

import msgspec
from scipy.stats import beta

from ..stats.intervals import exact_proportion

FILE = Path(__file__).parent / "error_rates.json"
MOST = 0.05
"""A probe that is wrong about more of those that do not respond gives no verdict that they do; a
kind of specimen is misjudged where it is so in more of its worlds."""
OF = {
    "responds": "that do not respond", "none": "that do respond, either way, by a tenth or more",
    "against": "that do not turn the other way",
}  # fmt: skip
"""Of whom each verdict is wrong."""
COUNTED_ON = {
    "listed": "random worlds of 150 states with the smoke effort",
    "small": "random worlds of some 18 states with the smoke effort",
    "large": "random worlds of 400 states with the smoke effort",
    "judged": "random worlds of 150 states that a search judges, with the smoke effort",
    "game": "three small games with the smoke effort",
}
"""What the error rates of each kind of world were counted on."""


class Count(msgspec.Struct, frozen=True):
    """How often one verdict was wrong: in `wrong` of `audits` of `kinds` of specimens, `shares` of
    the audits of each summed up, of which `often` were misjudged in more than `MOST` of their
    worlds; and the kind that fools it most.
    """

    wrong: int = 0
    audits: int = 0
    kinds: int = 0
    often: int = 0
    shares: float = 0.0
    worst: str = ""
    """In words; empty where none was misjudged."""
    worst_wrong: int = 0
    worst_audits: int = 0
    where: str = ""
    """In which worlds, and with what effort."""
    earlier: int = 0
    """Audits that were counted before this probe, its subjects or its worlds were changed."""

    @property
    def limit(self) -> float:
        """The upper limit (of 95 %) of how often it is wrong of a kind, over kinds."""
        if self.shares >= self.kinds:
            return 1.0
        return float(beta.ppf(0.975, self.shares + 1, self.kinds - self.shares))

    @property
    def fooled(self) -> bool:
        """Whether one kind is misjudged in more than half of its worlds."""
        return 2 * self.worst_wrong > self.worst_audits

    def told(self, of: str) -> str:
        """What was counted, in words; `of` says of which subjects the verdict is wrong."""
        said = f"said wrongly in {self.wrong} of {self.audits} audits of {self.kinds} kinds of "
        said += f"subjects {of}"
        if not self.wrong:
            return said
        part = f"all {self.wrong}" if self.wrong == self.worst_wrong else "most often"
        part = part if self.wrong > 1 else "the one"
        fools = ", which could fool it here" * self.fooled
        return f"{said}, {part} of {self.fooler}{fools}"

    @property
    def fooler(self) -> str:
        """The kind that fools it most, and in how many of its worlds."""
        return f"the kind {self.worst}, {self.worst_wrong} of {self.worst_audits}"

    @property
    def told_limit(self) -> str:
        """The limit over kinds, in words."""
        return (
            f"in at most {100 * self.limit:.1f} % of audits of kinds that are drawn as these were"
        )


class Rates(msgspec.Struct, frozen=True):
    """How often each verdict of a probe was wrong, and of `effects` audits of specimens that do
    respond, in how many it was `found`.
    """

    responds: Count = Count()
    none: Count = Count()
    against: Count = Count()
    found: int = 0
    effects: int = 0

    @property
    def trusted(self) -> bool:
        """Whether it is wrong seldom enough to be believed when it says that one responds. One
        kind that fools it (`Count.fooled`) leaves it so, and is named beside the verdict.
        """
        return self.responds.audits == 0 or self.responds.wrong / self.responds.audits <= MOST

    def count(self, verdict: str) -> Count | None:
        """How often such a verdict is wrong; None where that was not counted."""
        known = {"responds": self.responds, "none": self.none, "against": self.against}
        found = known.get(verdict)
        return found if found is not None and found.audits else None

    def of(self, verdict: str) -> str:
        """How often such a verdict is wrong, in words."""
        counted = self.count(verdict)
        if counted is None:
            return "not counted"
        alone = exact_proportion(counted.wrong, counted.audits).high
        some = " (many cannot, by their making)" * (verdict == "responds")
        told = (
            f"{counted.told(f'{OF[verdict]}{some}')}; {counted.told_limit} (of just those worlds "
            f"and specimens: at most {100 * alone:.1f} % of audits)"
        )
        if verdict == "responds" and self.effects:
            told += f"; said rightly in {self.found} of {self.effects} of subjects that do"
        if counted.earlier:
            told += f"; {counted.earlier} of the {counted.audits} with an earlier version of it"
        return told


def counted(kinds: Iterable[tuple[str, int, int]], earlier: int = 0) -> Count:
    """The count over kinds of specimens, of each its name, in how many audits it was misjudged,
    and of how many; kinds that could not be asked are left out. `earlier`: see `Count`.
    """
    asked = [kind for kind in kinds if kind[2]]
    wrongly = [kind for kind in asked if kind[1]]
    worst = max(wrongly, key=lambda kind: (kind[1] / kind[2], kind[1]), default=("", 0, 0))
    return Count(
        wrong=sum(wrong for _, wrong, _ in asked), audits=sum(audits for *_, audits in asked),
        kinds=len(asked), often=sum(wrong / audits > MOST for _, wrong, audits in asked),
        shares=sum(wrong / audits for _, wrong, audits in asked),
        worst=worst[0], worst_wrong=worst[1], worst_audits=worst[2], earlier=earlier,
    )  # fmt: skip


@functools.cache
def list_rates() -> dict[str, dict[str, Rates]]:
    """The error rates of every probe that was counted: by kind of world, then by name."""
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, dict[str, Rates]])


def rates(probe: str, kind: str = "listed") -> Rates:
    """Those of one probe in one kind of world; all zero where it was not counted."""
    return list_rates().get(kind, {}).get(probe, Rates())


def count_of(probe: str, kind: str, verdict: str) -> Count | None:
    """How often a probe's verdict is wrong in such worlds; None where that was not counted."""
    found = rates(probe, kind).count(verdict)
    return found and msgspec.structs.replace(found, where=COUNTED_ON[kind])


def errors_of(probe: str, kind: str, verdict: str) -> str:
    """The same in words."""
    told = rates(probe, kind).of(verdict)
    return f"{told} in such worlds" if told == "not counted" else f"{told}, on {COUNTED_ON[kind]}"
