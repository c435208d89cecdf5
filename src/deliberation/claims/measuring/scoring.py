"""Putting deciders through an exam: what they choose at each budget, and what that costs."""

from typing import Any

import jax
import numpy as np

from ...core import clock
from ...core.decider import Decider
from ...core.keys import named_key
from ...core.ledger import Ledger
from ...core.play import rollout
from ...core.task import State, Task
from ...core.witness.watching import saying, unwatched
from ...runs import Column, Context, Outcome
from ...tasks import make_task
from . import subjects
from .exams import read_positions
from .split import take

CHUNK = 128
"""Positions decided at a time: few enough that their trees stay in the cache, and one size, so
that a worker compiles each search once."""

TIMED = 8
"""So many times that an interval of their median is known."""


def score(settings: dict[str, Any], context: Context) -> Outcome:
    """What a subject chooses on every position at every budget, against the exact answers.

    Columns have a row a budget and an entry a position: `way` (1 - regret / stake, so that the
    mean is the share of the way from random play, 0, to the optimum, 1), `action`, and what each
    decision spent, by its own word. `milliseconds` are measured from outside, of a decision in
    batches of `CHUNK`, once a batch and at least `TIMED` times (unless it is not to be `timed`);
    `low` is the lowest way. Random play is not asked: its expectation is worked out.
    """
    task = make_task(settings["task"])
    states, values = read_positions(context.artefact(settings["positions"]), task)
    exam = context.outcomes(settings["positions"])
    if settings["subject"].endswith(":random"):
        return _outcome([_chance(values, exam)], exam, "position")
    decider, keys = _subject(settings, context, task), _keys(settings)
    budgets, times_least = settings["budgets"], TIMED if settings.get("timed", True) else 0
    _warm_up(decider, states, budgets, len(values), keys)
    rows, spent, asked = [], Ledger(), 0
    for budget in budgets:
        if asked:
            context.tell(asked / (sum(budgets) + len(budgets)))
        asked += budget + 1
        action, cost, times = _choose(decider, states, budget, len(values), keys, times_least)
        rows.append(_row(action, values, exam, cost, times))
        spent = spent + cost.total()
    return _outcome(rows, exam, "position", spent)


def play(settings: dict[str, Any], context: Context) -> Outcome:
    """Whole episodes of a subject at every budget, from the same first states.

    Columns as of `score`, an entry an episode: `way` is (return - random) / (optimum - random),
    or the return itself where no optimum is known; costs are means over the episode's decisions.
    """
    task = make_task(settings["task"])
    exam = context.outcomes(settings["scale"])
    decider, count = _subject(settings, context, task), settings["episodes"]
    key = named_key(jax.random.key(settings["key"]), "episodes")
    rows, spent = [], Ledger()
    for budget in _compiling(decider, settings["budgets"]):  # so that times are of deciding
        with unwatched():
            rollout(decider.task, decider, key=key, batch=count, budget=budget)
    for budget in settings["budgets"]:
        started = clock.now()
        # A decider that is shown what it has seen plays the task with that memory.
        with saying(f"{budget} simulations a decision", within=decider.task is not task):
            played = rollout(decider.task, decider, key=key, batch=count, budget=budget)
        seconds = clock.now() - started
        decisions = max(int(played.lengths.sum()), 1)
        cost = played.spent[0].total()
        each = {
            "model_steps": cost.model_steps, "evaluations": cost.network_evaluations,
            "flops": cost.flops,
        }  # fmt: skip
        way = _way(np.asarray(played.returns[:, 0], float), exam)
        same: dict[str, Any] = {
            name: np.full(count, float(amount or 0) / decisions, np.float32)
            for name, amount in each.items()
        }
        same["milliseconds"] = [1e3 * seconds / decisions]
        rows.append({"way": way.astype(np.float32), **same})
        spent = spent + cost
    return _outcome(rows, exam, "episode", spent)


def _way(returns: np.ndarray, exam: dict[str, Any]) -> np.ndarray:
    if exam["optimum"] is None:
        return returns
    return (returns - exam["random"]) / (exam["optimum"] - exam["random"])


