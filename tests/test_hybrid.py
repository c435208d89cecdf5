"""Guided search against a table of exact values; what self-play and its buffer give."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import MLP, Network, flops
from deliberation.core import Budget, misere
from deliberation.core.errors import (
    UnsuitableTaskError,
)
from deliberation.direct import PUCT, solve
from deliberation.hybrid import (
    NetworkGuide,
    guided_search,
)
from deliberation.hybrid.expert_iteration.games import Moment, _trace
from deliberation.hybrid.expert_iteration.replay import Replay
from deliberation.tasks import make_task
from deliberation.tasks.board.solved import replay

TTT = make_task("tic_tac_toe")


class Table(Network):
    """Knows a worth for every action and a value for every board of tic-tac-toe."""

    kind: ClassVar[str] = "table"
    logits: jax.Array
    values: jax.Array
    observation_shape: tuple[int, ...] = eqx.field(static=True, default=(3, 3, 2))
    actions: int = eqx.field(static=True, default=9)
    value_range: tuple[float, float] = eqx.field(static=True, default=(-1.0, 1.0))

    def __call__(self, observation):
        row = number(observation)
        return self.logits[row], self.values[row]

    @property
    def config(self):
        return {"kind": self.kind}

    @property
    def multiply_adds(self):
        return 50


def number(observation):
    """A number for each board, from its two planes of stones."""
    cells = (observation * jnp.array([1, 2])).sum(-1).reshape(-1)
    return (cells * 3 ** jnp.arange(9)).sum().astype(jnp.int32)


@pytest.fixture(scope="module")
def solution():
    return solve(TTT)


@pytest.fixture(scope="module")
def positions(solution):
    return solution.sample(400)


@pytest.fixture(scope="module")
def oracle(solution, positions):
    """Exact action values as logits and exact values."""
    live = solution.sample(4520)
    rows = np.asarray(jax.vmap(lambda s: number(TTT.observe(s)))(live))
    logits, values = np.zeros((3**9, 9), np.float32), np.zeros(3**9, np.float32)
    logits[rows] = np.maximum(solution.action_values(live), -2)
    values[rows] = solution.values(live)
    return Table(jnp.asarray(logits), jnp.asarray(values))


def regret(solution, decider, states, budget):
    decision, _ = decider.decide(states, budget=budget, key=jax.random.key(0))
    got = np.take_along_axis(
        solution.action_values(states), np.asarray(decision.action)[:, None], axis=1
    )
    return solution.values(states) - got[:, 0]


@eqx.filter_jit
def judge(guide, *arguments):
    """What a guide says, compiled as one program."""
    return guide(*arguments)


@eqx.filter_jit
def look(guide, observations):
    """What a guide's network says, compiled as one program."""
    return guide._look(TTT, observations)


def turned(network):
    return eqx.tree_at(lambda n: (n.logits, n.values), network, replace_fn=lambda x: -x)


# Guided search


def test_budget_zero_answers_from_the_prior_alone(solution, oracle, positions):
    assert (regret(solution, guided_search(TTT, oracle), positions, 0) == 0).all()
    worst = regret(solution, guided_search(TTT, turned(oracle)), positions, 0)
    assert worst.mean() > 0.5
    decision, _ = guided_search(TTT, oracle).decide(positions, budget=0, key=jax.random.key(1))
    assert (np.asarray(decision.spent.network_evaluations) == 1).all()
    assert np.asarray(decision.spent.flops).tolist() == [100.0] * 400
    assert (np.asarray(decision.spent.model_steps) == 0).all()


def test_the_value_alone_is_enough_to_play_perfectly(solution, oracle, positions):
    blind = eqx.tree_at(lambda n: n.logits, oracle, jnp.zeros_like(oracle.logits))
    assert regret(solution, guided_search(TTT, blind), positions, 0).mean() > 0.1
    # A visit to each action is all it takes: what it leads to is known exactly.
    once = Budget(jax.vmap(TTT.legal)(positions).sum(-1))
    assert (regret(solution, guided_search(TTT, blind), positions, once) == 0).all()
    # More visits average in what a blind prior would answer, and still mislead almost never.
    assert regret(solution, guided_search(TTT, blind), positions, 32).mean() < 0.01


def test_search_recovers_from_a_prior_and_value_that_are_all_wrong(solution, oracle, positions):
    some = jax.tree.map(lambda x: x[:32], positions)
    # Room for the larger budget from the start: both are one compiled program.
    decider = guided_search(TTT, turned(oracle), rule=PUCT(c=4.0), capacity=1024)
    misled, recovered = (regret(solution, decider, some, b).mean() for b in (0, 1000))
    assert recovered < 0.2 * misled


def test_playouts_are_averaged_with_the_value_and_counted():
    network = MLP((3, 3, 2), 9, 8, 1, key=jax.random.key(0))
    won_next = jax.vmap(TTT.init)(jax.random.split(jax.random.key(0), 4))
    live, seed = jnp.ones(4, bool), jnp.arange(4, dtype=jnp.uint32)
    args = (TTT, TTT.objective, won_next, live, seed)
    plain = judge(NetworkGuide.of(TTT, network), *args)
    mixed = judge(NetworkGuide.of(TTT, network, rollouts=2), *args)
    assert (np.asarray(plain.model_steps) == 0).all()
    steps = np.asarray(mixed.model_steps)
    assert ((steps >= 10) & (steps <= 18)).all()
    playouts = 2 * np.asarray(mixed.value) - np.asarray(plain.value)
    assert set(np.round(playouts, 5)) <= {-1.0, -0.5, 0.0, 0.5, 1.0}
    other = judge(NetworkGuide.of(TTT, network, rollouts=2), TTT, misere(TTT.objective), *args[2:])
    turned_round = 2 * np.asarray(other.value) - np.asarray(plain.value)
    np.testing.assert_allclose(turned_round, -playouts, atol=1e-5)


