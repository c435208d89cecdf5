"""Tiger, cheese maze and biased rock-paper-scissors: their rules, what is hidden, their optima."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core import check_task
from deliberation.tasks import make_task
from deliberation.tasks.hidden.biased_rps import RPSState
from deliberation.tasks.hidden.tiger import tiger_values

KEY = jax.random.key(0)
NAMES = ("tiger", "cheese_maze", "biased_rps")
MAZE = ("9 10 8 10 12", "5 . 5 . 5", "7 . * . 7")
"""Figure 5 of Veness et al. (2011)."""


@pytest.mark.parametrize("name", NAMES)
def test_tasks_keep_their_contract(name):
    check_task(make_task(name, horizon=12), episodes=8)


@pytest.mark.parametrize("name", NAMES)
def test_nonsense_is_refused(name):
    with pytest.raises(ValueError, match="horizon"):
        make_task(name, horizon=0)


def play(task, state, action, seed):
    after = task.step(state, action, jax.random.key(seed))
    return after, float(task.objective(state, jnp.int32(action), after)[0])


def test_the_tiger_is_heard_and_met_as_in_the_paper():
    task = make_task("tiger")
    state = task.init(KEY)
    keys = jax.random.split(KEY, 4000)
    step = jax.jit(jax.vmap(task.advance, (None, None, 0)))
    heard = step(state, jnp.int32(0), keys)
    assert abs(float((heard.heard == state.tiger).mean()) - 0.85) < 0.025
    assert (np.asarray(heard.tiger) == int(state.tiger)).all()
    for door in (1, 2):
        after, reward = play(task, state, door, 0)
        assert reward == (-100 if door - 1 == int(state.tiger) else 10)
        assert (int(after.heard), int(after.lead)) == (2, 0)
    assert play(task, state, 0, 0)[1] == -1
    anew = step(state, jnp.int32(1), keys)
    assert abs(float(anew.tiger.mean()) - 0.5) < 0.04


def test_the_tigers_posterior_is_bayes():
    task = make_task("tiger", accuracy=0.8)
    state = task.init(KEY)
    for lead in (-3, 0, 1, 4):
        told = eqx.tree_at(lambda s: s.lead, state, jnp.int32(lead))
        listed, chances = task.beliefs(told)
        left = 0.8**lead / (0.8**lead + 0.2**lead)
        assert np.allclose(chances, [left, 1 - left], atol=1e-6)
        assert listed.tiger.tolist() == [0, 1]
        drawn = jax.vmap(task.resample, (None, 0))(told, jax.random.split(KEY, 4000)).tiger
        assert abs(float(drawn.mean()) - (1 - left)) < 0.04


def test_the_tigers_optimum_is_the_published_one():
    """19.37 at discount 0.95 without end (Cassandra's pomdp-solve on tiger.95)."""
    assert tiger_values(0.85, 250, 0.95)[250, 250] == pytest.approx(19.3713, abs=2e-3)
    task = make_task("tiger", horizon=3)
    # Listen twice, open if both agree (0.745 of the time, and then right in 0.9698).
    agree, right = 0.85**2 + 0.15**2, 0.85**2 / (0.85**2 + 0.15**2)
    by_hand = -2 + agree * (10 * right - 100 * (1 - right)) - (1 - agree)
    assert float(task.objective.optimum(task.init(KEY))) == pytest.approx(by_hand, abs=1e-4)


def test_the_maze_looks_as_in_the_paper():
    task = make_task("cheese_maze")
    state = task.init(KEY)
    listed, _ = task.beliefs(state)
    seen = [str(int(x)) for x in jax.vmap(task.sense)(listed)]
    drawn = [word for line in MAZE for word in line.split() if word != "."]
    assert [s for s, d in zip(seen, drawn, strict=True) if d != "*"] == [
        d for d in drawn if d != "*"
    ]


def test_steps_bumps_and_cheese_are_rewarded_as_in_the_paper():
    task = make_task("cheese_maze")
    state = eqx.tree_at(lambda s: s.cell, task.init(KEY), jnp.int32(6))
    rewards = [play(task, state, a, 0)[1] for a in range(4)]
    assert rewards == [-1, 10, -10, -10]
    cells = jax.vmap(task.advance, (None, None, 0))(
        state, jnp.int32(1), jax.random.split(KEY, 2000)
    ).cell
    where, times = np.unique(np.asarray(cells), return_counts=True)
    assert where.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]
    assert np.abs(times - 200).max() < 70


