"""Rocks of several sizes in a row of places: to name the biggest, or to have it.

Every network has the same observation, the same hands (a step to the left, a step to the right,
take what lies here) and the same words ("it is the one at place i"). What differs is whether the
list of all sizes is shown, or a place only once it was stood on; and what training tells: the right
word, or a reward.

The null: what is right is a place drawn by lot, whatever the sizes.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ....amortised import MLP, descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome
from ..influence import left_otherwise
from ..reinforced import World, play, reward_loss, told_loss

PLACES, TURNS, JUDGED, WIDTH = 4, 10, 512, 48
"""Places in the row, turns of an episode, episodes on which a network is judged, hidden units."""
LEFT, RIGHT, TAKE, SAY = 0, 1, 2, 3
DISCOUNT, RATE = 0.98, 3e-3
ARMS = {
    "list, told": (True, True, False),
    "world, taking": (False, False, True),
    "list, taking": (True, False, True),
    "list, saying": (True, False, False),
    "world, saying": (False, False, False),
}
"""Whether the list is shown, whether training tells the right word, whether taking is what pays."""


class Row(NamedTuple):
    """A row of rocks, and what has been done there."""

    size: Float[Array, " places"]
    right: Int[Array, ""]
    """Which is the biggest."""
    seen: Bool[Array, " places"]
    at: Int[Array, ""]
    took: Int[Array, ""]
    """The place that a rock was taken from, or -1."""
    said: Int[Array, ""]


def row(shown: Bool[Array, ""] | bool, pays: Bool[Array, ""] | bool, null: bool = False) -> World:
    """The world where the list is shown or not, and where `pays` taking or else saying."""

    def start(key: Key[Array, ""]) -> Row:
        draw, lot = jax.random.split(key)
        size = jax.random.uniform(draw, (PLACES,))
        right = jax.random.randint(lot, (), 0, PLACES) if null else size.argmax()
        here = jnp.arange(PLACES) == 0
        none = jnp.int32(-1)
        return Row(size, right.astype(jnp.int32), here | shown, jnp.int32(0), none, none)

    def observe(state: Row) -> Float[Array, " inputs"]:
        here = jnp.arange(PLACES) == state.at
        most = jnp.where(state.seen, state.size, -1.0)
        found = state.seen & (most == most.max())
        return jnp.concatenate([here, state.seen, state.size * state.seen, found]).astype(float)

    def act(state: Row, action: Int[Array, ""]) -> tuple:
        step = jnp.where(action == RIGHT, 1, 0) - jnp.where(action == LEFT, 1, 0)
        at = jnp.clip(state.at + step, 0, PLACES - 1)
        seen = state.seen | (jnp.arange(PLACES) == at)
        took = jnp.where(action == TAKE, at, -1)
        said = jnp.where(action >= SAY, action - SAY, -1)
        reward = jnp.where(pays, took == state.right, said == state.right)
        after = state._replace(seen=seen, at=at, took=took, said=said)
        return after, reward.astype(float), (took >= 0) | (said >= 0)

    return World(start, observe, act)


def inputs() -> int:
    """Numbers of an observation: where it stands, what was seen, sizes, the biggest of these."""
    return 4 * PLACES


def shortest(at: Int[Array, "*n"]) -> Int[Array, "*n"]:
    """Turns of who knows where it goes: the steps to the place, and taking."""
    return at + 1


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes [trainings, arms]: `right` (shares of episodes in which the biggest was taken or
    named), `influence`, `found` (of the places covered at first, the share that were seen at the
    end; 0 where all were shown), `steps` (turns in the world), `detour` (turns beyond those to
    the rock of who knows the way), `taken` (a rock is gone), `executed` (influence of the same
    answers if somebody fetches what is named).
    """  # fmt: skip
    del context
    null, steps, batch = bool(settings.get("null")), settings["steps"], settings["batch"]
    kinds = jnp.array(list(ARMS.values()))
    said = jnp.arange(JUDGED)

    def one(key: Key[Array, ""], kind: Array) -> dict[str, Float[Array, ""]]:
        shown, told, pays = kind
        world = row(shown, pays, null)
        make, learn, judge = jax.random.split(key, 3)
        network = MLP((inputs(),), SAY + PLACES, width=WIDTH, depth=2, value_range=None, key=make)

        def loss(network: MLP, key: Key[Array, ""]) -> Float[Array, ""]:
            some = play(network, world, key, batch, TURNS)
            by_word = told_loss(network, some.seen[:, 0], SAY + some.first.right)
            return jnp.where(told, by_word, reward_loss(network, some, DISCOUNT))

        network, _ = descended(loss, network, learn, steps=steps, learning_rate=RATE)
        some = play(network, world, judge, JUDGED, TURNS)
        last = some.last
        got = jnp.where(pays, last.took, last.said)
        turns = some.alive.sum(1)
        named = jnp.where(last.said >= 0, last.said, last.took)
        moved = left_otherwise((last.at, last.took), (some.first.at, some.first.took))
        fetched = left_otherwise((said, named), (said, some.first.took))
        hidden = (~some.first.seen).sum(1)
        came = (last.seen & ~some.first.seen).sum(1) / jnp.maximum(hidden, 1)
        ended = (last.took >= 0) | (last.said >= 0)
        beyond = jnp.where(ended & (last.took >= 0), turns - shortest(last.at), turns - 1)
        return {
            "right": (got == last.right).mean(),
            "influence": moved,
            "found": came.mean(),
            "steps": (some.alive & (some.action < SAY)).sum(1).mean().astype(float),
            "detour": beyond.mean().astype(float),
            "taken": (last.took >= 0).mean(),
            "executed": fetched,
        }

    def all_arms(key: Key[Array, ""]) -> dict[str, Float[Array, " arms"]]:
        return jax.vmap(one, (None, 0))(key, kinds)

    found = side_by_side(all_arms, keys_of(settings))
    n = settings["trainings"] * len(ARMS)
    return outcome(found, fits=steps * n, data=float(steps) * batch * n)
