"""Backgammon against pgx, move for move, chance included; and its turns against OpenSpiel."""

import operator
import re

import jax
import jax.numpy as jnp
import numpy as np
import pgx
import pyspiel
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
    rng, key, ends, doubles, turns, wasted = np.random.default_rng(0), KEY, 0, 0, 0, 0
    live = np.ones(many, bool)
    for time in range(500):
        ours = ours_of(their, time)
        allowed = np.asarray(legal(ours))
        offered = np.asarray(their.legal_action_mask)
        same, alike = (offered == allowed).all(1), np.asarray(ours.dice)
        begun = (np.asarray(ours.used) > 0) | (alike[:, 0] == alike[:, 1])
        # pgx lets a first move waste the other die.
        assert (allowed <= offered)[live].all() and same[live & begun].all()
        wasted += (live & ~same).sum()
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
    assert ends > 8 and 0 < wasted < turns / 100
    assert abs(doubles / turns - 1 / 6) < 5 * np.sqrt(5 / 36 / turns)


def _every(prints, after):
    flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), after)
    return np.asarray(prints(flat)).reshape(*after.mover.shape, -1)


def spiel_board(state, mover):
    """OpenSpiel's board in our form: as its mover sees it, who moves upwards."""
    points = range(24) if mover == 0 else range(23, -1, -1)
    mine, theirs = ([state.board(p, x) for x in (*points, 100)] for p in (mover, 1 - mover))
    counts = [mine[i] - theirs[i] for i in range(24)]
    return (*counts, mine[24], -theirs[24], 15 - sum(mine), sum(theirs) - 15)


def spiel_turns(games, rng):
    """Boards, dice, and the boards after up to two moves that OpenSpiel's actions lead to."""
    game, turns = pyspiel.load_game("backgammon"), []
    for _ in range(games):
        state = game.new_initial_state()
        while not state.is_terminal():
            if state.is_chance_node():
                rolls, chances = zip(*state.chance_outcomes(), strict=True)
                state.apply_action(rng.choice(rolls, p=chances))
                continue
            mover, actions = state.current_player(), state.legal_actions()
            after = {spiel_board(state.child(a), mover) for a in actions}
            turns.append((spiel_board(state, mover), state_dice(state), after))
            state.apply_action(rng.choice(actions))
    return turns


def state_dice(state):
    """The two dice not yet played, the higher first, from 0 for one pip."""
    shown = re.search(r"Dice: (\d)(\d)", str(state))
    return tuple(sorted((int(x) - 1 for x in shown.groups()), reverse=True))


def our_turns(boards, dice):
    """The boards to which two moves of ours lead, or one where no second can be made."""
    task = make_task("backgammon")
    count, zero = len(boards), np.zeros(len(boards), np.int32)
    boards, dice = np.array(boards, np.int32), np.array(dice, np.int32)
    doubles = dice[:, :1] == dice[:, 1:]
    unused = np.where(
        doubles, np.repeat(dice[:, :1], 4, 1), np.pad(dice, ((0, 0), (0, 2)), constant_values=-1)
    )
    states = jax.vmap(BackgammonState)(*map(jnp.asarray, (boards, dice, unused, zero, zero, zero)))
    legal, move = (
        jax.jit(jax.vmap(task.legal)),
        jax.jit(jax.vmap(lambda s, a: task._moved(s, a)[0])),
    )
    reached, origin = [set() for _ in range(count)], np.arange(count)
    for step in range(2):
        row, action = np.nonzero(np.asarray(legal(states)))
        passes = action < 6
        for r in np.unique(row[passes]):
            reached[origin[r]].add(tuple(np.asarray(states.board)[r].tolist()))
        row, action = row[~passes], action[~passes]
        states = move(jax.tree.map(operator.itemgetter(row), states), jnp.asarray(action))
        origin = origin[row]
        if step == 0:
            over = np.asarray(states.board)[:, 26] == 15
            for r in np.flatnonzero(over):
                reached[origin[r]].add(tuple(np.asarray(states.board)[r].tolist()))
    for r, board in zip(origin, np.asarray(states.board).tolist(), strict=True):
        reached[r].add(tuple(board))
    return reached


def test_turns_are_openspiels():
    """Both dice are played where they can be, and else the larger: as OpenSpiel has it."""
    turns = spiel_turns(12, np.random.default_rng(2))
    boards, dice, theirs = zip(*turns, strict=True)
    for *position, ours, their in zip(boards, dice, our_turns(boards, dice), theirs, strict=True):
        assert ours == their, position


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
