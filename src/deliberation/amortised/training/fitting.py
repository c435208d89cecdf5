"""Fitting a network to any loss that draws its own batch: what the amortised optimisers share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from ...core.decider import Decider
from ...core.ledger import Ledger
from ..files.tensors import checksum
from ..networks.feed_forward import Buildable
from .optimisers import cosine_schedule, gradient_steps, init_optimiser, make_optimiser
from .trained import Trained, training_identity
from .updates import Watch, run_updates

STEPS_AN_UPDATE = 64
HASTY_BELOW = 2e10
"""FLOPs of a whole training; about where optimising the program begins to pay."""
Metrics = dict[str, Float[Array, ""]]
Loss = Callable[[Any, Any], tuple[Float[Array, ""], Metrics]]
"""A network and a key give the loss of a batch drawn with that key, and what to report of it."""
Draw = Callable[[Int[Array, ""], Key[Array, ""]], Any]
"""Makes of a step (from 0) and its key what the loss is given in place of a key."""
Judge = Callable[[Any], Metrics]
"""What to report of a network beside its loss, as of examples that are not trained on."""


class Carry(eqx.Module):
    """All that training carries from one update to the next."""

    network: Any
    opt_state: PyTree
    step: Int[Array, ""]
    key: Key[Array, ""]


class _Updates(eqx.Module):
    """Some gradient steps. Equal ones are compiled once, however many trainings call them."""

    loss: Loss
    draw: Draw | None
    judge: Judge | None
    steps: int = eqx.field(static=True)
    learning_rate: float = eqx.field(static=True)
    weight_decay: float = eqx.field(static=True)
    warmup: int = eqx.field(static=True)

    @property
    def room(self) -> int:
        return min(STEPS_AN_UPDATE, self.steps)

    @property
    def optimiser(self) -> Any:
        return make_optimiser(self.weight_decay, decay_biases=True)

    def __call__(self, carry: Carry) -> tuple[Carry, Metrics]:
        def drawn(now: Int[Array, ""]) -> Any:
            key = jax.random.fold_in(carry.key, carry.step + now)
            return key if self.draw is None else self.draw(carry.step + now, key)

        def reported(network: Any, batch: Any) -> tuple[Float[Array, ""], Metrics]:
            total, seen = self.loss(network, batch)
            return total, {"loss": total, **seen}

        count = jnp.minimum(self.room, self.steps - carry.step)
        schedule = cosine_schedule(self.learning_rate, self.steps, warmup=self.warmup)
        network, opt_state, seen = gradient_steps(
            reported, carry.network, carry.opt_state, self.optimiser, drawn,
            schedule(carry.step + jnp.arange(self.room)), count,
        )  # fmt: skip
        after = Carry(network, opt_state, carry.step + count, carry.key)
        further = {} if self.judge is None else self.judge(network)
        return after, {name: x.sum() / count for name, x in seen.items()} | further


def fit_loss(
    loss: Loss,
    network: Buildable,
    *,
    steps: int,
    key: Key[Array, ""],
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    warmup: int = 0,
    draw: Draw | None = None,
    judge: Judge | None = None,
    each: Ledger | None = None,
    folder: Path | str | None = None,
    identity: dict[str, Any] | None = None,
    watch: Watch | None = None,
    decider: Callable[[Any], Decider] | None = None,
) -> Trained:
    """Minimise a loss by AdamW with a cosine schedule and gradients clipped to a norm of 1.

    The rate rises over `warmup` steps first. `draw` makes batches, and `judge` is asked once an
    update for further metrics; arrays that these three hold belong into an `eqx.Partial`, which
    hands them to the program as data.

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
    update = _Updates(loss, draw, judge, steps, learning_rate, weight_decay, warmup)
    optimiser, room = update.optimiser, update.room
    start = Carry(network, init_optimiser(optimiser, network), jnp.int32(0), key)
    named = {
        **(identity or training_identity("fit_loss", key)),
        "steps": steps,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        **({"warmup": warmup} if warmup else {}),
        # From other weights it is another training.
        **({} if folder is None else {"begins": checksum(network)}),
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
