"""The rules of every task against other people's rules and against plain counting."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pgx
import pytest

from deliberation.core import check_task
from deliberation.core.errors import (
    FinishedGameError,
    IllegalActionError,
    UnknownNameError,
)
from deliberation.tasks import list_tasks, make_task
from deliberation.tasks.board.mnk import MNK
from deliberation.tasks.board.pgx_games import Hex, Othello
from deliberation.tasks.board.solved import replay, solved_connect_four


def random_action(legal, key):
    return jnp.argmax(jnp.where(legal, jax.random.uniform(key, legal.shape), -1.0))


def play_both(task, env, key):
    """One random game on both; how often they disagreed on a live state, and the result."""
    ours, theirs = task.init(key), env.init(key)
    first = theirs.current_player

    def ply(carry, key):
        ours, theirs, total = carry
        over, legal = task.terminated(ours), task.legal(ours)
        differ = (legal != theirs.legal_action_mask).any()
        differ |= task.player(ours) != (theirs.current_player - first) % 2
        shown = env.observe(theirs, theirs.current_player)
        differ |= (task.observe(ours) != shown).any()
        wrong = jnp.where(over, ~theirs.terminated, differ | theirs.terminated)
        action = random_action(legal, key)
        after = task.advance(ours, action, key)
        gain = jnp.where(over, 0.0, task.objective(ours, action, after))
        step = env.step(theirs, action)
        wrong |= ~over & (gain[0] != step.rewards[first])
        keep = functools.partial(jnp.where, over)
        after, step = jax.tree.map(keep, ours, after), jax.tree.map(keep, theirs, step)
        return (after, step, total + gain), wrong

    keys = jax.random.split(key, task.traits.horizon + 1)
    (ours, _, total), wrong = jax.lax.scan(ply, (ours, theirs, jnp.zeros(2)), keys)
    return wrong.sum(), total, task.terminated(ours)


def stay(over, state, after):
    """The next states, but for the rows that are over."""
    # NumPy's own copy: JAX may still read an array of the host when the caller writes into it.
    rows = jnp.asarray(over.copy())
    return jax.tree.map(
        lambda x, y: jnp.where(rows.reshape(-1, *[1] * (x.ndim - 1)), x, y), state, after
    )


@pytest.mark.filterwarnings("ignore:.*player_id:DeprecationWarning")
@pytest.mark.parametrize("name", ["tic_tac_toe", "connect_four"])
def test_mnk_agrees_with_pgx_over_ten_thousand_random_games(name):
    task, env = make_task(name), pgx.make(name)
    play = jax.jit(jax.vmap(functools.partial(play_both, task, env)))
    wrong, total, over = play(jax.random.split(jax.random.key(0), 10_000))
    assert int(wrong.sum()) == 0
    assert bool(over.all())
    assert set(np.unique(total[:, 0])) == {-1.0, 0.0, 1.0}


@pytest.mark.filterwarnings("ignore:.*player_id:DeprecationWarning")
def test_othello_agrees_with_pgx():
    play = jax.jit(jax.vmap(functools.partial(play_both, Othello(), pgx.make("othello"))))
    wrong, total, over = play(jax.random.split(jax.random.key(1), 200))
    assert int(wrong.sum()) == 0
    assert bool(over.all())
    assert set(np.unique(total[:, 0])) >= {-1.0, 1.0}


def lines(board, k):
    """Plain windows: whether each board [batch, height, width] holds k in a row."""
    height, width = board.shape[1:]
    found = np.zeros(len(board), bool)
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        for r in range(height):
            for c in range(width):
                end_r, end_c = r + (k - 1) * down, c + (k - 1) * right
                if end_r < height and 0 <= end_c < width:
                    cells = [board[:, r + i * down, c + i * right] for i in range(k)]
                    found |= np.logical_and.reduce(cells)
    return found


@pytest.mark.parametrize(
    ("width", "height", "k", "gravity"),
    [(5, 5, 4, False), (9, 9, 5, False), (9, 9, 4, True), (4, 7, 3, True), (6, 3, 3, False)],
)
def test_any_board_agrees_with_plain_counting(width, height, k, gravity):
    task, n = MNK(width, height, k, gravity), 200
    rng, rows = np.random.default_rng(0), np.arange(200)
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), n))
    look = jax.jit(jax.vmap(lambda s: (task.observe(s), task.legal(s), task.terminated(s), s.won)))
    go = jax.jit(jax.vmap(task.advance))
    stones, won, wins = np.zeros((n, 2, height, width), bool), np.zeros(n, bool), 0
    for ply in range(width * height + 1):
        seen, legal, over, lined = map(np.asarray, look(state))
        mover, live = ply % 2, ~won
        full = stones.any(1)
        free = ~full[:, 0] if gravity else ~full.reshape(n, -1)
        assert np.array_equal(lined[live | lined], won[live | lined])
        assert np.array_equal(over, won | (ply >= width * height))
        assert np.array_equal(legal, free & ~over[:, None])
        expected = np.stack([stones[:, mover], stones[:, 1 - mover]], -1)
        assert np.array_equal(seen[live], expected[live])
        if over.all():
            break
        action = (rng.random(legal.shape) * np.where(legal, 1, -1)).argmax(1)
        row = height - 1 - full.sum(1)[rows, action] if gravity else action // width
        column = action if gravity else action % width
        live = ~over
        stones[rows[live], mover, row[live], column[live]] = True
        wins += int((live & lines(stones[:, mover], k)).sum())
        won |= live & lines(stones[:, mover], k)
        after = go(state, jnp.asarray(action), jax.random.split(jax.random.key(ply), n))
        state = stay(over, state, after)
    assert wins > 20
    assert len(task.init(jax.random.key(0)).mine) == -(-width * (height + 1) // 32)


@pytest.mark.parametrize("size", [2, 3, 5, 8])
def test_hex_winners_agree_with_a_flood_fill(size):
    task, n = Hex(size), 64
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), n))
    look = jax.jit(jax.vmap(lambda s: (task.legal(s), task.terminated(s))))
    go, rng = jax.jit(jax.vmap(task.advance)), np.random.default_rng(size)
    stones, over = np.zeros((n, 2, size, size), bool), np.zeros(n, bool)
    while not over.all():
        legal = np.asarray(look(state)[0])
        mover = int(state.ply.max()) % 2
        assert np.array_equal(legal, ~stones.any(1).reshape(n, -1) & ~over[:, None])
        action = (rng.random(legal.shape) * np.where(legal, 1, -1)).argmax(1)
        live = np.flatnonzero(~over)
        stones[live, mover, action[live] // size, action[live] % size] = True
        after = go(state, jnp.asarray(action), jax.random.split(jax.random.key(0), n))
        state = stay(over, state, after)
        for row in live:
            over[row] = crosses(stones[row, mover] if mover == 0 else stones[row, mover].T)
        assert np.array_equal(look(state)[1], over)


def crosses(board):
    """Whether stones connect the top row with the bottom row."""
    size, found = len(board), [(0, c) for c in np.flatnonzero(board[0])]
    seen = set(found)
    while found:
        r, c = found.pop()
        for dr, dc in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, -1), (-1, 1)):
            near = (r + dr, c + dc)
            if near not in seen and min(near) >= 0 and max(near) < size and board[near]:
                seen.add(near)
                found.append(near)
    return any(r == size - 1 for r, _ in seen)


def test_hex_swap_takes_the_first_stone_over():
    task = Hex(3, swap=True)
    opened = replay(task, [[1]])
    assert np.asarray(jax.vmap(task.legal)(opened))[0].tolist() == [True, False, *[True] * 8]
    swapped = jax.tree.map(lambda x: x[0], replay(task, [[1, 9]]))
    assert task.render(swapped) == ". . .\n O . .\n  . . ."
    assert not task.legal(swapped)[9]
    assert int(task.player(swapped)) == 0


def test_hex_fingerprints_forget_the_order_of_moves():
    task = Hex(3)
    states = replay(task, [[0, 8, 1], [1, 8, 0], [0, 8, 2]])
    prints = np.asarray(jax.vmap(task.fingerprint)(states))
    assert np.array_equal(prints[0], prints[1])
    assert not np.array_equal(prints[0], prints[2])


LONG = {"backgammon": {"horizon": 20}, "2048": {"horizon": 40}}
"""Tasks whose whole episodes would take minutes, and how to end them early."""
PHYSICS = {"half_cheetah"}
"""Held to the contract in test_mujoco, to the rounding of its solver."""


@pytest.mark.parametrize("name", sorted(list_tasks().keys() - PHYSICS))
def test_every_registered_task_keeps_the_contract(name):
    check_task(make_task(name, **LONG.get(name, {})), episodes=4 if name in LONG else 16)


@pytest.mark.parametrize("task", [MNK(3, 3, 3, False), MNK(4, 3, 3, False), MNK(4, 4, 3, True)])
def test_symmetries_are_all_there(task):
    square, falls = task.width == task.height, task.gravity
    assert len({s.actions for s in task.symmetries}) == (1 if falls else 7 if square else 3)
    check_task(task, episodes=8)


def test_hex_with_swap_keeps_the_contract():
    check_task(Hex(4, swap=True), episodes=16)


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'tic_tac_toe'"):
        make_task("tictactoe")
    with pytest.raises(UnknownNameError, match="Did you mean 'othello'"):
        make_task("Othelo")
    with pytest.raises(TypeError, match="Options: size, swap"):
        make_task("hex", width=4)
    assert make_task("hex", size=4).size == 4


@pytest.mark.parametrize("build", [lambda: MNK(3, 3, 4), lambda: MNK(0, 3, 3), lambda: Hex(1)])
def test_impossible_boards_are_refused(build):
    with pytest.raises(ValueError, match="got"):
        build()


def test_illegal_and_finished_steps_are_refused():
    task, key = make_task("tic_tac_toe"), jax.random.key(0)
    state = task.step(task.init(key), 4, key)
    with pytest.raises(IllegalActionError, match=r"Action 4 is illegal here\. Legal: \[0, 1, 2, 3"):
        task.step(state, 4, key)
    with pytest.raises(IllegalActionError, match="Action 9"):
        task.step(state, 9, key)
    won = jax.tree.map(lambda x: x[0], replay(task, [[0, 3, 1, 4, 2]]))
    with pytest.raises(FinishedGameError, match="after the end"):
        task.step(won, 8, key)


def test_solved_positions_are_what_the_file_says():
    positions = solved_connect_four()
    first = jax.tree.map(lambda x: x[0], positions.states)
    assert positions.task.render(first).splitlines()[-3:-1] == [
        ". . X O O . .",
        ". O O X X X .",
    ]
    assert positions.scores[:3].tolist() == [17, 7, 16]
    assert positions.action_scores[3].tolist() == [-16, -16, -16, -16, -2, -16, -16]
    assert positions.keeps[1].tolist() == [True, True, True, True, False, True, True]
    assert np.flatnonzero(positions.optimal[1]).tolist() == [2]


def test_solved_positions_hang_together():
    positions = solved_connect_four()
    legal = np.asarray(jax.vmap(positions.task.legal)(positions.states))
    assert len(positions) == 1000
    assert np.array_equal(np.isnan(positions.action_scores), ~legal)
    assert np.array_equal(np.nanmax(positions.action_scores, 1), positions.scores)
    plies = np.asarray(positions.states.ply)
    assert (plies.min(), plies.max()) == (8, 32)
    some = positions.take(positions.contested)
    kept = some.keeps.sum(1)
    assert ((kept > 0) & (kept < (~np.isnan(some.action_scores)).sum(1))).all()
    assert 0 < len(some) < 1000
    assert (positions.keeps.sum(1) == legal.sum(1))[~positions.contested].all()


def test_solved_scores_agree_with_winning_at_once():
    """A move that completes four scores all stones left to the mover, and no other move does."""
    positions = solved_connect_four()
    go = jax.vmap(jax.vmap(positions.task.advance, (None, 0, None)), (0, None, None))
    wins = go(positions.states, jnp.arange(7), jax.random.key(0)).won
    left = 22 - (np.asarray(positions.states.ply) + 2) // 2
    legal = ~np.isnan(positions.action_scores)
    at_once = legal & (positions.action_scores == left[:, None])
    assert np.array_equal(at_once, legal & np.asarray(wins))
    assert at_once.any()


def test_replay_pads_and_refuses():
    task = make_task("connect_four")
    states = replay(task, [[], [3], [3, 3, 3]])
    assert np.asarray(states.ply).tolist() == [0, 1, 3]
    with pytest.raises(IllegalActionError, match=r"Sequence 1 .* action 3 in ply 6"):
        replay(task, [[0], [3] * 7])
    with pytest.raises(IllegalActionError, match="action 7 in ply 0"):
        replay(task, [[7]])
    with pytest.raises(FinishedGameError, match=r"Sequence 0 .* in ply 7"):
        replay(task, [[0, 1, 0, 1, 0, 1, 0, 1]])
