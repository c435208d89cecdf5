"""Positions that are proved are played on as well as others: opponents make mistakes."""

import functools

import jax
import jax.numpy as jnp
import pytest
from tables import compile_lightly, full_speed  # noqa: F401

from deliberation.core import rollout
from deliberation.direct import BestOfN, TreeSearch
from deliberation.direct.tree_search.backends.choice import why_not_native
from deliberation.tasks import make_task

KEY = jax.random.key(0)
BACKENDS = [
    pytest.param("native", marks=pytest.mark.skipif(bool(why_not_native()), reason="no compiler")),
    "jax",
]


def position(task, moves, batch):
    state = jax.vmap(task.init)(jax.random.split(KEY, batch))
    for move in moves:
        state = jax.vmap(task.advance)(state, jnp.full(batch, move), jax.random.split(KEY, batch))
    return state


@pytest.mark.parametrize(("rule", "least"), [("uct", 1.0), ("puct", 0.85)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_lost_position_is_defended(rule, least, backend):
    """x threatens to win at 2. To block there loses too, but not at once.

    PUCT need not try all of x's moves, and at times proves a longer win before it sees that one.
    """
    task = make_task("tic_tac_toe")
    planner = TreeSearch(task, rule, budget=200, backend=backend)
    decision, _ = planner.decide(position(task, (0, 3, 1), 100), key=KEY)
    assert (decision.value == -1).all()
    assert (decision.action == 2).mean() >= least


def test_a_won_position_is_won_at_once():
    task = make_task("tic_tac_toe")
    decision, _ = TreeSearch(task, budget=200).decide(position(task, (0, 3, 1, 4), 50), key=KEY)
    assert (decision.value == 1.0).all() and (decision.action == 2).all()


@functools.cache
def mean_return(seat, prove):
    task = make_task("connect_3_4x4")
    us, them = TreeSearch(task, budget=200, prove=prove), BestOfN(task, budget=4)
    seats = [us, them] if seat == 0 else [them, us]
    played = rollout(task, seats, key=KEY, batch=200)
    return float(played.returns[:, seat].mean())


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.usefixtures("full_speed")
def test_proofs_do_not_cost_strength(seat):
    """As the second player .28 with proofs and .82 without, while lost positions were given up."""
    with_proofs, without = mean_return(seat, True), mean_return(seat, False)
    # Two means over 200 games of deviation below .7: their difference strays by less than .14.
    assert with_proofs > without - 0.14
    assert with_proofs > (0.95, 0.6)[seat]
