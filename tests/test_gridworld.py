"""The family of gridworlds: its knobs, what is hidden, and the best that can be done."""

import collections
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core import check_task
from deliberation.core.errors import ContractError
from deliberation.tasks import make_task
from deliberation.tasks.grids.gridworld import Gridworld

KEY = jax.random.key(0)
STEPS = {4: [(0, -1), (1, 0), (0, 1), (-1, 0)]}
STEPS[8] = [(0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gridworld", {}),
        ("gridworld_slippery", {"actions": 8}),
        ("gridworld_hidden", {"slip": 0.2}),
        ("cliff_walk", {"horizon": 30}),
        ("gridworld_continuous", {"horizon": 10}),
        ("gridworld_continuous", {"slip": 0.4, "horizon": 10}),
    ],
)
def test_contract(name, options):
    check_task(make_task(name, **options))


def best(rows, slip, ways, horizon, weights, goal):
    """Backward induction in plain Python: values {(row, column): return} with all the time left."""
    step, pay, pit, mud = weights
    cells = list(itertools.product(range(len(rows)), range(len(rows[0]))))
    values = dict.fromkeys(cells, 0.0)

    def to(cell, way):
        there = cell[0] + way[0], cell[1] + way[1]
        inside = 0 <= there[0] < len(rows) and 0 <= there[1] < len(rows[0])
        return there if inside and rows[there[0]][there[1]] != "#" else cell

    def worth(cell, way):
        there = to(cell, way)
        mark = rows[there[0]][there[1]]
        gain = step + pay * (there == goal) + pit * (mark == "P") + mud * (mark == "~")
        return gain + values[there]

    for _ in range(horizon):
        new = {}
        for cell in cells:
            if rows[cell[0]][cell[1]] in "GP":
                new[cell] = 0.0
                continue
            tried = []
            for k in range(len(ways)):
                odds = [slip / 2, 1 - slip, slip / 2]
                sides = [ways[k - 1], ways[k], ways[(k + 1) % len(ways)]]
                tried.append(sum(p * worth(cell, w) for p, w in zip(odds, sides, strict=True)))
            new[cell] = max(tried)
        values = new
    return values


@pytest.mark.parametrize("actions", [4, 8])
@pytest.mark.parametrize("slip", [0.0, 0.3])
def test_the_optimum_is_that_of_backward_induction(actions, slip):
    layout = "S.#. .~PG G~.."
    task = Gridworld(layout=layout, slip=slip, actions=actions, horizon=9)
    rows = layout.split()
    for goal, place in enumerate([(1, 3), (2, 0)]):
        true = best(rows, slip, STEPS[actions], 9, (-0.02, 1, -1, -0.1), place)
        states, _ = task.starts()
        state = jax.tree.map(lambda x, goal=goal: x[goal], states)
        assert int(state.goal) == goal
        assert float(eqx.filter_jit(task.objective.optimum)(state)) == pytest.approx(
            true[0, 0], abs=1e-5
        )


def test_known_optima():
    """A shortest way of n steps is worth 1 - n / 50; the cliff 13 steps, as in the book."""
    for name, options, value in [
        ("gridworld", {}, 1 - 8 / 50),
        ("gridworld", {"actions": 8}, 1 - 5 / 50),
        ("cliff_walk", {}, -13.0),
    ]:
        task = make_task(name, **options)
        start = task.init(KEY)
        assert float(eqx.filter_jit(task.objective.optimum)(start)) == pytest.approx(
            value, abs=1e-5
        )
    hidden = make_task("gridworld_hidden")
    assert np.isnan(hidden.objective.optimum(hidden.init(KEY)))


