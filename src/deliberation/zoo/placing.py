"""From records to where each decider of the zoo stands."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from ..runs import Cell, Record, RecordError
from ..stats import Estimate, bootstrap, position
from ..stats.intervals import nothing
from .registry import list_zoo


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """One decider on one task: what it scores, where it stands, and what it costs.

    `gap` is the optimum less the score, `reached` the part of the way from random play to the
    optimum that it covers; both are NaN where no exact optimum is known. Costs are per decision;
    None is unknown.
    """

    entry: str
    title: str
    kind: str
    items: list[int]
    task: str
    score: Estimate
    random: float
    optimum: float | None
    gap: Estimate
    reached: Estimate
    search_share: Estimate
    learning_share: Estimate
    model_steps: float | None
    network_evaluations: float | None
    milliseconds: float | None
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
    both, random = scores["both"], float(scores["random"].mean())
    place = position(scores["random"], scores["search"], scores["learned"], both)
    best = None if found["optimum"] is None else np.asarray(found["optimum"], float)
    wide = None if found["range"] is None else (0.0, found["range"][1] - found["range"][0])
    gap = nothing(len(both)) if best is None else _mean(best - both, wide)
    # A difference within rounding says nothing about how much of it is covered.
    way = math.nan if best is None else float(best.mean()) - random
    way = way if abs(way) > 1e-6 else math.nan
    per = _per_decision(found["spent"], found["decisions"])
    return Placed(
        entry=about["name"],
        title=about["title"],
        kind=about["kind"],
        items=list(about["items"]),
        task=cell.settings["task"],
        score=_mean(both, found["range"]),
        random=random,
        optimum=None if best is None else float(best.mean()),
        gap=gap,
        reached=Estimate(1 - gap.estimate / way, 1 - gap.high / way, 1 - gap.low / way, len(both)),
        search_share=place.search_share,
        learning_share=place.learning_share,
        model_steps=per["model_steps"],
        network_evaluations=per["network_evaluations"],
        milliseconds=None if per["seconds"] is None else 1000 * per["seconds"],
        training_seconds=found["trained"]["seconds"],
        training_steps=found["trained"]["model_steps"],
    )


def _mean(values: np.ndarray, bounds: Sequence[float] | None) -> Estimate:
    """A mean; where all are equal, the interval allows for values not seen yet."""
    within = None if bounds is None else (bounds[0], bounds[1])
    return bootstrap(values, bounds=within)


def _per_decision(spent: Mapping[str, Any], decisions: int) -> dict[str, float | None]:
    return {k: None if v is None else v / max(decisions, 1) for k, v in spent.items()}
