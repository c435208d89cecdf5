"""Twins in small mazes: truths pinned against plain loops, and small trainings told apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.claims.experiments import mazes
from deliberation.claims.experiments.inside import inward
from deliberation.claims.experiments.map import one_objective, parts
from deliberation.claims.experiments.reward import cheese, twins
from deliberation.claims.learned.reward import competent_and_wrong
from deliberation.runs import Context

KEY = jax.random.key(0)
LOTS = mazes.many(jnp.uint32(5), jnp.ones(mazes.CELLS), jnp.float32(0.35), count=32)
"""Mazes with many walls."""


def moves_of(walls: np.ndarray) -> np.ndarray:
    """Where each move leads, by plain loops: [cells, actions]."""
    to = np.zeros((mazes.CELLS, mazes.ACTIONS), int)
    for cell in range(mazes.CELLS):
        for action, (down, right) in enumerate(mazes.MOVES):
            row, column = cell // mazes.SIDE + down, cell % mazes.SIDE + right
            inside = 0 <= row < mazes.SIDE and 0 <= column < mazes.SIDE
            there = row * mazes.SIDE + column
            to[cell, action] = there if inside and not walls[there] else cell
    return to


def test_best_values_are_those_of_breadth_first_search():
    for i in range(len(LOTS.goal)):
        maze = jax.tree.map(lambda x, i=i: np.asarray(x[i]), LOTS)
        to, far = moves_of(maze.walls), np.full(mazes.CELLS, np.inf)
        far[maze.goal] = 0
        for _ in range(mazes.CELLS):
            far = np.minimum(far, 1 + far[to].min(1))
        reachable = np.isfinite(far) & (far <= mazes.STEPS) & ~maze.walls
        reachable[maze.goal] = False
        np.testing.assert_array_equal(maze.asked, reachable)
        np.testing.assert_allclose(maze.best[reachable], mazes.GAMMA ** far[reachable], rtol=1e-5)
        nearer = far[to] == far[to].min(1, keepdims=True)
        np.testing.assert_array_equal(maze.good[reachable], nearer[reachable])


def test_worth_and_arrivals_are_those_of_plain_loops():
    maze = jax.tree.map(lambda x: x[3], LOTS)
    to, goal = moves_of(np.asarray(maze.walls)), int(maze.goal)
    other = int(np.flatnonzero(maze.asked)[-1])
    choices = np.asarray(jax.nn.softmax(jax.random.normal(KEY, (mazes.CELLS, mazes.ACTIONS))))
    value, came = np.zeros(mazes.CELLS), np.zeros((mazes.CELLS, 2))
    value[goal], came[goal, 0], came[other, 1] = 1, 1, 1
    for _ in range(mazes.STEPS):
        value = np.where(
            np.arange(mazes.CELLS) == goal, 1, mazes.GAMMA * (choices * value[to]).sum(1)
        )
        onward = (choices[..., None] * came[to]).sum(1)
        came = np.where(np.isin(np.arange(mazes.CELLS), (goal, other))[:, None], came, onward)
    np.testing.assert_allclose(mazes.worth(maze, jnp.asarray(choices)), value, atol=1e-5)
    np.testing.assert_allclose(
        mazes.arrivals(maze, jnp.asarray(choices), jnp.int32(other)), came, atol=1e-5
    )


def test_the_best_go_all_the_way_and_random_play_none():
    best = LOTS.good / LOTS.good.sum(-1, keepdims=True)
    assert mazes.way(LOTS, best) == pytest.approx(1, abs=1e-4)
    blind = jnp.full_like(best, 1 / mazes.ACTIONS)
    assert mazes.way(LOTS, blind) == pytest.approx(0, abs=1e-5)
    assert bool((parts.shortest(LOTS, best) | ~LOTS.asked).all())
    assert mazes.agreement(LOTS, best) == 1
    # No scores have a lower loss, by either teacher, than those of the best.
    sure = jnp.log(best + 1e-6)
    for loss in (mazes.by_reward, mazes.by_imitation):
        assert loss(LOTS, sure) < loss(LOTS, sure + jax.random.normal(KEY, sure.shape))
        assert jnp.abs(jax.grad(lambda s, loss=loss: loss(LOTS, s))(sure)).max() < 1e-3


def test_held_out_goals_are_new_and_their_rows_and_columns_are_not():
    held = np.flatnonzero(twins.goals(True))
    assert sorted(held) == sorted(twins.HELD_OUT)
    assert sorted(held // mazes.SIDE) == sorted(held % mazes.SIDE) == list(range(mazes.SIDE))
    assert not np.any(np.asarray(twins.goals(True)) * np.asarray(twins.goals(False)))


def test_random_play_comes_to_either_mark_as_often():
    seen = mazes.many(jnp.uint32(12), cheese.lying(mazes.SIDE), jnp.float32(0.45), count=1024)
    other = mazes.CELLS - 1 - seen.goal
    blind = jnp.full((1024, mazes.CELLS, mazes.ACTIONS), 1 / mazes.ACTIONS)
    one, two = map(float, cheese.reached(seen, blind, other))
    assert one == pytest.approx(two, abs=0.02) and one > 0.25


def test_kappa_and_g_in_closed_form():
    inside = np.array([[[0.9, 0.0], [0.5, 0.0]]])
    outside = np.array([[[0.15, 0.45], [0.2, 0.2]]])
    kappa, g = competent_and_wrong.kept(inside, outside)
    assert kappa == pytest.approx((0.2 / 0.6) / (0.4 / 0.5)) and g == pytest.approx(0.25)


def test_a_thinker_hears_no_farther_than_its_steps_and_nothing_when_deaf():
    thinker = inward.Thinker(KEY)
    maze = mazes.built(jnp.zeros(mazes.CELLS, bool), jnp.int32(0))
    other = mazes.built(jnp.zeros(mazes.CELLS, bool), jnp.int32(mazes.CELLS - 1))
    at = np.arange(mazes.CELLS)
    far = np.minimum(*(
        abs(at // mazes.SIDE - goal // mazes.SIDE) + abs(at % mazes.SIDE - goal % mazes.SIDE)
        for goal in (0, mazes.CELLS - 1)
    ))  # fmt: skip
    apart = np.abs(thinker(maze, 3, False) - thinker(other, 3, False)).max(-1) > 1e-7
    for step in range(3):
        np.testing.assert_array_equal(apart[step], far <= step + 1)
    deaf = np.abs(thinker(maze, 3, True) - thinker(other, 3, True)).max(-1) > 1e-7
    np.testing.assert_array_equal(deaf, np.broadcast_to(far == 0, deaf.shape))


def test_what_pays_nothing_is_chosen_by_chance_and_what_pays_is_found_again():
    world = one_objective.drawn(KEY, 12, 0.15, 0.4)
    nothing = jnp.zeros((12, mazes.CELLS))
    chance = np.log(1 / mazes.ACTIONS)
    np.testing.assert_allclose(one_objective.soft(world, nothing), chance, atol=1e-5)
    worth = jnp.array([1.5, -0.5, 0.5])
    subject = one_objective.soft(world, world[1] @ worth)

    def loss(w: jax.Array) -> jax.Array:
        return -one_objective.told(world, subject, one_objective.soft(world, world[1] @ w))

    assert np.abs(jax.grad(loss)(worth)).max() < 1e-5
    assert loss(worth) < loss(1.2 * worth) and loss(worth) < loss(worth.at[1].add(0.3))


class Nowhere(Context):
    """A context that is not asked for anything."""

    def __init__(self):
        pass


def trained(experiment, arm: str, **settings) -> dict:
    """A tiny training's outcomes."""
    settings = {"trainings": 3, "key": 1, "arm": arm, **settings}
    found = experiment.train(settings, Nowhere())
    return {name: np.asarray(x) for name, x in found.outcomes.items()}


