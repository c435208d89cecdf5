<<<<<<< HEAD
"""Writing in a compiled program, for trainings side by side, and reward for what was written."""

from collections.abc import Callable
=======
"""What a transformer writes, as a pure function: for trainings side by side, in their program."""
>>>>>>> c2

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

<<<<<<< HEAD
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
=======
from ....amortised import Transformer
from ....amortised.sequence.cache import append, read


def written(
    network: Transformer,
    prompts: Int[Array, "rows places"],
    key: Key[Array, ""],
    *,
    tokens: int,
    temperature: float = 0.0,
) -> Int[Array, "rows tokens"]:
    """So many tokens after each prompt, all of one length; the likeliest at temperature 0.

    Keys and values are kept, so that a token costs one pass. Nothing stops a row.
    """
    first = prompts.shape[1] + 1
    logits, cache = read(network, prompts, first + tokens)

    def drawn(logits: Float[Array, "rows symbols"], place: Array) -> Int[Array, " rows"]:
        if temperature == 0:
            return jnp.argmax(logits, -1).astype(jnp.int32)
        chance = jax.random.fold_in(key, place)
        return jax.random.categorical(chance, logits / temperature, axis=-1).astype(jnp.int32)

    def step(carry: tuple, place: Array) -> tuple[tuple, Int[Array, " rows"]]:
        token, cache = carry
        logits, cache = append(network, cache, token, first + place)
        return (drawn(logits, place + 1), cache), token

    begin = drawn(logits, jnp.int32(0)), cache
    (last, _), before = jax.lax.scan(step, begin, jnp.arange(tokens - 1))
    return jnp.concatenate([before, last[None]]).T
>>>>>>> c2
