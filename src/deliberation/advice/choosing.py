"""The choice between measured options: frontier, break-even and recommendation, with sureness.

Pure functions of arrays; nothing is measured here. The rule, applied to the measurements and to
every resample of them alike:

1. An option fits where nine in ten of its decisions are within the latency and what comes before
   its first decision is within the training budget.
2. An option that fits is beaten where another one that fits is shown to score more than the
   smallest difference above it: by more than resampling explains, one-sided at 5 % for all others
   together (the comparisons with the best of Hsu 1984, by the bootstrap).
3. Random play, and failing that a one-step look, is recommended where it is not beaten: nobody
   needs to plan or learn where that gains nothing. That nothing was shown to gain is not yet shown
   to gain nothing: `Choice.unseen` says how much more an option may score for all that is known.
4. Otherwise, of the options that are not beaten, the one with the least total cost: what cannot be
   told apart by its score is told apart by its cost. Costs within a tenth are equal, and then the
   score decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from ..stats import Estimate, nothing
from ..stats.intervals import t_quantile
from .limits import TOLERANCE, Limits
from .resampling import Draws, Option, draw

RANDOM, LOOK, PLAN, LEARN, BOTH = "random", "look", "plan", "learn", "both"
BASELINES = (RANDOM, LOOK)
LEARNED = (LEARN, BOTH)
VERDICTS = {RANDOM: "neither", LOOK: "neither", PLAN: "plan", LEARN: "learn", BOTH: "both"}
HOUR = 3600.0
EQUAL_COST = 1.1
LEAST_EFFECT = 0.1
"""Standard deviations of random play's returns below which no difference matters."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What the measurements say of one option.

    `latency` is within what nine in ten decisions take, `each` their mean, `preparation` what comes
    before (all in seconds), `total` the dollars for all decisions. `near` is the probability of
    scoring within the smallest difference of the best that fits; `late` and `long` are by how many
    times a limit is exceeded (1 or less: it is kept).
    """

    name: str
    kind: str
    score: Estimate
    latency: Estimate
    each: Estimate
    preparation: Estimate
    total: Estimate
    late: float
    long: float
    good: bool
    near: float
    on_latency: bool
    on_cost: bool
    trainings: int

    @property
    def fits(self) -> bool:
        """Whether it keeps all limits."""
        return max(self.late, self.long) <= 1


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The recommendation and how sure it is.

    `verdict` is "plan", "learn", "both", "neither" (random play or a one-step look does as well) or
    "nothing" (no option keeps the limits). `same_verdict` and `same_option` are the parts of all
    resamples of episodes, trainings and clock times in which it comes out again. `break_even` is
    the number of decisions from which the cheapest learned option that is not beaten costs no more
    than the cheapest such planner: 0 where every planner is, infinite where everything
    learned is; not known where neither is needed. `unseen` is how much more than the recommended
    one another option that fits may score, at 95 % for all of them together; 0 where none may.
    `score` is what the recommended one scores in the half of its episodes that did not decide
    between options of equal cost: the one that scores best in the other half has had good luck.
    """

    options: list[Judged]
    recommended: str | None
    verdict: str
    same_verdict: float
    same_option: float
    break_even: Estimate
    smallest: float
    unseen: float
    score: Estimate

    @property
    def excluded(self) -> bool:
        """Whether it is shown that nothing scores more by as much as matters."""
        return self.unseen <= self.smallest

    def __getitem__(self, name: str) -> Judged:
        return next(option for option in self.options if option.name == name)

    @property
    def best(self) -> Judged | None:
        """The option that fits and scores best; None where none fits."""
        fitting = [option for option in self.options if option.fits]
        return max(fitting, key=lambda option: option.score.estimate, default=None)


