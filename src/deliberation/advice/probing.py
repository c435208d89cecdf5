"""What is looked at before anything is planned: how dear a step is, how long episodes last, whether
states come back. All later cells go by the one record of it."""

import math
import os
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key

from ..core.clock import now
from ..core.decider import Decider
from ..core.play import advance_rows
from ..core.rows import where_rows
from ..core.task import State, Task, stopped
from ..core.uniform import UniformRandom
from ..direct import HistorySearch, TreeSearch
from ..runs import Context, Outcome
from ..runs.provenance import cores
from ..tasks import make_task
from .candidates import searched

LANES, FEW_LANES = 16, 4
DEAR = 1e-3
"""Seconds of a step from which a simulator counts as dear: fewer episodes go side by side."""
OPPONENT = 32
"""Simulations of the opponent in games of two."""
OPPONENT_SECONDS = 0.02
TRIES, STEPS, WALKED = 4, 8, 32


def probe(settings: dict[str, Any], context: Context) -> Outcome:
    """The world as later cells are told of it.

    Outcomes: seconds of one `step` in a compiled loop, the `length` of random episodes, how many
    `states` there seem to be, how many `lanes` of episodes go side by side, which `opponent` there
    is ("none", "random" or "search"), and the machine's `load`, 1 where every core is busy.
    """
    del context
    task = make_task(settings["task"])
    step = _step_seconds(task)
    lanes = LANES if step < DEAR else FEW_LANES
    states, length = walk(task, lanes, jax.random.key(7), steps=min(task.traits.horizon, WALKED))
    return Outcome(
        {
            "step": step, "length": length, "lanes": lanes, "states": _states(task, states),
            "opponent": _opponent(task, step, length), "load": os.getloadavg()[0] / cores(),
        }
    )  # fmt: skip


def _step_seconds(task: Task) -> float:
    """Seconds of a step of the rules, as a planner or learner takes them: in a compiled loop."""
    keys = jax.random.split(jax.random.key(1), FEW_LANES)
    state = jax.vmap(task.init)(keys)
    found = []
    for _ in range(TRIES):
        started = now()
        jax.block_until_ready(_some_steps(task, state, keys))
        found.append(now() - started)
    return min(found) / (FEW_LANES * STEPS)


@eqx.filter_jit
def _some_steps(task: Task, state: State, keys: Key[Array, " lanes"]) -> State:
    """Steps of random play; whoever has stopped steps on in the place."""

    def step(now: State, count: Int[Array, ""]) -> tuple[State, None]:
        later = jax.vmap(jax.random.fold_in, (0, None))(keys, count)
        if task.traits.discrete:
            logits = jnp.where(jax.vmap(task.legal)(now), 0.0, -jnp.inf)
            action = jax.vmap(jax.random.categorical)(later, logits)
        else:
            action = jnp.full((FEW_LANES, *task.traits.shape), 0.5 * task.traits.high)
        after = jax.vmap(task.advance)(now, action, later)
        over = jax.vmap(lambda s: stopped(task, s))(now)
        return where_rows(over, now, after), None

    return jax.lax.scan(step, state, jnp.arange(STEPS))[0]


def walk(task: Task, lanes: int, key: Any, steps: int) -> tuple[list[State], float]:
    """Live states of random play, a batch a step, and how long its episodes are.

    Episodes that end are begun anew, so that all lanes stay alive.
    """
    random, found, ends = UniformRandom(task), [], 0
    key, begin = jax.random.split(key)
    state = jax.vmap(task.init)(jax.random.split(begin, lanes))
    fresh = state
    for _ in range(steps):
        found.append(state)
        key, ask, move = jax.random.split(key, 3)
        decision, _ = random.decide(state, key=ask)
        keys = jax.random.split(move, lanes)
        state, _ = advance_rows(task, task.objective, state, decision.action, keys)
        ended = np.asarray(_over(task, state))
        ends += int(ended.sum())
        if ended.any():
            state = where_rows(jnp.asarray(ended), fresh, state)
    length = steps * lanes / ends if ends else float(task.traits.horizon)
    return found, min(length, float(task.traits.horizon))


@eqx.filter_jit
def _over(task: Task, state: State) -> Bool[Array, " lanes"]:
    return jax.vmap(lambda s: stopped(task, s))(state)


@eqx.filter_jit
def _prints(task: Task, state: State) -> Int[Array, "lanes words"]:
    """What tells states apart, a row each."""
    prints = jax.vmap(task.fingerprint)(state)
    return prints.reshape(prints.shape[0], -1)


def _states(task: Task, states: list[State]) -> float:
    """How many states there seem to be, by how often random play meets one again.

    Of n positions drawn evenly from s states, n (n - 1) / 2 s pairs are the same; infinite where
    none is.
    """
    if not task.traits.discrete:
        return math.inf
    prints = np.concatenate([np.asarray(_prints(task, state)) for state in states])
    _, counts = np.unique(prints, axis=0, return_counts=True)
    same = float((counts * (counts - 1) / 2).sum())
    return len(prints) * (len(prints) - 1) / 2 / same if same else math.inf


def _opponent(task: Task, step: float, length: float) -> str:
    """A search, where it answers soon enough to be played against."""
    if task.traits.players == 1:
        return "none"
    seconds = OPPONENT * max(length, 1.0) * step
    dear = seconds > OPPONENT_SECONDS or not math.isfinite(seconds)
    return "random" if task.traits.players > 2 or not task.traits.discrete or dear else "search"


def opponent(task: Task, kind: str) -> Decider:
    """Who sits on the other seats."""
    if kind != "search":
        return UniformRandom(task)
    if searched(task.traits):
        return HistorySearch(task, budget=OPPONENT)
    return TreeSearch(task, "uct", budget=OPPONENT)
