"""Fitting a network to any loss that draws its own batch: what the amortised optimisers share."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from ...core.decider import Decider
from ...core.ledger import Ledger
from ..networks.feed_forward import Buildable
from .optimisers import cosine_schedule, gradient_steps, init_optimiser, make_optimiser
from .trained import Trained, training_identity
from .updates import Watch, run_updates

STEPS_AN_UPDATE = 64
HASTY_BELOW = 2e10
"""FLOPs of a whole training; about where optimising the program begins to pay."""
Metrics = dict[str, Float[Array, ""]]
Loss = Callable[[Any, Key[Array, ""]], tuple[Float[Array, ""], Metrics]]
"""A network and a key give the loss of a batch drawn with that key, and what to report of it."""


class Carry(eqx.Module):
    """All that training carries from one update to the next."""

    network: Any
    opt_state: PyTree
    step: Int[Array, ""]
    key: Key[Array, ""]


@dataclasses.dataclass(frozen=True)
class _Updates:
    """Some gradient steps. Equal ones are compiled once, however many trainings call them."""

    loss: Loss
    steps: int
    learning_rate: float
    weight_decay: float

    @property
    def room(self) -> int:
        return min(STEPS_AN_UPDATE, self.steps)

    @property
    def optimiser(self) -> Any:
        return make_optimiser(self.weight_decay, decay_biases=True)

    def __call__(self, carry: Carry) -> tuple[Carry, Metrics]:
        def reported(network: Any, key: Key[Array, ""]) -> tuple[Float[Array, ""], Metrics]:
            total, seen = self.loss(network, key)
            return total, {"loss": total, **seen}

        count = jnp.minimum(self.room, self.steps - carry.step)
        schedule = cosine_schedule(self.learning_rate, self.steps)
        network, opt_state, seen = gradient_steps(
            reported, carry.network, carry.opt_state, self.optimiser,
            lambda now: jax.random.fold_in(carry.key, carry.step + now),
            schedule(carry.step + jnp.arange(self.room)), count,
        )  # fmt: skip
        after = Carry(network, opt_state, carry.step + count, carry.key)
        return after, {name: x.sum() / count for name, x in seen.items()}


def fit_loss(
    loss: Loss,
    network: Buildable,
    *,
    steps: int,
    key: Key[Array, ""],
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    each: Ledger | None = None,
    folder: Path | str | None = None,
    identity: dict[str, Any] | None = None,
    watch: Watch | None = None,
    decider: Callable[[Any], Decider] | None = None,
) -> Trained:
    """Minimise a loss by AdamW with a cosine schedule and gradients clipped to a norm of 1.

    `each` is what one step spends beside its fit; where its FLOPs say that training is short, it is
    compiled hastily (see `run_updates`). With a folder, training that was killed goes on
    from there to the same bits; `identity` tells it from other trainings (see `run_updates`).
    `decider` makes one of the network. Metrics are means over each update of some steps.
    Equal keys give equal bits. A loss that is equal to an earlier one (the same function) is not
    compiled again for another key. Raises `TrainingDivergedError` at NaN or infinity.
    """
    if steps < 1 or not learning_rate > 0:
        raise ValueError(
            f"Training takes at least 1 step and a positive rate; got {steps}, {learning_rate}."
        )
    update = _Updates(loss, steps, learning_rate, weight_decay)
    optimiser, room = update.optimiser, update.room
    start = Carry(network, init_optimiser(optimiser, network), jnp.int32(0), key)
    named = {
        **(identity or training_identity("fit_loss", key)),
        "steps": steps,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
    }
    trained = run_updates(
        update, start, updates=-(-steps // room), folder=folder, identity=named, watch=watch,
        hasty=each is not None and 0 < steps * float(each.total().flops or 0) < HASTY_BELOW,
    )  # fmt: skip
    taken = int(trained.carry.step)
    spent = Ledger(*(None if x is None else x * taken for x in (each or Ledger())._amounts()))
    ledger = spent + Ledger(fits=taken, seconds=trained.seconds)
    network = trained.carry.network
    return Trained(
        None if decider is None else decider(network), network, ledger, trained.metrics,
        trained.carry, None if folder is None else Path(folder),
    )  # fmt: skip
