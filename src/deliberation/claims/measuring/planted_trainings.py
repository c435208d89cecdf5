"""Planted experiments of many trainings: of each outcome, a mean and a spread over trainings.

`World.more["found"]` gives them by name, or by "arm/name" where arms differ: (mean, standard
deviation), of a number or of a list (a curve, whose points share a training's luck by half), and
after these, optionally, the least and the greatest it can be; where both are given and the
deviation is "yes or no", it is zeros and ones.
"""

from typing import Any

import numpy as np
from scipy.stats import norm

from .planted import TRAININGS, Known, World, plants

YES_OR_NO = "yes or no"
SHARED = 0.5
"""Of the variance over trainings, what the points of a curve have in common."""


@plants(TRAININGS)
def _trained(world: World, cell: Any, known: Known) -> tuple[dict, dict]:
    del known
    told, name, n = (world.more or {})["found"], cell.settings["arm"], cell.settings["trainings"]
    found = {}
    for key, drawn in told.items():
        arm, _, outcome = key.rpartition("/")
        if arm in ("", name) and not (arm == "" and f"{name}/{outcome}" in told):
            found[outcome] = _draw(world, f"{cell.id} {outcome}", n, *drawn).tolist()
    return found, {}


def _draw(
    world: World, name: str, n: int, mean: Any, spread: Any, low: float = -np.inf,
    high: float = np.inf,
) -> np.ndarray:  # fmt: skip
    """[n] or [n, points]."""
    middle = np.asarray(mean, float)
    if spread == YES_OR_NO:
        lots = np.stack([world.uniform(f"{name} {i}", n) for i in range(middle.size)], 1)
        return (lots < middle.reshape(-1)).reshape(n, *middle.shape).astype(float)
    own = np.stack([world.uniform(f"{name} {i}", n) for i in range(middle.size)], 1)
    luck = norm.ppf(own)
    if middle.size > 1:
        common = norm.ppf(world.uniform(f"{name} common", n))[:, None]
        luck = np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * luck
    return np.clip(middle + spread * luck.reshape(n, *middle.shape), low, high)
