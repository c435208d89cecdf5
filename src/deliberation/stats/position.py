"""How far search, and how far learning, carry a decider: two coordinates that vary independently.

Each part is switched off in turn (search: budget 0; learned parts: uniform prior and zero value).
The 2x2 of mean scores gives the Shapley values of a game of two players (Shapley 1953), and what
the parts do together beyond what they do alone. They are not divided by their sum: shares that add
to 1 are one axis, and give random play a position by luck.
"""

from typing import Any

import msgspec
import numpy as np

from .intervals import Estimate, bootstrap_means


class Position(msgspec.Struct, frozen=True):
    """Gains over random play owed to search and to learning, in the units of the scores.

    With scores as shares of the way from random play to the optimum, random play stands at (0, 0),
    an optimal pure planner at (1, 0), an optimal table at (0, 1), and two parts each of which would
    do alone at (.5, .5) with an interaction of -1. `total` is the sum of both gains.
    """

    search: Estimate
    learning: Estimate
    interaction: Estimate
    total: Estimate

    def __repr__(self) -> str:
        return (
            f"Position(search {self.search}, learning {self.learning}, "
            f"interaction {self.interaction}, total {self.total})"
        )


def position(
    random: Any, search: Any, learned: Any, both: Any, *, seed: int = 0, level: float = 0.95
) -> Position:
    """Position from paired scores [n] or [seeds, n] on the same items.

    `random` has both parts off, `search` the learned parts off, `learned` the search off. A part
    that a decider lacks is off whatever one does: a network alone has search = random and
    both = learned. Samples without training seeds are taken as the same for every seed.
    """
    return Position(
        *bootstrap_means(_coordinates, random, search, learned, both, seed=seed, level=level)
    )


def shapley(
    random: Any, search: Any, learned: Any, both: Any
) -> tuple[np.ndarray | float, np.ndarray | float]:
    """(search, learning): each part's mean marginal gain over both orders of adding it."""
    by_search = ((search - random) + (both - learned)) / 2
    by_learning = ((learned - random) + (both - search)) / 2
    return by_search, by_learning


def _coordinates(means: np.ndarray) -> np.ndarray:
    random, search, learned, both = means.T
    gains = shapley(random, search, learned, both)
    return np.stack([*gains, both - search - learned + random, both - random], -1)
