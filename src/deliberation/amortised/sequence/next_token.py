"""Next-token prediction: a sequence model learns the source of its data, and nothing else.

The loss is the cross-entropy of each token given those before it (Radford et al. 2019); its least
value is the source's entropy rate (Shannon 1948), which is reached by becoming the source.
"""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...core.contract.text_model import check_counts, check_texts
from ...core.errors import BatchMismatchError, TokenizerError
from ...core.ledger import Ledger
from ..networks.feed_forward import flops
from ..training.fitting import Metrics, fit_loss
from ..training.trained import Trained, training_identity
from ..training.updates import Watch
from .transformer import Transformer

Text = Callable[[Key[Array, ""]], Int[Array, " length"]]
"""Draws one text from a source: tokens from 0, as many as the network reads; -1 is no token, and
not scored."""
MOST_PLACES = 2**24
"""Places in the shuffled orders that are kept (64 MiB); further epochs go through them again."""


def fit_next_token(
    text: Text,
    network: Transformer,
    *,
    steps: int,
    key: Key[Array, ""],
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    weight_decay: float = 0.0,
    warmup: int = 0,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Train on fresh texts; every place of every text is predicted.

    The ledger counts texts as data, and three forward passes a text for a step. The metric "loss"
    is in nats a token. The rate rises over `warmup` steps and falls as a cosine. Raises
    `BatchMismatchError` for texts that the network does not read and `TrainingDivergedError`.
    """
    _check_length(jax.eval_shape(text, key).shape, network)

    def loss(network: Transformer, key: Key[Array, ""]) -> tuple[Float[Array, ""], Metrics]:
        texts = jax.vmap(text)(jax.random.split(key, batch_size))
        return next_token_loss(network, texts), {}

    each = Ledger(
        network_evaluations=batch_size, data=batch_size, flops=texts_flops(network, batch_size)
    )
    identity = training_identity(
        "next_token", key, network=network.config, batch_size=batch_size,
    )  # fmt: skip
    return fit_loss(
        loss, network, steps=steps, key=key, learning_rate=learning_rate,
        weight_decay=weight_decay, warmup=warmup, each=each, folder=folder, identity=identity,
        watch=watch,
    )  # fmt: skip


def fit_texts(
    texts: Any,
    network: Transformer,
    *,
    epochs: float | int,
    key: Key[Array, ""],
    weights: Any = None,
    held_out: Any = None,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    weight_decay: float = 0.0,
    warmup: int = 0,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Train on a set of texts [texts, length], each once an epoch, in an order of the epoch's own.

    `weights` [texts, length] say how much each token counts (0: not at all, as for prompts); -1,
    which may stand at the end, is no token and never counts. The metric "loss" is in nats a unit
    of weight. So is "held_out", after each update of some steps, for texts not trained on:
    `held_out`, or a pair of texts and weights. The rate rises over `warmup` steps and falls as a
    cosine. The ledger counts each text once as data.

    With a `folder` a training that was killed goes on from there; from other weights, such as those
    that it ended with, it is another training, which needs a folder of its own. `watch(update,
    metrics)` is called after each update of up to 64 steps, and ends training where it returns
    True. `LanguageModel` writes with the trained network, and on a task of text
    `NetworkPolicy(task, network)` decides. It is kept, and trained further, by itself (all names
    are those of `deliberation.amortised`):

        network = fit_texts(texts, network, epochs=2, key=jax.random.key(1)).network
        save_network("model", network, task)  # also for deliberation.load and the command line
        task, network, _ = load_network("model", Transformer)
        network = fit_texts(texts, network, epochs=1, key=jax.random.key(2)).network
        model = LanguageModel(network, end=task.end)

    Raises `BatchMismatchError`, `TokenizerError`, `ValueError` (no text, nothing to count, a number
    that is none of its kind) and `TrainingDivergedError`.
    """
    _check_numbers(epochs, batch_size, warmup, weight_decay)
    texts, weights = _checked(texts, weights, network)
    others, judge = _others(held_out, network), None
    if others is not None:
        judge = eqx.Partial(_held_out, *map(jnp.asarray, others))
    batch_size = min(batch_size, len(texts))
    steps = int(np.ceil(epochs * len(texts) / batch_size))
    order = _orders(len(texts), steps * batch_size, key)
    draw = eqx.Partial(_drawn, jnp.asarray(texts), jnp.asarray(weights), order, batch_size)
    each = Ledger(network_evaluations=batch_size, flops=texts_flops(network, batch_size))
    identity = training_identity(
        "next_token_of_texts", key, network=network.config, batch_size=batch_size,
        texts=_digest(texts, weights),
    )  # fmt: skip
    identity |= {} if others is None else {"held_out": _digest(*others)}
    trained = fit_loss(
        _batch_loss, network, steps=steps, key=key, learning_rate=learning_rate,
        weight_decay=weight_decay, warmup=warmup, draw=draw, judge=judge, each=each, folder=folder,
        identity=identity, watch=watch,
    )  # fmt: skip
    seen = Ledger(data=min(len(texts), int(trained.carry.step) * batch_size))
    return eqx.tree_at(lambda t: t.ledger, trained, trained.ledger + seen)


@eqx.filter_jit
def token_losses(
    network: Transformer, texts: Int[Array, "batch length"]
) -> Float[Array, "batch length"]:
    """The surprise (nats) at each token of each text given those before it, 0 at -1. Pure."""
    logits = network.predict(texts[:, :-1])
    chosen = jnp.take_along_axis(logits, jnp.maximum(texts, 0)[..., None], axis=-1)[..., 0]
    return jnp.where(texts >= 0, jax.nn.logsumexp(logits, axis=-1) - chosen, 0.0)


def next_token_loss(
    network: Transformer,
    texts: Int[Array, "batch length"],
    weights: Float[Array, "batch length"] | None = None,
) -> Float[Array, ""]:
    """The mean surprise (nats) at the tokens of texts, by their weights; -1 never counts. Pure.

    What `fit_next_token` minimises, for trainings `side_by_side`. It is 0 where nothing counts.
    """
    counts = (texts >= 0).astype(jnp.float32)
    if weights is not None:
        counts = counts * weights
    total = jnp.sum(token_losses(network, texts) * counts)
    return total / jnp.maximum(jnp.sum(counts), 1e-9)


def _batch_loss(network: Transformer, batch: tuple[Array, Array]) -> tuple[Array, Metrics]:
    return next_token_loss(network, *batch), {}


def _held_out(texts: Array, weights: Array, network: Transformer) -> Metrics:
    """In parts, so that many texts take no more memory than a batch."""
    counts = jnp.where(texts >= 0, weights, 0.0)
    sums = jax.lax.map(
        lambda one: jnp.sum(token_losses(network, one[0][None]) * one[1]),
        (texts, counts), batch_size=64,
    )  # fmt: skip
    return {"held_out": jnp.sum(sums) / jnp.sum(counts)}


def _drawn(
    texts: Array, weights: Array, order: Array, size: int, step: Array, key: Array
) -> tuple[Array, Array]:
    rows = order[(step * size + jnp.arange(size)) % len(order)]
    return texts[rows], weights[rows]


def _orders(count: int, places: int, key: Key[Array, ""]) -> Int[Array, " orders"]:
    """Each number below `count` once an epoch, one order after another, to so many places."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).astype(np.uint32).tolist())
    epochs = max(1, min(-(-places // count), MOST_PLACES // count))
    return jnp.asarray(np.concatenate([rng.permutation(count) for _ in range(epochs)]), jnp.int32)


def texts_flops(network: Transformer, count: int) -> float:
    """What a step of training takes on so many texts: three forward passes of each, with logits at
    every place.
    """
    heads = 2.0 * network.policy.w.size * network.observation_shape[0]
    return 3 * (flops(network) + heads) * count


def _check_length(shape: tuple[int, ...], network: Transformer) -> None:
    if shape != network.observation_shape:
        raise BatchMismatchError(
            f"Texts have shape {shape}, but the network reads {network.observation_shape}: build "
            "it for texts of this length."
        )


def _check_numbers(epochs: Any, batch_size: Any, warmup: Any, weight_decay: Any) -> None:
    check_counts(batch_size=batch_size)
    check_counts(0, warmup=warmup)
    if not 0 < epochs < math.inf or not 0 <= weight_decay < math.inf:
        raise ValueError(
            "Training takes a finite number of epochs above 0, and a finite weight decay of at "
            f"least 0; got epochs={epochs}, weight_decay={weight_decay}."
        )


def _digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(x.tobytes() for x in arrays)).hexdigest()


def _others(held_out: Any, network: Transformer) -> tuple[np.ndarray, np.ndarray] | None:
    """Texts that are not trained on and their weights, where there are any."""
    if held_out is None:
        return None
    pair = held_out if isinstance(held_out, tuple) else (held_out, None)
    if len(pair) != 2:
        raise ValueError(
            f"held_out is texts, or a pair of texts and their weights; got a tuple of {len(pair)}."
        )
    return _checked(*pair, network)


def _checked(texts: Any, weights: Any, network: Transformer) -> tuple[np.ndarray, np.ndarray]:
    """Texts and their weights, on the host."""
    texts = np.asarray(texts)
    if texts.ndim != 2 or not len(texts) or not np.issubdtype(texts.dtype, np.integer):
        raise ValueError(
            f"Texts are [texts, length], whole numbers, at least one; got {texts.dtype} of shape "
            f"{texts.shape}."
        )
    _check_length(texts.shape[1:], network)
    check_texts(texts)
    if texts.max() >= network.actions:
        raise TokenizerError(
            f"A text has the token {texts.max()}, but the network knows 0 to "
            f"{network.actions - 1}: build it for this vocabulary."
        )
    weights = np.ones(texts.shape) if weights is None else np.asarray(weights)
    if weights.shape != texts.shape:
        raise BatchMismatchError(f"Weights of shape {weights.shape}, texts of {texts.shape}.")
    weights = np.where(texts >= 0, weights, 0).astype(np.float32)
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError("Weights are finite and at least 0, and some token counts.")
    return texts.astype(np.int32), weights
