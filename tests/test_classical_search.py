"""A* and beam search against exact answers: planted graphs, and the 8-puzzle solved by breadth."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core import Budget, Objective, Task, Traits, check_decider, check_task, rollout
from deliberation.core.errors import (
    ForeignMemoryError,
    NoLegalActionError,
    NonFiniteError,
    UnsuitableTaskError,
)
from deliberation.direct import (
    BeamSearch,
    BestFirst,
    Evaluator,
    NoEvaluation,
    RandomRollouts,
    pruned_best_first,
)
from deliberation.direct.classical import beam
from deliberation.tasks import make_task
from deliberation.tasks.puzzles.sliding_tiles import TilesState, _ranks, distances

KEY = jax.random.key(0)


# A planted world: layers of nodes, random edges and rewards, values by backward induction


class TableReturns(Objective):
    rewards: jax.Array
    h: jax.Array
    worth: float = eqx.field(static=True, default=1.0)

    def __call__(self, state, action, after):
        return self.rewards[state, action][None]

    @property
    def discount(self):
        return self.worth

    def heuristic(self, state):
        return self.h[state]


class Layers(Task):
    """Node n of layer l is l * width + n; the last layer is terminal."""

    edges: jax.Array
    rewards: jax.Array
    h: jax.Array
    depth: int = eqx.field(static=True)
    worth: float = eqx.field(static=True)

    @property
    def traits(self):
        return Traits(1, self.edges.shape[1], self.depth)

    @property
    def objective(self):
        return TableReturns(self.rewards, self.h, self.worth)

    def init(self, key):
        return jax.random.randint(key, (), 0, self.edges.shape[0] // (self.depth + 1))

    def advance(self, state, action, key):
        return self.edges[state, action]

    def observe(self, state):
        return state.astype(jnp.float32)[None]

    def legal(self, state):
        return (self.edges[state] >= 0) & ~self.terminated(state)

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        return state >= self.depth * (self.edges.shape[0] // (self.depth + 1))


def layers(seed, noise, worth=1.0, width=12, depth=6, actions=3):
    """(task, values): the heuristic is the value and something random on top of up to `noise`."""
    rng = np.random.default_rng(seed)
    nodes = (depth + 1) * width
    layer = np.arange(nodes)[:, None] // width
    edges = (layer + 1) * width + rng.integers(0, width, (nodes, actions))
    edges[rng.random(edges.shape) < 0.2] = -1
    edges[:, 0] = np.abs(edges[:, 0]) % width + (layer[:, 0] + 1) * width
    rewards = rng.integers(-8, 8, edges.shape) / 4
    values = np.zeros(nodes)
    for node in reversed(range(depth * width)):
        after = np.where(edges[node] >= 0, edges[node], 0)
        q = np.where(edges[node] >= 0, rewards[node] + worth * values[after], -np.inf)
        values[node] = q.max()
    edges[depth * width :] = 0
    h = values + noise * rng.random(nodes)
    made = (jnp.asarray(x, t) for x, t in ((edges, jnp.int32), (rewards, "f4"), (h, "f4")))
    return Layers(next(made), next(made), next(made), depth, worth), values


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("worth", [1.0, 0.75])
def test_best_first_is_optimal_with_an_admissible_heuristic(lanes, worth):
    starts = jnp.arange(12, dtype=jnp.int32)
    for seed, noise in ((0, 0.0), (1, 0.5), (2, 3.0)):
        task, values = layers(seed, noise, worth)
        decider = BestFirst(task, lanes=lanes)
        decision, plan = decider.decide(starts, key=KEY)
        np.testing.assert_allclose(decision.value, values[:12], atol=1e-5)
        assert (np.asarray(plan.effort) == np.iinfo(np.int32).max).all()
        # Inconsistent heuristics need nodes reopened; carried out, the plan gives what it says.
        played = rollout(task, decider, key=KEY, state=starts)
        np.testing.assert_allclose(played.returns[:, 0], values[:12], atol=1e-5)
        spent = np.asarray(decision.spent.model_steps)
        assert played.spent[0].total().model_steps == spent.sum()
        if lanes == 1 and noise == 0.0:
            # It walks straight down: one expansion a layer.
            assert (spent <= task.depth * 3).all()


def test_best_first_searches_no_more_than_it_may():
    task, _ = layers(3, 3.0)
    starts = jnp.arange(12, dtype=jnp.int32)
    decider = BestFirst(task, lanes=4)
    before = 0
    for budget in (0, 1, 3, 9):
        decision, _ = decider.decide(starts, key=KEY, budget=budget)
        steps = np.asarray(decision.spent.model_steps)
        assert (steps <= 3 * budget).all() and (steps > 0).all() == (budget > 0)
        assert steps.sum() >= before
        before = steps.sum()
    capped, _ = decider.decide(starts, key=KEY, budget=Budget(100, 7))
    steps = np.asarray(capped.spent.model_steps)
    assert (steps <= 7).all() and (steps >= 5).all()
    even, _ = decider.decide(starts, key=KEY, budget=Budget(100, 0))
    legal = np.asarray(jax.vmap(task.legal)(starts))
    np.testing.assert_allclose(even.weights, legal / legal.sum(1, keepdims=True), atol=1e-6)
    # One expansion promises what its best child does.
    once, _ = decider.decide(starts, key=KEY, budget=1)
    after = jnp.maximum(task.edges[starts], 0)
    promise = jnp.where(legal, task.rewards[starts] + task.h[after], -jnp.inf)
    np.testing.assert_allclose(once.value, promise.max(1), atol=1e-5)
    np.testing.assert_array_equal(once.action, promise.argmax(1))


def test_a_plan_is_followed_as_long_as_it_holds():
    task, values = layers(4, 1.0)
    starts = jnp.arange(12, dtype=jnp.int32)
    decider = BestFirst(task)
    first, plan = decider.decide(starts, key=KEY)
    after = jax.vmap(lambda s, a: task.advance(s, a, KEY))(starts, first.action)
    second, _ = decider.decide(after, plan, key=KEY)
    assert (np.asarray(second.spent.model_steps) == 0).all()
    np.testing.assert_allclose(second.value, values[np.asarray(after)], atol=1e-5)
    # Play came elsewhere: the plan is worth nothing there.
    elsewhere = jnp.flip(after)
    third, _ = decider.decide(elsewhere, plan, key=KEY)
    moved = np.asarray(elsewhere != after)
    np.testing.assert_array_equal(np.asarray(third.spent.model_steps) > 0, moved)
    np.testing.assert_allclose(third.value, values[np.asarray(elsewhere)], atol=1e-5)
    # Another objective: nor there.
    other = TableReturns(-task.rewards, jnp.full_like(task.h, 20.0))
    fourth, _ = decider.decide(after, plan, key=KEY, objective=other)
    fresh, _ = decider.decide(after, key=KEY, objective=other)
    assert (np.asarray(fourth.spent.model_steps) > 0).all()
    np.testing.assert_array_equal(fourth.action, fresh.action)
    # A plan that is not proved gives way to a larger budget, and not to the same.
    rough, plan = decider.decide(starts, key=KEY, budget=3)
    after = jax.vmap(lambda s, a: task.advance(s, a, KEY))(starts, rough.action)
    same, _ = decider.decide(after, plan, key=KEY, budget=3)
    more, _ = decider.decide(after, plan, key=KEY, budget=4)
    long = np.asarray(plan.actions[:, 0]) >= 0
    assert long.any()
    assert (np.asarray(same.spent.model_steps)[long] == 0).all()
    assert (np.asarray(more.spent.model_steps) > 0).all()


@pytest.mark.parametrize("worth", [1.0, 0.75])
def test_a_beam_as_wide_as_a_layer_is_optimal(worth):
    starts = jnp.arange(12, dtype=jnp.int32)
    task, values = layers(5, 6.0, worth)
    wide = BeamSearch(task, width=12)
    decision, _ = wide.decide(starts, key=KEY)
    np.testing.assert_allclose(decision.value, values[:12], atol=1e-5)
    played = rollout(task, wide, key=KEY, state=starts)
    np.testing.assert_allclose(played.returns[:, 0], values[:12], atol=1e-5)
    narrow, _ = BeamSearch(task, width=1).decide(starts, key=KEY)
    assert (np.asarray(narrow.value) <= values[:12] + 1e-5).all()
    assert np.asarray(narrow.value).sum() < values[:12].sum() - 0.5


def test_a_beam_keeps_its_budget_and_compiles_once():
    task, _ = layers(6, 3.0)
    starts = jnp.arange(12, dtype=jnp.int32)
    decider = BeamSearch(task, width=5)
    rows = jnp.arange(12, dtype=jnp.int32)
    decision, _ = decider.decide(starts, key=KEY, budget=Budget(rows))
    compiled = beam._decide._cached._cache_size()
    steps = np.asarray(decision.spent.model_steps)
    assert (steps <= 3 * np.arange(12)).all() and (steps[1:] > 0).all() and steps[0] == 0
    capped, _ = decider.decide(starts, key=KEY, budget=Budget(100, 7))
    assert (np.asarray(capped.spent.model_steps) <= 7).all()
    assert beam._decide._cached._cache_size() == compiled
    one, _ = decider.decide(starts, key=KEY, budget=1)
    legal = np.asarray(jax.vmap(task.legal)(starts))
    after = jnp.maximum(task.edges[starts], 0)
    promise = jnp.where(legal, task.rewards[starts] + task.h[after], -jnp.inf)
    np.testing.assert_allclose(one.value, promise.max(1), atol=1e-5)


def test_deciders_keep_the_contract():
    task, _ = layers(7, 1.0)
    lake = make_task("frozen_lake", slip=0.0, horizon=12)
    for decider in (
        BestFirst(lake, merge=cell),
        BeamSearch(task, width=4),
    ):
        check_decider(decider)


def cell(state):
    return state.cell


def test_where_no_way_ends_or_none_can_be_paid_for_it_draws_evenly():
    """A walled-in start: cells merge, so that every way leads back before the time is up."""
    task = make_task("gridworld", layout="S#. ##. ..G")
    starts = jax.vmap(task.init)(KEY[None])
    for decider, steps in (
        (BestFirst(task, merge=cell), 4),
        (BestFirst(task, merge=cell, budget=Budget(model_steps=3)), 0),
    ):
        decision, _ = decider.decide(starts, key=KEY)
        np.testing.assert_allclose(decision.weights, 0.25)
        assert np.asarray(decision.spent.model_steps).tolist() == [steps]


def test_a_judge_is_paid_for_and_never_drops_what_is_not_finite():
    task = make_task("gridworld", size=3)
    starts = jax.vmap(task.init)(KEY[None])
    decider = pruned_best_first(task, RandomRollouts(), 10.0, budget=1)
    decision, _ = decider.decide(starts, key=KEY)
    # Four children, each played out for at least one action.
    assert np.asarray(decision.spent.model_steps)[0] >= 8
    for bad in (jnp.nan, jnp.inf, -jnp.inf):
        with pytest.raises(NonFiniteError, match="a judge prunes"):
            pruned_best_first(task, Broken(jnp.float32(bad)), 0.1).decide(starts, key=KEY)


class Trap(Task):
    """A chain from 0 on: action 1 pays 1 and goes on, to the end at 9; action 0 goes nowhere.

    `ahead` actions further on lies a state in which nothing can be done.
    """

    ahead: int = eqx.field(static=True)

    @property
    def traits(self):
        return Traits(1, 2, 9)

    @property
    def objective(self):
        return Stairs()

    def init(self, key):
        return jnp.int32(0)

    def advance(self, state, action, key):
        aside = (action == 0) | (state < 0)
        return jnp.where(aside, jnp.minimum(state, 0) - 1, state + 1)

    def observe(self, state):
        return state[None].astype(jnp.float32)

    def legal(self, state):
        return jnp.broadcast_to(state > -self.ahead, 2)

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        return state >= 9


class Stairs(Objective):
    def __call__(self, state, action, after):
        return jnp.where(after > 0, 1.0, 0.0)[None]

    def heuristic(self, state):
        return jnp.where(state < 0, 0.0, 9.0 - state)


@pytest.mark.parametrize("ahead", [1, 3])
def test_a_dead_end_is_not_hidden_by_pruning(ahead):
    """Not where what is pruned is one, nor where a playout of the judge comes to one."""
    task = Trap(ahead)
    with pytest.raises(NoLegalActionError, match="the judge that prunes"):
        pruned_best_first(task, RandomRollouts(), 0.0).decide(jnp.zeros(1, jnp.int32), key=KEY)


class Broken(Evaluator):
    """Says something of the cell below the first that is no number."""

    says: jax.Array
    has_prior: bool = False
    passes: int = 0
    flops: float = 0.0

    def __call__(self, task, objective, state, live, seed):
        found = NoEvaluation()(task, objective, state, live, seed)
        value = jnp.where(state.cell == 3, self.says, 0.0)
        return eqx.tree_at(lambda e: e.value, found, value)


def test_what_cannot_be_searched_is_refused():
    for task in (make_task("frozen_lake"), make_task("tic_tac_toe"), make_task("kuhn_poker")):
        for kind in (BestFirst, BeamSearch):
            with pytest.raises(UnsuitableTaskError, match="plans for one player"):
                kind(task)
    task, _ = layers(0, 0.0)
    starts = jnp.arange(12, dtype=jnp.int32)
    for bad in (jnp.nan, jnp.inf):
        for broken in (
            TableReturns(task.rewards, jnp.full_like(task.h, bad)),
            TableReturns(jnp.full_like(task.rewards, bad), task.h),
        ):
            for decider in (BestFirst(task), BeamSearch(task)):
                with pytest.raises(NonFiniteError, match="NaN or infinity"):
                    decider.decide(starts, key=KEY, objective=broken)
    # An objective without bounds has no heuristic, and no network is to blame for it.
    endless = TableReturns(task.rewards, jnp.full_like(task.h, jnp.inf))
    with pytest.raises(NonFiniteError, match=r"Objective\.heuristic"):
        BeamSearch(task).decide(starts, key=KEY, objective=endless)
    with pytest.raises(ForeignMemoryError, match="begin"):
        BestFirst(task).decide(starts, jnp.zeros(12), key=KEY)


# The 8-puzzle


def tiles(state):
    return state.tiles


def every(function, *batch):
    """One compiled program instead of one for each small operation."""
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(function))(*batch))


def arranged(*rows):
    board = jnp.asarray(rows, jnp.int32)
    return jax.vmap(lambda tiles: TilesState(tiles, jnp.int32(0)))(board)


def test_the_puzzle_is_the_known_one():
    check_task(make_task("sliding_tiles", horizon=12), episodes=4)
    away = distances(3)
    counts = np.bincount(away[away < 255])
    # Published: half of 9! arrangements, by moves needed (OEIS A089473).
    assert counts.sum() == 181_440 and len(counts) == 32 and counts[31] == 2
    assert counts[:11].tolist() == [1, 2, 4, 8, 16, 20, 39, 62, 116, 152, 286]
    assert counts[27:].tolist() == [6274, 3910, 760, 221, 2]
    assert np.bincount(distances(2)[distances(2) < 255]).tolist() == [1, 2, 2, 2, 2, 2, 1]
    hardest = arranged([8, 6, 7, 2, 5, 4, 3, 0, 1], [6, 4, 7, 8, 5, 0, 3, 2, 1])
    assert sorted(np.flatnonzero(away == 31)) == sorted(_ranks(np.asarray(hardest.tiles)))
    task = make_task("sliding_tiles")
    starts = every(task.init, jax.random.split(KEY, 256))
    best = every(task.objective.optimum, starts)
    bound = every(task.objective.heuristic, starts)
    assert (best >= -31).all() and (best < 0).all() and (bound >= best).all()
    assert len(np.unique(_ranks(np.asarray(starts.tiles)))) > 250
    late = jax.vmap(lambda tiles: TilesState(tiles, jnp.int32(77)))(starts.tiles)
    assert (every(task.objective.optimum, late) >= -3).all()
    with pytest.raises(ValueError, match="sizes 2 and 3"):
        distances(4)


def test_best_first_solves_the_hardest_puzzles_in_31_moves():
    task = make_task("sliding_tiles")
    starts = arranged([8, 6, 7, 2, 5, 4, 3, 0, 1], [6, 4, 7, 8, 5, 0, 3, 2, 1],
                      [1, 2, 3, 4, 5, 0, 7, 8, 6])  # fmt: skip
    decider = BestFirst(task, budget=10**6, merge=tiles, lanes=64)
    played = rollout(task, decider, key=KEY, state=starts)
    assert played.returns[:, 0].tolist() == [-31, -31, -1]
    # A search without a heuristic would look at all 181,440 arrangements.
    assert played.spent[0].total().model_steps < 2 * 3 * 30_000
    drawn = every(task.init, jax.random.split(KEY, 8))
    best = every(task.objective.optimum, drawn)
    decision, _ = decider.decide(drawn, key=KEY)
    np.testing.assert_array_equal(decision.value, best)
    wide = BeamSearch(task, width=128, merge=tiles, budget=3000)
    played = rollout(task, wide, key=KEY, state=drawn)
    assert (played.returns[:, 0] >= best - 4).all() and (played.returns[:, 0] <= best).all()