def test_a_wall_that_is_moved_is_met_seen_and_walked_around():
    task = make_task("gridworld")
    state = task.init(KEY)
    closed = task.with_walls(state, shut=(17,), opened=(2,))  # the gap shuts, the top opens
    for changed, steps in [(closed, 8), (task.with_walls(state, shut=(17,)), 8)]:
        assert float(task.objective.optimum(changed)) == pytest.approx(1 - steps / 50, abs=1e-5)
    both = task.with_walls(state, shut=(17, 22))
    assert float(task.objective.optimum(both)) == pytest.approx(-40 / 50, abs=1e-5)
    below = task.step(state, 1, KEY)
    assert np.array_equal(np.asarray(below.cell), 5)
    stopped = task.step(task.with_walls(state, shut=(5,)), 1, KEY)
    assert int(stopped.cell) == 0 and int(stopped.time) == 1
    assert task.observe(closed)[3, 2, 1] == 1 and task.observe(closed)[0, 2, 1] == 0


def test_other_wants_are_weights_and_compile_nothing():
    task = make_task("gridworld", layout="G.S.G", horizon=6)
    state = task.init(KEY)
    compiled = 0

    @jax.jit
    def optimum(objective):
        nonlocal compiled
        compiled += 1
        return objective.optimum(state)

    for pay, value in [(2.0, 1.96), (0.5, 0.96), (0.0, 0.96)]:
        wanted = task.reweighted(
            exit_0=pay * (int(state.goal) != 0), exit_1=pay * (int(state.goal) == 0)
        )
        assert float(optimum(wanted)) == pytest.approx(value, abs=1e-5)
    assert compiled == 1
    with pytest.raises(ValueError, match="exit_9"):
        task.reweighted(exit_9=1.0)


@pytest.mark.parametrize(
    "weights", [{}, {"step": 0.05}, {"mud": 0.3}, {"goal": -1.0, "exit_0": 0.4}]
)
def test_the_heuristic_never_promises_too_little(weights):
    task = Gridworld(layout="S.#. .~PG G~..", slip=0.3, horizon=9)
    objective = task.reweighted(**weights)
    state = jax.tree.map(lambda x: x[0], task.starts()[0])
    cells = jnp.arange(12)
    free = np.array([c not in "#" for c in task.map.replace(" ", "")])

    def both(cell, time):
        here = type(state)(cell, time, state.goal, state.walls, state.seen)
        return objective.heuristic(here), objective.optimum(here)

    most, true = jax.vmap(jax.vmap(both, (None, 0)), (0, None))(cells, jnp.arange(9))
    assert (np.asarray(most) >= np.asarray(true) - 1e-5)[free].all()


def test_resampling_is_the_posterior():
    """Against all 8 arrangements of goal and doors, by how many of them look the same so far."""
    task = make_task("gridworld_hidden", layout="G.D.G ..... D.S.G", view=1)
    states, chances = task.starts()
    assert np.allclose(chances, 1 / 12)
    way = jnp.array([2, 3, 0])  # right, where an exit comes into view, up, left

    def walk(state):
        seen = [task.observe(state)]
        for action in way:
            state = task.advance(state, action, KEY)
            seen.append(task.observe(state))
        return state, jnp.stack(seen)

    ends, seen = jax.vmap(walk)(states)
    draws = jax.jit(jax.vmap(task.resample, (None, 0)))
    for row in range(12):
        same = (np.asarray(seen) == np.asarray(seen[row])).reshape(12, -1).all(1)
        state = jax.tree.map(lambda x, row=row: x[row], ends)
        many = draws(state, jax.random.split(KEY, 4000))
        found = collections.Counter(
            (int(g), w.tobytes())
            for g, w in zip(np.asarray(many.goal), np.asarray(many.walls), strict=True)
        )
        true = {
            (int(ends.goal[k]), np.asarray(ends.walls[k]).tobytes()) for k in np.flatnonzero(same)
        }
        assert set(found) == true
        assert all(abs(n / 4000 - 1 / len(true)) < 0.04 for n in found.values())


class Crooked(Gridworld):
    """Lists only one of its two goals, or one of them too often."""

    def starts(self):
        states, _ = Gridworld.starts(self)
        if self.horizon == 5:
            return jax.tree.map(lambda x: x[:1], states), jnp.ones(1)
        return states, jnp.array([0.6, 0.4])


