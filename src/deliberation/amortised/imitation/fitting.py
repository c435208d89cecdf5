"""Learning by imitation: inference becomes supervised learning on a teacher's answers."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from ...core.ledger import Ledger
from ...core.task import Task
from ..files.tensors import checksum
from ..networks.feed_forward import Network, flops
from ..policies.network import NetworkPolicy, check_fits, evaluate
from ..training.optimisers import cosine, gradient_steps, init_optimiser, make_optimiser
from ..training.trained import Trained, training_identity
from ..training.updates import TrainingDivergedError, Watch, compile_update, run_updates
from .data import Dataset, draw_actions, random_images
from .repeated import Repeated

STEPS_PER_CALL = 256


class DivergedError(TrainingDivergedError):
    """Training met NaN or infinity, first in `tensor`; `network` is the last with a finite loss."""

    def __init__(self, message: str, step: int, network: Network, tensor: str):
        super().__init__(message, step, tensor, network)
        self.network = network


class Losses(eqx.Module):
    """One entry a step: cross-entropy to the target distribution (nats) and squared error."""

    policy: Float[Array, " steps"] | Float[np.ndarray, " steps"]
    value: Float[Array, " steps"] | Float[np.ndarray, " steps"]


def train_steps(
    network: Network,
    opt_state: PyTree,
    optimiser: optax.GradientTransformation,
    data: Dataset | Repeated,
    key: Key[Array, ""],
    rates: Float[Array, " room"] | Float[np.ndarray, " room"],
    *,
    batch_size: int,
    steps: Int[Array, ""] | int | None = None,
    size: Int[Array, ""] | int | None = None,
    task: Task | None = None,
    value_weight: float | Float[Array, ""] = 1.0,
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
    dataset: Dataset | Repeated,
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
    room: int | None = None,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Fit a network to a teacher's answers by AdamW with a cosine schedule.

    The loss is the cross-entropy to the teacher's weights plus `value_weight` times the squared
    error of the value. With `target="action"` the teacher is only seen to act: one action a row is
    drawn from its weights, once. With `symmetries` every row is seen under symmetries of the task
    drawn anew. `warmup` is a twentieth of the steps unless given. `new` is how many rows no fit
    has seen before (all unless given); the ledger counts these as data, and three forward passes a
    sample as the FLOPs of a step. Fits of up to `room` steps share one compiled program (the number
    of `steps` itself unless given). Metrics are the losses step by step: "policy" (nats) and
    "value" (squared error). Copies of a few examples are seen at once if merged (`merge_equal`).
    Equal keys give equal bits; `folder` and `watch` are those of `run_updates`. Raises
    `DivergedError`.
    """
    _check_settings(steps, batch_size, target)
    check_fits(task, network)
    # Without any symmetry the task is not compiled in, so that such tasks share programs.
    turned = task if symmetries and task.symmetries else None
    identity = {}
    if folder is not None:
        identity = training_identity(
            "imitation", key, task=task, network=checksum(network), data=checksum(dataset),
            steps=steps, batch_size=batch_size, learning_rate=learning_rate, warmup=warmup,
            weight_decay=weight_decay, value_weight=value_weight, target=target,
            symmetries=symmetries,
        )  # fmt: skip
    key, labels = jax.random.split(key)
    data = _labelled(dataset, turned, target, labels)
    most = max(steps, room or 0)
    each = min(most, STEPS_PER_CALL)
    rates = cosine(steps, learning_rate, steps // 20 if warmup is None else warmup)
    # On the host, where no program is compiled for each number of steps.
    padded = np.zeros(each * -(-most // each), np.float32)
    padded[:steps] = rates
    optimiser, blank = make_optimiser(weight_decay), jnp.zeros(padded.shape)
    update = eqx.Partial(
        _fit_some, data, optimiser, jnp.asarray(padded), jnp.int32(steps),
        jnp.float32(value_weight), key, room=each, batch_size=batch_size, task=turned,
    )  # fmt: skip
    carry = FitCarry(
        network, init_optimiser(optimiser, network), Losses(blank, blank), jnp.int32(0)
    )
    try:
        done = run_updates(
            update, carry, updates=-(-steps // each), folder=folder, identity=identity, watch=watch
        )
    except TrainingDivergedError as error:
        # The same update once more: which of its steps it was, and the network before that.
        carry, _ = compile_update(update)(error.carry)
        check_losses(carry.losses, carry.network)
        raise
    found = done.carry
    taken = min(int(found.step) * each, steps)
    losses = {n: np.asarray(getattr(found.losses, n))[:taken] for n in ("policy", "value")}
    cost = training_cost(found.network, taken, batch_size, len(dataset) if new is None else new)
    return Trained(
        NetworkPolicy(task, found.network), found.network, cost + Ledger(seconds=done.seconds),
        losses, found, None if folder is None else Path(folder),
    )  # fmt: skip


class FitCarry(eqx.Module):
    """All that goes from one update of `fit` to the next; losses are zero where still to come."""

    network: Network
    opt_state: PyTree
    losses: Losses
    step: Int[Array, ""]


def _fit_some(
    data: Dataset | Repeated,
    optimiser: optax.GradientTransformation,
    rates: Float[Array, " steps"],
    steps: Int[Array, ""],
    value_weight: Float[Array, ""],
    key: Key[Array, ""],
    carry: FitCarry,
    *,
    room: int,
    batch_size: int,
    task: Task | None,
) -> tuple[FitCarry, dict[str, Float[Array, ""]]]:
    """One update of `fit`: up to `room` gradient steps."""
    first = carry.step * room
    count = jnp.minimum(room, steps - first)
    network, opt_state, seen = train_steps(
        carry.network, carry.opt_state, optimiser, data, jax.random.fold_in(key, first),
        jax.lax.dynamic_slice_in_dim(rates, first, room), steps=count, batch_size=batch_size,
        task=task, value_weight=value_weight,
    )  # fmt: skip
    losses = jax.tree.map(
        lambda old, new: jax.lax.dynamic_update_slice_in_dim(old, new, first, 0),
        carry.losses, seen,
    )  # fmt: skip
    means = {name: getattr(seen, name).sum() / count for name in ("policy", "value")}
    return FitCarry(network, opt_state, losses, carry.step + 1), means


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


def _labelled(
    dataset: Dataset | Repeated, turned: Task | None, target: str, key: Key[Array, ""]
) -> Dataset | Repeated:
    """With one action drawn for each row, where that is the target."""
    if not isinstance(dataset, Repeated):
        return draw_actions(dataset, key) if target == "action" else dataset
    if turned is not None or target == "action":
        raise ValueError(
            "Copies of one example are kept once, so that no copy can be seen under a symmetry or "
            "with an action of its own: fit the data set itself, or draw the actions before."
        )
    return dataset


def loss(
    network: Network, batch: Dataset, value_weight: Float[Array, ""] | float = 1.0
) -> tuple[Float[Array, ""], tuple[Float[Array, ""], Float[Array, ""]]]:
    """Total loss of a batch, and its parts: cross-entropy of the policy, squared error of value."""
    logits, value = evaluate(network, jnp.asarray(batch.observations), jnp.asarray(batch.legal))
    surprise = -jnp.sum(batch.weights * jax.nn.log_softmax(logits, axis=-1), axis=-1)
    error = jnp.square(value - batch.value)
    parts = jnp.mean(batch.sample_weights * jnp.stack([surprise, error], axis=1), axis=0)
    return parts[0] + value_weight * parts[1], (parts[0], parts[1])


@eqx.filter_jit
def _train(
    network: Network,
    opt_state: PyTree,
    optimiser: optax.GradientTransformation,
    data: Dataset | Repeated,
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
