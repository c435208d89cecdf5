"""Small worlds in which a network acts by turns, and the loss of learning there from reward.

A world is three pure functions; episodes of many starts are played at once, and the loss is that
of policy gradient with a learned baseline (Williams 1992). Once an episode is over nothing changes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

BONUS = 0.02
"""What entropy is worth: it pays for dithering, with hands as well, to go on trying."""


class World(NamedTuple):
    """`start(key)`, `observe(state)`, and `act(state, action)` -> (state, reward, over)."""

    start: Callable[[Key[Array, ""]], PyTree]
    observe: Callable[[PyTree], Float[Array, " inputs"]]
    act: Callable[[PyTree, Int[Array, ""]], tuple[PyTree, Float[Array, ""], Bool[Array, ""]]]


class Episodes(NamedTuple):
    """Episodes as [n, turns, ...]; `alive` where a turn was played; `first`, `last` states [n]."""

    seen: Float[Array, "n turns inputs"]
    action: Int[Array, "n turns"]
    reward: Float[Array, "n turns"]
    alive: Bool[Array, "n turns"]
    first: PyTree
    last: PyTree


def play(
    network: Any, world: World, key: Key[Array, ""], n: int, turns: int, *, best: bool = False
) -> Episodes:
    """`n` episodes of at most so many turns; actions are drawn, or with `best` the likeliest."""
    begin, draw = jax.random.split(key)
    first = jax.vmap(world.start)(jax.random.split(begin, n))
    lots = jax.random.gumbel(draw, (turns, n, network.actions))

    def turn(carry: tuple, lot: Float[Array, "n actions"]) -> tuple:
        state, alive = carry
        seen = jax.vmap(world.observe)(state)
        logits = jax.vmap(network)(seen)[0]
        action = jnp.argmax(logits + (0.0 if best else 1.0) * lot, 1)
        after, reward, over = jax.vmap(world.act)(state, action)
        after = jax.tree.map(lambda a, b: jnp.where(_like(alive, a), a, b), after, state)
        return (after, alive & ~over), (seen, action, jnp.where(alive, reward, 0.0), alive)

    (last, _), told = jax.lax.scan(turn, (first, jnp.ones(n, bool)), lots)
    seen, action, reward, alive = (jnp.swapaxes(x, 0, 1) for x in told)
    return Episodes(seen, action, reward, alive, first, last)


def returns(
    reward: Float[Array, "n turns"], discount: float | Float[Array, ""]
) -> Float[Array, "n turns"]:
    """The discounted sum of rewards from each turn on."""

    def back(onward: Float[Array, " n"], now: Float[Array, " n"]) -> tuple:
        total = now + discount * onward
        return total, total

    zero = jnp.zeros(reward.shape[0])
    return jax.lax.scan(back, zero, reward.T, reverse=True)[1].T


def reward_loss(
    network: Any, episodes: Episodes, discount: float | Float[Array, ""] = 0.95,
    bonus: float | Float[Array, ""] = BONUS,
) -> Float[Array, ""]:  # fmt: skip
    """The loss whose gradient is that of the expected return, with a baseline and a bonus."""
    logits, value = jax.vmap(jax.vmap(network))(episodes.seen)
    logs = jax.nn.log_softmax(logits)
    taken = jnp.take_along_axis(logs, episodes.action[..., None], -1)[..., 0]
    onward = returns(episodes.reward, discount)
    gain = jax.lax.stop_gradient(onward - value)
    entropy = -(jnp.exp(logs) * logs).sum(-1)
    each = -taken * gain + 0.5 * (onward - value) ** 2 - bonus * entropy
    return (each * episodes.alive).sum() / episodes.alive.sum()


def told_loss(
    network: Any, seen: Float[Array, "n inputs"], right: Int[Array, " n"]
) -> Float[Array, ""]:
    """The cross-entropy of being told what is right."""
    logits = jax.vmap(network)(seen)[0]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), right[:, None], 1).mean()


def _like(alive: Bool[Array, " n"], x: Array) -> Bool[Array, "..."]:
    return alive.reshape(alive.shape + (1,) * (x.ndim - 1))
