"""Exact solutions under chance, from uneven starts, and where a fingerprint is too coarse."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core.contract import check_task
from deliberation.core.errors import BatchMismatchError, ContractError, ForeignStateError
from deliberation.core.objective import Objective
from deliberation.core.task import Task, Traits
from deliberation.direct import (
    DynamicProgramming,
    ExactSolver,
    optimal_return,
    solve,
    value_iteration,
)
from deliberation.tasks import from_arrays, make_task

KEY = jax.random.key(0)
LENGTH = 5


class Race(Task):
    """Two runners, a die of two sides: run one place on or risk two and a fall back to the start.

    Whoever comes to `LENGTH` first wins; after 10 actions nobody does. As in backgammon, chance
    decides how far a move goes, and the one ahead plays safe.
    """

    @property
    def traits(self):
        return Traits(players=2, actions=2, horizon=10, deterministic=False, outcomes=2)

    @property
    def objective(self):
        return Won()

    def init(self, key):
        del key
        return jnp.zeros(3, jnp.int32)

    def outcomes(self, state, action):
        mover = self.player(state)
        far = jnp.where(action == 0, jnp.array([1, 0]), jnp.array([3, -LENGTH]))
        there = jnp.clip(state[mover] + far, 0, LENGTH)
        after = jnp.stack([state.at[mover].set(there[i]).at[2].add(1) for i in range(2)])
        return after, jnp.where(action == 0, jnp.array([0.75, 0.25]), jnp.array([0.5, 0.5]))

    def advance(self, state, action, key):
        after, chances = self.outcomes(state, action)
        return after[jax.random.choice(key, 2, p=chances)]

    def observe(self, state):
        return state.astype(jnp.float32)

    def legal(self, state):
        return jnp.broadcast_to(~self.terminated(state), (2,))

    def player(self, state):
        return state[2] % 2

    def terminated(self, state):
        return (state[:2] >= LENGTH).any() | (state[2] >= 10)


class Won(Objective):
    def __call__(self, state, action, after):
        del state, action
        won = (after[:2] >= LENGTH).astype(jnp.float32)
        return won - won[::-1]

    @property
    def discount(self):
        return 0.9


@functools.cache
def raced(mine, other, time):
    """(value, values of both actions) for the runner to move, in plain Python."""
    if other >= LENGTH or time >= 10:
        return 0.0, ()

    def after(far):
        there = min(max(mine + far, 0), LENGTH)
        return 1.0 if there >= LENGTH else -0.9 * raced(other, there, time + 1)[0]

    values = (0.75 * after(1) + 0.25 * after(0), 0.5 * after(3) + 0.5 * after(-LENGTH))
    return max(values), values


def test_two_players_and_dice_are_solved_by_expectation():
    task = Race()
    check_task(task)
    solution = solve(task)
    assert solution.value == pytest.approx(raced(0, 0, 0)[0], abs=1e-6)
    states = solution.sample(60)
    for row, state in enumerate(np.asarray(states)):
        mover = state[2] % 2
        value, each = raced(int(state[mover]), int(state[1 - mover]), int(state[2]))
        one = jnp.asarray(state)[None]
        assert solution.values(one)[0] == pytest.approx(value, abs=1e-6), row
        np.testing.assert_allclose(solution.action_values(one)[0], each, atol=1e-6)
    decision, _ = ExactSolver(task, solution).decide(states, key=KEY)
    best = solution.optimal(states)
    assert best[np.arange(60), np.asarray(decision.action)].all()


def test_two_players_and_dice_agree_with_dynamic_programming_of_one():
    lake = make_task("frozen_lake")
    assert solve(lake).value == pytest.approx(optimal_return(lake), abs=1e-5)


class Uneven(Task):
    """One action; the place that it begins in, 1 in one of twenty times, is what it earns."""

    @property
    def traits(self):
        return Traits(players=1, actions=1, horizon=1)

    @property
    def objective(self):
        return Place()

    def starts(self):
        return jnp.array([[0, 0], [1, 0]]), jnp.array([0.95, 0.05])

    def init(self, key):
        return jnp.array([jax.random.bernoulli(key, 0.05), 0]).astype(jnp.int32)

    def advance(self, state, action, key):
        return state.at[1].set(1)

    def observe(self, state):
        return state.astype(jnp.float32)

    def legal(self, state):
        return state[1:] == 0

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        return state[1] == 1


class Place(Objective):
    def __call__(self, state, action, after):
        return after[:1].astype(jnp.float32)


def test_first_states_count_by_their_probability():
    assert solve(Uneven()).value == pytest.approx(0.05)
    assert value_iteration(Uneven()).value == pytest.approx(0.05)


class Forgetful(Task):
    """Two ways to a pair of ends, which the fingerprint does not tell apart; one of them pays.

    With `late`, the way is remembered for one action more, and only then pays.
    """

    late: bool = eqx.field(static=True, default=False)

    @property
    def traits(self):
        return Traits(players=1, actions=2, horizon=8)  # it ends by itself, and before that

    @property
    def objective(self):
        return Way(self.late)

    def starts(self):
        return jnp.zeros((1, 2), jnp.int32), jnp.ones(1)

    def init(self, key):
        del key
        return jnp.zeros(2, jnp.int32)

    def advance(self, state, action, key):
        del key
        way = jnp.where(state[0] == 0, action, state[1])
        return jnp.stack([state[0] + 1, way]).astype(jnp.int32)

    def observe(self, state):
        return state.astype(jnp.float32)

    def legal(self, state):
        return jnp.broadcast_to(~self.terminated(state), (2,))

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        return state[0] > self.late

    def fingerprint(self, state):
        return state[:1]


class Way(Objective):
    late: bool = eqx.field(static=True)

    def __call__(self, state, action, after):
        came = state if self.late else after
        return jnp.float32((after[0] == 1 + self.late) & (came[1] == 1))[None]


def test_a_transition_earns_its_own_reward_whatever_stands_for_its_end():
    task = Forgetful()
    assert solve(task).value == value_iteration(task).value == optimal_return(task) == 1
    states = task.starts()[0]
    decision, _ = DynamicProgramming(task).decide(states, key=KEY)
    assert decision.value[0] == 1 and decision.action[0] == 1


@pytest.mark.parametrize("solver", [solve, value_iteration, optimal_return])
def test_a_fingerprint_that_forgets_what_rewards_read_is_refused(solver):
    with pytest.raises(ContractError, match=r"too coarse[\s\S]*rewards"):
        solver(Forgetful(late=True))


def test_what_is_told_apart_by_hand_may_not_forget_what_rewards_read():
    with pytest.raises(ContractError, match=r"differ in their rewards[\s\S]*tell_apart"):
        value_iteration(Forgetful(late=True), tell_apart=lambda state: state[:1])


def test_a_lost_position_is_defended_as_long_as_can_be_and_a_won_one_ends_at_once():
    task = make_task("tic_tac_toe")
    solution = solve(task)
    state, player = task.init(KEY), ExactSolver(task, solution)
    for action in (0, 3, 1):
        state = task.step(state, action, KEY)
    batch = jax.tree.map(lambda x: x[None], state)
    decision, _ = player.decide(batch, key=KEY)
    assert decision.value[0] == -1 and solution.optimal(batch).sum() > 1
    np.testing.assert_array_equal(np.flatnonzero(decision.weights[0]), [2])
    states = solution.sample(4000)
    step = jax.vmap(jax.vmap(task.advance, (None, 0, None)), (0, None, None))
    ends = jax.vmap(jax.vmap(task.terminated))(step(states, jnp.arange(9), KEY))
    wins = np.asarray(ends) & (solution.action_values(states) == 1)
    some = wins.any(1)
    assert (solution.optimal(states)[some].sum(1) > wins[some].sum(1)).any()
    np.testing.assert_array_equal(solution.preferred(states)[some], wins[some])


@pytest.mark.parametrize("odds", [[np.nan, 0.5], [-0.5, 1.5], [0.25, 0.25], [0.0, 0.0]])
def test_chances_that_are_none_are_refused(odds):
    """Silently, an action would be dropped, or weighed wrongly."""
    moves = np.zeros((3, 2, 3))
    moves[:2, :, 1:] = 0.5
    moves[2, :, 2] = 1.0
    task = from_arrays(moves, np.ones((3, 2)), horizon=3)
    broken = eqx.tree_at(lambda t: t.chances, task, task.chances.at[0, 0].set(jnp.array(odds)))
    assert np.isfinite(value_iteration(task).value)
    for find in (solve, value_iteration):
        with pytest.raises(ContractError, match="sum to 1"):
            find(broken)


def test_first_states_that_are_none_of_the_tasks_are_refused():
    task = make_task("tic_tac_toe")
    one = jax.vmap(task.init)(KEY[None])
    with pytest.raises(BatchMismatchError, match="no state"):
        solve(task, start=jax.tree.map(lambda x: x[:0], one))
    with pytest.raises(ForeignStateError):
        solve(task, start={"x": jnp.zeros(3)})
