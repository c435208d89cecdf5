"""Claims of rule or table, and of searching inside: their worlds against closed forms."""

import collections
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.claims.experiments.arms import arm
from deliberation.claims.experiments.inside import path_star as stars
from deliberation.claims.experiments.inside import thinking, thinking_mazes, thinking_rows
from deliberation.claims.experiments.simplicity import modular_addition as addition
from deliberation.claims.experiments.simplicity import search_or_table as either
from deliberation.claims.measuring.effort import effort_of
from deliberation.runs.worker import Call, Context

KEY = jax.random.key(0)


@pytest.mark.parametrize(("width", "right"), [(64, 0.957), (128, 0.9996), (256, 1.0)])
def test_the_rule_set_by_hand_is_right_as_often_as_is_known(width, right):
    every = jnp.ones((97, 97), bool)
    found = [
        addition.accuracy(addition.by_hand(k, 97, width), addition.sums(97), every)
        for k in jax.random.split(KEY, 6)
    ]
    assert np.mean(found) == pytest.approx(right, abs=0.02)


def test_the_rule_is_all_waves_and_nothing_without_them():
    network = addition.by_hand(KEY, 23, 256)
    assert float(addition.own_power(network)) == pytest.approx(1, abs=1e-4)
    wave, rest = addition.split(network)
    np.testing.assert_allclose(wave.u, network.u, atol=1e-4)
    np.testing.assert_allclose(rest.out, 0, atol=1e-4)
    noise = addition.fresh(KEY, 23, 256)
    # The largest of 11 exponential shares, on average the harmonic number over 11.
    expected = sum(1 / k for k in range(1, 12)) / 11
    assert float(addition.own_power(noise)) == pytest.approx(expected, abs=0.03)
    wave, rest = addition.split(noise)
    np.testing.assert_allclose(wave.v + rest.v, noise.v, atol=1e-5)


def test_a_star_has_arms_of_distinct_nodes_and_a_walk_back_finds_the_first():
    some = stars.draw(KEY, 64)
    for edges, told, path in zip(*map(np.asarray, some), strict=True):
        after = {tuple(edge) for edge in edges}
        assert len(after) == stars.ARMS * stars.LONG
        assert sorted(edges[:, 0]).count(told[0]) == stars.ARMS
        assert told[1] == path[-1]
        way = [told[0], *path]
        assert all(step in after for step in itertools.pairwise(way))
    np.testing.assert_array_equal(stars.walked_back(some), some.path[:, 0])
    near = stars.draw(KEY, 64, near=True)
    np.testing.assert_array_equal(near.told[:, 1], near.path[:, 0])


def test_what_is_written_does_not_see_what_comes_after():
    writer, some = stars.Writer(KEY), stars.draw(KEY, 1)
    edges, told, written = some.edges[0], some.told[0], some.path[0, :-1]
    changed = written.at[-1].set((written[-1] + 1) % stars.NAMES)
    one, other = writer(edges, told, written), writer(edges, told, changed)
    np.testing.assert_array_equal(one[:, :-1], other[:, :-1])
    assert not np.allclose(one[:, -1], other[:, -1])


@pytest.mark.parametrize("size", [4, 64, 1024])
def test_a_cut_search_is_right_by_chance_with_any_number_of_inputs(size):
    """As often as another input has the same answer; never by the input's own."""
    right = []
    for key in jax.random.split(KEY, 400 if size == 4 else 10):
        _, answers = either.world(key, shuffled=False)
        said = jax.nn.one_hot(answers, either.ITEMS)
        for by in either.SHIFTS:
            handed = either.cut(said, jnp.int32(size), by).argmax(1)
            np.testing.assert_array_equal(handed[: size - by], answers[by:size])
            right.append((handed == answers)[:size].mean())
    assert np.mean(right) == pytest.approx(1 / either.ITEMS, abs=0.02)


def test_answers_are_those_of_the_lists_and_by_chance_in_the_null():
    lists, answers = either.world(KEY, shuffled=False)
    np.testing.assert_array_equal(answers, np.asarray(lists).argmax(1))
    _, mixed = either.world(KEY, shuffled=True)
    assert np.mean(np.asarray(mixed) == np.asarray(answers)) == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("world", [thinking_rows.ROWS, thinking_mazes.MAZES])
