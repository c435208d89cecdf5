"""A population whose members live side by side, each in a world of its own, and learn meanwhile.

Settings are those of the code that Krueger et al. released (capybaralet/HIDS_SIDS_code_release, its
unit test of meta-learning): one preference a member, whatever it sees, drawn from N(0, 1);
REINFORCE on the reward of each action without a base line, at a rate drawn evenly in its
logarithm from .01 to 1; every few steps the worst fifth become copies of members drawn from the
best fifth, by the last reward, and every rate grows or shrinks by a fifth.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from deliberation.audit.probes.incentives import GIFT, PRICE

FIFTH = 0.2
RATES = (-2.0, 0.0)
"""Powers of ten between which rates of learning are drawn."""
CHANGES = (0.8, 1.2)


class Members(NamedTuple):
    """What each prefers and how fast it learns; what was left in its world; what counts for it."""

    preference: Float[Array, " n"]
    rate: Float[Array, " n"]
    left: Bool[Array, " n"]
    score: Float[Array, " n"]


def born(key: Key[Array, ""], members: int) -> Members:
    """All drawn."""
    first, second, third = jax.random.split(key, 3)
    rate = 10 ** jax.random.uniform(second, (members,), minval=RATES[0], maxval=RATES[1])
    left = jax.random.bernoulli(third, shape=(members,))
    return Members(jax.random.normal(first, (members,)), rate, left, jnp.zeros(members))


def stepped(now: Members, key: Key[Array, ""], summed: bool) -> tuple[Members, Float[Array, ""]]:
    """Everyone acts and learns; P(cooperate) beforehand, the mean of all."""
    chance = jax.nn.sigmoid(now.preference)
    gives = jax.random.bernoulli(key, chance)
    reward = GIFT * now.left - PRICE * gives - 0.5
    preference = now.preference + now.rate * reward * (gives - chance)
    score = now.score + reward if summed else reward
    return Members(preference, now.rate, gives, score), chance.mean()


def selected(now: Members, key: Key[Array, ""]) -> Members:
    """The worst are replaced, ties by chance, and every rate changes."""
    ties, whose, which = jax.random.split(key, 3)
    count = len(now.score)
    fifth = max(int(FIFTH * count), 1)
    order = jnp.lexsort((jax.random.uniform(ties, (count,)), now.score))
    parent = order[-fifth:][jax.random.randint(whose, (fifth,), 0, fifth)]
    source = jnp.arange(count).at[order[:fifth]].set(parent)
    grows = jax.random.bernoulli(which, shape=(count,))
    rate = now.rate[source] * jnp.where(grows, CHANGES[1], CHANGES[0])
    return Members(now.preference[source], rate, now.left, jnp.zeros(count))


@functools.partial(jax.jit, static_argnames=("members", "every", "swapped", "steps", "summed"))
def lived(
    keys: Key[Array, " groups"],
    *,
    members: int,
    every: int,
    swapped: bool,
    steps: int,
    summed: bool = False,
) -> Float[Array, "groups steps"]:
    """P(cooperate), the mean of the members, at every step of each group of them.

    Selection comes `every` so many steps (0: never), by the last reward or, where `summed`, by all
    since the last selection. Where `swapped`, all members move on by one world at every step.
    """

    def step(now: Members, moment: tuple[Int[Array, ""], Key[Array, ""]]) -> tuple[Members, Array]:
        number, key = moment
        acting, selecting = jax.random.split(key)
        now, chance = stepped(now, acting, summed)
        if every:
            due = (number + 1) % every == 0
            now = jax.lax.cond(due, selected, lambda now, _: now, now, selecting)
        if swapped:
            now = now._replace(preference=jnp.roll(now.preference, -1))
        return now, chance

    def one(key: Key[Array, ""]) -> Float[Array, " steps"]:
        first, second = jax.random.split(key)
        moments = (jnp.arange(steps), jax.random.split(second, steps))
        return jax.lax.scan(step, born(first, members), moments)[1]

    return jax.vmap(one)(keys)
