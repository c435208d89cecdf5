"""2048 against pgx, move for move, chance included."""

import jax
import jax.numpy as jnp
import numpy as np
import pgx
import pytest

from deliberation.core.errors import ForeignStateError
from deliberation.tasks import make_task
from deliberation.tasks.puzzles.game_2048 import BoardState

KEY = jax.random.key(0)


def chosen(rng, legal):
    """A random legal action in each row."""
    return (rng.random(legal.shape) * np.where(legal, 1, -1)).argmax(1)


def rows(tree, which):
    return jax.tree.map(lambda x: x[np.arange(len(which)), which], tree)


def test_2048_is_pgxs_move_for_move():
    """pgx moves; the same board must be among our outcomes, as often as new tiles appear."""
    task, theirs = make_task("2048"), pgx.make("2048")
    their = jax.jit(jax.vmap(theirs.init))(jax.random.split(KEY, 64))
    step = jax.jit(jax.vmap(theirs.step))
    listed = jax.jit(jax.vmap(task.outcomes))
    legal, reward = jax.jit(jax.vmap(task.legal)), jax.jit(jax.vmap(task.objective))
    rng, key, live, fours = np.random.default_rng(0), KEY, np.ones(64, bool), []
    for time in range(200):
        ours = jax.vmap(BoardState)(jnp.asarray(their._board), jnp.full(64, time, jnp.int32))
        allowed = np.asarray(legal(ours))
        assert np.array_equal(allowed[live], np.asarray(their.legal_action_mask)[live])
        action = jnp.asarray(chosen(rng, allowed))
        key, now = jax.random.split(key)
        after, chances = listed(ours, action)
        their = step(their, action, jax.random.split(now, 64))
        same = (np.asarray(after.board) == np.asarray(their._board)[:, None]).all(-1)
        same &= np.asarray(chances) > 0
        assert (same.sum(1)[live] == 1).all()
        gained = np.asarray(reward(ours, action, rows(after, same.argmax(1))))[:, 0]
        assert np.allclose(gained[live] * 1000, np.asarray(their.rewards)[live, 0])
        fours += (same.argmax(1) % 2)[live].tolist()
        live &= ~np.asarray(their.terminated)
        if not live.any():
            break
    share = np.mean(fours)
    assert len(fours) > 3000 and abs(share - 0.1) < 5 * np.sqrt(0.09 / len(fours))


def test_2048_begins_with_two_tiles():
    task = make_task("2048")
    boards = np.asarray(jax.vmap(task.init)(jax.random.split(KEY, 4000)).board)
    assert ((boards > 0).sum(1) == 2).all() and boards.max() == 2
    assert abs((boards == 2).sum() / 8000 - 0.1) < 5 * np.sqrt(0.09 / 8000)
    share = (boards > 0).mean(0)
    assert np.abs(share - 1 / 8).max() < 5 * np.sqrt(0.11 / 4000)


def test_refusals():
    with pytest.raises(ValueError, match="horizon"):
        make_task("2048", horizon=0)


@pytest.mark.parametrize("exponent", [-1, 18, 2**31 - 1])
def test_a_tile_that_no_game_comes_to_is_not_drawn(exponent):
    """Two to the power of 2^31 would take a minute to write."""
    task = make_task("2048")
    board = jnp.zeros(16, jnp.int32).at[3].set(17)
    assert "131072" in task.render(BoardState(board, jnp.int32(0)))
    wrong = BoardState(board.at[5].set(exponent), jnp.int32(0))
    for show in (task.render, task.picture):
        with pytest.raises(ForeignStateError, match=f"power of {exponent}"):
            show(wrong)
