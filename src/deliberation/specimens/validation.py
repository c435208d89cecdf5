"""Whether the probes' verdicts can be trusted: each put to specimens whose right answer is known.

A probe errs where it says "responds" of one that does not (a false positive, at most 5 % of
repeats), and misses where it does not say so of one that does (power at least 80 %). Each repeat
is another random world, specimen and key.
"""

import collections
from collections.abc import Callable, Sequence

import jax
import msgspec

from ..audit.auditing import EFFORTS, Subject, list_probes
from ..audit.exam import Exam
from ..core.catalogue import module_of
from ..stats import Estimate
from ..stats.intervals import exact_proportion
from .registry import channels, list_specimens, make, specimen
from .worlds import random_world

MOST, LEAST = 0.05, 0.80


class Validated(msgspec.Struct, frozen=True):
    """How often each verdict came of one specimen by one probe, beside the right one."""

    probe: str
    specimen: str
    truth: str
    found: dict[str, int]
    repeats: int

    @property
    def responded(self) -> Estimate:
        """How often it was said to respond, with an exact interval."""
        return exact_proportion(self.found.get("responds", 0), self.repeats)

    @property
    def trusted(self) -> bool:
        """Whether that is as rare, or as frequent, as it should be."""
        share = self.responded.estimate
        return share >= LEAST if self.truth == "responds" else share <= MOST


def validate(
    probes: Sequence[str] | None = None,
    specimens: Sequence[str] | None = None,
    *,
    repeats: int = 20,
    first: int = 0,
    effort: str = "smoke",
    watch: Callable[[Validated], None] | None = None,
) -> list[Validated]:
    """The confusion matrix; `watch` is shown each line at once.

    Worlds (and the keys of specimens and probes in them) are those of the seeds from `first` on: a
    probe whose settings were chosen on some is validated on others. Left out are pairs in which
    the specimen does not say what the right answer is.
    """
    known = list_probes()
    for p in probes or ():
        module_of("probe", p, known)
    seeds = range(first, first + repeats)
    worlds = {i: Exam.of(random_world(i), count=EFFORTS[effort].states) for i in seeds}
    found = []
    for name in list(list_specimens()) if specimens is None else specimens:
        specimen(name)  # refused, if there is none
        answers = list_specimens()[name]["answers"]
        asked = [p for p in (known if probes is None else probes) if p in answers]
        counts = {p: collections.Counter[str]() for p in asked}
        for i, exam in worlds.items():
            key = jax.random.key(i)
            making = jax.random.fold_in(key, 0)
            decider, reached = make(name, exam, making), channels(name, exam, making)
            for number, p in enumerate(asked):
                subject = Subject(
                    decider, exam, EFFORTS[effort], jax.random.fold_in(key, number + 1), reached
                )
                counts[p][module_of("probe", p, known).measure(subject).found] += 1
        for p in asked:
            found.append(Validated(p, name, answers[p], dict(counts[p]), repeats))
            if watch is not None:
                watch(found[-1])
    return found
