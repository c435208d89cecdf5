"""What a transformer writes, as a pure function: for trainings side by side, in their program."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

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
