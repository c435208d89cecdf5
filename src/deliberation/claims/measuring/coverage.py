"""Networks that saw a part of the positions only, and what they do in those that nobody saw."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from ...amortised import Dataset, NetworkPolicy
from ...core.ledger import Ledger
from ...core.task import State, Task
from ...runs import Context, Outcome
from ...tasks import make_task
from .asking import ask, ways
from .exams import best_actions, read_positions
from .split import SHARE, classes, take
from .teaching import best_fit


def cover(settings: dict[str, Any], context: Context) -> Outcome:
    """Networks fitted to the exact answers in a share of the positions that may be taught.

    All are fitted to `count` examples, repeated where there are fewer positions, so that shares
    differ in what they cover and not in how much is shown. Each seed draws its own classes of
    positions, nested over shares. `way` [seeds, positions] is that of the exam's positions, none of
    which was taught, `covered` the mean number of different positions that were.
    """
    task = make_task(settings["task"])
    lesson = read_positions(context.artefact(settings["lesson"]), task)
    states, values = read_positions(context.artefact(settings["positions"]), task)
    way, covered, spent = [], [], Ledger()
    for seed in settings["seeds"]:
        rows, different = covered_rows(task, lesson[0], settings["share"], settings["count"], seed)
        examples = exact_lesson(task, take(lesson[0], rows),
                                lesson[1][rows])  # fmt: skip
        told = {**settings, "seed": seed}
        fitted = best_fit(task, examples, told, symmetric=True)
        chosen = ask(NetworkPolicy(task, fitted.network), states, jax.random.key(seed))
        way.append(ways(values, chosen).tolist())
        covered.append(different)
        spent = spent + fitted.ledger
    return Outcome({"way": way, "covered": float(np.mean(covered))}, spent.as_dict())


def covered_rows(
    task: Task, states: State, share: float, count: int, seed: int
) -> tuple[Int[np.ndarray, " count"], int]:
    """Rows of `count` examples from a share of the classes that may be taught, and how many differ.

    One row of each class, repeated where there are fewer. The first eighth, which a fit sets aside,
    holds other classes than the rest.
    """
    rng = np.random.default_rng(seed)
    kind = classes(task, states)
    may = np.unique(kind[kind % SHARE != 0])
    seen = rng.permutation(may)[: max(round(share * len(may)), 2)][:count]
    kept = rng.permutation(len(kind))
    _, first = np.unique(kind[kept], return_index=True)
    row_of = dict(zip(kind[kept[first]].tolist(), kept[first].tolist(), strict=True))
    rows = np.array([row_of[k] for k in seen.tolist()])
    aside, few = count // 8, max(len(rows) // 8, 1)
    parts = np.resize(rows[:few], aside), np.resize(rows[few:], count - aside)
    return np.concatenate(parts), len(rows)


def exact_lesson(task: Task, states: State, values: Float[np.ndarray, "n actions"]) -> Dataset:
    """The best actions, all alike, and the best value of each position."""
    best = best_actions(values).astype(np.float32)
    return Dataset.of(
        jax.vmap(task.observe)(states), jnp.asarray(~np.isnan(values)),
        jnp.asarray(best / best.sum(1, keepdims=True)),
        jnp.asarray(np.nanmax(values, 1).astype(np.float32)),
    )  # fmt: skip
