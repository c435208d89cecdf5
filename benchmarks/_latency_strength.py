"""Whether simulations side by side play as well as one after the other, in Connect Four."""

import time
from typing import Any

import jax
import numpy as np
from _search_contestants import openings
from _search_spiel import uct

from deliberation.core import rollout
from deliberation.direct import TreeSearch
from deliberation.stats import bootstrap
from deliberation.tasks import make_task

SIMULATIONS, LANES = 400, 16
PLIES = 6
"""Random moves before the match begins; each opening is played with both colours."""


def strengths(pairs: int) -> dict[str, Any]:
    """The score of the lanes at equal simulations, and at the simulations of equal time."""
    task = make_task("connect_four")
    lanes = uct(task, 8 * SIMULATIONS, solve=False, lanes=LANES)
    alone = uct(task, SIMULATIONS, solve=False)
    start, _ = openings(task, np.zeros(1, np.int32) + PLIES)
    taken: dict[str, list[float]] = {"lanes": [], "alone": []}
    for turn in range(12):
        for name, search in (("lanes", lanes), ("alone", alone)):
            began = time.perf_counter()
            search.decide(start, budget=SIMULATIONS, key=jax.random.key(turn))
            taken[name].append(time.perf_counter() - began)
    # The least of each: what else runs on the machine counts for neither.
    seconds = {name: min(each) for name, each in taken.items()}
    # In the time of the one, as many simulations of the other, at most as many as there is room.
    more = min(int(SIMULATIONS * seconds["alone"] / seconds["lanes"]), 8 * SIMULATIONS)
    return {
        "simulations": [SIMULATIONS, SIMULATIONS, more],
        "lanes": LANES,
        "equal simulations": match(lanes, SIMULATIONS, alone, pairs),
        "equal time": match(lanes, more, alone, pairs),
    }


def match(one: TreeSearch, simulations: int, other: TreeSearch, pairs: int) -> dict[str, Any]:
    """Mean score of the first, from 0 to 1; an opening in both colours is one observation."""
    task = one.task
    state, _ = openings(task, np.full(pairs, PLIES), seed=11)
    scores = []
    for seat in (0, 1):
        seats, budgets = [one, other], [simulations, SIMULATIONS]
        order = slice(None, None, 1 - 2 * seat)
        episodes = rollout(
            task, seats[order], key=jax.random.key(seat), state=state, budget=budgets[order]
        )
        scores.append((episodes.returns[:, seat] + 1) / 2)
    found = bootstrap(np.mean(scores, axis=0), bounds=(0.0, 1.0))
    return {
        "score": found.estimate, "low": found.low, "high": found.high, "games": 2 * pairs,
    }  # fmt: skip
