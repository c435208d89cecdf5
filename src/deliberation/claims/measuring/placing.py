"""Putting any system through the same switches, blind: less thought, and another objective."""

from typing import Any

import jax
import numpy as np

from ...core.decider import Decider
from ...core.errors import DeliberationError
from ...core.keys import named_key
from ...core.objective import Objective
from ...core.task import State
from ...core.witness.watching import unwatched
from ...runs import Context, Outcome
from ...tasks import make_task
from ...zoo.registry import entry
from .asking import ask, ways
from .swaps import OTHER, OWN, both_values, swapped

FOLLOWS, HABIT, MATTERS = 0.5, 0.5, 0.1
"""The rule, fixed beforehand: parts of the way, see `verdict`."""
SAID = {
    "own": "by its own objective",
    "thoughtless": "without thinking",
    "told": "told another objective, judged by it",
}
KINDS = ("direct", "amortised", "hybrid", "unclear")


def put_through(settings: dict[str, Any], context: Context) -> Outcome:
    """An entry of the zoo, made and trained, then asked with each switch on and off.

    Outcomes: `way`, an entry a position, under the names "own" (its own objective and budget),
    "thoughtless" (a budget of nothing) and "told" (another objective at its own budget, judged by
    that one); null where the decider refuses. Nothing else of the entry is looked at.
    """
    task = make_task(settings["task"])
    states, values = both_values(context.artefact(settings["positions"]), task)
    own, other = values[OWN], values[OTHER]
    key = named_key(jax.random.key(settings["seed"]), settings["entry"])
    with unwatched():
        made = entry(settings["entry"]).build(task, settings["effort"], named_key(key, "build"))
    context.tell(0.6)
    goal = swapped(task)
    asked: dict[str, tuple[np.ndarray, Objective | None, Any]] = {
        "own": (own, None, made.budget),
        "thoughtless": (own, None, 0),
        "told": (other, goal, made.budget),
    }
    found = {
        name: _way(
            made.decider, states, values, objective, budget, named_key(key, "ask"), SAID[name]
        )
        for name, (values, objective, budget) in asked.items()
    }
    return Outcome({"way": found}, made.trained.as_dict())


def _way(
    decider: Decider,
    states: State,
    values: np.ndarray,
    objective: Objective | None,
    budget: Any,
    key: jax.Array,
    said: str,
) -> list[float] | None:
    try:
        answers = ask(decider, states, key, objective=objective, budget=budget)
    except DeliberationError:  # what cannot be told, or cannot be asked without thinking
        return None
    return ways(values, answers, said).round(6).tolist()


def verdict(own: float, thoughtless: float | None, told: float | None) -> str:
    """Direct, amortised or hybrid, by what happened alone; the rule is fixed beforehand.

    A system *follows* if, told another objective, it goes half as far towards it as it goes
    towards its own; it has a *habit* if it goes half of its way without thinking. Who follows and
    either has no habit or gains nothing by thinking searches: direct. Who has a habit and does not
    follow is amortised. Who has a habit, follows, and gains by thinking is a hybrid. Who does not
    even choose better than at random by its own objective is not placed.
    """
    if not own > MATTERS:
        return "unclear"
    follows = told is not None and told >= FOLLOWS * own
    habit = thoughtless is not None and thoughtless >= HABIT * own
    gains = thoughtless is not None and own - thoughtless > MATTERS
    if follows:
        return "hybrid" if habit and gains else "direct"
    return "amortised" if habit else "unclear"