def test_a_round_carries_news_by_one_cell(world):
    """By one step in any direction, whatever walls there are."""
    network, size = thinking.Thinker(world, KEY), 12
    seen = world.draw(KEY, 1, size).seen[0]
    first = (0,) * (seen.ndim - 1)
    one, other = (
        network.think(x, 8, jnp.int32(-1), recall=True) for x in (seen, seen.at[first].add(1.0))
    )
    moved = np.abs(np.asarray(one) - np.asarray(other)).max(-1) > 0
    away = sum(np.meshgrid(*[np.arange(size)] * (seen.ndim - 1), indexing="ij"))
    for rounds in range(1, 9):
        reach = rounds if world is thinking_rows.ROWS else rounds - 1
        assert not moved[rounds - 1][away > reach].any()
        assert moved[rounds - 1][away <= reach].mean() > 0.8


def test_nothing_is_learned_from_rounds_before_the_one_begun():
    network = thinking.Thinker(thinking_rows.ROWS, KEY)
    seen = jax.nn.one_hot(jnp.array([0, 1, 1, 0]), 2)

    def slope(begun):
        def last(state_bias):
            changed = eqx.tree_at(lambda n: n.new_bias, network, state_bias)
            return changed.think(seen, 4, jnp.int32(begun), recall=True)[-1].sum()

        return np.asarray(jax.grad(last)(network.new_bias))

    assert not np.allclose(slope(-1), slope(3))
    np.testing.assert_allclose(slope(-1), slope(0))


def test_layers_of_ones_own_are_gone_through_again():
    network = thinking.Thinker(thinking_rows.ROWS, KEY, layers=3)
    seen = jax.nn.one_hot(jnp.array([0, 1, 1, 0]), 2)
    said = network.think(seen, 5, jnp.int32(-1), recall=True)
    state = jnp.zeros((4, thinking_rows.WIDTH))
    for layer in (0, 1, 2, 0, 1):
        state = network.round(state, seen, jnp.int32(layer))
    np.testing.assert_allclose(said[-1], state @ network.out, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("side", [5, 9])
def test_a_maze_is_two_trees_and_doors_are_found_by_walking(side):
    drawn = jax.tree.map(np.asarray, thinking_mazes.draw(KEY, 16, side))
    moves = ((-1, 0), (1, 0), (0, -1), (0, 1))
    for seen, right, far in zip(*drawn, strict=True):
        ways, doors = seen[..., :4], seen[..., 4:]
        assert ways.sum() == 2 * (side * side - 2)
        found = {}
        for door in (0, 1):
            (start,) = map(tuple, np.argwhere(doors[..., door]))
            queue = collections.deque([(start, 0)])
            while queue:
                at, steps = queue.popleft()
                if at in found:
                    continue
                found[at] = (door, steps)
                for move, opened in zip(moves, ways[at], strict=True):
                    if opened:
                        queue.append(((at[0] + move[0], at[1] + move[1]), steps + 1))
        assert len(found) == side * side
        assert all((right[at], far[at]) == told for at, told in found.items())


def test_more_rounds_reach_farther_in_rows_and_not_without_answers():
    settings = {"arm": "whole", "steps": 400, "trainings": 2, "key": 5}
    usual = []
    for null in (False, True):
        outcomes = thinking.taught(thinking_rows.ROWS, {**settings, "null": null}).outcomes
        usual.append(np.array(outcomes["easy"]))
        assert np.shape(outcomes["hard"]) == (2, len(thinking.HALF_ROUNDS))
    assert usual[0].max(1).min() > 0.8 and abs(usual[1] - 0.5).max() < 0.1


def test_the_rule_is_found_where_there_is_one(tmp_path):
    found = []
    for null in (False, True):
        cell = arm("simplicity.modular_addition", effort_of("smoke"), 1.0, null=null, steps=400)
        settings = {**cell.settings, "trainings": 2, "key": 3}
        context = Context(Call(cell, str(tmp_path), {}, 0))
        outcomes = addition.train(settings, context).outcomes
        found.append({name: np.array(x) for name, x in outcomes.items()})
    true, null = found
    assert true["unseen"][:, -1].min() > 0.9
    assert true["unseen"][:, 0].max() < 0.15
    assert null["unseen"][:, -1].max() < 0.2
    assert true["power"][:, -1].min() > 0.7 > null["power"].max()
    assert true["rest"][:, -1].max() < 0.25 < null["rest"][:, -1].min()
