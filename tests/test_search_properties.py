"""What holds of every tree, whatever the world; back ends and lane widths grow the same ones."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import ACTIONS, LIGHT, ROWS, as_task, random_world, run

from deliberation.amortised import MLP
from deliberation.direct import PUCT, UCT, Gumbel, RandomRollouts, TreeSearch
from deliberation.direct.tree_search.backends.choice import backend_for, why_not_native
from deliberation.direct.tree_search.limits import Limits
from deliberation.direct.tree_search.running import Order, Setting, begin, grow
from deliberation.direct.tree_search.tree import (
    ACTION,
    CHILD,
    COUNT,
    DISCOUNT,
    FORBIDDEN,
    LOGIT,
    PARENT,
    REWARD,
    TOTAL,
    VISITS,
    Q,
)  # fmt: skip
from deliberation.hybrid import guided_search
from deliberation.tasks import make_task

RULES = {
    "uct": UCT(c=jnp.float32(0.8)),
    "puct": PUCT(c=jnp.float32(1.1)),
    "gumbel": Gumbel(noise=jnp.float32(1.0)),
}
needs_native = pytest.mark.skipif(bool(why_not_native()), reason=why_not_native() or "native")


def limits_of(budgets):
    budgets = jnp.asarray(budgets, jnp.int32)
    return Limits(budgets, jnp.full_like(budgets, 2**31 - 1))


def grown(task, judge, rule, roots, budgets, seed, **options):
    planner = TreeSearch(task, rule, judge, **options)
    seeds = jnp.arange(len(roots), dtype=jnp.uint32) + jnp.uint32(seed)
    return run(planner, task.objective, jnp.asarray(roots), limits_of(budgets), seeds, 64)


@settings(max_examples=25, deadline=None)
@given(
    world=st.integers(0, 10_000),
    players=st.integers(1, 2),
    kind=st.sampled_from(["real", "binary", "wins"]),
    rule=st.sampled_from(sorted(RULES)),
    data=st.data(),
)
def test_a_tree_keeps_its_books(world, players, kind, rule, data):
    """Random graphs, masks, discounts, ends of play and budgets."""
    tables = random_world(world, players=players, kind=kind)
    task, judge = as_task(tables)
    budgets = data.draw(st.lists(st.integers(0, 50), min_size=ROWS, max_size=ROWS))
    roots = np.random.default_rng(world).integers(0, 24, ROWS).astype(np.int32)
    _, outcome = grown(task, judge, RULES[rule], roots, budgets, world, prove=False)
    tree = jax.tree.map(np.asarray, outcome.tree)
    for row, budget in enumerate(budgets):
        edges, nodes = tree.edges[row], tree.nodes[row]
        over, size = bool(tables.over[roots[row]]), tree.size[row]
        assert outcome.simulations[row] == (0 if over else budget)
        assert edges[0, VISITS].sum() == outcome.simulations[row]
        assert (edges[size:] == 0).all() and (nodes[size:] == 0).all()
        legal = edges[:size, LOGIT] > FORBIDDEN / 2
        assert (edges[:size, VISITS][~legal] == 0).all()
        for node in range(1, size):
            parent, action = int(nodes[node, PARENT]), int(nodes[node, ACTION])
            edge = edges[parent, :, action]
            assert parent < node and abs(edge[CHILD]) == node
            # A node was reached as often as the edge to it was taken, and judged once.
            assert nodes[node, COUNT] == edge[VISITS] >= 1
            if edge[CHILD] > 0:
                assert edges[node, VISITS].sum() == nodes[node, COUNT] - 1
                mean = nodes[node, TOTAL] / nodes[node, COUNT]
                expected = nodes[node, REWARD] + nodes[node, DISCOUNT] * mean
                np.testing.assert_allclose(edge[Q], expected, atol=1e-5)


def same_trees(one, other):
    for slot in (VISITS, CHILD):
        np.testing.assert_array_equal(one.edges[:, :, slot], other.edges[:, :, slot])
    np.testing.assert_allclose(one.edges, other.edges, atol=2e-5)
    np.testing.assert_allclose(one.nodes, other.nodes, atol=2e-5)
    np.testing.assert_array_equal(one.states, other.states)
    np.testing.assert_array_equal(one.size, other.size)


@needs_native
@pytest.mark.parametrize(
    ("game", "rule"), [*(("connect_four", rule) for rule in [*RULES, "lanes"]), ("othello", "puct")]
)
def test_both_back_ends_grow_the_same_trees_on_games(game, rule):
    task = make_task(game)
    rows = 6
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), rows))
    shape = jax.eval_shape(jax.vmap(task.observe), state).shape[1:]
    network = MLP(shape, task.traits.actions, width=16, depth=1, key=jax.random.key(1))
    chosen = Gumbel(lanes=(5, 2)) if rule == "lanes" else RULES[rule]
    budgets, seeds = jnp.array([60, 0, 1, 17, 40, 33]), jnp.arange(rows, dtype=jnp.uint32)
    found = []
    for backend in ("native", "jax"):
        planner = guided_search(task, network, rule=chosen, backend=backend)
        args = (planner, task.objective, state, limits_of(budgets), seeds, 64)
        found.append(jax.tree.map(np.asarray, run(*args)))
    (decision, outcome), (other, twin) = found
    same_trees(outcome.tree, twin.tree)
    np.testing.assert_array_equal(outcome.tally, twin.tally)
    np.testing.assert_array_equal(decision.action, other.action)
    np.testing.assert_allclose(decision.weights, other.weights, atol=1e-5)


@needs_native
def test_both_back_ends_grow_the_same_trees_from_playouts():
    """Returns of -1, 0 and 1 tie all the time; sums keep ties exact, so both break them alike."""
    task = make_task("tic_tac_toe")
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), ROWS))
    found = []
    for backend in ("native", "jax"):
        planner = TreeSearch(task, "uct", RandomRollouts(), backend=backend)
        seeds = jnp.arange(ROWS, dtype=jnp.uint32)
        budgets = limits_of(jnp.arange(ROWS) * 60)
        args = (planner, task.objective, state, budgets, seeds, 1024)
        found.append(jax.tree.map(np.asarray, run(*args)[1]))
    same_trees(found[0].tree, found[1].tree)
    np.testing.assert_array_equal(found[0].tally, found[1].tally)


@pytest.mark.parametrize("backend", [pytest.param("native", marks=needs_native), "jax"])
@pytest.mark.parametrize("lanes", [2, 3, (4, 2)])
def test_actions_simulated_side_by_side_grow_the_same_tree(lanes, backend):
    roots, budgets = np.arange(ROWS, dtype=np.int32), np.arange(ROWS) * 3
    task, judge = as_task(random_world(11))
    one, many = (
        grown(task, judge, Gumbel(lanes=w), roots, budgets, 5, prove=False, backend=backend)
        for w in (1, lanes)
    )
    same_trees(one[1].tree, many[1].tree)
    np.testing.assert_array_equal(one[0].action, many[0].action)
    np.testing.assert_allclose(one[0].weights, many[0].weights, atol=1e-6)


def test_sixty_four_simulations_over_sixteen_actions_take_fifteen_rounds():
    task = make_task("hex", size=4)
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 2))
    planner = guided_search(
        task, MLP((4, 4, 3), 16, width=8, depth=1, key=jax.random.key(0)),
        rule=Gumbel(lanes=(16, 8, 4, 2)), prove=False,
    )  # fmt: skip
    setting = Setting(
        task, task.objective, planner.rule, planner.evaluator, planner.stopping, False,
        backend_for(planner.rule),
    )  # fmt: skip
    limits = limits_of(jnp.array([64, 64]))
    start = begin(setting, Order(state, limits, jnp.zeros(2, jnp.uint32), 64))
    go = jax.jit(functools.partial(grow, setting), compiler_options=LIGHT)
    assert (go(start, limits, jnp.int32(15)).simulations == 64).all()
    assert (go(start, limits, jnp.int32(14)).simulations == 62).all()


def test_the_widest_lanes_are_no_wider_than_the_actions():
    assert Gumbel(lanes=(16, 8, 2)).lane_widths(ACTIONS) == (4, 2)
    assert Gumbel(considered=3, lanes=8).lane_widths(ACTIONS) == (3,)
    for wrong in (0, (), (2, 4), (3, 3)):
        with pytest.raises(ValueError, match="lanes"):
            Gumbel(lanes=wrong)
