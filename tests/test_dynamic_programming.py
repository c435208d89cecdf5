"""Exact dynamic programming against backward induction, closed forms and plain Python."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from optima import lake_optimum

from deliberation.audit.telling.waiting import at_most
from deliberation.core import Budget, Objective, check_decider
from deliberation.core.errors import (
    TooLargeError,
    TooSlowError,
    UnknownNameError,
    UnknownStateError,
    UnsuitableTaskError,
)
from deliberation.core.play import rollout
from deliberation.core.telling import hearing
from deliberation.direct import (
    UCT,
    DynamicProgramming,
    HistorySearch,
    enumerate_states,
    optimal_return,
    policy_iteration,
    value_iteration,
)
from deliberation.direct import solve as exact
from deliberation.direct.exact.belief_graph import solve_beliefs
from deliberation.tasks import from_arrays, make_task

KEY = jax.random.key(0)


@functools.cache
def lake(size=4, horizon=12):
    task = make_task("frozen_lake", size=size, horizon=horizon)
    return task, enumerate_states(task)


@pytest.mark.parametrize("solve", [value_iteration, policy_iteration])
def test_the_lakes_values_are_those_of_backward_induction(solve):
    task, reached = lake()
    values, actions = lake_optimum(task)
    table = solve(reached)
    time, cell = np.asarray(reached.states.time), np.asarray(reached.states.cell)
    assert np.allclose(table.values, values[time, cell] * ~reached.terminal, atol=1e-6)
    live = ~reached.terminal
    assert np.allclose(table.action_values[live], actions[time[live], cell[live]], atol=1e-6)
    assert table.value == pytest.approx(values[0, 0], abs=1e-6)
    assert np.allclose(table.policy.sum(1), live)


def test_a_sweep_looks_one_action_further():
    task, reached = lake()
    for sweeps in (1, 5, 11):
        shorter, _ = lake_optimum(make_task("frozen_lake", size=4, horizon=sweeps))
        assert value_iteration(reached, sweeps=sweeps).value == pytest.approx(
            shorter[0, 0], abs=1e-6
        )
    assert value_iteration(reached, sweeps=0).value == 0
    assert value_iteration(reached).sweeps == task.traits.horizon + 1


def test_two_players_who_move_in_turn_have_the_values_of_backward_induction():
    task = make_task("connect_four", height=4, width=3, k=3)
    table, solution = value_iteration(task), exact(task)
    live = ~table.reached.terminal
    legal = table.reached.legal
    truth = np.where(legal, solution.action_values(table.states), -np.inf)
    np.testing.assert_array_equal(table.action_values[live], truth[live])
    assert set(np.unique(table.reached.sign)) == {-1.0, 1.0}
    with pytest.raises(UnsuitableTaskError, match="2 players"):
        policy_iteration(task)  # replies to replies need not settle
    with pytest.raises(UnsuitableTaskError, match="do not sum to zero"):
        value_iteration(task, Both())


class Both(Objective):
    """One point for either player with every move: no opposite aims."""

    def __call__(self, state, action, after):
        return jnp.ones(2)


def test_known_optima():
    assert optimal_return(make_task("frozen_lake")) == pytest.approx(0.74419, abs=1e-5)
    assert optimal_return(make_task("cliff_walk", horizon=40)) == pytest.approx(-13, abs=1e-5)
    for name in ("gridworld", "gridworld_slippery"):
        task = make_task(name)
        formula = float(eqx.filter_jit(task.objective.optimum)(task.init(KEY)))
        assert optimal_return(task) == pytest.approx(formula, abs=1e-5)
    two = make_task("gridworld", layout="G.S..G", horizon=8)  # the goal is 2 or 3 steps away
    assert optimal_return(two) == pytest.approx(1 - 2.5 / 50, abs=1e-6)


@pytest.mark.parametrize("name", ["tic_tac_toe", "blackjack", "kuhn_poker"])
def test_what_cannot_be_listed_has_no_optimum(name):
    assert optimal_return(make_task(name)) is None


def test_too_large_is_none_or_an_error_with_the_number():
    task = make_task("frozen_lake")
    assert optimal_return(task, max_states=300) is None
    with pytest.raises(TooLargeError, match="max_states=300"):
        enumerate_states(task, max_states=300)


@pytest.mark.parametrize("solve", [value_iteration, policy_iteration])
@pytest.mark.parametrize("discount", [0.9, 0.99])
def test_without_a_clock_and_with_a_discount(solve, discount):
    """A way of n steps is worth g^(n - 1) less what the steps cost, in closed form."""
    task = make_task("gridworld")
    table = solve(task, discount=discount, tell_apart=lambda s: s.cell[None])
    assert len(table.values) == 22  # cells that are not walls
    far = {0: 8, 23: 1, 4: 4, 15: 5}
    for cell, n in far.items():
        true = discount ** (n - 1) - 0.02 * (1 - discount**n) / (1 - discount)
        row = int(np.flatnonzero(np.asarray(table.states.cell) == cell)[0])
        assert table.values[row] == pytest.approx(true, abs=1e-6)


def test_an_endless_lake():
    """14 in 17 cross the lake where there is always time; a policy that never ends has no value."""
    task = make_task("frozen_lake")
    cells = enumerate_states(task, tell_apart=lambda s: s.cell[None])
    assert len(cells) == 16 and len(cells.starts) == 1
    assert value_iteration(cells).value == pytest.approx(14 / 17, abs=1e-6)
    with pytest.raises(UnsuitableTaskError, match=r"discount below 1.*tell_apart"):
        policy_iteration(make_task("gridworld"), tell_apart=lambda s: s.cell[None])


def endless(rewards, moves):
    """A world without an end, without a discount."""
    return from_arrays(np.asarray(moves, float), np.asarray(rewards, float), gamma=1.0)


def test_rewards_that_add_up_without_a_limit_are_refused_soon():
    draw = np.random.default_rng(0)
    moves, rewards = draw.dirichlet(np.ones(10), (10, 3)), draw.normal(size=(10, 3))
    around = [[[0, 1]], [[1, 0]]]  # values change by turns
    for task in (
        endless(rewards, moves), endless(-1 - np.abs(rewards), moves), endless([[1], [0]], around)
    ):  # fmt: skip
        told = []
        with hearing(told.append), pytest.raises(UnsuitableTaskError, match="horizon, so") as why:
            value_iteration(task)
        assert max(told) < 0.01 and "tell_apart" not in str(why.value)


def slow():
    """Each step costs 1, and one in a hundred leads to where nothing costs: no end, yet a value."""
    return endless([[-1], [0]], [[[0.99, 0.01]], [[0, 1]]])


def test_without_an_end_values_that_settle_late_are_found_in_the_time_there_is():
    table = value_iteration(slow())
    assert table.values[0] == pytest.approx(-100) and table.sweeps > 2048
    with at_most(60.0):
        assert value_iteration(slow()).value == table.value
    with at_most(-1.0), pytest.raises(TooSlowError, match="longer than the time allowed"):
        value_iteration(slow())
    with at_most(-1.0):
        assert len(enumerate_states(slow())) == 2, "listing has all the time it needs"


@pytest.mark.parametrize("horizon, served", [(5, False), (6, False), (7, True)])
def test_a_clock_that_runs_out_on_the_way_may_not_be_left_out(horizon, served):
    """The goal is six steps away: found when time is up, it would stand for all later visits."""
    task = make_task("frozen_lake", horizon=horizon)
    whole = enumerate_states(task)
    assert whole.terminal.any()
    if served:
        lake = enumerate_states(task, tell_apart=lambda s: s.cell[None])
        assert value_iteration(lake).value == pytest.approx(14 / 17, abs=1e-6)
    else:
        with pytest.raises(UnsuitableTaskError, match="horizon"):
            enumerate_states(task, tell_apart=lambda s: s.cell[None])
    # What keeps all apart may be given by hand.
    again = enumerate_states(task, tell_apart=lambda s: task.fingerprint(s))
    assert len(again) == len(whole)


def test_all_that_can_be_reached_is_listed_once():
    """Against sets of (cell, time) in plain Python."""
    task = make_task("gridworld_slippery", horizon=9)
    rows, todo, seen = task.map.split(), {(3, 0, 0)}, set()
    while todo:
        row, column, time = todo.pop()
        seen.add((row, column, time))
        if rows[row][column] in "GP" or time == 9:
            continue
        for down, right in [(0, 1), (0, -1), (1, 0), (-1, 0)]:
            there = min(max(row + down, 0), 3), min(max(column + right, 0), 4)
            if (*there, time + 1) not in seen:
                todo.add((*there, time + 1))
    reached = enumerate_states(task)
    found = {(int(c) // 5, int(c) % 5, int(t)) for c, t in zip(
        reached.states.cell, reached.states.time, strict=True)}  # fmt: skip
    assert found == seen and len(reached) == len(seen)
    sums = reached.chances.sum(-1)
    assert np.allclose(sums, ~reached.terminal[:, None], atol=1e-12)


# Hidden state


def brute(task, states, chances, depth):
    """The best return from states that look alike: expectimax over actions and observations."""
    live = [(s, p) for s, p in zip(states, chances, strict=True) if not s.over]
    if not live or depth == 0:
        return 0.0
    best = -np.inf
    for action in range(4):
        gain, seen = 0.0, {}
        for state, p in live:
            after, reward = state.go(action)
            gain += p * reward
            seen.setdefault(after.look(), []).append((after, p))
        total = sum(
            sum(p for _, p in part)
            * brute(
                task,
                [s for s, _ in part],
                np.array([p for _, p in part]) / sum(p for _, p in part),
                depth - 1,
            )
            for part in seen.values()
        )
        best = max(best, gain + total)
    return best


class Plain:
    """A corridor with an exit at each end, one of them the goal, seen from one cell away."""

    def __init__(self, cell, goal, width):
        self.cell, self.goal, self.width = cell, goal, width
        self.over = cell in (0, width - 1)

    def go(self, action):
        to = min(max(self.cell + {0: -1, 2: 1}.get(action, 0), 0), self.width - 1)
        after = Plain(to, self.goal, self.width)
        return after, -0.02 + (after.over and to == self.goal)

    def look(self):
        near = abs(self.cell - self.goal) <= 1
        other = abs(self.cell - (self.width - 1 - self.goal)) <= 1
        return self.cell, near, other


@pytest.mark.parametrize("width", [5, 6])
def test_the_best_that_a_player_who_sees_little_can_do(width):
    """Going to look, and back where the goal is not: by expectimax over what is seen."""
    start = width // 2
    layout = "".join("S" if i == start else "." for i in range(width))
    task = make_task("gridworld_hidden", layout="G" + layout[1:-1] + "G", horizon=5)
    reached = enumerate_states(task)
    beliefs = solve_beliefs(reached)
    plain = [Plain(start, goal, width) for goal in (0, width - 1)]
    assert beliefs.value == pytest.approx(brute(task, plain, [0.5, 0.5], 5), abs=1e-6)
    seeing = value_of_seeing(start, width)
    assert beliefs.value < seeing - 0.01
    assert optimal_return(task) == beliefs.value


def value_of_seeing(start, width):
    return 1 - 0.02 * (start + width - 1 - start) / 2


@pytest.mark.parametrize("name", ["tiger", "biased_rps"])
def test_beliefs_agree_with_the_tasks_own_formulas(name):
    task = make_task(name, horizon=5)
    formula = float(eqx.filter_jit(task.objective.optimum)(task.init(KEY)))
    assert optimal_return(task) == pytest.approx(formula, rel=1e-5)


def test_beliefs_of_one_who_sees_the_whole_map_are_the_states():
    """Slipping makes what is seen next uneven; so do goals that are one of three."""
    options = {"layout": "G.S.G ....G", "slip": 0.3, "horizon": 5}
    hidden = make_task("gridworld_hidden", **options, view=9)
    assert optimal_return(hidden) == pytest.approx(
        optimal_return(make_task("gridworld", **options)), abs=1e-6
    )


def test_search_under_hidden_state_comes_to_the_exact_optimum():
    task = make_task("gridworld_hidden", layout="G.S.G", horizon=6)
    best = optimal_return(task)
    # To look costs a step, and going back two more, in one half of the episodes.
    assert best == pytest.approx(1 - 0.02 * (2 + 4) / 2, abs=1e-6)
    # Costs are small beside the goal, which is rarely met. The default constant wastes a step in a
    # few episodes, that of UCB1 (for returns between -1 and 1) in none.
    for c, wasted in ((UCT().c, 0.01), (2 * np.sqrt(2), 1e-5)):
        search = HistorySearch(task, UCT(jnp.float32(c)), budget=256, capacity=256)
        played = rollout(task, search, key=KEY, batch=32)
        # Straight to the goal, or after one look at the wrong side: never better.
        lucky = played.actions[:, 0] == 2 * np.asarray(played.final.goal)
        short = np.where(lucky, 0.96, 0.92) - np.asarray(played.returns[:, 0])
        assert np.abs(short).mean() < wasted
        assert 4 < lucky.sum() < 28  # it does not see where the goal is
    first = solve_beliefs(enumerate_states(task)).firsts
    assert len(first) == 1 and first[0][2].argmax() in (0, 2)


# The decider


@pytest.mark.parametrize("method", ["value iteration", "policy iteration"])
def test_contract(method):
    check_decider(DynamicProgramming(lake(horizon=6)[0], method), budget=2)


def test_it_plays_the_optimum_and_follows_what_is_wanted_now():
    task = make_task("gridworld", layout="G..S.G", horizon=8)
    decider = DynamicProgramming(task)
    played = rollout(task, decider, key=KEY, batch=8)
    goals = np.asarray(played.final.goal)
    assert np.allclose(played.returns[:, 0], np.where(goals == 0, 0.94, 0.96), atol=1e-5)
    assert set(goals) == {0, 1}
    left = task.reweighted(goal=0.0, exit_0=1.0)
    played = rollout(task, decider, key=KEY, batch=8, objective=left)
    assert np.asarray(played.final.cell).tolist() == [0] * 8
    # A sweep sees one action ahead: the exit beside it, not the one three cells away.
    states = jax.vmap(task.init)(jax.random.split(KEY, 3))
    decision, _ = decider.decide(
        states, objective=left, budget=Budget(jnp.array([0, 2, 3])), key=KEY
    )
    assert np.allclose(decision.weights, [[0.25] * 4, [0.25] * 4, [1, 0, 0, 0]])
    assert np.allclose(decision.value, [0, -0.04, 0.94], atol=1e-5)


def test_a_wall_that_was_moved_is_planned_around():
    task = make_task("gridworld")
    decider = DynamicProgramming(task)
    state = task.with_walls(task.init(KEY), shut=(17, 22), opened=(2,))
    batch = jax.tree.map(lambda x: x[None], state)
    played = rollout(task, decider, key=KEY, state=batch)
    assert played.returns[0, 0] == pytest.approx(0.84, abs=1e-5)
    with pytest.raises(UnknownStateError, match="start"):
        value_iteration(task).find(batch)


def test_it_says_what_it_spent_and_keeps_a_limit():
    task, reached = lake()
    decider = DynamicProgramming(task)
    states = jax.vmap(task.init)(jax.random.split(KEY, 2))
    sweep = reached.transitions
    for budget, steps in [
        (3, [3 * sweep] * 2),
        (Budget(jnp.array([1, 3])), [sweep, 3 * sweep]),
        (Budget(model_steps=2 * sweep + 1), [2 * sweep] * 2),
        (Budget(model_steps=sweep - 1), [0, 0]),
    ]:
        spent = decider.decide(states, budget=budget, key=KEY)[0].spent
        assert np.allclose(spent.model_steps, steps)


def test_unsuitable_tasks_are_refused():
    for name in ("tic_tac_toe", "blackjack", "gridworld_hidden"):
        with pytest.raises(UnsuitableTaskError):
            DynamicProgramming(make_task(name))
    with pytest.raises(UnsuitableTaskError, match="belief_return"):
        value_iteration(make_task("gridworld_hidden", horizon=3))
    with pytest.raises(UnknownNameError):
        DynamicProgramming(make_task("gridworld"), "magic")
