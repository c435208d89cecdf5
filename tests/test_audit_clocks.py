"""A stranger's world that counts its steps where nobody sees it is listed once a place; one whose
places look alike and differ is not.
"""

import dataclasses

import gymnasium
import numpy as np
import pytest

from deliberation import adapters, make_task
from deliberation.audit.citing import cite
from deliberation.audit.exam import Exam, _differ_in_time
from deliberation.direct import enumerate_states


class Ring(gymnasium.Env):
    """Eight places in a ring, of which one pays; it cuts itself after 40 steps. With a `secret`
    what pays turns about with every round, which is not seen.
    """

    action_space = gymnasium.spaces.Discrete(2)
    observation_space = gymnasium.spaces.Box(0, 7, (1,), np.float32)

    def __init__(self, secret: bool = False):
        self.secret = secret

    def reset(self, *, seed=None, options=None):
        self.at, self.steps = 0, 0
        return np.array([0], np.float32), {}

    def step(self, action):
        self.steps += 1
        turned = self.secret and (self.steps // 8) % 2
        pays = self.at == 5 and action == (0 if turned else 1)
        self.at = (self.at + (1 if action else -1)) % 8
        seen = np.array([self.at], np.float32)
        return seen, float(pays), False, self.steps >= 40, {}


@pytest.mark.parametrize("secret", [False, True])
def test_steps_that_nobody_sees_are_left_out_and_secrets_are_not(secret):
    world = adapters.from_gymnasium(lambda: Ring(secret), max_episode_steps=50)
    exam = Exam.of(world, count=128)
    assert exam.by_sight is not secret
    assert (len(exam.reached) == 8) is not secret


def test_frozen_lake_has_sixteen_places():
    exam = Exam.of(adapters.from_gymnasium("FrozenLake-v1", is_slippery=False))
    assert exam.by_sight and len(exam.reached) == 16 and len(exam.rows) == 11
    worst = np.nanargmin(exam.values[exam.rows], 1)
    assert cite(exam, exam.rows, worst)[0].unit == "of return, discounted by 0.97 a move"


def test_what_is_lost_where_states_are_told_apart_is_not_discounted():
    exam = Exam.of(make_task("gridworld(size=3)"), count=4)
    worst = np.nanargmin(exam.values[exam.rows], 1)
    assert cite(exam, exam.rows, worst, 1)[0].unit == "of return"


@pytest.mark.parametrize("part", ["chances", "legal"])
def test_what_looks_alike_and_is_likelier_or_allowed_elsewhere_is_not_alike(part):
    world = adapters.from_gymnasium(lambda: Ring(False), max_episode_steps=50)
    reached = enumerate_states(world)
    assert len(reached) > 100 and _differ_in_time(world, reached, world.objective)
    other = getattr(reached, part).copy()
    other[np.flatnonzero(~reached.terminal)[20]] = 0
    changed = dataclasses.replace(reached, **{part: other})
    assert not _differ_in_time(world, changed, world.objective)
