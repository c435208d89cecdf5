"""Deep Q-learning: returns over several steps, replay, values and bits; it learns a room."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import DQN, MLP, train_dqn
from deliberation.amortised.trial_and_error.dqn import (
    _empty_replay,
    _remember,
    action_values,
    several_steps,
)
from deliberation.core import check_decider, rollout
from deliberation.core.errors import UnsuitableTaskError
from deliberation.direct import solve
from deliberation.tasks.control.pendulum import Pendulum
from deliberation.tasks.grids.gridworld import Gridworld

ROOM = Gridworld(size=3, horizon=8)
TINY = DQN(
    updates=3, rounds=2, environments=4, steps=2, fits=2, batch=8, room=64, warmup=8, width=8,
    hasty=True,
)  # fmt: skip


def test_returns_run_to_the_end_of_the_round_or_of_the_episode():
    rng = np.random.default_rng(0)
    steps, batch = 5, 3
    reward = rng.normal(size=(steps, batch)).astype(np.float32)
    over = np.zeros((steps, batch), bool)
    over[1, 0] = over[4, 0] = over[3, 1] = True
    gain = np.where(over, 0.0, 0.9).astype(np.float32) * np.array([1, 1, -1], np.float32)
    gain[3, 1] = 0.9  # cut by the clock
    after = np.arange(steps * batch, dtype=np.float32).reshape(steps, batch, 1)
    allowed = np.ones((steps, batch, 2), bool)
    chosen = np.zeros((steps, batch), np.int32)
    kept = tuple(map(jnp.asarray, (after, chosen, reward, gain, after, allowed, allowed)))
    _, _, total, reach, far, _, _ = several_steps(kept, jnp.asarray(over))
    for row in range(batch):
        for t in range(steps):
            wanted, worth, last = 0.0, 1.0, t
            for last in range(t, steps):
                wanted += worth * reward[last, row]
                worth *= gain[last, row]
                if over[last, row]:
                    break
            assert float(total[t, row]) == pytest.approx(wanted, rel=1e-5)
            assert float(reach[t, row]) == pytest.approx(worth, rel=1e-5)
            assert float(far[t, row, 0]) == after[last, row, 0]


def test_replay_keeps_the_newest():
    replay = _empty_replay(6, MLP((1,), 2, width=2, key=jax.random.key(0)))
    for start in (0, 2, 4, 6):
        number = jnp.arange(start, start + 2, dtype=jnp.float32)
        seen, allowed = number[:, None], jnp.ones((2, 2), bool)
        chunk = (seen, number.astype(int), number, number, seen, allowed, allowed)
        replay = _remember(replay, jax.tree.map(lambda x: x[:, None], chunk), 6)
    np.testing.assert_array_equal(replay.earned, [6, 7, 2, 3, 4, 5])
    assert int(replay.size) == 6 and int(replay.place) == 2


def test_the_best_action_is_worth_what_the_value_head_says():
    network = MLP((3,), 4, width=8, value_range=None, key=jax.random.key(0))
    seen = jax.random.normal(jax.random.key(1), (5, 3))
    legal = jnp.array([[True, True, False, True]] * 5)
    q = np.asarray(action_values(network, seen, legal))
    logits, value = network.batched(seen)
    np.testing.assert_allclose(q.max(axis=1), value, rtol=1e-5)
    assert (q[:, 2] < -1e8).all()
    gaps = np.asarray(logits)[:, 0] - np.asarray(logits)[:, 1]
    np.testing.assert_allclose(q[:, 0] - q[:, 1], gaps, atol=1e-5)


def test_a_room_is_learned_with_the_values_of_its_exact_solution():
    settings = DQN(
        updates=12, rounds=8, environments=16, steps=4, fits=16, batch=64, room=4096, warmup=256,
        width=32, discount=1.0, hasty=True, explore=0.2,
    )  # fmt: skip
    found = train_dqn(ROOM, key=jax.random.key(0), settings=settings)
    policy, spent = found.decider, found.ledger
    assert spent.model_steps == 12 * 8 * 16 * 4 and spent.fits == 12 * 8 * 16
    check_decider(policy)
    exact = solve(ROOM).value
    played = rollout(ROOM, policy, key=jax.random.key(1), batch=2)
    np.testing.assert_allclose(played.returns, exact, rtol=1e-5)
    start = jax.vmap(ROOM.init)(jax.random.split(jax.random.key(0), 1))
    decision, _ = policy.decide(start, key=jax.random.key(0))
    assert float(decision.value[0]) == pytest.approx(exact, abs=0.1)


def test_killed_and_repeated_trainings_give_the_same_bits(tmp_path):
    key = jax.random.key(2)
    whole = train_dqn(ROOM, key=key, settings=TINY)

    def kill(step, metrics):
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_dqn(ROOM, key=key, settings=TINY, folder=tmp_path, watch=kill)
    again = train_dqn(ROOM, key=key, settings=TINY, folder=tmp_path)
    pairs = zip(jax.tree.leaves(whole.network), jax.tree.leaves(again.network), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UnsuitableTaskError, match="continuous"):
        train_dqn(Pendulum(), key=jax.random.key(0), settings=TINY)
    with pytest.raises(ValueError, match="room"):
        replace(TINY, room=7)
    with pytest.raises(ValueError, match="exploring"):
        replace(TINY, exploring=0.0)
