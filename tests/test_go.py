"""Go against pgx's rules, and its ends by hand: area, ko, superko, suicide."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pgx
import pytest
from pgx.go import Go as PgxGo
from test_tasks import play_both

from deliberation.core import check_task
from deliberation.core.errors import IllegalActionError
from deliberation.tasks import make_task
from deliberation.tasks.board.go import Go
from deliberation.tasks.board.solved import replay


def play(task, env, games, seed):
    both = jax.jit(jax.vmap(functools.partial(play_both, task, env)))
    wrong, total, over = both(jax.random.split(jax.random.key(seed), games))
    assert int(wrong.sum()) == 0
    assert bool(over.all())
    assert set(np.unique(total[:, 0])) == {-1.0, 1.0}


@pytest.mark.filterwarnings("ignore:.*player_id:DeprecationWarning")
def test_go_9x9_agrees_with_pgx_move_for_move():
    play(make_task("go_9x9"), pgx.make("go_9x9"), 256, 0)


@pytest.mark.filterwarnings("ignore:.*player_id:DeprecationWarning")
def test_small_boards_where_positions_repeat_agree_with_pgx():
    task = Go(5, komi=0.5, history=2)
    play(task, PgxGo(size=5, komi=0.5, history_length=2), 2_000, 1)


def at(points, size=5):
    """Actions from letters and numbers: a1 is the top left point."""
    rows = {"abcdefghi"[c] + str(r + 1): r * size + c for r in range(size) for c in range(size)}
    return [{**rows, "pass": size**2}[p] for p in points.split()]


def after(task, points):
    return jax.tree.map(lambda x: x[0], replay(task, [at(points, task.size)]))


def result(task, points):
    """What black gets from the last of some moves."""
    moves = at(points, task.size)
    before = jax.tree.map(lambda x: x[0], replay(task, [moves[:-1]]))
    state = task.step(before, moves[-1], jax.random.key(0))
    return float(task.objective(before, jnp.int32(moves[-1]), state)[0]), state


# Black holds the two left columns, white the two right ones; the middle column is nobody's.
WALLS = "b1 d1 b2 d2 b3 d3 b4 d4 b5 d5"


@pytest.mark.parametrize(
    ("komi", "moves", "expected"),
    [
        (0.5, WALLS, -1.0),
        (-0.5, WALLS, 1.0),
        (0.0, WALLS, 0.0),
        # A stone in the middle is black's; the rest of the middle reaches both colours.
        (0.5, WALLS + " c3", 1.0),
        (1.0, WALLS + " c3", 0.0),
        (1.5, WALLS + " c3", -1.0),
        (0.0, "", 0.0),
        (24.5, "c3", 1.0),  # one stone owns the board
        (25.5, "c3", -1.0),
    ],
)
def test_area_is_counted_by_tromp_and_taylor(komi, moves, expected):
    won, state = result(Go(5, komi=komi), f"{moves} pass pass".strip())
    assert bool(state.over)
    assert won == expected


def test_suicide_and_ko_are_illegal():
    task = Go(5)
    cornered = after(task, "b1 e5 a2")
    assert not task.legal(cornered)[0]
    with pytest.raises(IllegalActionError, match="Action 0 is illegal"):
        task.step(cornered, 0, jax.random.key(0))
    # Black takes at c2; white may not retake at b2 at once, but after two moves elsewhere.
    ko = "b1 c1 a2 d2 b3 c3 e5 b2 c2"
    assert not task.legal(after(task, ko))[6]
    assert int(after(task, ko).ko) == 6
    assert task.legal(after(task, ko + " e4 e3"))[6]
    assert task.render(after(task, ko + " e4")).splitlines()[1] == "X . X O ."


def test_repeating_a_position_loses_whatever_the_area():
    """White takes one stone and fills up; black takes all three: the board as after ply 1."""
    for komi in (-100.5, 100.5):
        won, state = result(Go(2, komi=komi), "a1 b1 pass a2 pass b2 a1")
        assert (won, bool(state.repeated), bool(state.over)) == (-1.0, True, True)
    mirrored, _ = result(Go(2), "pass a1 b1 pass a2 pass b2 a1")
    assert mirrored == 1.0  # colours exchanged: white repeats and black wins
    # Two passes repeat a position too, and lose nothing by it.
    won, state = result(Go(2, komi=-0.5), "a1 pass pass")
    assert (won, bool(state.repeated), bool(state.over)) == (1.0, False, True)


def test_the_number_of_moves_is_limited():
    task = Go(2, komi=0.5)
    check_task(task, episodes=32)
    assert task.traits.horizon == 8


def test_fingerprints_hold_the_positions_on_the_way():
    task = Go(5)
    prints = [
        np.asarray(task.fingerprint(after(task, moves)))
        for moves in ("a1 b1 c1", "c1 b1 a1", "a1 pass c1", "a1 b1 pass")
    ]
    # The stones are the same in the first two, but positions on the way are not: superko differs.
    assert len({p.tobytes() for p in prints}) == 4


def test_sizes_and_histories_are_checked_and_kept():
    assert make_task("go_9x9", size=5, komi=0.5).traits.actions == 26
    assert Go(5, history=1).observe(Go(5, history=1).init(jax.random.key(0))).shape == (5, 5, 3)
    for wrong in ({"size": 1}, {"size": 20}, {"history": 0}):
        with pytest.raises(ValueError, match="A Go board has a size from 2 to 19"):
            Go(**wrong)
