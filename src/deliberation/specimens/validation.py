"""Whether the probes' verdicts can be trusted: each put to specimens whose right answer is known.

A probe errs where it says "responds" of one that does not (a false positive, at most 5 % of
repeats), and misses where it does not say so of one that does (power at least 80 %). Each repeat
is another random world, specimen and key.
"""

import collections
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

import jax
import msgspec

from ..audit.auditing import EFFORTS, Effort, Subject, list_probes
from ..audit.channels import Channels
from ..audit.exam import Exam
from ..audit.sampling import Judge
from ..audit.telling.doubting import open_where_bent
from ..core.catalogue import module_of
from ..core.keys import named_key
from ..direct import TreeSearch
from ..stats import Estimate
from ..stats.intervals import exact_proportion, nothing
from .registry import channels, list_specimens, make, specimen
from .worlds import LARGE, random_world, small_game, small_world

MOST, LEAST = 0.05, 0.80
MOST_HIGH = 0.08
"""The upper limit of a probe's false positives, over the specimens that do not respond."""
ELSEWHERE = ("effort",)
"""Probes that are validated in games and in judged worlds as well."""
IN_SMALL = ("effort", "objective", "revaluation")
"""Probes that are validated in worlds of few places as well."""
IN_LARGE = ("depth",)
"""Probes that ask in more states than the others, and so in worlds of many places as well."""
KEPT = 64
"""Exams that are kept for the next specimen."""


class Validated(msgspec.Struct, frozen=True):
    """How often each verdict came of one specimen by one probe, beside the right one."""

    probe: str
    specimen: str
    truth: str
    found: dict[str, int]
    repeats: int
    kind: str = "listed"
    """Of the worlds: with exact values, such of few places ("small") or of many ("large"), "judged"
    by a search, or a "game" of two."""

    @property
    def asked(self) -> int:
        """Of how many the probe could ask where it should have."""
        if self.truth == "not applicable":
            return self.repeats
        return self.repeats - self.found.get("not applicable", 0)

    @property
    def responded(self) -> Estimate:
        """How often it was said to respond, with an exact interval."""
        if not self.asked:
            return nothing()
        return exact_proportion(self.found.get("responds", 0), self.asked)

    @property
    def trusted(self) -> bool:
        """Whether verdicts are right as often as they should be; one that does not respond may be
        left undecided.
        """
        if not self.asked:
            return True
        if self.truth == "responds":
            return self.responded.estimate >= LEAST
        decided = {"responds", "none", "against"} - {self.truth}
        wrong = sum(self.found.get(verdict, 0) for verdict in decided)
        return wrong / self.asked <= MOST


class Pooled(msgspec.Struct, frozen=True):
    """A probe in one kind of world, over specimens: of how many that do not respond it said so
    wrongly, of how many that do it said so rightly, of how many that do the opposite it said that,
    and of how many that do neither it said so (the others it left open); None where no such
    specimen was asked.
    """

    probe: str
    kind: str
    wrong: Estimate | None
    right: Estimate | None
    opposite: Estimate | None
    still: Estimate | None
    specimens: tuple[int, int, int, int]
    """That do not respond, that do, and of the first those that do the opposite, and neither."""

    @property
    def trusted(self) -> bool:
        """Few enough false positives, and power enough where it was asked for."""
        errs = self.wrong is not None and self.wrong.estimate > MOST
        found = [rate for rate in (self.right, self.opposite) if rate is not None]
        return not errs and all(rate.estimate >= LEAST for rate in found)

    @property
    def bounded(self) -> bool:
        """Whether enough was asked to say so: the upper limit of false positives is low, too."""
        return self.wrong is None or self.wrong.high <= MOST_HIGH

    @property
    def told(self) -> list[str]:
        """The rates in words."""
        rates = (self.wrong, self.right, self.opposite, self.still)
        return [_in_words(*one) for one in zip(rates, self.specimens, strict=True)]


def _in_words(rate: Estimate | None, specimens: int) -> str:
    if rate is None:
        return "none asked"
    count = round(rate.estimate * rate.n)
    several = f"{specimens} specimen{'s' * (specimens != 1)}"
    return f"{count} of {rate.n} [{rate.low:.3f}, {rate.high:.3f}], {several}"


def by_probe(found: Iterable[Validated]) -> list[Pooled]:
    """Over all specimens: how often a probe errs, and how often it finds what there is."""
    lines = list(found)
    return [
        _pooled([x for x in lines if (x.probe, x.kind) == (probe, kind)])
        for probe, kind in dict.fromkeys((line.probe, line.kind) for line in lines)
    ]


