"""What a cell of the zoo does: make the decider, and play it with each of its parts switched off.

Where two play, the other seat is played at random and the decider takes each seat half the time.
"""

import functools
import json
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from ..core.budget import Budget
from ..core.decider import Decider
from ..core.errors import TooLargeError, UnsuitableTaskError
from ..core.ledger import Ledger
from ..core.play import rollout
from ..core.task import Task
from ..core.uniform import UniformRandom
from ..direct import optimal_return, return_against_random
from ..runs import Context, Outcome
from ..tasks import make_task
from .registry import entry

Effort = Budget | int | None


def measure(settings: dict[str, Any], context: Context) -> Outcome:
    """Returns of the decider, of its parts and of random play, from the same first states.

    Outcomes: `scores` (a list of returns for each of `random`, `search`, `learned`, `both`), their
    `range` (the least and the greatest there can be, null where unknown),
    `optimum` (one for each episode, one for all, or null where no exact one is known), and what
    all `decisions` of the whole decider `spent`. Or `refused`, why an entry cannot treat a task
    that it was asked for and is not meant for.
    """
    del context
    try:
        return _measured(settings)
    except (UnsuitableTaskError, TooLargeError) as error:
        if not settings.get("asked"):
            raise  # an entry on a task that it is meant for
        return Outcome({"refused": str(error)})


def _measured(settings: dict[str, Any]) -> Outcome:
    task = make_task(settings["task"], **settings["options"])
    key = jax.random.key(settings["seed"])
    made = entry(settings["entry"]).build(task, settings["effort"], jax.random.fold_in(key, 1))
    random = UniformRandom(task)
    play = functools.partial(_play, task, episodes=settings["episodes"], key=key)
    # Once for nothing: whatever is to be compiled is by the time that the clock counts.
    play(made.decider, made.budget)
    both, spent, decisions = play(made.decider, made.budget)
    scores = {"random": play(random, None)[0], "both": both}
    for name, part, budget in (
        ("search", made.searching, made.budget),
        ("learned", made.learned, 0),
    ):
        if part is None:
            scores[name] = scores["random"]
        else:
            scores[name] = both if part is made.decider else play(part, budget)[0]
    return Outcome(
        {
            "scores": {name: score.tolist() for name, score in scores.items()},
            "optimum": _optimum(task, settings, key),
            "range": _range(task),
            "decisions": decisions,
            "spent": spent.as_dict(),
            "trained": made.trained.as_dict(),
        },
        (made.trained + spent).as_dict(),
    )


def _play(
    task: Task, decider: Decider, budget: Effort, *, episodes: int, key: Key[Array, ""]
) -> tuple[np.ndarray, Ledger, int]:
    """Returns [episodes], what the decider spent, and how many decisions that bought."""
    if task.traits.players == 1:
        played = rollout(task, decider, key=key, batch=episodes, budget=budget)
        return played.returns[:, 0], played.spent[0], int(played.lengths.sum())
    returns, spent, decisions = [], Ledger(), 0
    for seat in range(2):
        seats: list[Decider] = [UniformRandom(task)] * 2
        budgets: list[Effort] = [None] * 2
        seats[seat], budgets[seat] = decider, budget
        played = rollout(
            task, seats, key=jax.random.fold_in(key, seat), batch=episodes // 2, budget=budgets
        )
        returns.append(played.returns[:, seat])
        spent = spent + played.spent[seat]
        decisions += int(played.turns[:, seat].sum())
    return np.concatenate(returns), spent, decisions


def _range(task: Task) -> list[float] | None:
    low, high = task.objective.bounds
    return [low, high] if np.isfinite([low, high]).all() else None


_OPTIMA: dict[str, float | None] = {}


def _optimum(
    task: Task, settings: dict[str, Any], key: Key[Array, ""]
) -> list[float] | float | None:
    """The best expected return: by a formula for the states played, or by dynamic programming.

    Where two play, against the random opponent that is played, as the mean of both seats.
    """
    # The first states of `rollout` under the same key.
    keys = jax.random.split(jax.random.split(key)[1], settings["episodes"])
    best = np.asarray(jax.vmap(lambda k: task.objective.optimum(task.init(k)))(keys))
    if np.isfinite(best).all():
        return best.tolist()
    name = json.dumps([settings["task"], settings["options"]], sort_keys=True)
    if name not in _OPTIMA:
        if task.traits.players == 1:
            _OPTIMA[name] = optimal_return(task)
        else:
            seats = return_against_random(task)
            _OPTIMA[name] = None if seats is None else float(np.mean(seats))
    return _OPTIMA[name]
