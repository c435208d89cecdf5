"""Where an environment cuts its own episodes: planners stop as play does, learners go on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium import spaces  # noqa: E402

from deliberation.adapters import SampledChance, from_gymnasium  # noqa: E402
from deliberation.amortised import Tabular, train_q_learning  # noqa: E402
from deliberation.core import UniformRandom, check_task, rollout  # noqa: E402
from deliberation.core.errors import FinishedGameError  # noqa: E402
from deliberation.direct import RandomShooting, TreeSearch, optimal_return  # noqa: E402
from deliberation.tasks.remembered import Remembered  # noqa: E402

KEY = jax.random.key(0)
LIMIT = 5


class Counting(gymnasium.Env):
    """Pays 1 a step, ends never, cuts itself after 5; notes and refuses a step past that."""

    observation_space = spaces.Discrete(1)
    action_space = spaces.Discrete(2)

    def __init__(self, noted=None, limit=LIMIT):
        self.t, self.limit = 0, limit
        # Behind a function, so that what was noted is no part of a state.
        self.note = (noted if noted is not None else []).append

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return 0, {}

    def step(self, action):
        if self.t >= self.limit:
            self.note(self.t)
            raise RuntimeError("stepped past its cut")
        self.t += 1
        return 0, 1.0, False, self.t >= self.limit, {}


class Listed(Counting):
    """The same with a table of its chance, which leads to either of two places."""

    observation_space = spaces.Discrete(2)

    def __init__(self, noted=None):
        super().__init__(noted)
        self.s = 0
        chances = [(0.5, 0, 1.0, False), (0.5, 1, 1.0, False)]
        self.P = {s: dict.fromkeys(range(2), chances) for s in range(2)}

    def reset(self, *, seed=None, options=None):
        came = super().reset(seed=seed)
        self.s = 0
        return came

    def step(self, action):
        _, *came = super().step(action)
        self.s = int(self.np_random.random() >= 0.5)
        return self.s, *came


def first(task, rows=2):
    return jax.vmap(task.init)(jax.random.split(KEY, rows))


@pytest.mark.parametrize("clone", ["attributes", "deepcopy", "replay"])
def test_search_is_worth_what_rollout_measures(clone):
    """Five, and not the thousand that the horizon would allow."""
    noted = []
    task = from_gymnasium(Counting(noted), clone=clone)
    assert task.traits.horizon == 1000 and task.fidelity.way == clone
    for planner in (TreeSearch(task, "uct", capacity=128), RandomShooting(task, horizon=20)):
        decision, _ = planner.decide(first(task), budget=100, key=KEY)
        assert decision.value.tolist() == [5.0, 5.0], planner
    played = rollout(task, UniformRandom(task), key=KEY, batch=2)
    assert played.returns.tolist() == [[5.0], [5.0]] and played.lengths.tolist() == [5, 5]
    assert played.truncated.all(), "and it is no end by the rules"
    assert noted == []


def test_playouts_are_no_longer_than_episodes():
    task = from_gymnasium(Counting)
    spent = TreeSearch(task, "uct", capacity=16).decide(first(task, 1), budget=10, key=KEY)[0].spent
    assert spent.model_steps.tolist() <= [50]


def test_chance_that_is_listed_or_sampled_stops_there_too():
    noted = []
    task = from_gymnasium(Listed(noted))
    assert task.traits.outcomes == 2
    assert optimal_return(task) == pytest.approx(5.0)
    for world in (task, SampledChance(from_gymnasium(Listed(noted), clone="deepcopy"), 2)):
        planner = TreeSearch(world, "uct", capacity=64)
        decision, _ = planner.decide(first(world), budget=30, key=KEY)
        assert decision.value.tolist() == [5.0, 5.0]
    assert noted == []


def test_a_time_limit_is_a_cut_as_well():
    noted = []
    task = from_gymnasium(Counting(noted, limit=7), max_episode_steps=5)
    decision, _ = TreeSearch(task, "uct", capacity=32).decide(first(task), budget=20, key=KEY)
    assert decision.value.tolist() == [5.0, 5.0] and noted == []


def test_a_cut_stops_planners_and_stays_a_cut():
    task = from_gymnasium(Counting)
    check_task(task, episodes=2)
    state = task.init(KEY)
    for _ in range(LIMIT):
        assert not task.terminated(state) and not task.truncated(state)
        state = task.step(state, 0, KEY)
    assert task.terminated(state) and task.truncated(state) and task.only_cut(state)
    assert not task.legal(state).any()
    with pytest.raises(FinishedGameError):
        task.step(state, 0, KEY)
    beyond = jax.jit(task.advance)(state, jnp.int32(0), KEY)
    assert int(beyond.time) == LIMIT and bool(beyond.cut) and not bool(beyond.over)
    sampled = SampledChance(from_gymnasium(Listed, clone="deepcopy"), 2)
    for wrapped in (Remembered(task, 2), sampled):
        after = rollout(wrapped, UniformRandom(wrapped), key=KEY, batch=2)
        assert after.truncated.all()


def test_learners_bootstrap_from_it():
    """All that is seen is the same, so that 1 a step is worth 1 / (1 - 0.5) for ever.

    Were the cut an end, a fifth of the transitions would be worth 1 alone, and the mean of all 1.6.
    """
    task = from_gymnasium(Counting)
    settings = Tabular(updates=40, environments=2, steps=10, capacity=4, rate=0.5, decay=0.0,
                       discount=0.5)  # fmt: skip
    trained = train_q_learning(
        task, key=KEY, settings=settings, tell_apart=lambda state: jnp.zeros(1, jnp.int32)
    )
    np.testing.assert_allclose(np.asarray(trained.decider.scores).max(), 2.0, atol=1e-3)
