"""Learning by imitation: inference becomes supervised learning on a teacher's answers."""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from ...core.errors import NonFiniteError
from ...core.ledger import Ledger
from ...core.task import Task
from ..networks.feed_forward import Network, flops
from ..policies.network import check_fits, evaluate
from ..training.optimisers import cosine, gradient_steps, init_optimiser, make_optimiser
from .data import Dataset, draw_actions, random_images

STEPS_PER_CALL = 256


class DivergedError(NonFiniteError):
    """Training met NaN or infinity, first in `tensor`; `network` is the last with a finite loss."""

    def __init__(self, message: str, step: int, network: Network, tensor: str):
        super().__init__(message)
        self.step, self.network, self.tensor = step, network, tensor


class Losses(eqx.Module):
    """One entry a step: cross-entropy to the target distribution (nats) and squared error."""

    policy: Float[Array, " steps"] | Float[np.ndarray, " steps"]
    value: Float[Array, " steps"] | Float[np.ndarray, " steps"]


class Fitted(eqx.Module):
    """A trained network, its losses step by step, and what training spent."""

    network: Network
    losses: Losses
    ledger: Ledger

    def __repr__(self) -> str:
        last = f"policy={self.losses.policy[-1]:.4g}, value={self.losses.value[-1]:.4g}"
        return f"Fitted({type(self.network).__name__}, last losses {last}, {self.ledger})"


def train_steps(
    network: Network,
    opt_state: PyTree,
    optimiser: optax.GradientTransformation,
    data: Dataset,
    key: Key[Array, ""],
    rates: Float[Array, " room"] | Float[np.ndarray, " room"],
    *,
    batch_size: int,
    steps: Int[Array, ""] | int | None = None,
    size: Int[Array, ""] | int | None = None,
    task: Task | None = None,
    value_weight: float = 1.0,
) -> tuple[Network, PyTree, Losses]:
    """Gradient steps in one compiled call; pure, and usable inside of another `jit`.

    `rates` holds a learning rate for each of at most `room` steps; of these `steps` are taken (all
    unless given). Rows are drawn from the first `size` of `data` (all unless given), so a buffer
    may be filled only in part. Only the shapes of `rates` and `data` and `batch_size` are compiled
    in. With `task`, each row is seen under a symmetry of the task drawn anew.

    Losses beyond `steps` are zero. From the first step with a NaN or infinite loss on, losses are
    not finite, and the network returned is the last one whose loss was finite; see `check_losses`.
    """
    count = rates.shape[0] if steps is None else steps
    rows = len(data) if size is None else size
    return _train(
        network, opt_state, optimiser, data, key, jnp.asarray(rates), jnp.asarray(count),
        jnp.asarray(rows), batch_size, task, jnp.asarray(value_weight, jnp.float32),
    )  # fmt: skip


def check_losses(losses: Losses, network: Network, first: int = 0) -> None:
    """Raise `DivergedError`, naming the step, if any loss is not finite; `first` is its number."""
    bad = ~np.isfinite(np.asarray(losses.policy) + np.asarray(losses.value))
    if bad.any():
        at = int(np.argmax(bad))
        tensor = "value loss" if np.isfinite(np.asarray(losses.policy)[at]) else "policy loss"
        raise DivergedError(
            f"Training met NaN or infinity at step {first + at} (from 0), in the {tensor}. Lower "
            "the learning rate or check the targets; the last network with a finite loss is "
            "`error.network`.",
            first + at,
            network,
            tensor,
        )


