"""Four shifts of a gridworld, as pairs of positions: one as before, its twin after the shift."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ...amortised import NetworkPolicy, evaluate, masked_softmax
from ...core.errors import UnsuitableTaskError
from ...core.keys import named_key
from ...core.objective import Objective
from ...core.task import State
from ...runs import Context, Outcome
from ...tasks import make_task
from ...tasks.grids import Gridworld, neighbours, places
from . import subjects
from .asking import Answers, ask, ways
from .exams import best_actions, keep_positions, read_positions, scale_of
from .split import take
from .swaps import swapped

BEFORE, START, DYNAMICS, OBSERVATION, REWARD = (
    "before",
    "start",
    "dynamics",
    "observation",
    "reward",
)
SHIFTS = (START, DYNAMICS, OBSERVATION, REWARD)
SAID = {
    BEFORE: "before any shift",
    START: "begun here, with all the time left",
    DYNAMICS: "a wall put up",
    OBSERVATION: "seen with noise",
    REWARD: "goal and pit exchanged",
}
NOISE = 0.25
"""Standard deviation of what is added to every number that is observed."""


def find_shifts(settings: dict[str, Any], context: Context) -> Outcome:
    """Contested positions and their twins after each shift, with the exact value of each action.

    "start": one begins in that cell, with all the time left, which never happened before.
    "dynamics": a wall goes up where the best action led; only positions are taken where it leaves a
    way from every start to every exit. "observation": what is seen is noisy. "reward": goal and pit
    exchange what they pay (see `swaps.swapped`). Outcomes: `count`, the `share` of the positions
    that were taken, and `low` as in `exams.find_positions`, by condition.
    """
    task = make_task(settings["task"])
    assert isinstance(task, Gridworld)
    states, values = read_positions(context.artefact(settings["positions"]), task)
    walls = _walls(task, states, values)
    taken = (walls >= 0) & ~np.isin(np.asarray(states.cell), places(task.map, "S"))
    if taken.sum() < 2:
        raise UnsuitableTaskError(f"In {task!r} no wall can go up without shutting an exit off.")
    states, values = take(states, taken), values[taken]
    twins = {BEFORE: (states, values), **_twins(task, states, values, walls[taken])}
    for name, (twin, worth) in twins.items():
        (context.folder / name).mkdir()
        keep_positions(context.folder / name, twin, values=worth)
    low = {name: scale_of(worth)["low"] for name, (_, worth) in twins.items()}
    return Outcome({"count": len(values), "share": float(taken.mean()), "low": low})


def _twins(
    task: Gridworld, states: State, values: np.ndarray, walls: Int[np.ndarray, " n"]
) -> dict[str, tuple[State, np.ndarray]]:
    early = eqx.tree_at(lambda s: s.time, states, jnp.zeros_like(states.time))
    stand = jnp.asarray(states.walls).at[jnp.arange(len(walls)), walls].set(True)
    walled = eqx.tree_at(lambda s: s.walls, states, stand)
    return {
        START: (early, action_values(task, task.objective, early)),
        DYNAMICS: (walled, action_values(task, task.objective, walled)),
        OBSERVATION: (states, values),
        REWARD: (states, action_values(task, swapped(task), states)),
    }


def _walls(task: Gridworld, states: State, values: np.ndarray) -> Int[np.ndarray, " n"]:
    """The cell that each position's (first) best action leads to; -1 if no wall can go there."""
    cells = np.asarray(states.cell)
    to = neighbours(task.map, task.actions)[cells, best_actions(values).argmax(1)]
    can = [wall for wall in places(task.map, ".~").tolist() if _open(task, wall)]
    return np.where(np.isin(to, can) & (to != cells), to, -1)


def _open(task: Gridworld, wall: int) -> bool:
    """Whether every start still leads to every exit without passing a pit."""
    shut = {wall, *places(task.map, "#DP").tolist()}
    to, exits = neighbours(task.map, task.actions), set(places(task.map, "G").tolist())
    for start in places(task.map, "S").tolist():
        met, waiting = {start}, [start]
        while waiting:
            for cell in to[waiting.pop()].tolist():
                if cell not in met and cell not in shut:
                    met.add(cell)
                    waiting += [] if cell in exits else [cell]
        if not exits <= met:
            return False
    return True


