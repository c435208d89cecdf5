"""Searches refuse what cannot be answered, by name, and answer everything else with numbers."""

import dataclasses
import math
from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tables import (  # noqa: F401
    ROWS,
    SMALL,
    TableEvaluator,
    as_task,
    bandit,
    compile_lightly,
    random_world,
)

from deliberation.core import Budget
from deliberation.core.errors import (
    BatchMismatchError,
    BudgetError,
    ContractError,
    NoLegalActionError,
    NonFiniteError,
    TooLargeError,
    UnknownNameError,
    UnsuitableTaskError,
)
from deliberation.direct import TreeSearch
from deliberation.direct.tree_search.tree import empty, size_in_bytes


def test_budgets_that_cannot_be_kept_are_refused():
    task, _ = as_task(random_world(0))
    rollouts = TreeSearch(task, "uct", **SMALL)
    start, key = jnp.zeros(2, jnp.int32), jax.random.key(0)
    for budget, error, words in (
        (0, BudgetError, "no prior"),
        (Budget(5, 0), BudgetError, "no prior"),
        (jnp.array([3, 0]), BudgetError, "no prior"),
        (-1, BudgetError, "negative"),
        (jnp.array([1, -2]), BudgetError, "-2"),
        (Budget(5, -1), BudgetError, "model_steps is -1"),
        (jnp.array([1, 2, 3]), BatchMismatchError, "batch of 2"),
        (2.0, BudgetError, "whole numbers"),
        (jnp.array([1.5, 2.0]), BudgetError, "whole numbers"),
        (True, BudgetError, "whole numbers"),
    ):
        with pytest.raises(error, match=words):
            rollouts.decide(start, budget=Budget.of(budget), key=key)
    with pytest.raises(BatchMismatchError, match="empty batch"):
        rollouts.decide(start[:0], budget=1, key=key)
    with pytest.raises(BatchMismatchError, match="3"):
        rollouts.decide(start, budget=1, key=jax.random.split(key, 3))
    # A finished game needs no budget.
    decision, _ = rollouts.decide(jnp.array([39, 0]), budget=Budget(jnp.array([0, 1])), key=key)
    assert decision.action[0] == -1


def test_memory_is_refused_before_it_is_taken():
    task, _ = as_task(random_world(0))
    start, key = jnp.zeros(3, jnp.int32), jax.random.key(0)
    tree = empty(start, 4, 256, True)
    size = sum(x.nbytes for x in jax.tree.leaves(tree))
    assert size == size_in_bytes(start, 4, 256)
    planner = TreeSearch(task, "uct", capacity=16, max_bytes=size - 1)
    with pytest.raises(TooLargeError, match=f"{size:,} bytes, more than max_bytes={size - 1:,}"):
        planner.decide(start, budget=200, key=key)
    planner.decide(start, budget=20, key=key)
    with pytest.raises(TooLargeError, match="numbered exactly"):
        TreeSearch(task, "uct", max_bytes=2**60).decide(start, budget=2**24 + 1, key=key)


