"""The life of an agent that learns as it acts, in cycles of action and percept, all in JAX.

Exploration is that of Veness et al. (2011, section 7): in cycle t an action is drawn at random with
probability epsilon gamma^t.
"""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.budget import Budget
from ...core.errors import UnsuitableTaskError
from ...core.ledger import Ledger
from ...core.noise import seeds
from ...core.objective import Objective
from ...core.rows import where_rows
from ...core.task import State, Task, is_concrete
from ..tree_search.limits import Limits
from .mc_aixi import (
    MCAIXI,
    AixiMemory,
    act,
    bare,
    check_life,
    check_mind,
    check_told,
    update_orders,
)
from .rho_uct import live


class Lifetime(eqx.Module):
    """What happened in some cycles of several lives, and what was learned.

    `explored` says which actions were drawn at random. `spent` counts imagined and real cycles as
    model steps, and real ones as data.
    """

    rewards: Float[np.ndarray, "runs cycles"]
    explored: Bool[np.ndarray, "runs cycles"]
    memory: AixiMemory
    state: State
    spent: Ledger

    def __repr__(self) -> str:
        runs, cycles = self.rewards.shape
        return f"Lifetime({runs} runs of {cycles} cycles, mean reward {self.rewards.mean():.4g})"

    def curve(self, window: int) -> Float[np.ndarray, "runs windows"]:
        """The mean reward a cycle in one window after another; what is left over is left out."""
        runs, cycles = self.rewards.shape
        whole = cycles // window * window
        return self.rewards[:, :whole].reshape(runs, -1, window).mean(-1)


def learn(
    agent: MCAIXI,
    task: Task,
    cycles: int,
    key: Key[Array, ""],
    *,
    runs: int = 1,
    since: Lifetime | None = None,
    epsilon: float = 0.0,
    gamma: float = 1.0,
    first: int = 0,
    budget: Budget | int | None = None,
    objective: Objective | None = None,
) -> Lifetime:
    """Let an agent live in a task for so many cycles, several lives at a time.

    The task may be another than the agent's own, with the same actions and percepts. When an
    episode ends another begins, and the life goes on. `since` continues earlier lives. Cycle t,
    counted from `first`, explores with probability `epsilon` * `gamma`^t; nothing is searched then.
    Equal keys give equal lives.

    Raises `TooLargeError` when `agent.life` is too short, `UnsuitableTaskError` for a task that
    the agent cannot perceive.
    """
    if cycles < 1 or runs < 1 or not 0 <= epsilon <= 1 or not 0 <= gamma <= 1:
        raise ValueError(
            "A life has at least one cycle and one run, and exploration lies from 0 to 1; got "
            f"cycles={cycles}, runs={runs}, epsilon={epsilon}, gamma={gamma}."
        )
    if task.traits.actions != agent.task.traits.actions:
        raise UnsuitableTaskError(f"{agent!r} cannot live in {task!r}: it has other actions.")
    started = time.perf_counter()
    begin, key = jax.random.split(key)
    memory = agent.begin(runs) if since is None else since.memory
    check_mind(agent, memory)
    check_life(agent, memory, cycles)
    state = since.state if since is not None else jax.vmap(task.init)(jax.random.split(begin, runs))
    runs = memory.action.shape[0]
    limits = Limits(*(agent.budget if budget is None else Budget.of(budget)).rows(runs))
    chances = jnp.asarray(epsilon * gamma ** (first + np.arange(cycles)), jnp.float32)
    objective = task.objective if objective is None else objective
    there = bare(agent.living_in(task))
    out = _live(there, objective, memory, state, limits, chances, key)
    memory, state, rewards, explored, steps, told = out
    if is_concrete(told):
        check_told(agent, told)
        # Each episode that begins also takes a cycle's room; beyond it nothing was learned.
        check_life(agent, memory, 0)
    spent = Ledger(
        model_steps=int(np.asarray(steps, np.int64).sum()) + runs * cycles,
        data=runs * cycles,
        seconds=time.perf_counter() - started,
    )
    return Lifetime(np.asarray(rewards).T, np.asarray(explored).T, memory, state, spent)


@eqx.filter_jit
def _live(
    agent: MCAIXI,
    objective: Objective,
    memory: AixiMemory,
    state: State,
    limits: Limits,
    chances: Float[Array, " cycles"],
    key: Key[Array, ""],
) -> tuple:
    task, runs = agent.task, memory.action.shape[0]

    def cycle(carry: tuple, given: tuple) -> tuple:
        memory, state, told = carry
        chance, key = given
        seed, dice, chaos, births = jax.random.split(key, 4)
        explores = jax.random.uniform(dice, (runs,)) < chance
        allowed = Limits(jnp.where(explores, 0, limits.simulations), limits.model_steps)
        decision, memory, fine = act(
            agent, objective, state, memory, allowed, seeds(jax.random.split(seed, runs))
        )
        after, reward = _step(
            task, objective, state, decision.action, jax.random.split(chaos, runs)
        )
        over = jax.vmap(task.terminated)(after)
        memory, last = _close(agent, objective, after, memory, over)
        fresh = jax.vmap(task.init)(jax.random.split(births, runs))
        state = where_rows(over, fresh, after)
        done = (reward, explores, decision.spent.model_steps)
        return (memory, state, told & fine & last), done

    keys = jax.random.split(key, chances.shape[0])
    start = (memory, state, jnp.ones(runs, bool))
    (memory, state, told), done = jax.lax.scan(cycle, start, (chances, keys))
    return memory, state, *done, told


def _step(
    task: Task,
    objective: Objective,
    state: State,
    action: Int[Array, " runs"],
    keys: Key[Array, " runs"],
) -> tuple[State, Float[Array, " runs"]]:
    after = jax.vmap(task.advance)(state, action, keys)
    return after, jax.vmap(objective)(state, action, after)[:, 0]


def _close(
    agent: MCAIXI,
    objective: Objective,
    state: State,
    memory: AixiMemory,
    over: Bool[Array, " runs"],
) -> tuple[AixiMemory, Bool[Array, " runs"]]:
    """Learn the last percept of the episodes that are over, before others begin."""
    orders, told = update_orders(agent, objective, state, memory, over)
    orders = jnp.pad(orders, ((0, 0), (0, 1)))
    legal = jnp.zeros((over.shape[0], agent.task.traits.actions), bool)
    mind, _ = live(agent.terms, memory.mind, orders, legal, jnp.zeros(over.shape, jnp.uint32))
    return AixiMemory(mind, jnp.where(over, -1, memory.action), memory.previous), told
