"""What deciders are examined on: positions whose every action has a known value, and episodes."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from ...core import clock
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import State, Task
from ...core.witness.watching import saying
from ...direct import optimal_return, solve, uniform_return, value_iteration
from ...runs import Column, Context, Outcome
from ...tasks import make_task
from ...tasks.board.solved import solved_connect_four
from ...tasks.grids import ContinuousGridworld
from .about import MOST_STATES
from .split import held_out, one_each, take

CONTESTED, ANY, ALL = "contested", "any", "all"
"""Which positions: where it matters what is done and nothing was taught; any; images too."""
MANY_STATES = 100_000
"""Plenty to draw from; evenly spaced, they keep the mix of plies."""


def find_positions(settings: dict[str, Any], context: Context) -> Outcome:
    """At most `count` unfinished positions with each action's exact value for the player to move.

    Values are returns still to come; NaN where illegal. Connect Four's (the signs of its scores)
    come with the package, games of two are solved, worlds of one player go through dynamic
    programming. `which` is "contested" (the actions are not all worth the same; from the third of
    positions that no imitator is taught on, though play against oneself may meet them) or "any",
    one of each class: up to symmetry, and at one time only; or "all", where positions are not the
    units of a statement but something to learn from. `stakes` are what separates random play from
    the best in each, `choices` how many actions there are; `stake` is the mean. `different` is how
    many classes the task has: null where its states were too many to be looked at, or are only
    some, or it was not asked for.
    """
    task = make_task(settings["task"])
    states, values, spent = exact_values(settings["task"], task)
    rows, different = np.arange(len(values)), None
    if settings["which"] == CONTESTED:
        whole = len(values) < MANY_STATES and spent.model_steps is not None
        different = len(one_each(task, states)) if whole else None
        rows = np.flatnonzero(stakes(values) > 1e-6 * max(np.nanmax(np.abs(values)), 1e-30))
        rows = rows[held_out(task, take(states, rows))]
    if settings["which"] != ALL:
        rows = rows[one_each(task, take(states, rows))]
    if len(rows) > settings["count"]:
        rng = np.random.default_rng(0)
        rows = np.sort(rng.choice(rows, settings["count"], replace=False))
    states, values = take(states, rows), values[rows]
    keep_positions(context.folder, states, values=values)
    told = {"count": len(values), "actions": task.traits.actions, **scale_of(values)}
    told["different"] = different
    each = Column(stakes(values).astype(np.float32), ("position",), "return")
    legal = (~np.isnan(values)).sum(1).astype(np.int32)
    choices = Column(legal, ("position",), "legal actions")
    return Outcome(told, spent.as_dict(), {"stakes": each, "choices": choices})


def stakes(values: Float[np.ndarray, "n actions"]) -> Float[np.ndarray, " n"]:
    """What separates a random action from the best one."""
    return np.nanmax(values, 1) - np.nanmean(values, 1)


def scale_of(values: Float[np.ndarray, "n actions"]) -> dict[str, float]:
    """The mean stake, and the lowest that a choice can score: 1 - the largest regret / stake."""
    stake = float(stakes(values).mean())
    worst = float((np.nanmax(values, 1) - np.nanmin(values, 1)).max())
    return {"stake": stake, "low": 1.0 - worst / stake}


def exact_values(
    name: str, task: Task, objective: Objective | None = None
) -> tuple[State, np.ndarray, Ledger]:
    """Unfinished states (NumPy), each action's value (NaN where illegal), and what that cost.

    Under another objective the states are the same, in the same order; not of Connect Four, whose
    solved positions come with the package for its own objective alone.
    """
    if name == "connect_four":
        solved = solved_connect_four()
        values = np.sign(solved.action_scores)
        return (
            jax.tree.map(np.asarray, solved.states),
            values.astype(np.float32),
            Ledger(None, 0, 0, 0, 0, None),
        )
    if task.traits.players == 1:
        table = value_iteration(task, objective, max_states=10 * MOST_STATES)
        ended = ~np.isfinite(table.action_values).any(1)
        rows = np.flatnonzero(~ended & np.asarray(~jax.vmap(task.terminated)(table.states)))
        rows = rows[
            np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MANY_STATES)).astype(int))
        ]
        states = take(jax.tree.map(np.asarray, table.states), rows)
        values = table.action_values[rows]
        return states, np.where(np.isfinite(values), values, np.nan), table.spent
    solution = solve(task, objective)
    layers = [layer for layer in solution if not layer.terminal.all()]
    live = [
        jax.tree.map(lambda x, keep=~layer.terminal: np.asarray(x)[keep], layer.states)
        for layer in layers
    ]
    states = jax.tree.map(lambda *x: np.concatenate(x), *live)
    count = len(jax.tree.leaves(states)[0])
    rows = np.unique(np.linspace(0, count - 1, min(count, MANY_STATES)).astype(int))
    states = take(states, rows)
    values = solution.action_values(states)
    return states, np.where(np.isfinite(values), values, np.nan), solution.spent


def best_actions(values: Float[np.ndarray, "n actions"]) -> Bool[np.ndarray, "n actions"]:
    """Which actions are worth as much as the best."""
    best = np.nanmax(values, axis=1, keepdims=True)
    return values >= best - 1e-6 * np.maximum(np.abs(best), 1e-30)


def keep_positions(folder: Path, states: State, **arrays: np.ndarray) -> None:
    """Leave states, and arrays with a row for each of them, for other cells to read."""
    leaves = {f"state{i}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(states))}
    np.savez(folder / "positions.npz", allow_pickle=False, **arrays, **leaves)


def read_positions(folder: Path, task: Task, column: str = "values") -> tuple[State, np.ndarray]:
    """States that `keep_positions` left (NumPy), and one of the arrays beside them."""
    with np.load(folder / "positions.npz", allow_pickle=False) as data:
        shape = jax.eval_shape(task.init, jax.random.key(0))
        leaves = [data[f"state{i}"] for i in range(len(jax.tree.leaves(shape)))]
        return jax.tree.unflatten(jax.tree.structure(shape), leaves), data[column]


def find_scale(settings: dict[str, Any], context: Context) -> Outcome:
    """What random play and the best play earn, in a task whose episodes are played whole.

    `optimum` is one number, the expected return of the best play, or null where nobody knows;
    `random` the mean of random play, exact where it can be worked out, else with its standard
    `error` over `count` episodes. `low` is as in `find_positions`.
    """
    del context
    from ...core.play import rollout
    from ...core.uniform import UniformRandom

    task = make_task(settings["task"])
    key, count = jax.random.key(settings["seed"]), settings["count"]
    mean, error = uniform_return(task), 0.0
    if mean is None:
        with saying("random play"):
            played = rollout(task, UniformRandom(task), key=key, batch=count).returns[:, 0]
        mean, error = float(played.mean()), float(played.std(ddof=1) / count**0.5)
    optimum = _optimum(task, key, count)
    low, high = task.objective.bounds
    known = optimum is not None and np.isfinite([low, high]).all()
    lowest = 1 - (optimum - low) / (optimum - mean) if known and optimum is not None else None
    return Outcome({"random": mean, "error": error, "optimum": optimum, "low": lowest})


def _optimum(task: Task, key: Key[Array, ""], count: int) -> float | None:
    """By the objective's own formula (the mean over first states), or by listing what there is.

    That is dynamic programming, or the shortest way where steps have any length.
    """
    starts = jax.vmap(task.init)(jax.random.split(key, count))
    best = np.asarray(jax.vmap(task.objective.optimum)(starts))
    if np.isfinite(best).all():
        return float(best.mean())
    return _shortest_way(task) if isinstance(task, ContinuousGridworld) else optimal_return(task)


def _shortest_way(task: ContinuousGridworld) -> float | None:
    """The return of the fewest steps to the exit, where nothing else is worth anything on a map."""
    steps = None if set(task.map) & set("P~") else task.fewest_steps()
    return None if steps is None else task.goal_reward + task.step_reward * steps


def find_price(settings: dict[str, Any], context: Context) -> Outcome:
    """What one step of the rules costs: `flops`, as the compiler counts them, and `nanoseconds`.

    A step is an action's outcome, its reward, and what is legal and over afterwards; the time is
    the median of several batches, on this machine. It prices the model steps of searches and of
    training in the same currency as networks.
    """
    del context
    task, batch, repeats = make_task(settings["task"]), 1024, 21
    states = jax.vmap(task.init)(jax.random.split(jax.random.key(0), batch))
    keys = jax.random.split(jax.random.key(1), batch)
    traits = task.traits
    low = jnp.zeros((batch, *traits.shape), jnp.float32)
    first = jnp.argmax(jax.vmap(task.legal)(states), axis=1) if traits.discrete else low

    def step(state: State, action: Array, key: Key[Array, ""]) -> Any:
        after = task.advance(state, action, key)
        ended = task.legal(after), task.terminated(after)
        return after, task.objective(state, action, after), ended

    compiled = jax.jit(jax.vmap(step)).lower(states, first, keys).compile()
    found: Any = compiled.cost_analysis() or {}
    times = []
    for _ in range(repeats):
        began = clock.now()
        jax.block_until_ready(compiled(states, first, keys))
        times.append(clock.now() - began)
    flops = float(found.get("flops", 0.0)) / batch
    return Outcome({"flops": flops, "nanoseconds": 1e9 * float(np.median(times)) / batch})