@pytest.mark.parametrize("rule", ["uct", "puct", "gumbel"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["logits", "value", "reward"])
def test_nothing_that_is_not_finite_passes(rule, bad, where):
    world = random_world(3)
    world.reward[...] = -1 - np.abs(world.reward)
    world.value[...] = -1 - np.abs(world.value)
    start, key = jnp.zeros(ROWS, jnp.int32), jax.random.key(0)

    def decide(world):
        task, judge = as_task(world)
        planner = TreeSearch(task, rule, judge, prove=False, **SMALL)
        return planner.decide(start, budget=60, key=key)[0]

    fine = decide(world)
    assert (fine.value < -0.5).all() and np.isfinite(fine.weights).all()
    table = getattr(world, where)
    table[1] = bad
    place = {"logits": "the prior", "value": "the value", "reward": "a reward"}[where]
    with pytest.raises(NonFiniteError, match=f"row 0 .* in {place}"):
        decide(world)


def test_a_proof_does_not_hide_a_reward_that_is_not_finite():
    """The better action is proved first, so node 1's value is finite, whatever the other pays."""
    world = random_world(0, players=1)
    world.legal[0], world.legal[1] = [True, False, False, False], [True, True, False, False]
    world.child[1], world.reward[1, :2], world.logits[1, :2] = 39, [0, -math.inf], [5, 0]
    world.value[1] = 3
    task, judge = as_task(world)
    planner = TreeSearch(task, "puct", judge, **SMALL)
    with pytest.raises(NonFiniteError, match="row 0"):
        planner.decide(jnp.zeros(ROWS, jnp.int32), budget=60, key=jax.random.key(0))


def test_what_is_illegal_or_out_of_sight_may_be_anything():
    world = random_world(3)
    world.logits[~world.legal] = math.nan
    world.reward[~world.legal] = math.inf
    world.value[world.over] = math.nan
    task, judge = as_task(world)
    for rule in ("uct", "puct", "gumbel"):
        planner = TreeSearch(task, rule, judge, prove=False, **SMALL)
        decision, _ = planner.decide(jnp.arange(ROWS), budget=40, key=jax.random.key(0))
        live = ~world.over[:ROWS]
        assert np.isfinite(decision.weights).all() and np.isfinite(decision.value).all()
        assert world.legal[:ROWS][live, np.asarray(decision.action)[live]].all()


def test_sums_that_overflow_are_refused():
    task, judge = bandit([3e38, 2e38])
    planner = TreeSearch(task, "uct", judge, prove=False, **SMALL)
    with pytest.raises(NonFiniteError, match="sum"):
        planner.decide(jnp.zeros(ROWS, jnp.int32), budget=9, key=jax.random.key(0))


def test_a_prior_may_be_as_sharp_as_floats_allow():
    for logits in ([0.0, -1e12], [3e38, -3e38]):
        task, judge = bandit([0.0, 1.0], logits=logits)
        for rule in ("puct", "gumbel"):
            planner = TreeSearch(task, rule, judge, **SMALL)
            decision, _ = planner.decide(
                jnp.zeros(ROWS, jnp.int32), budget=1, key=jax.random.key(0)
            )
            assert (decision.action == 0).all()  # one visit proves nothing of the other action
            np.testing.assert_allclose(decision.weights.sum(1), 1, atol=1e-6)
        decision, _ = TreeSearch(task, "uct", judge, **SMALL).decide(
            jnp.zeros(ROWS, jnp.int32), budget=2, key=jax.random.key(0)
        )
        assert (decision.action == 1).all()


def test_proofs_tell_tiny_returns_apart():
    task, judge = bandit([5e-7, 1e-6, 0.0], low=0.0, high=1e-6)
    planner = TreeSearch(task, "uct", judge, **SMALL)
    rows = jnp.zeros(ROWS, jnp.int32)
    decision, _ = planner.decide(rows, budget=8, key=jax.random.key(0))
    np.testing.assert_allclose(decision.weights, np.tile([0.0, 1.0, 0.0, 0.0], (ROWS, 1)))
    assert (decision.action == 1).all()


def test_weight_leaves_actions_that_are_proved_lost():
    task, judge = bandit([-1.0, 0.0, 0.0], logits=[9.0, 0.0, 1.0], low=-1.0, high=1.0)
    planner = TreeSearch(task, "puct", judge, **SMALL)
    decision, _ = planner.decide(jnp.zeros(ROWS, jnp.int32), budget=1, key=jax.random.key(0))
    share = 1 / (1 + math.e)
    np.testing.assert_allclose(decision.weights[0], [0, share, 1 - share, 0], atol=1e-5)
    assert (decision.action != 0).all()


def test_states_that_leave_nothing_to_do_are_refused():
    world = random_world(1)
    world.legal[1] = False
    task, judge = as_task(world)
    planner = TreeSearch(task, "puct", judge, **SMALL)
    for root, words in ((1, "Row 1"), (0, "row 1 of the batch")):
        with pytest.raises(NoLegalActionError, match=words):
            planner.decide(jnp.full(ROWS, root).at[0].set(39), budget=40, key=jax.random.key(0))


class Misshapen(TableEvaluator):
    """Answers in another form than it should; plain Python, so nothing else notices."""

    change: str = eqx.field(static=True, default="")

    def __call__(self, task, objective, state, live, seed):
        answer = super().__call__(task, objective, state, live, seed)
        return SimpleNamespace(
            **{
                "logits": answer.logits[:, :-1] if self.change == "narrow" else answer.logits,
                "value": answer.value[:, None] if self.change == "column" else answer.value,
                "model_steps": answer.value if self.change == "float" else answer.model_steps,
            }
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("narrow", r"logits of shape \(16, 3\) .* needs shape \(16, 4\)"),
        ("column", r"value of shape \(16, 1\)"),
        ("float", "model_steps .* float32; .* integer"),
    ],
)
def test_an_answer_of_the_wrong_form_fails_at_the_door(change, words):
    task, judge = as_task(random_world(0))
    wrong = Misshapen(judge.logits, judge.value, change=change)
    with pytest.raises(ContractError, match=words):
        TreeSearch(task, "puct", wrong, **SMALL).decide(
            jnp.zeros(ROWS, jnp.int32), budget=3, key=jax.random.key(0)
        )


def test_finished_rows_are_left_alone():
    world = random_world(1)
    task, judge = as_task(world)
    over = jnp.asarray(np.resize(np.flatnonzero(world.over), ROWS))
    for rule in ("uct", "puct", "gumbel"):
        decision, _ = TreeSearch(task, rule, judge, **SMALL).decide(over, key=jax.random.key(0))
        assert (decision.action == -1).all()
        spent = decision.spent
        for zero in (decision.weights, decision.value, spent.model_steps, spent.flops):
            assert (np.asarray(zero) == 0).all()


@pytest.mark.parametrize(
    "change", [{"deterministic": False}, {"fully_observable": False}, {"players": 3}]
)
def test_unsuitable_tasks_are_refused(change):
    task = unsuitable(change)
    with pytest.raises(UnsuitableTaskError, match="TreeSearch serves"):
        TreeSearch(task)


def unsuitable(change):
    task, _ = bandit([0.0, 1.0])
    claimed = dataclasses.replace(task.traits, **change)
    kind = type("Unsuitable", (type(task),), {"traits": property(lambda self: claimed)})
    return kind(*(getattr(task, f.name) for f in dataclasses.fields(task)))


def test_an_unknown_rule_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'gumbel'"):
        TreeSearch(bandit([0.0, 1.0])[0], "gumble")
