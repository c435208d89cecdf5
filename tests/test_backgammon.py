"""Backgammon against pgx, move for move, chance included."""

import jax
import jax.numpy as jnp
import numpy as np
import pgx
import pytest

from deliberation.tasks import make_task
from deliberation.tasks.board.backgammon import BackgammonState

KEY = jax.random.key(0)


def chosen(rng, legal):
    """A random legal action in each row."""
    return (rng.random(legal.shape) * np.where(legal, 1, -1)).argmax(1)


def rows(tree, which):
    return jax.tree.map(lambda x: x[np.arange(len(which)), which], tree)


def ours_of(their, time):
    """pgx's state in our form; its player 0 or 1 as it is."""
    many = len(their._board)
    return jax.vmap(BackgammonState)(
        jnp.asarray(their._board),
        jnp.asarray(their._dice),
        jnp.asarray(their._playable_dice),
        jnp.asarray(their._played_dice_num),
        jnp.asarray(their.current_player),
        jnp.full(many, time, jnp.int32),
    )


def test_backgammon_is_pgxs_move_for_move():
    """From the same positions, our outcomes hold just what pgx comes to, until games are over."""
    many = 24
    task, theirs = make_task("backgammon"), pgx.make("backgammon")
    their = jax.jit(jax.vmap(theirs.init))(jax.random.split(KEY, many))
    step = jax.jit(jax.vmap(theirs.step))
    listed = jax.jit(jax.vmap(task.outcomes))
    prints, legal, over, reward = (
        jax.jit(jax.vmap(f))
        for f in (task.fingerprint, task.legal, task.terminated, task.objective)
    )
    rng, key, ends, doubles, turns = np.random.default_rng(0), KEY, 0, 0, 0
    live = np.ones(many, bool)
    for time in range(500):
        ours = ours_of(their, time)
        allowed = np.asarray(legal(ours))
        assert np.array_equal(allowed[live], np.asarray(their.legal_action_mask)[live])
        action = jnp.asarray(chosen(rng, allowed))
        key, now = jax.random.split(key)
        after, chances = listed(ours, action)
        before, their = their, step(their, action, jax.random.split(now, many))
        found = np.asarray(prints(ours_of(their, time + 1)))
        offered = _every(prints, after)
        same = (offered == found[:, None]).all(-1) & (np.asarray(chances) > 0)
        assert (same.sum(1)[live] == 1).all()
        reached = rows(after, same.argmax(1))
        gained = np.asarray(reward(ours, action, reached))
        assert np.array_equal(gained[live], np.asarray(their.rewards)[live])
        assert np.array_equal(np.asarray(over(reached))[live], np.asarray(their.terminated)[live])
        turned = live & (np.asarray(their.current_player) != np.asarray(before.current_player))
        dice = np.asarray(their._dice)
        turns, doubles = turns + turned.sum(), doubles + (turned & (dice[:, 0] == dice[:, 1])).sum()
        ends += (live & np.asarray(their.terminated)).sum()
        live &= ~np.asarray(their.terminated)
    assert ends > 8
    assert abs(doubles / turns - 1 / 6) < 5 * np.sqrt(5 / 36 / turns)


def _every(prints, after):
    flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), after)
    return np.asarray(prints(flat)).reshape(*after.mover.shape, -1)


def test_backgammon_opens_with_two_different_dice():
    task = make_task("backgammon")
    states, chances = task.starts()
    assert len(chances) == 15 and np.asarray(chances).sum() == pytest.approx(1)
    assert (np.asarray(states.dice)[:, 0] > np.asarray(states.dice)[:, 1]).all()
    drawn = np.asarray(jax.vmap(task.init)(jax.random.split(KEY, 3000)).dice)
    codes, times = np.unique(drawn @ [6, 1], return_counts=True)
    assert len(codes) == 15 and np.abs(times - 200).max() < 5 * np.sqrt(200)


def test_refusals():
    with pytest.raises(ValueError, match="horizon"):
        make_task("backgammon", horizon=0)
