"""What makes decisions fast changes none: one program a call, and rows that leave the batch."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tables import LIGHT, as_task, random_world

from deliberation.amortised import MLP
from deliberation.core import Budget
from deliberation.core.errors import (
    BatchMismatchError,
    BudgetError,
    ForeignStateError,
    NoLegalActionError,
    NonFiniteError,
    TooLargeError,
)
from deliberation.direct import PUCT, UCT, Decided, Gumbel, RandomRollouts, TreeSearch
from deliberation.direct.tree_search import calling
from deliberation.direct.tree_search.backends.choice import why_not_native
from deliberation.direct.tree_search.engine import sizes
from deliberation.direct.tree_search.limits import Limits, far_apart
from deliberation.direct.tree_search.running import Order, Setting, begin, grow
from deliberation.hybrid import guided_search
from deliberation.tasks import make_task
from deliberation.tasks.arrays import from_arrays

needs_native = pytest.mark.skipif(bool(why_not_native()), reason=why_not_native() or "native")
RULES = {"uct": UCT(), "lanes": Gumbel(lanes=(5, 2)), "decided": PUCT()}
TASK = make_task("connect_four")


def positions(rows: int):
    return jax.vmap(TASK.init)(jax.random.split(jax.random.key(0), rows))


def unlike_seconds(decision):
    spent = dataclasses.replace(decision.spent, seconds=None)
    return jax.tree.leaves(dataclasses.replace(decision, spent=spent))


def assert_same(one, other):
    for a, b in zip(unlike_seconds(one), unlike_seconds(other), strict=True):
        np.testing.assert_array_equal(a, b)


@needs_native
def test_a_decision_is_one_program_and_the_search_in_one_piece():
    search = TreeSearch(TASK, "uct", budget=40, capacity=64)
    state, key = positions(3), jax.random.key(4)
    decision, memory = search.decide(state, key=key)
    before = calling.searched._cache_size()
    again, _ = search.decide(state, key=key)
    other, _ = search.decide(state, budget=Budget(jnp.array([3, 40, 9])), key=jax.random.key(9))
    assert calling.searched._cache_size() == before and memory is None
    assert_same(decision, again)
    assert other.spent.model_steps[0] < other.spent.model_steps[1]
    assert (np.asarray(decision.spent.seconds) > 0).all()
    # In pieces, and one key a row: the same numbers.
    *_, last = search.anytime(state, key=jax.random.split(key, 3))
    assert_same(decision, last)


def test_what_was_checked_once_is_refused_as_loudly_the_second_time():
    search = TreeSearch(TASK, "uct", budget=4, capacity=8)
    state, key = positions(2), jax.random.key(0)
    search.decide(state, key=key)
    with pytest.raises(BudgetError, match="nothing to answer from"):
        search.decide(state, budget=0, key=key)
    with pytest.raises(BudgetError, match="cannot be negative"):
        search.decide(state, budget=-1, key=key)
    with pytest.raises(BatchMismatchError, match="shape"):
        search.decide(state, budget=Budget(jnp.array([1, 2, 3])), key=key)
    with pytest.raises(BatchMismatchError, match="3"):
        search.decide(state, key=jax.random.split(key, 3))
    with pytest.raises(ForeignStateError):
        search.decide(jax.vmap(make_task("tic_tac_toe").init)(jax.random.split(key, 2)), key=key)


def test_numbers_that_are_not_finite_are_refused_in_a_form_that_is_known():
    task, judge = as_task(random_world(3))
    search = TreeSearch(task, "puct", judge, budget=8)
    state, key = jnp.zeros(2, jnp.int32), jax.random.key(0)
    search.decide(state, key=key)
    broken = dataclasses.replace(judge, value=judge.value * jnp.nan)
    worse = TreeSearch(task, "puct", broken, budget=8)
    with pytest.raises(NonFiniteError, match="the value"):
        worse.decide(state, key=key)


@needs_native
def test_a_root_without_anything_to_do_is_refused_in_a_form_that_is_known():
    world = random_world(1)
    key, state = jax.random.key(0), jnp.full(3, 39).at[1].set(1)
    task, judge = as_task(world)
    TreeSearch(task, "puct", judge, budget=8).decide(state, key=key)
    world.legal[1] = False
    mute, _ = as_task(world)
    before = calling.searched._cache_size()
    with pytest.raises(NoLegalActionError, match="Row 1"):
        TreeSearch(mute, "puct", judge, budget=8).decide(state, key=key)
    assert calling.searched._cache_size() == before


def test_batches_halve_down_to_eight():
    assert sizes(64) == (64, 32, 16, 8)
    assert sizes(24) == (24, 12)
    assert sizes(15) == (15,)


def test_rows_leave_only_where_many_end_long_before_others():
    def limits(*most):
        return np.stack([np.array(most), np.full(len(most), 2**31 - 1)])

    assert far_apart(limits(2, 2, 2, 1024), True)
    assert not far_apart(limits(2, 2, 2, 64), True)
    assert not far_apart(limits(2, 1024, 1024, 1024), True)
    assert not far_apart(limits(1024, 1024), True)
    assert far_apart(limits(1024, 1024), False)


@pytest.mark.parametrize(
    ("rule", "backend"),
    [("uct", "jax"), *(pytest.param(rule, "native", marks=needs_native) for rule in RULES)],
)
def test_rows_that_leave_change_no_tree(rule, backend):
    """Trees, tallies, schedules and returns, bit for bit."""
    rows = 35
    network = MLP((6, 7, 2), 7, width=16, depth=1, key=jax.random.key(1))
    stopping = {"stopping": Decided()} if rule == "decided" else {}
    search = guided_search(TASK, network, rule=RULES[rule], backend=backend)
    search = TreeSearch(TASK, RULES[rule], search.evaluator, backend=backend, **stopping)
    budgets = jnp.where(jnp.arange(rows) % 9 == 4, 60, jnp.arange(rows) % 4)
    limits = Limits(budgets.astype(jnp.int32), jnp.full(rows, 2**31 - 1, jnp.int32))
    order = Order(positions(rows), limits, jnp.arange(rows, dtype=jnp.uint32), 64)
    setting: Setting = search._setting(None)

    @functools.partial(jax.jit, compiler_options=LIGHT)
    def run(order):
        begun = begin(setting, order)
        return [grow(setting, begun, order.limits, leave=leave) for leave in (False, True)]

    stayed, left = run(order)
    assert stayed.simulations.max() == 60 or rule == "decided"
    for a, b in zip(jax.tree.leaves(stayed), jax.tree.leaves(left), strict=True):
        np.testing.assert_array_equal(a, b)


@needs_native
def test_a_row_that_goes_on_alone_answers_as_if_nobody_had_left():
    search = TreeSearch(TASK, "uct", RandomRollouts(), capacity=256, prove=False)
    state, keys = positions(16), jax.random.split(jax.random.key(2), 16)
    budgets = np.full(16, 2)
    budgets[11] = 256
    decision, _ = search.decide(state, budget=Budget(jnp.asarray(budgets)), key=keys)
    one = jax.tree.map(lambda x: x[11:12], state)
    alone, _ = search.decide(one, budget=256, key=keys[11:12])
    assert decision.action[11] == alone.action[0]
    np.testing.assert_array_equal(decision.root.visits[11], alone.root.visits[0])
    np.testing.assert_array_equal(decision.root.visits.sum(1), budgets)
    assert decision.spent.model_steps[11] == alone.spent.model_steps[0]


def test_a_decision_about_constants_can_be_part_of_a_program():
    """What the function closes over can be looked at, and what is computed from it cannot."""
    task = make_task("tic_tac_toe")
    search = TreeSearch(task, "uct", budget=8, capacity=16)
    for rows in (3, 4):
        state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), rows))
        plain = search.decide(state, key=jax.random.key(1))[0].action
        inside = jax.jit(lambda x, s=state: x + search.decide(s, key=jax.random.key(1))[0].action)
        np.testing.assert_array_equal(inside(0), plain)


def test_room_is_asked_for_again_where_arrays_are_larger():
    """The form of a call that was checked is that of its arrays, too."""

    def search(actions: int) -> TreeSearch:
        moves = np.zeros((2, actions, 2))
        moves[:, :, 1] = 1.0
        task = from_arrays(moves, np.zeros((2, actions)), gamma=0.9)
        return TreeSearch(task, "uct", budget=32, capacity=64, max_bytes=200_000)

    small, large = search(2), search(400)
    state = jax.vmap(small.task.init)(jax.random.split(jax.random.key(0), 4))
    small.decide(state, key=jax.random.key(0))
    with pytest.raises(TooLargeError):
        large.decide(state, key=jax.random.key(0))
