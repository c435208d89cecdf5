"""Next-token prediction: a sequence model learns the source of its data, and nothing else.

The loss is the cross-entropy of each token given those before it (Radford et al. 2019); its least
value is the source's entropy rate (Shannon 1948), which is reached by becoming the source.
"""

from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ...core.errors import BatchMismatchError
from ...core.ledger import Ledger
from ..networks.feed_forward import flops
from ..training.fitting import Metrics, fit_loss
from ..training.trained import Trained, training_identity
from ..training.updates import Watch
from .transformer import Transformer

Text = Callable[[Key[Array, ""]], Int[Array, " length"]]
"""Draws one text from a source: tokens from 0, as many as the network reads."""


def fit_next_token(
    text: Text,
    network: Transformer,
    *,
    steps: int,
    key: Key[Array, ""],
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    weight_decay: float = 0.0,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Train on fresh texts; every place of every text is predicted.

    The ledger counts texts as data, and three forward passes a text for a step. The metric "loss"
    is in nats a token. Raises `BatchMismatchError` for texts that the network does not read and
    `TrainingDivergedError`.
    """
    shape = jax.eval_shape(text, key).shape
    if shape != network.observation_shape:
        raise BatchMismatchError(
            f"Texts have shape {shape}, but the network reads {network.observation_shape}: build "
            "it for texts of this length."
        )

    def loss(network: Transformer, key: Key[Array, ""]) -> tuple[Float[Array, ""], Metrics]:
        texts = jax.vmap(text)(jax.random.split(key, batch_size))
        return jnp.mean(token_losses(network, texts)), {}

    each = Ledger(
        network_evaluations=batch_size, data=batch_size, flops=3 * flops(network) * batch_size
    )
    identity = training_identity(
        "next_token", key, network=network.config, batch_size=batch_size,
    )  # fmt: skip
    return fit_loss(
        loss, network, steps=steps, key=key, learning_rate=learning_rate,
        weight_decay=weight_decay, each=each, folder=folder, identity=identity, watch=watch,
    )  # fmt: skip


@eqx.filter_jit
def token_losses(
    network: Transformer, texts: Int[Array, "batch length"]
) -> Float[Array, "batch length"]:
    """The surprise (nats) at each token of each text given those before it. Pure."""
    logits = jax.vmap(network.predict)(texts)[:, :-1]
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits, axis=-1), texts[..., None], axis=-1)
    return -chosen[..., 0]