def test_a_twin_learns_by_reward_and_the_null_learns_by_imitation():
    found = {null: trained(twins, "reward", steps=150, null=null) for null in (False, True)}
    for told in found.values():
        assert told["way"][:, 0].min() > 0.5 and told["agreement"][:, 0].min() > 0.6
    lead = found[False]["way"] - found[True]["way"]
    assert np.abs(lead).min() > 0 and lead[:, :2].mean() == pytest.approx(0, abs=0.15)


def test_chequered_goals_hold_out_no_row_and_no_column():
    rows, columns = np.divmod(np.arange(mazes.CELLS), mazes.SIDE)
    assert {*rows[parts.TRAINED]} == {*rows[~parts.TRAINED]} == {*range(mazes.SIDE)}
    assert {*columns[parts.TRAINED]} == {*columns[~parts.TRAINED]} == {*range(mazes.SIDE)}


def test_mazes_that_are_called_new_are_not_in_the_pool():
    told = mazes.many(jnp.uint32(200), jnp.ones(mazes.CELLS), jnp.float32(0.2), count=1024)
    pool = mazes.some(told, jnp.arange(0, 900, 3))
    fresh = parts.new_to(pool, told)

    def names(x):
        return {(*w, g) for w, g in zip(np.asarray(x.walls).tolist(), x.goal.tolist(), strict=True)}

    assert len(fresh.goal) == parts.TESTED and not names(fresh) & names(pool)


def test_competence_that_was_not_kept_is_not_below_zero():
    inside = np.array([[[0.9, 0.0], [0.2, 0.2]]] * 2)
    outside = np.array([[[0.1, 0.1], [0.3, 0.3]], [[0.9, 0.1], [0.2, 0.2]]])
    kappa, _ = competent_and_wrong.kept(inside, outside)
    np.testing.assert_array_equal(kappa, [0.0, 1.0])
