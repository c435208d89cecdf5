"""What experiments share: how many trainings, the cells of their arms, what these found, shown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from ...runs import Cell, Outcome, Series
from ...stats import Estimate, bootstrap, exact_proportion, weighted_sum
from ..measuring.cells import cell
from ..measuring.effort import Effort
from ..measuring.results import Results, series_of

HERE = "deliberation.claims.experiments"
TRAININGS = {"smoke": 6, "quick": 24, "full": 100}
"""Of each arm of an experiment, by effort."""

Plan = Callable[..., list[Cell]]
"""The `cells` of a claim: of a world, with so much effort; with `null`, of the null."""


def arm(
    experiment: str, e: Effort, seconds: float, name: str = "", *, null: bool = False,
    **settings: Any,
) -> Cell:  # fmt: skip
    """A cell of an experiment, "room.file": its `train`, with as many trainings as the effort.

    `name` tells the arms of an experiment apart. With `null` the experiment takes out what the
    claim is about (its file says how), and leaves everything else as it is.
    """
    told = {"trainings": TRAININGS[e.name], "arm": name, "key": 0, **settings}
    if null:
        told["null"] = True
    label = f"{experiment.rpartition('.')[2].replace('_', ' ')}{f': {name}' * bool(name)}"
    return cell(f"{HERE}.{experiment}:train", told, (), seconds, label)


def keys_of(settings: dict[str, Any]) -> Key[Array, " trainings"]:
    """A key for each training of a cell."""
    return jax.random.split(jax.random.key(settings["key"]), settings["trainings"])


def outcome(found: dict[str, Any], **spent: Any) -> Outcome:
    """Arrays with a leading axis for the trainings, as a cell's outcome."""
    from ...core.ledger import Ledger

    plainly = {name: np.asarray(x, float).tolist() for name, x in found.items()}
    return Outcome(plainly, Ledger(**spent).as_dict())


def found(results: Results, cell: Cell, name: str) -> np.ndarray:
    """One of a cell's outcomes as numbers: [trainings, ...]."""
    return np.asarray(results.outcomes(cell)[name], float)


def all_found(results: Results, cell: Cell, *names: str) -> list[np.ndarray]:
    """Several of a cell's outcomes."""
    return [found(results, cell, name) for name in names]


def one_arm(
    experiment: str, seconds: float, also: Mapping[str, Any] | None = None,
    **by_effort: Mapping[str, Any],
) -> Plan:  # fmt: skip
    """The `cells` of a claim whose experiment has a single arm.

    Settings are given by effort; those in `also` are the same at each.
    """

    def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
        del world
        settings = {name: levels[e.name] for name, levels in by_effort.items()} | dict(also or {})
        return [arm(experiment, e, seconds, null=null, **settings)]

    return cells


def all_arms(
    experiment: str, seconds: float, names: Sequence[str], **by_effort: Mapping[str, Any]
) -> Plan:
    """The same for several arms, in their order."""

    def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
        del world
        settings = {name: levels[e.name] for name, levels in by_effort.items()}
        return [arm(experiment, e, seconds, name, null=null, **settings) for name in names]

    return cells


def share(values: Any, episodes: int = 0) -> Estimate:
    """The mean over trainings of a share, with its interval.

    `episodes` says of how many in each training a share was counted. Then one that is 0 or 1 in
    every training is no yes or no of so few trainings: the interval is over trainings (a
    bootstrap), and at least as wide as if all episodes of all trainings were independent (Clopper
    and Pearson), which is all that there is where trainings do not differ. A kind of training that
    is so rare that none was met is not allowed for, as by no bootstrap.
    """
    x = np.asarray(values, float)
    if not episodes:
        return bootstrap(x, bounds=(0.0, 1.0))
    return _at_least(x, _of_all(x, episodes), 0.0)


def shares_apart(one: Any, other: Any, episodes: int) -> Estimate:
    """The mean over trainings of one share less another, both counted in so many episodes."""
    x, y = np.asarray(one, float), np.asarray(other, float)
    floor = weighted_sum([_of_all(x, episodes), _of_all(y, episodes)], [1.0, -1.0])
    return _at_least(x - y, floor, -1.0)


def counted(episodes: int, *values: Any) -> str:
    """The note of a row of such shares: what its interval is where trainings do not differ."""
    if any(np.ptp(np.asarray(x, float)) > 0 for x in values):
        return ""
    return f"alike in all trainings: the interval is that of {episodes} episodes in each, as one"


def _of_all(x: np.ndarray, episodes: int) -> Estimate:
    n = x.size * episodes
    return exact_proportion(round(float(x.mean()) * n), n)


def _at_least(x: np.ndarray, floor: Estimate, least: float) -> Estimate:
    """The interval over trainings, no narrower on either side than the floor, from least to 1."""
    n, middle = x.size, float(x.mean())
    if np.ptp(x) > 0:
        found = bootstrap(x)
        down, up, freedom = middle - found.low, found.high - middle, found.freedom
    else:
        down, up, freedom = 0.0, 0.0, float(n - 1)
    down = max(down, floor.estimate - floor.low)
    up = max(up, floor.high - floor.estimate)
    low, high = max(middle - down, least), min(middle + up, 1.0)
    return Estimate(middle, low, high, n, freedom)


def lines(
    x: Sequence[float | int],
    of: Mapping[str, np.ndarray],
    bounds: tuple[float | int, float | int] | None = (0.0, 1.0),
) -> list[Series]:
    """A line over a dial for each array [trainings, x]; of shares, unless told other bounds."""
    return [
        series_of(label, x, [bootstrap(y, bounds=bounds) for y in values.T])
        for label, values in of.items()
    ]
