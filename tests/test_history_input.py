"""Search over histories refuses what cannot be answered, by name, and answers all else."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference_histories as reference
from reference_histories import NODES, as_task, compile_lightly, random_world  # noqa: F401

from deliberation.core import Budget
from deliberation.core.budget import UNLIMITED
from deliberation.core.errors import (
    BatchMismatchError,
    BudgetError,
    NoLegalActionError,
    NonFiniteError,
    TooLargeError,
    UnknownNameError,
    UnsuitableTaskError,
)
from deliberation.direct import HistorySearch, NoEvaluation, RandomRollouts
from deliberation.direct.partial_observation import history_search
from deliberation.direct.partial_observation.histories import room
from deliberation.direct.tree_search.limits import Limits

KEY = jax.random.key(0)
ROWS = 4


def roots(players=2, node=0, rows=ROWS):
    types = jnp.asarray(np.arange(rows * players).reshape(rows, players) % 2, jnp.int32)
    return reference.Hidden(jnp.full(rows, node, jnp.int32), types)


def test_budgets_that_cannot_be_kept_are_refused():
    task, _ = as_task(random_world(0, 2))
    planner, two = HistorySearch(task, capacity=64), roots(rows=2)
    for budget, error, words in (
        (0, BudgetError, "no prior"),
        (Budget(5, 0), BudgetError, "no prior"),
        (Budget(jnp.array([3, 0])), BudgetError, "no prior"),
        (-1, BudgetError, "negative"),
        (Budget(seconds=1.0), BudgetError, "seconds"),
        (Budget(jnp.array([1, 2, 3])), BatchMismatchError, "batch of 2"),
    ):
        with pytest.raises(error, match=words):
            planner.decide(two, budget=budget, key=KEY)
    with pytest.raises(BatchMismatchError, match="empty batch"):
        planner.decide(roots(rows=0), budget=1, key=KEY)
    with pytest.raises(BatchMismatchError, match="3"):
        planner.decide(two, budget=1, key=jax.random.split(KEY, 3))


@pytest.mark.parametrize("nodes", ["histories", "states"])
def test_memory_is_refused_before_it_is_taken(nodes):
    task, _ = as_task(random_world(0, 2, types=1 if nodes == "states" else 2))
    planner = HistorySearch(task, nodes=nodes, capacity=16)
    limits = Limits(jnp.full(ROWS, 200), jnp.full(ROWS, UNLIMITED))
    arguments = (task.objective, roots(), limits, jnp.zeros(ROWS, jnp.uint32))
    _, outcome = jax.eval_shape(lambda *a: history_search.plan(planner, *a, 256), *arguments)
    shapes = [leaf for leaf in jax.tree.leaves(outcome.nodes) if hasattr(leaf, "dtype")]
    taken = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in shapes)
    path = NODES * ROWS * (3 + 2) * 4  # node, action, mover and two rewards a move
    size = room(task, ROWS, 256, nodes)
    assert size == taken + path
    small = HistorySearch(task, nodes=nodes, capacity=16, max_bytes=size - 1)
    with pytest.raises(TooLargeError, match=f"{size:,} bytes, more than max_bytes={size - 1:,}"):
        small.decide(roots(), budget=200, key=KEY)
    with pytest.raises(TooLargeError, match="numbered exactly"):
        planner.decide(roots(), budget=2**24 + 1, key=KEY)


@pytest.mark.parametrize("rule", ["uct", "puct", "gumbel"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["logits", "value", "reward"])
def test_nothing_that_is_not_finite_passes(rule, bad, where):
    world = random_world(3, 2)
    world.reward[...] = -1 - np.abs(world.reward)
    world.value[...] = -1 - np.abs(world.value)
    world.legal[0] = [True, False, False]
    world.child[0, 0], world.over[1] = 1, False

    def decide(world):
        task, judge = as_task(world)
        planner = HistorySearch(task, rule, judge, capacity=64)
        return planner.decide(roots(), budget=60, key=KEY)[0]

    fine = decide(world)
    assert (fine.value < -0.5).all() and np.isfinite(fine.weights).all()
    getattr(world, where)[1] = bad
    place = {"logits": "the prior ", "value": "the value ", "reward": "a reward "}[where]
    with pytest.raises(NonFiniteError, match=f"row 0 .* in {place}"):
        decide(world)


def test_the_reward_of_another_player_must_be_finite_too():
    world = random_world(3, 3)
    mover = int(world.mover[0])
    for bad in (False, True):
        if bad:
            world.reward[0, ..., (mover + 1) % 3] = math.nan
        task, _ = as_task(world)
        planner = HistorySearch(task, evaluator=NoEvaluation(), capacity=64)
        if not bad:
            planner.decide(roots(3), budget=9, key=KEY)
            continue
        with pytest.raises(NonFiniteError, match="in a reward "):
            planner.decide(roots(3), budget=9, key=KEY)


def test_sums_that_overflow_are_refused():
    world = random_world(3, 2)
    world.over[1:], world.reward[0] = True, 2e38
    task, _ = as_task(world)
    with pytest.raises(NonFiniteError, match="in a sum of returns "):
        HistorySearch(task, capacity=64).decide(roots(), budget=9, key=KEY)


def test_what_is_illegal_or_out_of_sight_may_be_anything():
    world = random_world(3, 2)
    world.legal[:12] = [True, True, False]
    never = ~world.legal.any(1)
    world.logits[never] = math.nan
    world.reward[never] = math.inf
    world.value[world.over] = math.nan
    task, judge = as_task(world)
    for rule in ("uct", "puct", "gumbel"):
        planner = HistorySearch(task, rule, judge, capacity=64)
        decision, _ = planner.decide(roots(), budget=40, key=KEY)
        assert np.isfinite(decision.weights).all() and np.isfinite(decision.value).all()


def test_states_that_leave_nothing_to_do_are_refused():
    """At the root, at a node, and in a playout that the tree has not come to."""
    for stuck, root, budget, words in (
        (2, 2, 9, "Row 0"),
        (2, 0, 9, "row 0 of the batch"),
        (3, 0, 1, "row 0 of the batch"),
    ):
        world = random_world(1, 2)
        world.child[0], world.child[1:3], world.child[3:] = 2, 3, NODES - 1
        world.over[:-1], world.legal[stuck] = False, False
        task, judge = as_task(world)
        planners = [HistorySearch(task, capacity=64)]
        if budget > 1:
            planners.append(HistorySearch(task, "puct", judge, capacity=64))
        for planner in planners:
            with pytest.raises(NoLegalActionError, match=words):
                planner.decide(roots(node=root), budget=budget, key=KEY)


def test_finished_rows_are_left_alone():
    world = random_world(1, 2)
    task, judge = as_task(world)
    for rule, evaluator in (("uct", RandomRollouts()), ("puct", judge), ("gumbel", judge)):
        planner = HistorySearch(task, rule, evaluator, capacity=64)
        decision, _ = planner.decide(roots(node=NODES - 1), budget=5, key=KEY)
        assert (decision.action == -1).all()
        spent = decision.spent
        for zero in (decision.weights, decision.value, spent.model_steps, spent.flops):
            assert (np.asarray(zero) == 0).all()


def test_budget_zero_answers_from_the_prior():
    world = random_world(4, 2)
    world.legal[0] = True
    world.logits[0], world.value[0] = np.log([0.2, 0.7, 0.1]), 0.25
    task, judge = as_task(world)
    for rule in ("uct", "puct"):
        decision, _ = HistorySearch(task, rule, judge, capacity=64).decide(
            roots(), budget=0, key=KEY
        )
        np.testing.assert_allclose(decision.weights, np.tile([0.2, 0.7, 0.1], (ROWS, 1)), atol=1e-6)
        np.testing.assert_allclose(decision.value, 0.25, atol=1e-6)
        assert (decision.action == 1).all() and (decision.spent.model_steps == 3).all()
        assert (decision.spent.network_evaluations == 1).all()


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"discrete": False}, {}, "continuous"),
        ({"fully_observable": False}, {"nodes": "states"}, 'nodes="histories"'),
        ({"players": 3}, {"evaluator": "table"}, "3 players"),
    ],
)
def test_unsuitable_tasks_are_refused(change, options, words):
    task, judge = as_task(random_world(0, 2))
    claimed = dataclasses.replace(task.traits, **change)
    kind = type("Unsuitable", (type(task),), {"traits": property(lambda self: claimed)})
    task = kind(*(getattr(task, f.name) for f in dataclasses.fields(task)))
    if "evaluator" in options:
        options = {"evaluator": judge}
        HistorySearch(task, evaluator=NoEvaluation())
    with pytest.raises(UnsuitableTaskError, match=words):
        HistorySearch(task, **options)


def test_unknown_names_suggest_the_nearest():
    task, _ = as_task(random_world(0, 2))
    with pytest.raises(UnknownNameError, match="Did you mean 'gumbel'"):
        HistorySearch(task, "gumble")
    with pytest.raises(UnknownNameError, match="Did you mean 'histories'"):
        HistorySearch(task, nodes="history")
