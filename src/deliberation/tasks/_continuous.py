"""How deciders hand back one continuous answer a row, whichever wing they are in."""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..core.decider import Decision
from ..core.ledger import Ledger
from ..core.task import is_concrete

Counts = Int[Array, " batch"] | int


def answered(
    live: Bool[Array, " batch"],
    action: Float[Array, "batch ..."],
    value: Float[Array, " batch"],
    *,
    model_steps: Counts = 0,
    network_evaluations: Counts = 0,
    flops: float = 0.0,
) -> Decision:
    """A decision with one continuous action a row; zeros in the rows that are not live."""
    rest = live.reshape(-1, *[1] * (action.ndim - 1))
    nothing = jnp.zeros(live.shape, jnp.int32)
    return Decision(
        action=jnp.where(rest, action, 0.0),
        weights=live[:, None].astype(jnp.float32),
        value=jnp.where(live, value, 0.0),
        spent=Ledger(
            model_steps=jnp.where(live, model_steps, nothing),
            network_evaluations=jnp.where(live, network_evaluations, nothing),
            fits=nothing,
            data=nothing,
            flops=live * jnp.float32(flops),
            seconds=jnp.zeros(live.shape),
        ),
    )


def shared_time(decision: Decision, started: float) -> Decision:
    """The same with the wall time since `started`, shared by the live rows; as it is in `jit`."""
    if not is_concrete(decision):
        return decision
    jax.block_until_ready(decision)
    live = decision.weights[:, 0] > 0
    seconds = live * ((time.perf_counter() - started) / max(int(live.sum()), 1))
    return eqx.tree_at(lambda d: d.spent.seconds, decision, seconds)
