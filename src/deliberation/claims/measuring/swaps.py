"""Another objective handed over at decision time: positions where it matters, and who follows."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import UnsuitableTaskError
from ...core.keys import named_key
from ...core.objective import Objective, misere
from ...core.task import Task
from ...runs import Context, Outcome
from ...tasks import make_task
from ...tasks.grids import Features, Gridworld, limits, marked
from . import subjects
from .asking import ask, batch_free, ways
from .exams import exact_values, keep_positions, read_positions, scale_of, stakes
from .split import held_out, one_each, take

OWN, OTHER = "own", "other"
"""The objective that a task has, and the one that is handed over instead."""
SAID = {
    (OWN, OWN): "told its own objective, judged by it",
    (OWN, OTHER): "told its own objective, judged by another",
    (OTHER, OWN): "told another objective, judged by its own",
    (OTHER, OTHER): "told another objective, judged by that",
}


def swapped(task: Task) -> Objective:
    """An objective of the same kind under which what was good is bad.

    In a gridworld goal and pit exchange their rewards (where there is no pit, the goal punishes
    what it paid); elsewhere all rewards are negated, so that in a game losing is winning.
    """
    if not isinstance(task, Gridworld):
        return misere(task.objective)
    weights = task.usual_weights.copy()
    if marked(task.map, "P").any():
        weights[[1, 2]] = weights[[2, 1]]
    else:
        weights[1] = -weights[1]
    return Features(task, jnp.asarray(weights), limits(weights, task.limit))


def find_swapped(settings: dict[str, Any], context: Context) -> Outcome:
    """Positions with each action's exact value under the task's objective and under the other.

    At most `count`, of the third that nothing is trained on, and such that it matters under either
    objective what is done. `share` is the part of all positions of which the latter is true.
    """
    task = make_task(settings["task"])
    states, own, spent = exact_values(settings["task"], task)
    _, other, more = exact_values(settings["task"], task, swapped(task))
    matters = _contested(own) & _contested(other)
    rows = np.flatnonzero(matters)
    if len(rows):
        rows = rows[held_out(task, take(states, rows))]
    if len(rows) and not settings.get("every"):
        rows = rows[one_each(task, take(states, rows))]
    if len(rows) < 2:
        raise UnsuitableTaskError(
            f"In {task!r} hardly a position is left where it matters both under its own objective "
            "and under another one what is done."
        )
    if len(rows) > settings["count"]:
        rng = np.random.default_rng(0)
        rows = np.sort(rng.choice(rows, settings["count"], replace=False))
    states = take(states, rows)
    keep_positions(context.folder, states, own=own[rows], other=other[rows])
    told = {"count": len(rows), "share": float(matters.mean())}
    low = {name: scale_of(x[rows])["low"] for name, x in ((OWN, own), (OTHER, other))}
    return Outcome({**told, "low": low}, (spent + more).as_dict())


def _contested(values: np.ndarray) -> np.ndarray:
    return stakes(values) > 1e-6 * max(np.nanmax(np.abs(values)), 1e-30)


def both_values(folder: Path, task: Task) -> tuple[Any, dict[str, np.ndarray]]:
    """Kept positions, and their action values by one objective and by the other."""
    states, own = read_positions(folder, task, OWN)
    return states, {OWN: own, OTHER: read_positions(folder, task, OTHER)[1]}


def follow(settings: dict[str, Any], context: Context) -> Outcome:
    """What a subject chooses when told one objective or the other, judged by both.

    Outcomes: `way[told][judged]` is [policies, positions], `kept` [policies, positions] whether the
    answer stayed the same (1 or 0), and `batches` as of `batch_free`, of the first policy.
    """
    task = make_task(settings["task"])
    states, values = both_values(context.artefact(settings["positions"]), task)
    objectives = {OWN: None, OTHER: swapped(task)}
    key, budget = named_key(jax.random.key(settings["key"]), settings["subject"]), None
    if settings["budget"]:
        budget = settings["budget"]
    way: dict[str, dict[str, list]] = {told: {judged: [] for judged in values} for told in values}
    kept, batches = [], {}
    for policy in settings["policies"] or [None]:
        at = None if policy is None else context.artefact(policy)
        decider = subjects.make(settings["subject"], task, at, {})
        chosen = {
            told: ask(decider, states, key, objective=objective, budget=budget)
            for told, objective in objectives.items()
        }
        for told, answers in chosen.items():
            for judged, of in values.items():
                said = SAID[told, judged]
                way[told][judged].append(ways(of, answers, said).tolist())
        kept.append((chosen[OWN].action == chosen[OTHER].action).astype(float).tolist())
        batches = batches or batch_free(decider, states, key, budget)
    return Outcome({"way": way, "kept": kept, "batches": batches})
