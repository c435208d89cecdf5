"""Playouts: what every player gets, how many steps, and what stops them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core.errors import NoLegalActionError, UnsuitableTaskError
from deliberation.core.noise import mix
from deliberation.core.objective import Objective
from deliberation.core.task import Task, Traits
from deliberation.direct import AlphaBeta, BestOfN, RandomRollouts, TreeSearch
from deliberation.direct.control.plans import make_planning, score
from deliberation.direct.evaluators import Evaluation, Evaluator
from deliberation.direct.playouts import play, random_playouts
from deliberation.direct.tree_search.backends.choice import why_not_native

KEY = jax.random.key(0)
ROWS = 4
SEEDS = mix(jnp.uint32(7), jnp.arange(ROWS))


class Spread(Objective):
    """Going to a place pays each player its share of it, discounted by a half."""

    shares: tuple[float, ...] = eqx.field(static=True, default=(1.0,))

    def __call__(self, state, action, after):
        del state, action
        return jnp.asarray(self.shares) * jnp.float32(after)

    @property
    def discount(self):
        return 0.5


class Walk(Task):
    """Two actions, one and two places on; play ends at `end`, and place `hole` offers nothing."""

    end: int = 3
    hole: int = -1
    players: int = eqx.field(static=True, default=1)
    limit: int = eqx.field(static=True, default=8)
    shares: tuple[float, ...] = eqx.field(static=True, default=(1.0,))

    @property
    def traits(self):
        return Traits(players=self.players, actions=2, horizon=self.limit)

    @property
    def objective(self):
        return Spread(self.shares)

    def init(self, key):
        del key
        return jnp.int32(0)

    def advance(self, state, action, key):
        del key
        return state + 1 + action

    def observe(self, state):
        return jnp.float32(state)[None]

    def legal(self, state):
        return jnp.array([True, False]) & ~self.terminated(state) & (state != self.hole)

    def player(self, state):
        return (state % self.players).astype(jnp.int32)

    def terminated(self, state):
        return state >= self.end


def played(task, **options):
    start = jnp.zeros(ROWS, jnp.int32)
    return random_playouts(task, task.objective, start, start == 0, SEEDS, **options)


def test_every_player_gets_its_own_discounted_return():
    shares = (1.0, -2.0, 10.0)
    found = played(Walk(players=3, shares=shares), count=3)
    worth = 1 + 0.5 * 2 + 0.25 * 3
    np.testing.assert_allclose(found.returns, np.broadcast_to(np.multiply(shares, worth), (4, 3)))
    assert (found.steps == 9).all() and not found.stuck.any()
    judged = RandomRollouts(2)(
        Walk(players=3, shares=shares), Spread(shares), jnp.arange(3), jnp.ones(3, bool), SEEDS[:3]
    )
    np.testing.assert_allclose(judged.value, [2.75, -2 * 3.5, 10 * 3.0])


def test_a_dead_end_is_said_and_nothing_counts_beyond_it():
    found = played(Walk(hole=2))
    assert found.stuck.all()
    np.testing.assert_allclose(found.returns[:, 0], 1 + 0.5 * 2)
    assert (found.steps == 2).all()
    task = Walk(hole=2)
    with pytest.raises(NoLegalActionError):
        BestOfN(task).decide(jnp.zeros(2, jnp.int32), key=KEY)


def test_nothing_of_a_plan_counts_beyond_a_dead_end():
    task, start = Walk(hole=2), jnp.zeros(2, jnp.int32)
    plans = jnp.zeros((1, 4, 2))
    found = score(make_planning(task, horizon=4), task.objective, start[0], plans, KEY)
    assert found.stuck.all() and found.value[0] == 1 + 0.5 * 2 and found.model_steps[0] == 2
    assert found.taken[0].sum() == 2


@pytest.mark.parametrize("backend", ["native", "jax"])
def test_a_tree_search_whose_playout_meets_a_dead_end_refuses(backend):
    if backend == "native" and why_not_native():
        pytest.skip(why_not_native())
    search = TreeSearch(Walk(hole=2), budget=1, backend=backend)
    with pytest.raises(NoLegalActionError):
        search.decide(jnp.zeros(2, jnp.int32), key=KEY)
    TreeSearch(Walk(), budget=1, backend=backend).decide(jnp.zeros(2, jnp.int32), key=KEY)


def test_a_task_without_an_end_does_not_hang():
    found = played(Walk(end=1000))
    assert (found.steps == 8).all() and not found.stuck.any()


def test_a_bound_says_what_is_left():
    task = Walk()

    def policy(state, live, seed):
        del seed
        return jnp.zeros_like(state), live.astype(jnp.int32)

    start = jnp.array([0, 1, 2, 3])
    end = play(task, task.objective, policy, start, start < 3, SEEDS, most=2)
    np.testing.assert_array_equal(end.live, [True, False, False, False])
    np.testing.assert_array_equal(end.steps, [2, 2, 1, 0])
    np.testing.assert_array_equal(end.notes, end.steps)
    assert end.worth[0] == 0.25 and end.state[0] == 2


def test_best_of_n_follows_its_own_player():
    """Three players, and two with one aim: nobody is taken for an opponent."""
    for players, shares in ((3, (1.0, 5.0, -1.0)), (2, (1.0, 1.0))):
        task = Walk(players=players, shares=shares)
        decision, _ = BestOfN(task).decide(jnp.array([0, 1, 2]), key=KEY)
        worth = np.array([1 + 0.5 * 2 + 0.25 * 3, 2 + 0.5 * 3, 3.0])
        mine = np.take(shares, np.arange(3) % players)
        np.testing.assert_allclose(decision.value, worth * mine)


class Mine(Evaluator):
    """Everything is worth 1 to the player to move."""

    has_prior: bool = eqx.field(static=True, default=False)
    passes: int = eqx.field(static=True, default=0)
    flops: float = eqx.field(static=True, default=0.0)

    def __call__(self, task, objective, state, live, seed):
        return Evaluation(jnp.zeros((len(live), 2)), jnp.ones(len(live)), jnp.zeros_like(state))


def test_a_common_aim_is_not_taken_for_opposite_ones():
    """Also where it is handed over only with the call."""
    start = jnp.zeros(2, jnp.int32)
    task = Walk(players=2, shares=(1.0, -1.0))
    for decider in (AlphaBeta(task), BestOfN(task, Mine(), depth=1)):
        decider.decide(start, key=KEY)
        with pytest.raises(UnsuitableTaskError, match="sum to zero"):
            decider.decide(start, objective=Spread((1.0, 1.0)), key=KEY)
    with pytest.raises(UnsuitableTaskError, match="3 players"):
        BestOfN(Walk(players=3, shares=(1.0, 0.0, 0.0)), Mine(), depth=1)