def choose(
    options: Sequence[Option], limits: Limits, *, draws: int = 1000, seed: int = 0
) -> Choice:
    """The choice among some options, of which one is random play."""
    kinds = np.array([option.kind for option in options])
    point, drawn = draw(options, draws, seed)
    spread = float(np.nanstd(options[int(np.argmax(kinds == RANDOM))].scores))
    rule = _Rule.of(options, kinds, limits, spread, point, drawn)
    chosen, apart = ([_half(option, first) for option in options] for first in (0, 1))
    now, then = rule.apply(point, draw(chosen, 1, seed)[0].score), rule.apply(drawn, drawn.score)
    place = int(now.pick[0])
    recommended = options[place].name if place >= 0 else None
    verdict = "nothing" if place < 0 else VERDICTS[str(kinds[place])]
    verdicts = np.array(["nothing", *(VERDICTS[str(kind)] for kind in kinds)])[then.pick + 1]
    shown = nothing() if verdict in ("neither", "nothing") else _estimate(
        now.break_even[0], then.break_even
    )  # fmt: skip
    return Choice(
        options=_judged(options, limits, point, drawn, now, then),
        recommended=recommended,
        verdict=verdict,
        same_verdict=float((verdicts == verdict).mean()),
        same_option=float((then.pick == place).mean()),
        break_even=shown,
        smallest=float(now.smallest[0]),
        unseen=_unseen(point.score[0], rule.needed, now.fits[0], place),
        score=_score(apart[place], draws, seed) if place >= 0 else nothing(),
    )


def _half(option: Option, first: int) -> Option:
    """Every other episode; all, where there is but one."""
    scores = option.scores[:, first::2] if option.scores.shape[1] > 1 else option.scores
    return replace(option, scores=scores)


def _score(option: Option, draws: int, seed: int) -> Estimate:
    point, drawn = draw([option], draws, seed)
    return _estimate(point.score[0, 0], drawn.score[:, 0])


def _unseen(score: np.ndarray, needed: np.ndarray, fits: np.ndarray, place: int) -> float:
    """How much more than the option at a place those that fit may score."""
    more = (score - score[place] + needed[:, place])[fits & (np.arange(len(score)) != place)]
    return float(max(more.max(initial=0.0), 0.0))


@dataclass(frozen=True, eq=False)
class _Applied:
    """What the rule makes of each draw: [draws] or [draws, options]."""

    fits: np.ndarray
    good: np.ndarray
    near: np.ndarray
    pick: np.ndarray
    total: np.ndarray
    smallest: np.ndarray
    break_even: np.ndarray


@dataclass(frozen=True, eq=False)
class _Rule:
    """The rule of this module for certain options and limits, on any draws of their quantities.

    `spread` is the standard deviation of random play's returns, `needed` [options, options] how far
    the first must lie above the second to be shown better.
    """

    kinds: np.ndarray
    limits: Limits
    spread: float
    needed: np.ndarray

    @staticmethod
    def of(
        options: Sequence[Option],
        kinds: np.ndarray,
        limits: Limits,
        spread: float,
        point: Draws,
        drawn: Draws,
    ) -> "_Rule":
        """With the margins that resampling asks for."""
        played = min(int(np.isfinite(option.scores).any(0).sum()) for option in options)
        needed = [_margins(point.score[0], drawn.score, i, played) for i in range(len(options))]
        return _Rule(kinds, limits, spread, np.stack(needed, 1))

    def apply(self, found: Draws, luck: np.ndarray) -> _Applied:
        """Judge every draw by itself; `luck` [draws, options] are scores to choose equals by."""
        limits, kinds = self.limits, self.kinds
        fits = np.ones(found.score.shape, bool)
        if limits.latency is not None:
            fits &= found.latency <= limits.latency
        if limits.training_budget is not None:
            fits &= found.preparation <= limits.training_budget
        paid = found.preparation * limits.training_price / HOUR
        each = found.each * limits.price / HOUR
        total = paid + limits.decisions * each
        best = np.where(fits, found.score, -np.inf).max(1)
        smallest = self._smallest(found.score, best)
        margin = np.maximum(self.needed[None], smallest[:, None, None])
        above = found.score[:, :, None] - found.score[:, None, :]
        standing = fits & ~(fits[:, :, None] & (above > margin)).any(1)
        good = standing & ~np.isin(kinds, BASELINES)
        pick = _cheapest(standing, total, luck)
        for kind in reversed(BASELINES):
            for place in np.flatnonzero(kinds == kind):
                pick = np.where(standing[:, place], place, pick)
        pick = np.where(fits.any(1), pick, -1)
        near = fits & (found.score >= (best - smallest)[:, None])
        return _Applied(
            fits, good, near, pick, total, smallest,
            _break_even(good & (kinds == PLAN), good & np.isin(kinds, LEARNED), paid, each),
        )  # fmt: skip

    def _smallest(self, score: np.ndarray, best: np.ndarray) -> np.ndarray:
        """The difference that begins to matter, a draw."""
        if self.limits.smallest is not None:
            return np.full(len(score), self.limits.smallest)
        random = score[:, self.kinds == RANDOM][:, 0]
        way = np.maximum(np.where(np.isfinite(best), best, random) - random, 0.0)
        return np.maximum(TOLERANCE * way, LEAST_EFFECT * self.spread)