def _pooled(lines: list[Validated]) -> Pooled:
    asked = [
        ("responds", [x for x in lines if x.truth in ("none", "against")]),
        ("responds", [x for x in lines if x.truth == "responds"]),
        ("against", [x for x in lines if x.truth == "against"]),
        ("none", [x for x in lines if x.truth == "none"]),
    ]
    rates, sizes = [], [len(some) for _, some in asked]
    for verdict, some in asked:
        n = sum(x.asked for x in some)
        rates.append(exact_proportion(sum(x.found.get(verdict, 0) for x in some), n) if n else None)
    return Pooled(
        lines[0].probe, lines[0].kind, *rates, specimens=(sizes[0], sizes[1], sizes[2], sizes[3])
    )


def validate(
    probes: Sequence[str] | None = None,
    specimens: Sequence[str] | None = None,
    *,
    repeats: int = 20,
    first: int = 0,
    effort: str = "smoke",
    kinds: Sequence[str] | None = None,
    watch: Callable[[Validated], None] | None = None,
) -> list[Validated]:
    """The confusion matrix; `watch` is shown each line at once.

    Worlds (and the keys of specimens and probes in them) are those of the seeds from `first` on: a
    probe whose settings were chosen on some is validated on others. Left out are pairs in which
    the specimen does not say what the right answer is; where it says so of a probe of games, it is
    put into games, and into worlds that a search judges, too (`kinds`: only into these).
    """
    known = list_probes()
    for p in probes or ():
        module_of("probe", p, known)
    found = []
    for name in list(list_specimens()) if specimens is None else specimens:
        specimen(name)  # refused, if there is none
        for kind, asked in asked_of(name, known if probes is None else probes).items():
            if kinds is not None and kind not in kinds:
                continue
            counts = {p: collections.Counter[str]() for p in asked}
            for seed in range(first, first + repeats):
                for p, verdict in _verdicts(name, kind, asked, seed, EFFORTS[effort]):
                    counts[p][verdict] += 1
            for p in asked:
                truth = list_specimens()[name]["answers"][p]
                found.append(Validated(p, name, truth, dict(counts[p]), repeats, kind))
                if watch is not None:
                    watch(found[-1])
    return found


def asked_of(name: str, probes: Iterable[str]) -> dict[str, list[str]]:
    """Which probes a specimen is put to, by kind of world."""
    answers, known, probes = list_specimens()[name]["answers"], list_probes(), list(probes)
    alone = [p for p in probes if p in answers and known[p].get("players") != 2]
    pairs = [p for p in probes if p in answers and known[p].get("players") == 2]
    plays = any(known[p].get("players") == 2 for p in answers)
    kinds = {"listed": alone}
    for kind, there in (("small", IN_SMALL), ("large", IN_LARGE)):
        kinds[kind] = [p for p in alone if p in there]
    if plays:
        kinds["game"] = [*pairs, *(p for p in alone if p in ELSEWHERE)]
        kinds["judged"] = [p for p in alone if p in ELSEWHERE]
    return {kind: some for kind, some in kinds.items() if some}


def _verdicts(
    name: str, kind: str, asked: list[str], seed: int, level: Effort
) -> Iterator[tuple[str, str]]:
    """What each probe says of a specimen in the world of a seed."""
    key, known = jax.random.key(seed), list_probes()
    exam = _exam("listed" if kind == "judged" else kind, seed, level)
    making = jax.random.fold_in(key, 0)
    decider = make(name, exam, making)
    reached = channels(name, exam, making) if kind in ("listed", "small", "large") else Channels()
    put = _exam("judged", seed, level) if kind == "judged" else exam
    for p in asked:
        subject = Subject(decider, put, level, named_key(key, p), reached)
        yield p, open_where_bent(module_of("probe", p, known).measure(subject)).found


@functools.lru_cache(KEPT)
def _exam(kind: str, seed: int, level: Effort) -> Exam:
    """The world of a seed: a random one, one of few places or of many, the same by a search's
    word, or a game.
    """
    if kind == "game":
        return Exam.of(small_game(seed), count=level.states, seed=seed)
    if kind == "small":
        return Exam.of(small_world(seed), count=level.states)
    if kind == "large":
        return Exam.of(random_world(seed, LARGE), count=level.states)
    judge = Judge(budget=level.judging)
    world = random_world(seed)
    if kind == "judged":
        # A decider is named, so that nobody lists the states.
        judge = Judge(TreeSearch(world, "uct", capacity=level.judging + 1), level.judging)
    return Exam.of(world, count=level.states, reference=judge)