def fit(
    task: Task,
    network: Network,
    dataset: Dataset,
    *,
    steps: int,
    key: Key[Array, ""],
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    warmup: int | None = None,
    weight_decay: float = 1e-4,
    value_weight: float = 1.0,
    target: str = "distribution",
    symmetries: bool = True,
    new: int | None = None,
) -> Fitted:
    """Fit a network to a teacher's answers by AdamW with a cosine schedule.

    The loss is the cross-entropy to the teacher's weights plus `value_weight` times the squared
    error of the value. With `target="action"` the teacher is only seen to act: one action a row is
    drawn from its weights, once. With `symmetries` every row is seen under symmetries of the task
    drawn anew. `warmup` is a twentieth of the steps unless given. `new` is how many rows no fit
    has seen before (all unless given); the ledger counts these as data, and three forward passes a
    sample as the FLOPs of a step. Equal keys give equal bits. Raises `DivergedError`.
    """
    _check_settings(steps, batch_size, target)
    check_fits(task, network)
    started = time.perf_counter()
    key, labels = jax.random.split(key)
    data = draw_actions(dataset, labels) if target == "action" else dataset
    rates = cosine(steps, learning_rate, steps // 20 if warmup is None else warmup)
    optimiser = make_optimiser(weight_decay)
    opt_state = init_optimiser(optimiser, network)
    room = min(steps, STEPS_PER_CALL)
    history = []
    for first in range(0, steps, room):
        now = rates[first : first + room]
        network, opt_state, losses = train_steps(
            network, opt_state, optimiser, data, jax.random.fold_in(key, first),
            np.pad(now, (0, room - len(now))), steps=len(now), batch_size=batch_size,
            task=task if symmetries else None, value_weight=value_weight,
        )  # fmt: skip
        check_losses(losses, network, first)
        history.append((losses.policy[: len(now)], losses.value[: len(now)]))
    losses = Losses(*(np.concatenate(column) for column in zip(*history, strict=True)))
    ledger = training_cost(network, steps, batch_size, len(dataset) if new is None else new)
    seconds = Ledger(seconds=time.perf_counter() - started)
    return Fitted(network, losses, ledger + seconds)


def training_cost(network: Network, steps: int, batch_size: int, new: int = 0) -> Ledger:
    """What gradient steps cost: forward passes, fits, `new` data, and FLOPs; seconds left at 0.

    A step costs three forward passes a sample: one forward, and two backward, one for the inputs
    and one for the weights of each product.
    """
    passes = steps * batch_size
    return Ledger(
        network_evaluations=passes, fits=steps, data=new, flops=3 * flops(network) * passes
    )


def _check_settings(steps: int, batch_size: int, target: str) -> None:
    if min(steps, batch_size) < 1:
        raise ValueError(f"Steps and batch_size must be at least 1; got {steps}, {batch_size}.")
    if target not in ("distribution", "action"):
        raise ValueError(f'The target is "distribution" or "action"; got {target!r}.')


def loss(
    network: Network, batch: Dataset, value_weight: Float[Array, ""] | float = 1.0
) -> tuple[Float[Array, ""], tuple[Float[Array, ""], Float[Array, ""]]]:
    """Total loss of a batch, and its parts: cross-entropy of the policy, squared error of value."""
    logits, value = evaluate(network, batch.observations, batch.legal)
    surprise = -jnp.sum(batch.weights * jax.nn.log_softmax(logits, axis=-1), axis=-1)
    error = jnp.square(value - batch.value)
    parts = jnp.mean(batch.sample_weights * jnp.stack([surprise, error], axis=1), axis=0)
    return parts[0] + value_weight * parts[1], (parts[0], parts[1])


@eqx.filter_jit
def _train(
    network: Network,
    opt_state: PyTree,
    optimiser: optax.GradientTransformation,
    data: Dataset,
    key: Key[Array, ""],
    rates: Float[Array, " room"],
    steps: Int[Array, ""],
    size: Int[Array, ""],
    batch_size: int,
    task: Task | None,
    value_weight: Float[Array, ""],
) -> tuple[Network, PyTree, Losses]:
    symmetries = () if task is None else task.symmetries

    def draw(now: Int[Array, ""]) -> Dataset:
        pick, turn = jax.random.split(jax.random.fold_in(key, now))
        rows = jax.random.randint(pick, (batch_size,), 0, size)
        return random_images(symmetries, data[rows], turn)

    network, opt_state, (policy, value) = gradient_steps(
        lambda n, batch: loss(n, batch, value_weight), network, opt_state, optimiser, draw, rates,
        steps, guarded=True,
    )  # fmt: skip
    return network, opt_state, Losses(policy, value)
