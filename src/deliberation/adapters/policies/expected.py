"""Whether a policy scores here what its owner says: otherwise something was lost on the way."""

import dataclasses
import math
from typing import TypeVar

import jax
import numpy as np

from ...core.decider import Decider
from ...core.errors import UnreproducedScoreError, WrongKindError
from ...core.play import rollout
from ...core.task import Task
from ...core.uniform import UniformRandom
from ...stats.intervals import t_quantile

Adapted = TypeVar("Adapted", bound=Decider)
_LEVEL = 0.99
_USUAL = (
    "The usual causes: statistics of normalisation that were left behind (`vec_normalize=`), a "
    "module in training mode, other wrappers (frames stacked or skipped, observations scaled), "
    "actions drawn where the owner takes the best (`deterministic=`), another version of the "
    "environment, or a mean of shaped or clipped rewards"
)


@dataclasses.dataclass(frozen=True)
class Score:
    """The mean return of an episode, by the task's own rewards, as its owner tells it.

    `mean` is that mean and `std` the standard deviation of single episodes' returns that belongs
    to it, over `episodes` (what `evaluate_policy` of stable-baselines3 prints); without it, the
    mean counts as exact. `tolerance` is how far off the truth may be for all that: by default 5 %
    of the mean. `played` episodes are played to tell, against `against` where several play (random
    play by default), from every seat alike.
    """

    mean: float | int
    std: float | int = 0.0
    episodes: int = 100
    tolerance: float | int | None = None
    played: int = 64
    against: Decider | None = None

    def __post_init__(self) -> None:
        numbers = (self.mean, self.std, self.tolerance or 0.0)
        good = all(math.isfinite(x) for x in numbers) and min(numbers[1:]) >= 0
        if not good or self.episodes < 1 or self.played < 2:
            raise WrongKindError(
                f"{self!r} is no score: mean, std and tolerance are finite, the last two at least "
                "0, with at least 1 episode, and 2 played."
            )


def reproduced(decider: Adapted, expect: Score | float | int | None) -> Adapted:
    """The decider, once it has scored what is expected of it.

    Raises `UnreproducedScoreError` where what was measured, with its interval, rules that out. A
    right score is refused one time in a hundred, where the tolerance is 0.
    """
    if expect is None:
        return decider
    if not isinstance(expect, Score | float | int | np.floating | np.integer):
        raise WrongKindError(
            f"expect={expect!r} is no score: give the owner's mean return as a number, or a Score."
        )
    wanted = expect if isinstance(expect, Score) else Score(float(expect))
    returns = _returns(decider.task, decider, wanted)
    own, theirs = returns.std(ddof=1) / len(returns) ** 0.5, wanted.std / wanted.episodes**0.5
    reach = t_quantile(_LEVEL, len(returns) - 1) * math.hypot(own, theirs)
    slack = 0.05 * abs(wanted.mean) if wanted.tolerance is None else wanted.tolerance
    mean = float(returns.mean())
    if abs(mean - wanted.mean) <= reach + slack:
        return decider
    raise UnreproducedScoreError(
        f"{decider!r} scores {mean:.4g} [{mean - reach:.4g}, {mean + reach:.4g}] in "
        f"{len(returns)} episodes (the interval holds in {_LEVEL:.0%}), and its owner's score is "
        f"{wanted.mean:.4g}, give or take {slack:.4g}: this is not the policy that the owner "
        f"runs. {_USUAL}."
    )


def _returns(task: Task, decider: Decider, wanted: Score) -> np.ndarray:
    """Returns of the decider's episodes, from every seat in turn."""
    players = task.traits.players
    if players == 1:
        return rollout(task, decider, key=jax.random.key(0), batch=wanted.played).returns[:, 0]
    against = UniformRandom(task) if wanted.against is None else wanted.against
    each, found = max(wanted.played // players, 1), []
    for seat in range(players):
        seats = [decider if p == seat else against for p in range(players)]
        own = jax.random.fold_in(jax.random.key(0), seat)
        found.append(rollout(task, seats, key=own, batch=each).returns[:, seat])
    return np.concatenate(found)
