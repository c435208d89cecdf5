"""Fitting a network to any loss that draws its own batch: what the amortised optimisers share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from ...core.ledger import Ledger
from ..networks.feed_forward import Network
from .updates import Watch, run_updates

STEPS_AN_UPDATE = 64
HASTY_BELOW = 2e10
"""FLOPs of a whole training; about where optimising the program begins to pay."""
Metrics = dict[str, Float[Array, ""]]
Loss = Callable[[Any, Key[Array, ""]], tuple[Float[Array, ""], Metrics]]
"""A network and a key give the loss of a batch drawn with that key, and what to report of it."""


class Fit(eqx.Module):
    """A trained network, means of the loss and metrics over each update, and what was spent."""

    network: Network
    metrics: dict[str, np.ndarray]
    ledger: Ledger

    def __repr__(self) -> str:
        last = ", ".join(f"{k}={v[-1]:.4g}" for k, v in self.metrics.items())
        return f"Fit({type(self.network).__name__}, last {last}, {self.ledger})"


class Carry(eqx.Module):
    """All that training carries from one update to the next."""

    params: PyTree
    opt_state: PyTree
    step: Int[Array, ""]
    key: Key[Array, ""]


def fit_loss(
    loss: Loss,
    network: Network,
    *,
    steps: int,
    key: Key[Array, ""],
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    each: Ledger | None = None,
    folder: Path | str | None = None,
    identity: dict[str, Any] | None = None,
    watch: Watch | None = None,
) -> Fit:
    """Minimise a loss by AdamW with a cosine schedule and gradients clipped to a norm of 1.

    `each` is what one step spends beside its fit; where its FLOPs say that training is short, it is
    compiled hastily (see `run_updates`). With a folder, training that was killed goes on
    from there to the same bits; `identity` tells it from other trainings (see `run_updates`).
    Equal keys give equal bits. Raises `TrainingDivergedError` at NaN or infinity.
    """
    if steps < 1 or not learning_rate > 0:
        raise ValueError(
            f"Training takes at least 1 step and a positive rate; got {steps}, {learning_rate}."
        )
    params, static = eqx.partition(network, eqx.is_inexact_array)
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(
            optax.cosine_decay_schedule(learning_rate, steps), weight_decay=weight_decay
        ),
    )  # fmt: skip
    room = min(STEPS_AN_UPDATE, steps)
    gradient = jax.value_and_grad(lambda p, k: loss(eqx.combine(p, static), k), has_aux=True)

    def update(carry: Carry) -> tuple[Carry, Metrics]:
        count = jnp.minimum(room, steps - carry.step)

        def step(now: Int[Array, ""], at: tuple) -> tuple:
            params, opt_state, sums = at
            batch = jax.random.fold_in(carry.key, carry.step + now)
            (total, seen), slope = gradient(params, batch)
            change, opt_state = optimiser.update(slope, opt_state, params)
            sums = jax.tree.map(jnp.add, sums, {"loss": total, **seen})
            return optax.apply_updates(params, change), opt_state, sums

        shapes = jax.eval_shape(gradient, carry.params, carry.key)[0]
        zeros = jax.tree.map(jnp.zeros_like, {"loss": shapes[0], **shapes[1]})
        params, opt_state, sums = jax.lax.fori_loop(
            0, count, step, (carry.params, carry.opt_state, zeros)
        )
        after = Carry(params, opt_state, carry.step + count, carry.key)
        return after, {name: x / count for name, x in sums.items()}

    start = Carry(params, optimiser.init(params), jnp.int32(0), key)  # type: ignore[arg-type]
    named = {**(identity or {}), "steps": steps, "learning_rate": learning_rate}
    named |= {"weight_decay": weight_decay, "key": np.asarray(jax.random.key_data(key)).tolist()}
    trained = run_updates(
        update, start, updates=-(-steps // room), folder=folder, identity=named, watch=watch,
        hasty=each is not None and 0 < steps * float(each.total().flops or 0) < HASTY_BELOW,
    )  # fmt: skip
    taken = int(trained.carry.step)
    spent = Ledger(*(None if x is None else x * taken for x in (each or Ledger())._amounts()))
    ledger = spent + Ledger(fits=taken, seconds=trained.seconds)
    return Fit(eqx.combine(trained.carry.params, static), trained.metrics, ledger)
