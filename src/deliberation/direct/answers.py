"""What searches hand back: a decision with its terminal rows blank and its costs a row."""

import time

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Num

from ..core.decider import Decision
from ..core.ledger import Ledger
from ..core.noise import Seed, uniform
from ..core.task import is_concrete

Counts = Int[Array, " batch"] | Int[np.ndarray, " batch"] | int


def answer(
    live: Bool[Array, " batch"] | Bool[np.ndarray, " batch"],
    action: Int[Array, " batch"] | Int[np.ndarray, " batch"],
    weights: Float[Array, "batch actions"] | Float[np.ndarray, "batch actions"],
    value: Float[Array, " batch"] | Float[np.ndarray, " batch"],
    *,
    model_steps: Counts = 0,
    network_evaluations: Counts = 0,
    flops: Num[Array, " batch"] | Num[np.ndarray, " batch"] | float = 0.0,
) -> Decision:
    """A decision over discrete actions; rows that are not live answer -1 and zeros."""
    live = jnp.asarray(live)
    rows = live.shape

    def counted(x: Counts) -> Int[Array, " batch"]:
        return jnp.broadcast_to(jnp.asarray(x, jnp.int32), rows)

    return Decision(
        action=jnp.where(live, jnp.asarray(action), -1).astype(jnp.int32),
        weights=jnp.where(live[:, None], jnp.asarray(weights, jnp.float32), 0.0),
        value=jnp.where(live, jnp.asarray(value, jnp.float32), 0.0),
        spent=Ledger(
            model_steps=counted(model_steps),
            network_evaluations=counted(network_evaluations),
            fits=counted(0),
            data=counted(0),
            flops=jnp.broadcast_to(jnp.asarray(flops, jnp.float32), rows),
            seconds=jnp.zeros(rows),
        ),
    )


def timed(decision: Decision, started: float) -> Decision:
    """The same with the wall time since `started`, shared by the live rows; as it is in `jit`."""
    if not is_concrete(decision):
        return decision
    # Finished rows asked for nothing, so the live ones share the time.
    live = np.asarray(decision.action) >= 0
    elapsed = time.perf_counter() - started
    seconds = jnp.asarray(live * (elapsed / max(int(live.sum()), 1)), jnp.float32)
    return eqx.tree_at(lambda d: d.spent.seconds, decision, seconds)


def uniform_weights(legal: Bool[Array, "batch actions"]) -> Float[Array, "batch actions"]:
    """Evenly over legal actions; zero everywhere if nothing is legal."""
    return legal / jnp.maximum(legal.sum(-1, keepdims=True), 1)


def random_choice(weights: Float[Array, "batch actions"], seed: Seed) -> Int[Array, " batch"]:
    """An action from each distribution, by its cumulative sum."""
    u = uniform(seed)[:, None] * weights.sum(-1, keepdims=True)
    index = (u >= jnp.cumsum(weights, -1)).sum(-1)
    # Rounding can leave the sum below u: then it is the last that can happen.
    last = jnp.max(jnp.where(weights > 0, jnp.arange(weights.shape[1]), 0), axis=-1)
    return jnp.minimum(index, last).astype(jnp.int32)
