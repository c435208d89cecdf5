"""Where a decider stands between search and learning: two coordinates and a total.

Each part is switched off in turn (search: budget 0; learned parts: uniform prior and zero value).
The 2x2 of mean scores gives Shapley values over two players (Shapley 1953), divided by the total
gain over the random policy.
"""

from typing import Any

import msgspec
import numpy as np

from .intervals import Estimate, bootstrap, bootstrap_means, nothing


class Position(msgspec.Struct, frozen=True):
    """Shares of the gain over random owed to search and to learning, and that gain itself.

    Shares sum to 1. They are NaN where the gain's interval reaches 0: random has no position.
    """

    search_share: Estimate
    learning_share: Estimate
    total: Estimate

    def __repr__(self) -> str:
        return (
            f"Position(search {self.search_share}, learning {self.learning_share}, "
            f"total {self.total})"
        )


def position(
    random: Any, search: Any, learned: Any, both: Any, *, seed: int = 0, level: float = 0.95
) -> Position:
    """Position from paired scores [n] or [seeds, n] on the same items.

    `random` has both parts off, `search` the learned parts off, `learned` the search off. A part
    that a decider lacks is off whatever one does: a network alone has search = random and
    both = learned. Samples without training seeds are taken as the same for every seed.
    """
    gain = np.asarray(both, float) - np.asarray(random, float)
    total = bootstrap(gain, seed=seed, level=level, bounds=_range(random, search, learned, both))
    if not (total.low > 0 or total.high < 0):
        n = total.n
        return Position(nothing(n), nothing(n), total)
    by_search, by_learning = bootstrap_means(
        _shares, random, search, learned, both, seed=seed, level=level
    )
    return Position(by_search, by_learning, total)


def shapley(
    random: Any, search: Any, learned: Any, both: Any
) -> tuple[np.ndarray | float, np.ndarray | float]:
    """(search, learning): each part's mean marginal gain over both orders of adding it."""
    by_search = ((search - random) + (both - learned)) / 2
    by_learning = ((learned - random) + (both - search)) / 2
    return by_search, by_learning


def _shares(means: np.ndarray) -> np.ndarray:
    values = np.stack(shapley(*means.T), -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return values / values.sum(-1, keepdims=True)


def _range(*scores: Any) -> tuple[float, float]:
    """The widest gain that scores like these allow."""
    pooled = np.concatenate([np.ravel(np.asarray(s, float)) for s in scores])
    width = float(np.ptp(pooled)) if pooled.size else 0.0
    return -width, width
