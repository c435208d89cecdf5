"""From records to where each decider of the zoo stands."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from ..runs import Cell, Record, RecordError
from ..stats import Estimate, Position, bootstrap, position
from ..stats.intervals import nothing
from .registry import list_zoo

_NORMAL = 1.96
"""Standard errors on each side of a mean of many, for 95 %."""


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """One decider on one task: what it scores, where it stands, and what it costs.

    `gap` is the optimum less the score, `reached` the part of the way from random play to the
    optimum that it covers; both are NaN where no exact optimum is known. `random_error` is the
    standard error of `random`, 0 where that is exact; the interval of `reached` counts it in, and
    that of the optima, where each first state has its own.
    Where world and decider draw nothing, every episode is the same: `score` is exact, of one
    episode. `by_definition` says that the decider lacks a part to switch off: then its place is no
    measurement.

    Costs are per decision; None is unknown. `milliseconds` is wall time by our own clock; steps,
    evaluations and `told_milliseconds` are the decider's own word.
    """

    entry: str
    title: str
    kind: str
    items: list[int]
    task: str
    score: Estimate
    random: float
    random_error: float
    optimum: float | None
    gap: Estimate
    reached: Estimate
    search_gain: Estimate
    learning_gain: Estimate
    by_definition: bool
    model_steps: float | None
    network_evaluations: float | None
    milliseconds: float | None
    told_milliseconds: float | None
    training_seconds: float | None
    training_steps: float | None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A decider that cannot treat a task that was asked for, and why."""

    entry: str
    title: str
    task: str
    reason: str


def analyse(records: Mapping[str, Record], cells: Sequence[Cell]) -> list[Placed]:
    """Where the deciders of some cells stand; pure. Raises `RecordError` for a missing cell."""
    found = _outcomes(records, cells)
    return [_placed(cell, told) for cell, told in found if "refused" not in told]


def refused(records: Mapping[str, Record], cells: Sequence[Cell]) -> list[Refused]:
    """Which deciders of some cells cannot treat their task. Raises `RecordError`."""
    return [
        Refused(
            entry=cell.settings["entry"],
            title=list_zoo()[cell.settings["entry"]]["title"],
            task=cell.settings["task"],
            reason=told["refused"],
        )
        for cell, told in _outcomes(records, cells)
        if "refused" in told
    ]


def _outcomes(
    records: Mapping[str, Record], cells: Sequence[Cell]
) -> list[tuple[Cell, Mapping[str, Any]]]:
    missing = [cell.name for cell in cells if cell.id not in records]
    if missing:
        raise RecordError(
            f"{len(missing)} of {len(cells)} cells are not among the records, first "
            f"{missing[0]}: make the same `deliberate zoo` call again."
        )
    return [(cell, records[cell.id].outcomes) for cell in cells]


def _placed(cell: Cell, found: Mapping[str, Any]) -> Placed:
    about = list_zoo()[cell.settings["entry"]]
    scores = {name: np.asarray(x, float) for name, x in found["scores"].items()}
    both, (random, error) = scores["both"], _random(found, scores["random"])
    best = None if found["optimum"] is None else np.asarray(found["optimum"], float)
    wide = None if found["range"] is None else (0.0, found["range"][1] - found["range"][0])
    constant = found.get("constant", False)
    gap = nothing(len(both)) if best is None else _mean(best - both, wide, constant)
    spread = _Optima.of(best, both, random)
    place = _position(
        _without_luck(scores, found.get("parts", ("searching", "learned")), random),
        spread.mean - random,
    )
    per = _per_decision(found["spent"], found["decisions"])
    told = None if per["seconds"] is None else 1000 * per["seconds"]
    measured = 1000 * found["seconds"] / max(found["decisions"], 1) if "seconds" in found else told
    return Placed(
        entry=about["name"],
        title=about["title"],
        kind=about["kind"],
        items=list(about["items"]),
        task=cell.settings["task"],
        score=_mean(both, found["range"], constant),
        random=random,
        random_error=error,
        optimum=None if best is None else float(best.mean()),
        gap=gap,
        reached=_reached(spread.gap(gap, wide, constant), spread.mean, random, error, spread.error),
        search_gain=place.search,
        learning_gain=place.learning,
        by_definition=_is_one_part(found),
        model_steps=per["model_steps"],
        network_evaluations=per["network_evaluations"],
        milliseconds=measured,
        told_milliseconds=told,
        training_seconds=found["trained"]["seconds"],
        training_steps=found["trained"]["model_steps"],
    )


def _position(scores: Mapping[str, np.ndarray], way: float) -> Position:
    """How far search, and how far learning, carry a decider, in parts of the way to the optimum.

    Where no optimum is known, or random play is as good, no part of a way can be told.
    """
    if not abs(way) > 0:
        return Position(*[nothing(len(scores["both"]))] * 4)
    parts = (scores[name] / way for name in ("random", "search", "learned", "both"))
    return position(*parts)


