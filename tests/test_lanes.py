"""Simulations of one tree side by side (WU-UCT): counted, alike on both back ends, and not weak."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tables import as_task, random_world, run
from test_search_properties import grown, limits_of, needs_native, same_trees

from deliberation.direct import UCT, NoEvaluation, RandomRollouts, TreeSearch, ValueOfComputation
from deliberation.direct.tree_search.tree import CHILD, COUNT, TOTAL, VISITS, Q
from deliberation.tasks import make_task


@needs_native
@pytest.mark.parametrize("prove", [False, True])
@pytest.mark.parametrize("lanes", [3, 16])
def test_both_back_ends_grow_the_same_trees_of_shared_paths(lanes, prove):
    """With proofs, lanes meet edges that others have just settled."""
    task, rows = make_task("tic_tac_toe"), 4
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), rows))
    found = []
    for backend in ("native", "jax"):
        rule = UCT(lanes=lanes)
        planner = TreeSearch(task, rule, RandomRollouts(), backend=backend, prove=prove)
        seeds = jnp.arange(rows, dtype=jnp.uint32)
        args = (planner, task.objective, state, limits_of([0, 1, 40, 700]), seeds, 1024)
        found.append(jax.tree.map(np.asarray, run(*args)[1]))
    same_trees(found[0].tree, found[1].tree)
    np.testing.assert_array_equal(found[0].tally, found[1].tally)


@needs_native
@pytest.mark.parametrize("world", range(6))
def test_both_back_ends_grow_the_same_trees_of_shared_paths_in_any_world(world):
    tables = random_world(world, kind=("real", "binary", "wins")[world % 3])
    task, judge = as_task(tables)
    roots = np.arange(5, dtype=np.int32)
    found = [
        grown(task, judge, UCT(lanes=6), roots, [60, 60, 17, 6, 5], world, backend=backend)[1]
        for backend in ("native", "jax")
    ]
    found = [jax.tree.map(np.asarray, x) for x in found]
    same_trees(found[0].tree, found[1].tree)
    np.testing.assert_array_equal(found[0].tally, found[1].tally)


@pytest.mark.parametrize("backend", [pytest.param("native", marks=needs_native), "jax"])
def test_every_simulation_is_counted_once_and_none_is_left_under_way(backend):
    task = make_task("connect_four")
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 2))
    planner = TreeSearch(
        task, UCT(lanes=8), RandomRollouts(), backend=backend, prove=False, capacity=64
    )
    seeds = jnp.arange(2, dtype=jnp.uint32)
    _, outcome = run(planner, task.objective, state, limits_of([50, 61]), seeds, 64)
    tree = jax.tree.map(np.asarray, outcome.tree)
    assert outcome.simulations.tolist() == [50, 61]
    for edges, nodes, size in zip(tree.edges, tree.nodes, tree.size, strict=True):
        # Seven first actions for eight lanes: two of them met in a leaf, which was made once.
        assert size < edges[0, VISITS].sum() + 1
        for node in range(size):
            child = np.abs(edges[node, CHILD]).astype(int)
            taken = child > 0
            assert (edges[node, VISITS][~taken] == 0).all() and (edges[node, Q][~taken] == 0).all()
            np.testing.assert_array_equal(edges[node, VISITS][taken], nodes[child[taken], COUNT])
            mean = nodes[child[taken], TOTAL] / nodes[child[taken], COUNT]
            live = edges[node, CHILD][taken] > 0
            np.testing.assert_allclose(edges[node, Q][taken][live], -mean[live], atol=1e-5)


def test_the_first_lanes_take_every_action_before_any_twice():
    """Exact: nine actions by nine lanes; then each knows of those before it."""
    task = make_task("tic_tac_toe")
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 1))
    planner = TreeSearch(task, UCT(lanes=9), NoEvaluation(), prove=False)
    key = jax.random.key(3)
    for budget, visits in ((9, 1), (18, 2), (27, 3)):
        decision, _ = planner.decide(state, budget=budget, key=key)
        assert decision.root is not None and decision.root.visits[0].tolist() == [visits] * 9


def test_one_lane_is_the_search_simulation_by_simulation():
    assert not UCT().shares and UCT(lanes=2).shares
    assert UCT().lane_widths(7) == (1,) and UCT(lanes=12).lane_widths(7) == (12,)
    with pytest.raises(ValueError, match="at least 1"):
        UCT(lanes=0)
    with pytest.raises(ValueError, match="several at a time"):
        TreeSearch(make_task("tic_tac_toe"), UCT(lanes=2), stopping=ValueOfComputation(0.01))


def test_lanes_find_what_is_best():
    """Every state of tic-tac-toe that 5 random moves lead to is decided without regret."""
    from deliberation.amortised import random_positions
    from deliberation.direct import solve

    task = make_task("tic_tac_toe")
    positions = random_positions(task, 64, jax.random.key(0))
    search = TreeSearch(task, UCT(lanes=16), RandomRollouts(), budget=1024)
    decision, _ = search.decide(positions, key=jax.random.key(1))
    values = np.where(jax.vmap(task.legal)(positions), solve(task).action_values(positions), -2)
    kept = values[np.arange(64), decision.action] == values.max(axis=1)
    assert kept.mean() == 1