def filtered(seen, actions):
    """The posterior over cells by what was seen and done, where the cheese was never found."""
    belief = np.where(np.arange(11) == 9, 0, 0.1) * (seen[0] == LOOKS)
    yield belief / belief.sum()
    for action, look in zip(actions, seen[1:], strict=True):
        after = np.zeros(11)
        np.add.at(after, np.array(TO)[:, action], belief)
        belief = after * (np.arange(11) != 9) * (look == LOOKS)
        yield belief / belief.sum()


LOOKS = np.array([9, 10, 8, 10, 12, 5, 5, 5, 7, 7, 7])
TO = [
    [0, 5, 0, 1], [1, 1, 0, 2], [2, 6, 1, 3], [3, 3, 2, 4], [4, 7, 3, 4], [0, 8, 5, 5],
    [2, 9, 6, 6], [4, 10, 7, 7], [5, 8, 8, 8], [6, 9, 9, 9], [7, 10, 10, 10],
]  # fmt: skip


def test_the_mouse_knows_what_it_can_know():
    """By a filter written anew, until the cheese is found."""
    task = make_task("cheese_maze")
    step = jax.jit(task.advance)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        state = task.init(jax.random.key(seed))
        seen, actions, beliefs = [int(task.sense(state))], [], [np.asarray(state.belief)]
        for _ in range(6):
            action = int(rng.integers(4))
            if TO[int(state.cell)][action] == 9:
                continue
            bumps = TO[int(state.cell)][action] == int(state.cell)
            state = step(state, jnp.int32(action), KEY)
            actions.append(action)
            seen.append(int(task.sense(state)))
            beliefs.append(np.asarray(state.belief))
            assert bool(state.gain == 2) == bumps
        for got, want in zip(beliefs, filtered(seen, actions), strict=True):
            assert np.allclose(got, want, atol=1e-5)
        assert float(state.belief[state.cell]) > 0


def test_the_opponent_repeats_rock_once_it_has_won_with_it():
    task = make_task("biased_rps")
    for theirs in range(3):
        for result in (-1, 0, 1):
            state = RPSState(jnp.int32(theirs), jnp.int32(result), jnp.int32(1))
            _, chances = task.outcomes(state, jnp.int32(0))
            expected = [1, 0, 0] if (theirs, result) == (0, -1) else [1 / 3] * 3
            assert np.allclose(chances, expected)


def test_rounds_are_won_as_everybody_knows():
    task = make_task("biased_rps")
    after = [task.outcomes(task.init(KEY), jnp.int32(mine))[0].result.tolist() for mine in range(3)]
    assert after == [[0, -1, 1], [1, 0, -1], [-1, 1, 0]]


@functools.cache
def best(left, repeats):
    """By brute force over the game tree, from the listed outcomes."""
    if left == 0:
        return 0.0
    task = make_task("biased_rps")
    state = RPSState(jnp.int32(0), jnp.int32(-1 if repeats else 0), jnp.int32(0))
    found = []
    for mine in range(3):
        after, chances = task.outcomes(state, jnp.int32(mine))
        rows = zip(chances.tolist(), after.theirs.tolist(), after.result.tolist(), strict=True)
        found.append(sum(p * (r + best(left - 1, (t, r) == (0, -1))) for p, t, r in rows if p))
    return max(found)


def test_the_optimum_of_the_rounds_is_exact_and_a_quarter_in_the_long_run():
    for horizon in (1, 2, 5):
        task = make_task("biased_rps", horizon=horizon)
        found = float(task.objective.optimum(task.init(KEY)))
        assert found == pytest.approx(best(horizon, False), abs=1e-5)
    task = make_task("biased_rps", horizon=2000)
    assert float(task.objective.optimum(task.init(KEY))) / 2000 == pytest.approx(0.25, abs=1e-3)
