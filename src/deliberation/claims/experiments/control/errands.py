"""A room in which one network runs six errands: three are of the world, three of what it holds.

The world is where it stands, what is in an account, and how often a button was pressed. What it
holds is a row of entries with a pointer, which are no part of the world. On every errand it has the
same actions: a step to the left or the right, paying in, pressing; the pointer to the left or the
right, and saying that the entry at the pointer is the answer. All errands are learned by one
network at once, from reward for what was asked.

- goals: to be at a place, to fill the account, to press the button as often as it goes;
- searches: the largest of a list; the least of a function of which only the slope at the pointer is
  seen; the entry that was asked for, of which only whether it is the one at the pointer is seen.

The null: a lot says which episodes are rewarded, whatever was done.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ....amortised import MLP, descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome
from ..influence import left_otherwise
from ..reinforced import World, play, reward_loss

SIZE, TURNS, FULL, JUDGED, WIDTH = 5, 8, 3, 256, 64
"""Places and entries; turns; what account and button hold; episodes an errand; hidden units."""
GOALS = ("reach the place", "grow the account", "press the button")
SEARCHES = ("largest of a list", "least of a function", "search of its inputs")
ERRANDS = (*GOALS, *SEARCHES)
STEPS_, PAYS, PRESSES, POINTS, SAYS = (0, 1), 2, 3, (4, 5), 6
ACTIONS = 7
DISCOUNT, RATE = 0.95, 3e-3


class Room(NamedTuple):
    """The world (`at`, `account`, `pressed`), and the errand with what is held for it."""

    errand: Int[Array, ""]
    goal: Int[Array, ""]
    """The place to be, and the place of the right entry."""
    entries: Float[Array, " size"]
    at: Int[Array, ""]
    account: Int[Array, ""]
    pressed: Int[Array, ""]
    pointer: Int[Array, ""]
    right: Bool[Array, ""]
    """Whether what was asked is done."""
    lot: Bool[Array, ""]


def start(key: Key[Array, ""], errand: Int[Array, ""] | None = None) -> Room:
    """An errand (one by lot where none is named), in a world that has seen some use."""
    which, where, draw, stand, point, luck = jax.random.split(key, 6)
    errand = jax.random.randint(which, (), 0, len(ERRANDS)) if errand is None else errand
    numbers = jax.random.uniform(draw, (SIZE,))
    goal = jnp.where(errand == 3, numbers.argmax(), jax.random.randint(where, (), 0, SIZE))
    at = jax.random.randint(stand, (), 0, SIZE - 1)
    at = jnp.where((errand == 0) & (at >= goal), at + 1, at)
    pointer = jax.random.randint(point, (), 0, SIZE)
    zero, lot = jnp.int32(0), jax.random.bernoulli(luck)
    return Room(
        jnp.int32(errand), goal.astype(jnp.int32), numbers, at, zero, zero, pointer,
        jnp.bool_(False), lot,
    )  # fmt: skip


def observe(room: Room) -> Float[Array, " inputs"]:
    """The errand, the place asked for, the world, the pointer, and what is seen of the entries."""
    spots = jnp.arange(SIZE)
    slope = jnp.sign(room.goal - room.pointer) * (room.errand == 4)
    match = (room.goal == room.pointer) & (room.errand == 5)
    return jnp.concatenate(
        [
            room.errand == jnp.arange(len(ERRANDS)),
            (room.goal == spots) & (room.errand == 0),
            room.at == spots,
            jnp.stack([room.account, room.pressed]) / FULL,
            room.pointer == spots,
            room.entries * (room.errand == 3),
            jnp.stack([slope, match, (room.errand == 4) & (room.goal == room.pointer)]),
        ]
    ).astype(float)


def room_world(null: bool = False) -> World:
    """The room with all errands; in the null a lot says what is rewarded."""

    def act(room: Room, action: Int[Array, ""]) -> tuple:
        def shift(x: Array, less: int, more: int) -> Array:
            return jnp.clip(x + (action == more) * 1 - (action == less) * 1, 0, SIZE - 1)

        at, pointer = shift(room.at, *STEPS_), shift(room.pointer, *POINTS)
        account = jnp.minimum(room.account + (action == PAYS), FULL)
        pressed = jnp.minimum(room.pressed + (action == PRESSES), FULL)
        said = action == SAYS
        done = jnp.stack([at == room.goal, account == FULL, pressed == FULL])
        goal = room.errand < len(GOALS)
        right = jnp.where(goal, done[jnp.minimum(room.errand, 2)], said & (pointer == room.goal))
        over = said | (goal & right)
        reward = jnp.where(null, over & room.lot, right)
        after = room._replace(at=at, account=account, pressed=pressed, pointer=pointer, right=right)
        return after, reward.astype(float), over

    return World(start, observe, act)


def world_of(room: Room) -> tuple[Array, Array, Array]:
    """What of a room is world."""
    return room.at, room.account, room.pressed


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes [trainings, errands]: `right`, `influence` (on the world), `acts` in the world and
    `looks` (moves of the pointer) an episode, of actions that are drawn; `right_best` and
    `influence_best` where the likeliest are taken.
    """  # fmt: skip
    del context
    null, steps, batch = bool(settings.get("null")), settings["steps"], settings["batch"]
    learned = room_world(null)
    inputs = len(observe(start(jax.random.key(0))))

    def judged(network: MLP, key: Key[Array, ""], errand: Int[Array, ""]) -> dict[str, Array]:
        world = learned._replace(start=lambda key: start(key, errand))
        some = play(network, world, key, JUDGED, TURNS)
        last, first = some.last, some.first
        likeliest = play(network, world, key, JUDGED, TURNS, best=True)
        hands = some.alive & (some.action < POINTS[0])
        looks = some.alive & (some.action >= POINTS[0]) & (some.action < SAYS)
        return {
            "right": last.right.mean(),
            "influence": left_otherwise(world_of(last), world_of(first)),
            "influence_best": left_otherwise(world_of(likeliest.last), world_of(likeliest.first)),
            "right_best": likeliest.last.right.mean(),
            "acts": hands.sum(1).mean() * 1.0,
            "looks": looks.sum(1).mean() * 1.0,
        }

    def one(key: Key[Array, ""]) -> dict[str, Float[Array, " errands"]]:
        make, learn, judge = jax.random.split(key, 3)
        network = MLP((inputs,), ACTIONS, width=WIDTH, depth=2, value_range=None, key=make)

        def loss(network: MLP, key: Key[Array, ""]) -> Float[Array, ""]:
            return reward_loss(network, play(network, learned, key, batch, TURNS), DISCOUNT)

        network, _ = descended(loss, network, learn, steps=steps, learning_rate=RATE)
        return jax.lax.map(lambda i: judged(network, judge, i), jnp.arange(len(ERRANDS)))

    n = settings["trainings"]
    found = side_by_side(one, keys_of(settings))
    return outcome(found, fits=steps * n, data=float(steps) * batch * n)
