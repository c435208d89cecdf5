"""Writing in a compiled program, for trainings side by side, and reward for what was written."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ....amortised import Transformer, descended, token_losses
from ....amortised.sequence.cache import Cache, append, read

Prompts = Callable[[Key[Array, ""]], Int[Array, "n told"]]


def written(
    network: Transformer, begun: Int[Array, "n told"], key: Key[Array, ""], places: int,
    heat: float | Float[Array, ""] = 1.0,
) -> tuple[Int[Array, "n places"], Float[Array, "n places"]]:  # fmt: skip
    """So many tokens after each text (-1 at its end is none), and their log-probability. Pure.

    They are drawn, or at `heat` 0 each time the likeliest.
    """
    n, told = begun.shape
    lots = jax.random.gumbel(key, (places, n, network.actions)) * heat
    logits, cache = read(network, begun, told + places + 1)

    def add(carry: tuple[Array, Cache], now: tuple[Array, Array]) -> tuple:
        logits, cache = carry
        lot, place = now
        token = jnp.argmax(logits + lot, -1).astype(jnp.int32)
        nats = jnp.take_along_axis(jax.nn.log_softmax(logits), token[:, None], 1)[:, 0]
        return append(network, cache, token, told + 1 + place), (token, nats)

    _, (new, nats) = jax.lax.scan(add, (logits, cache), (lots, jnp.arange(places)))
    return new.T, nats.T


def stacked(*networks: Transformer) -> Transformer:
    """Networks of one shape as one, for `jax.lax.map`: a program for all of them."""
    return jax.tree.map(lambda *parts: jnp.stack(parts), *networks)


def tuned(
    network: Transformer, prompts: Prompts, places: int, key: Key[Array, ""], *, steps: int,
    rate: float,
) -> Transformer:  # fmt: skip
    """The network after policy gradient (Williams 1992) on minus the loss of its texts.

    What is written is rewarded by how little it surprises the network as it came, token by token;
    from each place on, less the batch's mean. Pure.
    """
    judge = jax.lax.stop_gradient(network)

    def loss(network: Transformer, key: Key[Array, ""]) -> Float[Array, ""]:
        ask, write = jax.random.split(key)
        given = prompts(ask)
        new = written(jax.lax.stop_gradient(network), given, write, places)[0]
        texts = jnp.concatenate([given, new], 1)
        told = given.shape[1]
        reward = -token_losses(judge, texts)[:, told:]
        onward = jnp.cumsum(reward[:, ::-1], 1)[:, ::-1]
        gain = onward - onward.mean(0)
        return (token_losses(network, texts)[:, told:] * gain).mean()

    return descended(loss, network, key, steps=steps, learning_rate=rate)[0]