def _margins(score: np.ndarray, drawn: np.ndarray, place: int, played: int) -> np.ndarray:
    """By how much each option has to beat one for it to be shown, at 5 % for all together."""
    above = (drawn - drawn[:, [place]]) - (score - score[place])
    error = above.std(0)
    unsure = error > 0
    if not unsure.any():
        return np.zeros_like(error)
    largest = (above[:, unsure] / error[unsure]).max(1)
    # Few episodes: as much further out as Student's t is than a normal distribution.
    few = t_quantile(0.9, max(played - 1, 1)) / t_quantile(0.9, 1e6)
    return float(np.quantile(largest, 0.95)) * few * error


def _cheapest(among: np.ndarray, total: np.ndarray, score: np.ndarray) -> np.ndarray:
    """In each draw the cheapest of some options; of those as cheap, the one that scores best."""
    least = np.where(among, total, np.inf).min(1)
    cheap = among & (total <= EQUAL_COST * least[:, None])
    return np.where(cheap, score, -np.inf).argmax(1)


def _break_even(
    plans: np.ndarray, learned: np.ndarray, paid: np.ndarray, each: np.ndarray
) -> np.ndarray:
    """From how many decisions on some learned option costs no more than every planner, a draw.

    `paid` is what an option costs before its first decision and `each` what a decision does.
    """
    # [draws, learned, planners]: where the two lines of total cost cross.
    ahead = paid[:, :, None] - paid[:, None, :]
    gained = each[:, None, :] - each[:, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = ahead / gained
    counts = plans[:, None, :]
    from_here = np.where(gained > 0, np.maximum(crossing, 0.0), 0.0)
    from_here = np.where((gained <= 0) & (ahead > 0) & (gained == 0), np.inf, from_here)
    until = np.where(gained < 0, np.where(ahead <= 0, crossing, -1.0), np.inf)
    first = np.where(counts, from_here, 0.0).max(2)
    last = np.where(counts, until, np.inf).min(2)
    paying = np.where(learned & (first <= last), first, np.inf).min(1)
    return np.where(plans.any(1) | learned.any(1), paying, np.nan)


def _estimate(value: float | int, drawn: np.ndarray) -> Estimate:
    """A quantity with the middle 95 % of its resamples; their ends may be infinite."""
    known = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(known):
        return nothing()
    low, high = np.quantile(known, [0.025, 0.975], method="inverted_cdf")
    return Estimate(
        float(value), float(min(low, value)), float(max(high, value)), 0,
        censored=not np.isfinite(value) or value == 0,
    )  # fmt: skip


def _judged(
    options: Sequence[Option],
    limits: Limits,
    point: Draws,
    drawn: Draws,
    now: _Applied,
    then: _Applied,
) -> list[Judged]:
    on_latency = _frontier(point.latency[0], point.score[0])
    on_cost = _frontier(now.total[0], point.score[0])
    found = []
    for i, option in enumerate(options):
        quantities = {
            name: _estimate(getattr(point, name)[0, i], getattr(drawn, name)[:, i])
            for name in ("score", "latency", "each", "preparation")
        }
        found.append(
            Judged(
                name=option.name,
                kind=option.kind,
                **quantities,
                total=_estimate(now.total[0, i], then.total[:, i]),
                late=quantities["latency"].estimate / (limits.latency or np.inf),
                long=quantities["preparation"].estimate / (limits.training_budget or np.inf),
                good=bool(now.good[0, i]),
                near=float(then.near[:, i].mean()),
                on_latency=bool(on_latency[i]),
                on_cost=bool(on_cost[i]),
                trainings=len(option.preparation),
            )
        )
    return found


def _frontier(cost: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Which options no other one dominates: none is cheaper and scores as much or more."""
    order = np.lexsort((-score, cost))
    best = np.maximum.accumulate(score[order])
    first = np.concatenate([[True], score[order][1:] > best[:-1]])
    found = np.zeros(len(cost), bool)
    found[order] = first
    return found
