"""The two ends of every decision: reading what is asked, and handing an answer back."""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Key, Num

from .budget import Budget
from .decider import Decision, row_keys
from .ledger import Ledger
from .task import State, Task, batch_size, check_batch, is_concrete

Counts = Int[Array, " batch"] | Int[np.ndarray, " batch"] | int


def asked(
    task: Task, state: State, budget: Budget | int, key: Key[Array, "*batch"]
) -> tuple[tuple[Int[Array, " batch"], Int[Array, " batch"]], Key[Array, " batch"]]:
    """(simulations, model steps) and a key for every row, once the call is checked."""
    keys = checked_keys(task, state, None, key)
    return Budget.of(budget).rows(keys.shape[0]), keys


def checked_keys(
    task: Task, state: State, budget: Budget | int | None, key: Key[Array, "*batch"]
) -> Key[Array, " batch"]:
    """The same for who has no use for a budget: a key for every row, once all is checked."""
    batch = batch_size(state)
    if budget is not None:
        Budget.of(budget).rows(batch)
    keys = row_keys(key, batch)
    check_batch(task, state)
    return keys


def answer(
    live: Bool[Array, " batch"] | Bool[np.ndarray, " batch"],
    action: Num[Array, "batch ..."] | Num[np.ndarray, "batch ..."],
    weights: Float[Array, "batch actions"] | Float[np.ndarray, "batch actions"] | None,
    value: Float[Array, " batch"] | Float[np.ndarray, " batch"],
    *,
    model_steps: Counts = 0,
    network_evaluations: Counts = 0,
    flops: Num[Array, " batch"] | Num[np.ndarray, " batch"] | float = 0.0,
) -> Decision:
    """A decision whose rows that are not live are blank, and cost nothing.

    Actions are numbers, and -1 where blank, or continuous and 0. `weights` are all on the one
    action given where they are None. Seconds are left at zero: see `timed`.
    """
    live, action = jnp.asarray(live), jnp.asarray(action)
    numbered = jnp.issubdtype(action.dtype, jnp.integer)
    if weights is None:
        weights = jnp.ones((live.shape[0], 1))

    def row(x: ArrayLike, dtype: type, blank: int = 0) -> Array:
        there = live.reshape(-1, *[1] * (jnp.ndim(x) - 1))
        return jnp.where(there, jnp.asarray(x, dtype), jnp.asarray(blank, dtype))

    return Decision(
        action=row(action, jnp.int32, -1) if numbered else row(action, jnp.float32),
        weights=row(weights, jnp.float32),
        value=row(value, jnp.float32),
        spent=Ledger(
            model_steps=row(model_steps, jnp.int32),
            network_evaluations=row(network_evaluations, jnp.int32),
            fits=row(0, jnp.int32),
            data=row(0, jnp.int32),
            flops=row(flops, jnp.float32),
            seconds=row(0, jnp.float32),
        ),
    )


def timed(decision: Decision, started: float) -> Decision:
    """The same with the wall time since `started`, shared by the live rows; as it is in `jit`.

    `started` is what `time.perf_counter` said. Finished rows asked for nothing and pay nothing.
    """
    if not is_concrete(decision):
        return decision
    jax.block_until_ready(decision)
    elapsed = time.perf_counter() - started
    live = np.asarray(decision.weights).any(-1)
    seconds = jnp.asarray(live * (elapsed / max(int(live.sum()), 1)), jnp.float32)
    return eqx.tree_at(lambda d: d.spent.seconds, decision, seconds)


def uniform_weights(legal: Bool[Array, "batch actions"]) -> Float[Array, "batch actions"]:
    """Evenly over legal actions; zero everywhere if nothing is legal."""
    return legal / jnp.maximum(legal.sum(-1, keepdims=True), 1)