@pytest.mark.parametrize(("horizon", "told"), [(5, "does not list"), (6, "other probabilities")])
def test_the_contract_finds_starts_that_are_not_drawn_so(horizon, told):
    with pytest.raises(ContractError, match=told):
        check_task(Crooked(layout="G.S.G", horizon=horizon), episodes=4)


def test_what_is_out_of_view_is_not_shown():
    task = make_task("gridworld_hidden")
    states, _ = task.starts()
    assert len(np.unique(np.asarray(jax.vmap(task.observe)(states)), axis=0)) == 2  # the door shows


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"actions": 5}, "4 or 8"),
        ({"slip": 1.5}, "slip"),
        ({"layout": "S.. .G"}, "one length"),
        ({"layout": "S.x.G"}, "knows no"),
        ({"layout": "....G"}, "start"),
        ({"layout": "SG" + "D" * 13}, "fewer doors"),
        ({"view": 0}, "view"),
        ({"size": 2}, "at least 3"),
    ],
)
def test_refusals(options, told):
    with pytest.raises(ValueError, match=told):
        make_task("gridworld", **options)


# Continuous steps


def walk(task, state, *steps):
    returned = 0.0
    for step in steps:
        after = task.step(state, np.array(step, np.float32), KEY)
        returned += float(task.objective(state, jnp.array(step, jnp.float32), after)[0])
        state = after
    return state, returned


def test_continuous_steps_slide_along_walls():
    task = make_task("gridworld_continuous")
    start = task.init(KEY)
    assert np.allclose(start.place, [0.5, 0.5])
    for steps, place in [
        ([(0.25, -1.0)], [0.75, 0.0]),  # the edge
        ([(0.0, 1.0), (0.5, 0.6)], [1.0, 1.5]),  # a wall in column 2 stops one axis only
        ([(1.0, 1.0), (1.0, 0.49), (1.0, 1.0)], [3.5, 2.99]),
    ]:
        assert np.allclose(walk(task, start, *steps)[0].place, place, atol=1e-5)
    opened = task.with_walls(start, opened=(2,))
    assert np.allclose(walk(task, opened, (0, 1), (0, 1))[0].place, [0.5, 2.5])


def test_continuous_steps_come_to_the_exit_in_five():
    task = make_task("gridworld_continuous")
    start = task.init(KEY)
    way = [(1.0, 1.0), (1.0, 0.49), (1.0, 1.0), (1.0, 1.0), (0.0, 0.5)]
    end, returned = walk(task, start, *way)
    assert bool(task.terminated(end)) and returned == pytest.approx(0.9, abs=1e-6)
    # Four would do without the wall.
    assert float(task.objective.heuristic(start)) == pytest.approx(1 - 4 / 50, abs=1e-6)
    assert float(task.objective.heuristic(end)) == 0
    state = start
    for left, step in zip(range(5, 0, -1), way, strict=True):
        assert float(task.objective.heuristic(state)) >= 1 - left / 50 - 1e-6
        state = task.step(state, np.array(step, np.float32), KEY)
    free = walk(task, start, *way[:2])
    assert float(task.reweighted(step=0.0, goal=3.0).heuristic(free[0])) == 3


def test_slipping_turns_a_continuous_step():
    task = make_task("gridworld_continuous", layout="..... ..... ..S.. ..... ....G", slip=0.4)
    after, chances = task.outcomes(task.init(KEY), jnp.array([0.5, 0.25]))
    assert np.allclose(chances, [0.2, 0.6, 0.2])
    assert np.allclose(after.place, [[2.25, 3.0], [3.0, 2.75], [2.75, 2.0]])


@pytest.mark.parametrize("layout", ["S.G.G", "SDG", "SSG"])
def test_continuous_refusals(layout):
    with pytest.raises(ValueError, match="one start"):
        make_task("gridworld_continuous", layout=layout)
