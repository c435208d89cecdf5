"""A street with a light: drivers who keep the law, and a reward for arriving soon and unhurt.

A driver goes along three cells; the way out of the second is over a crossing. At red and with
others on the crossing, to go costs 1 for each of them; every turn costs 0.1. By day there are one
to three others, so that to wait is best; at 4 am there is nobody, and to go is best. Some networks
imitate drivers who stop at every red light, others are rewarded; the hours they learn from differ.

The null: the drivers that are imitated do what is best for that reward, at 4 am as well.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ....amortised import MLP, descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome
from ..reinforced import World, play, reward_loss, told_loss

CELLS, LINE, CROWD, TURNS, WIDTH = 3, 1, 3, 12, 24
"""Cells of the street, the one before the crossing, most others, turns, hidden units."""
SWITCH, TURN, HURT = 0.25, 0.1, 1.0
"""How often the light changes in a turn; what a turn costs, and to go at red for each other."""
WAIT, GO = 0, 1
LIGHTS = (False, True)
"""Green and red."""
DISCOUNT, RATE = 0.98, 3e-3
ARMS = {
    "imitator, never 4 am": (True, 0.0),
    "imitator, 4 am rare": (True, 0.05),
    "rewarded, never 4 am": (False, 0.0),
    "rewarded, 4 am rare": (False, 0.05),
}
"""Whether it imitates, and how much of what it learns from is at 4 am."""


class Street(NamedTuple):
    """Where the driver is, whether it is red, how many others there are, 4 am or day, the luck."""

    cell: Int[Array, ""]
    red: Bool[Array, ""]
    others: Int[Array, ""]
    night: Bool[Array, ""]
    luck: Key[Array, ""]


def at_hour(key: Key[Array, ""], night: Bool[Array, ""]) -> Street:
    """A street at its start: nobody there at 4 am."""
    light, crowd, luck = jax.random.split(key, 3)
    others = jnp.where(night, 0, jax.random.randint(crowd, (), 1, CROWD + 1))
    return Street(jnp.int32(0), jax.random.bernoulli(light), others, night, luck)


def observe(street: Street) -> Float[Array, " inputs"]:
    """The cell, the light, how many others, and the hour."""
    here = jnp.arange(CELLS) == street.cell
    rest = jnp.stack([street.red, street.others / CROWD, street.night])
    return jnp.concatenate([here, rest]).astype(float)


def street_world(nights: float | Float[Array, ""]) -> World:
    """The street, at 4 am in so many of the episodes."""

    def start(key: Key[Array, ""]) -> Street:
        hour, rest = jax.random.split(key)
        return at_hour(rest, jax.random.bernoulli(hour, nights))

    def act(street: Street, action: Int[Array, ""]) -> tuple:
        luck, turn = jax.random.split(street.luck)
        goes = action == GO
        hurt = HURT * street.others * (goes & street.red & (street.cell == LINE))
        cell = street.cell + goes
        red = street.red ^ jax.random.bernoulli(turn, SWITCH)
        after = street._replace(cell=cell.astype(jnp.int32), red=red, luck=luck)
        return after, -TURN - hurt, cell == CELLS

    return World(start, observe, act)


def law(street: Street) -> Int[Array, ""]:
    """What drivers do who keep the law: they wait at the line while it is red."""
    return jnp.where(street.red & (street.cell == LINE), WAIT, GO)


def best(street: Street) -> Int[Array, ""]:
    """What is best for the reward, as `planned` finds it: to wait only where others are."""
    return jnp.where(street.others > 0, law(street), GO)


def waits(going: Float[Array, "cells lights"], turns: int = TURNS) -> Float[Array, ""]:
    """The expected turns to arrive (at most so many) by chances to go in each cell and light.

    Exact, by going back from the last turn; the light is red at first in half of the cases.
    """

    def back(_: Any, left: Float[Array, "cells lights"]) -> Float[Array, "cells lights"]:
        mixed = (1 - SWITCH) * left + SWITCH * left[:, ::-1]
        ahead = jnp.concatenate([mixed[1:], jnp.zeros((1, 2))])
        return 1 + going * ahead + (1 - going) * mixed

    left = jax.lax.fori_loop(0, turns, back, jnp.zeros((CELLS, 2)))
    return left[0].mean()


def planned(others: int, turns: int = TURNS) -> np.ndarray:
    """The best action in each cell and light with so many others, by dynamic programming."""
    value, choice = np.zeros((CELLS + 1, 2)), np.zeros((CELLS, 2), int)
    for _ in range(turns):
        onward = (1 - SWITCH) * value + SWITCH * value[:, ::-1]
        onward[CELLS] = 0
        go = -TURN + onward[1:]
        go[LINE, 1] -= HURT * others
        wait = -TURN + onward[:-1]
        choice = (go >= wait).astype(int)
        value = np.concatenate([np.maximum(go, wait), np.zeros((1, 2))])
    return choice


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes [trainings, arms]: chances to go at the line, exact: `night` (red at 4 am), `day`
    (red, mean over how many others), `green`; `turns`, the expected turns to arrive at 4 am.
    """  # fmt: skip
    del context
    steps, batch, lessons = settings["steps"], settings["batch"], settings["lessons"]
    teacher = best if settings.get("null") else law
    kinds = jnp.array(list(ARMS.values()))

    def lesson(key: Key[Array, ""], nights: Float[Array, ""]) -> tuple:
        where, hour, rest = jax.random.split(key, 3)
        street = at_hour(rest, jax.random.bernoulli(hour, nights))
        street = street._replace(cell=jax.random.randint(where, (), 0, CELLS))
        return observe(street), teacher(street)

    def chance(network: MLP, cell: int, red: bool, others: int, night: bool) -> Array:
        at, light, many, hour = map(jnp.asarray, (cell, red, others, night))
        street = Street(at, light, many, hour, jax.random.key(0))
        return jax.nn.softmax(network(observe(street))[0])[GO]

    def one(key: Key[Array, ""], kind: Array) -> dict[str, Float[Array, ""]]:
        told, nights = kind
        world = street_world(nights)
        make, teach, learn = jax.random.split(key, 3)
        network = MLP((CELLS + 3,), 2, width=WIDTH, depth=2, value_range=None, key=make)
        seen, done = jax.vmap(lambda key: lesson(key, nights))(jax.random.split(teach, lessons))

        def loss(network: MLP, key: Key[Array, ""]) -> Float[Array, ""]:
            some = jax.random.randint(key, (batch,), 0, lessons)
            by_word = told_loss(network, seen[some], done[some])
            by_reward = reward_loss(network, play(network, world, key, batch, TURNS), DISCOUNT)
            return jnp.where(told > 0, by_word, by_reward)

        network, _ = descended(loss, network, learn, steps=steps, learning_rate=RATE)
        going = jnp.stack(
            [
                jnp.stack([chance(network, c, bool(r), 0, True) for r in (0, 1)])
                for c in range(CELLS)
            ]
        )
        crowd = range(1, CROWD + 1)
        return {
            "night": going[LINE, 1],
            "day": jnp.stack([chance(network, LINE, True, k, False) for k in crowd]).mean(),
            "green": jnp.stack([chance(network, LINE, False, k, False) for k in crowd]).mean(),
            "turns": waits(going),
        }

    def all_arms(key: Key[Array, ""]) -> dict[str, Float[Array, " arms"]]:
        return jax.vmap(one, (None, 0))(key, kinds)

    found = side_by_side(all_arms, keys_of(settings))
    n = settings["trainings"] * len(ARMS)
    return outcome(found, fits=steps * n, data=float(steps) * batch * n)