def test_playouts_are_scored_for_the_player_to_move():
    """Player 1 is to move and either of the two moves left wins."""
    states = replay(TTT, [[4, 0, 5, 1, 7, 3, 8]])
    network = MLP((3, 3, 2), 9, 8, 1, key=jax.random.key(0))
    plain, guide = (NetworkGuide.of(TTT, network, rollouts=n) for n in (0, 3))
    args = (TTT, TTT.objective, states, jnp.ones(1, bool), jnp.zeros(1, jnp.uint32))
    assert 2 * judge(guide, *args).value - judge(plain, *args).value == pytest.approx(1.0)


def test_a_symmetric_guide_is_symmetric_and_counts_its_passes(positions):
    network = MLP((3, 3, 2), 9, 8, 1, key=jax.random.key(0))
    guide = NetworkGuide.of(TTT, network, symmetries=True)
    assert guide.passes == 8 and guide.flops == 8 * flops(network)
    observations = jax.vmap(TTT.observe)(positions)
    logits, value = look(guide, observations)
    plain, _ = look(NetworkGuide.of(TTT, network), observations)
    assert np.abs(np.asarray(plain - logits)).max() > 1e-3
    for symmetry in TTT.symmetries:
        seen, worth = look(guide, jax.jit(jax.vmap(symmetry.observation))(observations))
        # Exactly, so that symmetric actions tie in every batch.
        assert (seen[:, np.array(symmetry.actions)] == logits).mean() > 0.99
        np.testing.assert_allclose(seen[:, np.array(symmetry.actions)], logits, atol=3e-4)
        np.testing.assert_allclose(worth, value, atol=3e-4)
    decider = guided_search(TTT, network, symmetries=True)
    decision, _ = decider.decide(positions, budget=0, key=jax.random.key(0))
    assert (np.asarray(decision.spent.network_evaluations) == 8).all()
    np.testing.assert_allclose(np.asarray(decision.spent.flops), 8 * flops(network))


def test_a_network_of_another_shape_is_refused():
    with pytest.raises(UnsuitableTaskError, match="Build the network from the task's own shapes"):
        guided_search(TTT, MLP((6, 7, 2), 7, 8, 1, key=jax.random.key(0)))
    with pytest.raises(ValueError, match="-1 random playouts"):
        NetworkGuide.of(TTT, MLP((3, 3, 2), 9, 8, 1, key=jax.random.key(0)), rollouts=-1)


# Self-play


def test_values_are_traced_back_by_hand():
    """One lane of four plies: the game ends at the third, the fourth is another game."""
    flag = lambda *x: jnp.array(x, bool)[:, None]  # noqa: E731
    number = lambda *x: jnp.array(x, jnp.float32)[:, None]  # noqa: E731
    blank = jnp.zeros((4, 1))
    moments = Moment(
        blank, blank[..., None] > 0, blank[..., None], number(0.2, -0.4, 0.6, 0.5),
        number(0, 0, 1, 0), number(-1, -1, -1, -1), flag(0, 0, 0, 0), flag(0, 0, 1, 0),
        flag(1, 0, 0, 1), blank.astype(jnp.int32), blank.astype(jnp.int32), blank == 0,
    )  # fmt: skip
    third = 0.75 * 0.6 + 0.25 * 1
    second = 0.75 * -0.4 - 0.25 * third
    first = 0.75 * 0.2 - 0.25 * second
    got = _trace(moments, 1.0, jnp.float32(0.25))
    np.testing.assert_allclose(got[:, 0], [first, second, third, 0.5], atol=1e-6)
    proved = eqx.tree_at(lambda m: m.proved, moments, flag(0, 1, 0, 0))
    got = _trace(proved, 1.0, jnp.float32(0.25))
    np.testing.assert_allclose(got[:2, 0], [0.75 * 0.2 + 0.25 * 0.4, -0.4], atol=1e-6)


def test_the_buffer_keeps_the_latest_rows():
    def rows(first, last, scale=1.0):
        numbers = np.arange(first, last)
        shape = (-1, 1, 1)
        return {
            "observations": numbers.reshape(shape).astype(np.float32) * scale,
            "legal": np.ones((len(numbers), 2), bool),
            "weights": np.full((len(numbers), 2), 0.5, np.float32),
            "value": numbers.astype(np.float32),
        }

    buffer = Replay(5)
    buffer.add(rows(0, 3))
    assert len(buffer) == 3 and buffer.columns["observations"].dtype == np.int8
    buffer.add(rows(3, 7))
    assert len(buffer) == 5 and sorted(buffer.columns["value"]) == [2, 3, 4, 5, 6]
    assert buffer.since(4)["value"].tolist() == [4, 5, 6]
    with pytest.raises(IndexError, match="Row 1 has been overwritten"):
        buffer.since(1)
    buffer.add(rows(7, 20, 0.5))
    assert sorted(buffer.columns["value"]) == [15, 16, 17, 18, 19]
    seen = buffer.dataset().observations.ravel()
    assert sorted(np.asarray(seen)) == [7.5, 8, 8.5, 9, 9.5]