def action_values(
    task: Gridworld, objective: Objective, states: State
) -> Float[np.ndarray, "n actions"]:
    """What each action is worth where all is seen, wherever walls stand: exact, state by state."""
    return np.asarray(_action_values(task, objective, states), float)


@eqx.filter_jit
def _action_values(task: Gridworld, objective: Objective, states: State) -> Float[Array, "n a"]:
    def worth(state: State, action: Int[Array, ""]) -> Float[Array, ""]:
        if task.slip == 0:
            after = task.advance(state, action, jax.random.key(0))
            afters, chances = jax.tree.map(lambda x: x[None], after), jnp.ones(1)
        else:
            afters, chances = task.outcomes(state, action)

        def each(after: State) -> Float[Array, ""]:
            onward = jnp.where(task.terminated(after), 0.0, objective.optimum(after))
            return objective(state, action, after)[0] + onward

        return chances @ jax.vmap(each)(afters)

    actions = jnp.arange(task.actions, dtype=jnp.int32)
    return jax.vmap(lambda s: jax.vmap(lambda a: worth(s, a))(actions))(states)


def meet(settings: dict[str, Any], context: Context) -> Outcome:
    """What a subject does before the shifts and after each, told the reward that holds.

    Outcomes, each [policies, positions]: `way[condition]` by the values that hold there,
    `variation[shift]` the total variation between the distributions over actions in a position
    and in its twin, and between two askings without any shift (`variation["before"]`), and `wrong`
    (1 or 0), whether after the shift of the reward the choice is best by the old one, and worse
    than a random one by the new; `chance` [positions] is how often random play does that. A search
    does not go by what is observed, so that shift is not met by one.
    """
    task = make_task(settings["task"])
    assert isinstance(task, Gridworld)
    folder, budget = context.artefact(settings["shifts"]), settings["budget"] or None
    wrong = _wrong(task, folder)
    found: dict[str, Any] = {
        "way": {},
        "variation": {},
        "wrong": [],
        "chance": wrong.mean(1).tolist(),
    }
    for policy in settings["policies"] or [None]:
        at = None if policy is None else context.artefact(policy)
        decider = subjects.make(settings["subject"], task, at, {})
        met = {name: _answers(task, decider, folder, name, budget) for name in (BEFORE, *SHIFTS)}
        again = _answers(task, decider, folder, BEFORE, budget, key=1)
        for name, answers in met.items():
            if answers is None:
                continue
            _, values = read_positions(folder / name, task)
            found["way"].setdefault(name, []).append(ways(values, answers, SAID[name]).tolist())
            other = again if name == BEFORE else met[BEFORE]
            apart = np.abs(answers.weights - other.weights).sum(1) / 2
            found["variation"].setdefault(name, []).append(apart.round(6).tolist())
        found["wrong"].append(wrong[np.arange(len(wrong)), met[REWARD].action].tolist())
    return Outcome({**found, "chance": wrong.mean(1).tolist()})


def _answers(
    task: Gridworld, decider: Any, folder: Path, name: str, budget: int | None, key: int = 0
) -> Any:
    states, _ = read_positions(folder / name, task)
    dice = named_key(jax.random.key(29 + key), name)
    if name == OBSERVATION:
        return noisy(decider, states, dice) if isinstance(decider, NetworkPolicy) else None
    objective = swapped(task) if name == REWARD else None
    return ask(decider, states, dice, objective=objective, budget=budget)


def noisy(policy: NetworkPolicy, states: State, key: Array) -> Answers:
    """What a network answers to observations with noise on every number."""
    weights = np.asarray(_noisy_weights(policy, states, key), float)
    return Answers(weights.argmax(1), weights, states)


@eqx.filter_jit
def _noisy_weights(policy: NetworkPolicy, states: State, key: Array) -> Float[Array, "n actions"]:
    task = policy.task
    seen, legal = jax.vmap(task.observe)(states), jax.vmap(task.legal)(states)
    logits, _ = evaluate(policy.network, seen + NOISE * jax.random.normal(key, seen.shape), legal)
    return masked_softmax(logits, legal)


def _wrong(task: Gridworld, folder: Path) -> Float[np.ndarray, "n actions"]:
    """Which actions are best by the old reward, and worse than a random one by the new."""
    _, old = read_positions(folder / BEFORE, task)
    _, new = read_positions(folder / REWARD, task)
    return (best_actions(old) & (new < new.mean(1, keepdims=True))).astype(float)
