"""Random worlds in which everything is known: small graphs of moves, rewards in a few places."""

import functools
import itertools

import numpy as np

from ..core.errors import WrongKindError
from ..core.task import Task
from ..tasks import make_task
from ..tasks.arrays import ArrayTask, from_arrays

STATES, ACTIONS, DISCOUNT = 150, 3, 0.9
GAMES = (
    ("connect_four", {"width": 3, "height": 4, "k": 3}),
    ("connect_four", {"width": 3, "height": 3, "k": 3}),
    ("tic_tac_toe", {}),
)
SMALL, MOST_REACHED = 18, 0.6
"""States of a small world, and the share of them that play comes to at least."""
LARGE = 400
"""States of a large world."""
PAYING = 0.15
"""The share of the states in which a move earns something."""


def random_world(seed: int, states: int = STATES) -> Task:
    """A graph drawn from a seed: each action leads to one state, and a few states pay to leave."""
    rng = np.random.default_rng([seed, 11])
    to = rng.integers(0, states, (states, ACTIONS))
    moves = np.zeros((states, ACTIONS, states))
    moves[np.arange(states)[:, None], np.arange(ACTIONS), to] = 1.0
    pays = rng.random(states) < PAYING
    rewards = np.where(pays, rng.normal(size=states), 0.0)
    return from_arrays(moves, np.repeat(rewards[:, None], ACTIONS, 1), gamma=DISCOUNT)


def small_world(seed: int) -> Task:
    """A random world of few states, most of which lead to something that pays."""
    for number in itertools.count():
        world = random_world(seed + 1_000_003 * number, SMALL)
        assert isinstance(world, ArrayTask)
        to = np.asarray(world.successors)[:, :, 0]
        paying = np.asarray(world.wanted.rewards).reshape(SMALL, -1).any(1)
        reached, edge = np.zeros(SMALL, bool), np.zeros(SMALL, bool)
        edge[0] = True
        while (edge & ~reached).any():
            reached |= edge
            edge[np.unique(to[edge])] = True
        if (reached & paying).sum() >= 2 and reached.sum() >= MOST_REACHED * SMALL:
            return world
    raise AssertionError


@functools.cache
def _game(number: int) -> Task:
    return make_task(GAMES[number][0], **GAMES[number][1])


def small_game(seed: int) -> Task:
    """One of a few games of two players whose states can all be listed."""
    return _game(seed % len(GAMES))


def stretched(world: Task, times: int) -> Task:
    """A random world in which every move takes so many steps: as good, larger, and with as many
    times the look-ahead needed. Play begins where it did.

    Raises `WrongKindError` for other tasks than `random_world` makes.
    """
    if not isinstance(world, ArrayTask) or world.successors.shape[2] != 1:
        raise WrongKindError(f"{world!r} is no random world, so its moves cannot be stretched.")
    to, rewards = np.asarray(world.successors)[:, :, 0], np.asarray(world.wanted.rewards)
    states, actions = to.shape
    between = states + np.arange(states * actions * (times - 1)).reshape((*to.shape, times - 1))
    ways = np.concatenate([np.broadcast_to(np.arange(states)[:, None, None], (*to.shape, 1)),
                           between, to[:, :, None]], 2)  # fmt: skip
    count = states + between.size
    moves, earned = np.zeros((count, actions, count)), np.zeros((count, actions))
    at = np.arange(actions)
    for step in range(times):
        here, after = ways[:, :, step], ways[:, :, step + 1]
        for action in at:
            # On the way nothing is chosen: every action goes on.
            taken = [action] if step == 0 else at
            for one in taken:
                moves[here[:, action], one, after[:, action]] = 1.0
    earned[:states] = rewards
    start = np.zeros(count)
    start[:states] = 1 / states
    return from_arrays(moves, earned, start=start, gamma=world.wanted.gamma ** (1 / times))