def _without_luck(
    scores: Mapping[str, np.ndarray], parts: Sequence[str], random: float
) -> dict[str, np.ndarray]:
    """The scores with the mean of random play wherever it stands, for a missing part, too.

    The few episodes of random play that are played beside the decider's would move the place of
    every decider of a task alike.
    """
    missing = {"search": "searching", "learned": "learned"}
    stands = ["random", *(name for name, part in missing.items() if part not in parts)]
    return {**scores, **{name: np.full(len(scores["both"]), random) for name in stands}}


def _random(found: Mapping[str, Any], scores: np.ndarray) -> tuple[float, float]:
    """What random play earns, and the standard error of that; 0 where it is exact."""
    told = found.get("random")
    if told is None:  # a record from before it was told: the few episodes that there are
        error = float(np.std(scores, ddof=1) / len(scores) ** 0.5) if len(scores) > 1 else math.nan
        told = {"mean": float(scores.mean()), "error": error}
    return float(told["mean"]), float(told["error"])


@dataclasses.dataclass(frozen=True)
class _Optima:
    """The optima of the episodes played, where each first state has its own: a sample themselves.

    `mean` and `error` are their mean and its standard error (0 where one optimum holds for all).
    `residuals` are the gaps of the episodes, with what the chance of their first states adds to
    the part of the way reached: 1 - gap / way is, to first order in the means of gap and optimum,
    as uncertain as the mean of gap - (gap / way) (optimum - its mean) is in the place of gap.
    """

    mean: float
    error: float
    residuals: np.ndarray | None

    @staticmethod
    def of(best: np.ndarray | None, both: np.ndarray, random: float) -> "_Optima":
        """From the optimum of each episode, or of all, and what each scored."""
        if best is None:
            return _Optima(math.nan, 0.0, None)
        mean = float(best.mean())
        if best.size < 2 or np.ptp(best) == 0 or mean == random:
            return _Optima(mean, 0.0, None)
        gaps = best - both
        part = gaps.mean() / (mean - random)
        error = float(np.std(best, ddof=1) / best.size**0.5)
        return _Optima(mean, error, gaps - part * (best - mean))

    def gap(self, gap: Estimate, wide: tuple[float, float] | None, constant: bool) -> Estimate:
        """The mean gap, with the uncertainty of the optima in its interval."""
        if self.residuals is None:
            return gap
        ends = (float(self.residuals.min()), float(self.residuals.max()))
        within = None if wide is None else (min(wide[0], ends[0]), max(wide[1], ends[1]))
        return _mean(self.residuals, within, constant)


def _reached(
    gap: Estimate, best: float, random: float, error: float, spread: float = 0.0
) -> Estimate:
    """1 - gap / way, where the way is from random play to the optimum.

    Two things are uncertain, and independently so: how the decider does beside the optimum in the
    episodes played, and what random play earns (of standard error `error`). The deviations that
    each alone would make are added as squares (MOVER; Zou and Donner 2008), on each side. `spread`
    is the standard error of the optimum, which the interval of `gap` counts in already.
    """
    way, around = best - random, _NORMAL * error
    # Of a way that may be none, because of rounding or of chance, no part can be told.
    doubt = math.hypot(around, _NORMAL * spread)
    if not abs(way) > max(doubt, 1e-6 * max(abs(best), abs(random))):
        return nothing(gap.n)
    middle = 1 - gap.estimate / way
    ends = [
        (1 - gap.low / way, 1 - gap.high / way),
        tuple(1 - gap.estimate / (way + x) for x in (-around, around)),
    ]
    low = middle - math.hypot(*(middle - min(middle, *pair) for pair in ends))
    high = middle + math.hypot(*(max(middle, *pair) - middle for pair in ends))
    return Estimate(middle, low, high, gap.n)


def _is_one_part(found: Mapping[str, Any]) -> bool:
    """Whether one part is the whole decider, so that nothing can be switched off.

    Not so where what is left without the other part was measured, as a newborn agent is.
    """
    scores = found["scores"]
    parts = found.get("parts", ())
    return len(parts) < 2 and any(scores[name] == scores["both"] for name in ("search", "learned"))


def _mean(values: np.ndarray, bounds: Sequence[float] | None, constant: bool) -> Estimate:
    """A mean; where all are equal, the interval allows for values not seen yet.

    Unless there are no others (`constant`): then there is one episode, played again and again.
    """
    if constant:
        same = float(values[0])
        return Estimate(same, same, same, 1)
    within = None if bounds is None else (bounds[0], bounds[1])
    return bootstrap(values, bounds=within)


def _per_decision(spent: Mapping[str, Any], decisions: int) -> dict[str, float | None]:
    return {k: None if v is None else v / max(decisions, 1) for k, v in spent.items()}