def _subject(settings: dict[str, Any], context: Context, task: Task) -> Decider:
    folder = None
    if settings["policy"] is not None:
        folder = context.artefact(settings["policy"])
        if settings["rung"] is not None:
            folder = folder / "snapshots" / str(settings["rung"])
    return subjects.make(settings["subject"], task, folder, settings["options"])


def _keys(settings: dict[str, Any]) -> jax.Array:
    """Of this subject and no other: deciders that draw must not draw alike."""
    named = named_key(jax.random.key(settings["key"]), settings["subject"])
    return named_key(named, str(settings["policy"]))


def _warm_up(decider: Decider, states: State, budgets: list[int], n: int, key: jax.Array) -> None:
    """Compile on one chunk, so that times are of deciding."""
    for budget in _compiling(decider, budgets):
        _choose(decider, states, budget, min(n, CHUNK), key)


def _compiling(decider: Decider, budgets: list[int]) -> list[int]:
    """The budgets for which something is compiled: one, and each beyond the capacity of trees."""
    room = getattr(decider, "capacity", max(budgets))
    return [budgets[0], *(b for b in budgets[1:] if b > room)]


def _choose(
    decider: Decider, states: State, budget: int, n: int, key: jax.Array, least: int = 0
) -> tuple[np.ndarray, Ledger, np.ndarray]:
    """Actions, costs and wall seconds of all positions, a chunk at a time, each with its own key.

    The costs are the decider's own word; the seconds are measured here, one a batch, the last batch
    asked again until there are the `least` of them.
    """
    keys = jax.random.split(key, n)
    actions, parts, times = [], [], []
    asked, rows = states, np.arange(0)
    for start in range(0, n, CHUNK):
        # The last chunk is filled up with copies, so that one shape is compiled.
        rows = np.resize(np.arange(start, min(start + CHUNK, n)), CHUNK)
        real = min(CHUNK, n - start)
        asked = take(states, rows)
        started = clock.now()
        decision, _ = decider.decide(asked, decider.begin(CHUNK), budget=budget, key=keys[rows])
        jax.block_until_ready(decision)
        times.append((clock.now() - started) / CHUNK)
        actions.append(np.asarray(decision.action)[:real])
        parts.append(jax.tree.map(lambda x, r=real: np.asarray(x)[:r], decision.spent))
    while len(times) < least and n > 1:
        started = clock.now()
        again, _ = decider.decide(asked, decider.begin(CHUNK), budget=budget, key=keys[rows])
        jax.block_until_ready(again)
        times.append((clock.now() - started) / CHUNK)
    spent = jax.tree.map(lambda *x: np.concatenate(x), *parts)
    return np.concatenate(actions), spent, np.array(times)


def _row(
    action: np.ndarray, values: np.ndarray, exam: dict[str, Any], cost: Ledger, times: np.ndarray
) -> dict[str, Any]:
    regret = np.nanmax(values, 1) - values[np.arange(len(values)), action]
    return {
        "way": (1 - regret / exam["stake"]).astype(np.float32),
        "action": action.astype(np.int32),
        "model_steps": np.asarray(cost.model_steps, np.float32),
        "evaluations": np.asarray(cost.network_evaluations, np.float32),
        "flops": np.asarray(cost.flops, np.float32),
        "milliseconds": (1e3 * times).tolist(),
    }


def _chance(values: np.ndarray, exam: dict[str, Any]) -> dict[str, Any]:
    regret = np.nanmax(values, 1) - np.nanmean(values, 1)
    return {"way": (1 - regret / exam["stake"]).astype(np.float32), "milliseconds": []}


UNITS = {
    "way": "of the way",
    "action": "number of the action",
    "model_steps": "steps a decision",
    "evaluations": "forward passes a decision",
    "flops": "operations a decision",
}
"""What columns are in; each has an axis of budgets, and one of positions or episodes."""


def _outcome(
    rows: list[dict[str, Any]], exam: dict[str, Any], item: str, spent: Ledger | None = None
) -> Outcome:
    """A row a budget: arrays as columns, the few times as they are."""
    columns = {
        name: Column(np.array([row[name] for row in rows]), ("budget", item), UNITS[name])
        for name in rows[0]
        if name in UNITS
    }
    told = {"low": exam["low"], "milliseconds": [row["milliseconds"] for row in rows]}
    return Outcome(told, (spent or Ledger()).as_dict(), columns)
