"""Backgammon, one checker moved at a time. There is no doubling cube.

How checkers move is by pgx 2.6 (Koyamada et al. 2023). Unlike there, both dice must be played where
any order allows it, and the larger where only one can be (the rules of the game; OpenSpiel's).
States keep a board, the dice and the time, player 0 always moves first, and all that the dice can
show is listed.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key
from pgx import backgammon as rules

from ...core.objective import Objective
from ...core.picture import Picture
from ...core.task import Task, Traits
from ..bases import ZeroSum, check_horizon, signed
from ..chance import draw

TASKS = {
    "backgammon": {
        "summary": "Backgammon, one checker at a time, gammons count; option horizon",
        "factory": "Backgammon",
        "options": {"horizon": 2000},
    },
}

_ROLLS = np.array([(a, b) for a in range(6) for b in range(a + 1)], np.int32)
"""The 21 rolls, the higher die first; dice are 0 for one pip to 5 for six."""
_CHANCES = np.where(_ROLLS[:, 0] == _ROLLS[:, 1], 1, 2) / 36
_OPENING = np.where(_ROLLS[:, 0] == _ROLLS[:, 1], 0, 1) / 15
"""The first player has won the throw, so the dice differ."""
_OFF, _ALL = 26, 15
"""Where checkers are that have been borne off, and how many there are."""


class BackgammonState(eqx.Module):
    """The board as the player to move sees it: its own checkers positive, moving upwards.

    24 points, then both bars and what both have borne off (own first). `dice` is the roll,
    `unused` what may still be played (-1 where nothing is), `used` how many dice were.
    """

    board: Int[Array, " 28"]
    dice: Int[Array, " 2"]
    unused: Int[Array, " 4"]
    used: Int[Array, ""]
    mover: Int[Array, ""]
    time: Int[Array, ""]


class WinsPoints(ZeroSum):
    """One for a win, two for a gammon, three for a backgammon; nothing when the time is up."""

    def score(
        self, state: BackgammonState, action: Int[Array, ""], after: BackgammonState
    ) -> Float[Array, ""]:
        """Only the mover of `state` can win by this transition."""
        del action
        won = rules._calc_win_score(after.board) * (after.board[_OFF] == _ALL)
        return signed(state.mover, won)

    @property
    def bounds(self) -> tuple[float, float]:
        """A backgammon lost or won."""
        return (-3.0, 3.0)


class Backgammon(Task):
    """Action 6 s + d moves a checker from place s by d + 1 pips, and is one of a turn's moves.

    Place 0 is none (actions 0 to 5 pass, which is legal only where nothing can be moved), 1 the
    bar, and 2 to 25 the points in the direction of one's own play. The dice are rolled as a turn
    begins. Play ends when a player has no checkers left, or undecided after `horizon` actions.
    """

    horizon: int = eqx.field(static=True, default=2000)

    def __check_init__(self) -> None:
        check_horizon("Backgammon", self.horizon)

    def __repr__(self) -> str:
        return f"Backgammon({self.horizon} actions)"

    @property
    def traits(self) -> Traits:
        """Two players, 26 places times six dice; 21 rolls."""
        return Traits(
            players=2,
            actions=26 * 6,
            horizon=self.horizon,
            deterministic=False,
            outcomes=len(_ROLLS),
        )

    @property
    def objective(self) -> Objective:
        """Points: gammons count double, backgammons threefold."""
        return WinsPoints()

    def starts(self) -> tuple[BackgammonState, Float[Array, " starts"]]:
        """The 15 rolls of two different dice."""
        opening = np.flatnonzero(_OPENING)
        return jax.vmap(_opened)(jnp.asarray(_ROLLS[opening])), jnp.asarray(
            _OPENING[opening], jnp.float32
        )

    def init(self, key: Key[Array, ""]) -> BackgammonState:
        """The usual position, with two different dice for player 0."""
        return _opened(jnp.asarray(_ROLLS)[draw(key, jnp.asarray(_OPENING, jnp.float32))])

    def advance(
        self, state: BackgammonState, action: Int[Array, ""], key: Key[Array, ""]
    ) -> BackgammonState:
        """Move a checker; where that ends the turn, the other player's dice are rolled."""
        roll = draw(key, jnp.asarray(_CHANCES, jnp.float32))
        return self._rolled(*self._moved(state, action), jnp.asarray(_ROLLS)[roll])

    def outcomes(
        self, state: BackgammonState, action: Int[Array, ""]
    ) -> tuple[BackgammonState, Float[Array, " outcomes"]]:
        """The rolls that begin the other player's turn; one outcome where the turn goes on."""
        moved, ends = self._moved(state, action)
        after = jax.vmap(self._rolled, (None, None, 0))(moved, ends, jnp.asarray(_ROLLS))
        certain = jnp.arange(len(_ROLLS)) == 0
        return after, jnp.where(ends, _CHANCES, certain).astype(jnp.float32)

    def _moved(
        self, state: BackgammonState, action: Int[Array, ""]
    ) -> tuple[BackgammonState, Bool[Array, ""]]:
        """The position after one move, still as its mover sees it, and whether the turn is over."""
        passes = action // 6 == 0
        board = jnp.where(passes, state.board, rules._move(state.board, action))
        unused = rules._update_playable_dice(state.unused, state.used, state.dice, action)
        unused = jnp.where(passes, state.unused, unused)
        ends = (passes | (unused == -1).all()) & (board[_OFF] != _ALL)
        moved = BackgammonState(
            board, state.dice, unused, state.used + ~passes, state.mover, state.time + 1
        )
        return moved, ends

    def _rolled(
        self, moved: BackgammonState, ends: Bool[Array, ""], dice: Int[Array, " 2"]
    ) -> BackgammonState:
        """The next turn with these dice, or the same where it is not over."""
        other = BackgammonState(
            rules._flip_board(moved.board),
            dice,
            rules._set_playable_dice(dice),
            jnp.int32(0),
            1 - moved.mover,
            moved.time,
        )
        return jax.tree.map(lambda x, y: jnp.where(ends, x, y), other, moved)

    def observe(self, state: BackgammonState) -> Float[Array, " 35"]:
        """The board in fifteenths, how often each die may be played, and the time left."""
        left = 1 - state.time / self.horizon
        parts = [state.board / _ALL, _faces(state.unused) / 4, left[None]]
        return jnp.concatenate(parts).astype(jnp.float32)

    def legal(self, state: BackgammonState) -> Bool[Array, " actions"]:
        """Moves of one checker by one die not yet played, or the passes if there are none.

        Of two dice, both must be played if that is possible; if not, the larger one if either can.
        """
        sources = jax.vmap(_movable, (None, 0))(state.board, jnp.arange(6)).T
        played = sources & (_faces(state.unused) > 0)
        first = (state.used == 0) & (state.dice[0] != state.dice[1])
        played = jnp.where(first, _forced(state, played), played)
        passes = jnp.zeros_like(played).at[0].set(~played.any())
        return (played | passes).reshape(-1) & ~self.terminated(state)

    def player(self, state: BackgammonState) -> Int[Array, ""]:
        """The same until its turn is over."""
        return state.mover

    def terminated(self, state: BackgammonState) -> Bool[Array, ""]:
        """All checkers borne off, or out of time."""
        return (state.board[_OFF] == _ALL) | (state.time >= self.horizon)

    def fingerprint(self, state: BackgammonState) -> Int[Array, " words"]:
        """The board, the dice that may be played in any order, who moves, and the time."""
        facts = jnp.stack([state.mover, state.time])
        return jnp.concatenate([state.board, _faces(state.unused), facts]).astype(jnp.int32)

    @property
    def action_names(self) -> tuple[str, ...]:
        """As moves are written: 24/18, bar/20, 6/off; of the mover, whose points count down to 1.

        3/off(5) bears off by a die larger than the way, pass(5) cannot play that die.
        """
        return tuple(_name(place, die) for place in range(26) for die in range(1, 7))

    def picture(self, state: BackgammonState) -> Picture:
        """The board in the mover's view, X its own checkers and O the other's, home at the right.

        The upper row are the points 13 to 24, the lower one 12 to 1. Several moves may begin at a
        point, so no cell stands for one.
        """
        points = [
            f"{abs(n)}{'XO'[n < 0]}" if n else "" for n in np.asarray(state.board[:24]).tolist()
        ]
        columns = tuple(f"{12 - i}·{13 + i}" for i in range(12))
        cells = (tuple(points[11::-1]), tuple(points[12:]))
        return Picture(cells, (None,) * 156, columns=columns, note=_beside(state))

    def render(self, state: BackgammonState) -> str:
        """The board in the mover's view, X its own checkers and O the other's."""
        board = np.asarray(state.board)
        points = [f"{abs(n)}{'XO'[n < 0]}" if n else "." for n in board[:24].tolist()]
        upper = " ".join(f"{p:>3}" for p in points[12:])
        lower = " ".join(f"{p:>3}" for p in points[11::-1])
        return f"{upper}\n{lower}\n{_beside(state)}"


def _beside(state: BackgammonState) -> str:
    """What is not on the points: both bars, what was borne off, and the dice."""
    board = np.asarray(state.board)
    unused = [int(d) + 1 for d in state.unused if d >= 0]
    bars = f"bar {board[24]}X {-board[25]}O, off {board[26]}X {-board[27]}O"
    return f"{bars}, player {int(state.mover)} (X) to play {unused}"


def _name(place: int, die: int) -> str:
    """A move of one checker: point 24 is place 2, point 1 place 25, and the bar 25 from home."""
    if place == 0:
        return f"pass({die})"
    point, begin = 26 - place, "bar" if place == 1 else str(26 - place)
    if point > die:
        return f"{begin}/{point - die}"
    return f"{begin}/off" if point == die else f"{begin}/off({die})"


def _opened(dice: Int[Array, " 2"]) -> BackgammonState:
    zero = jnp.int32(0)
    unused = rules._set_playable_dice(dice)
    return BackgammonState(rules._make_init_board(), dice, unused, zero, zero, zero)


def _movable(board: Int[Array, " 28"], die: Int[Array, ""]) -> Bool[Array, " 26"]:
    """From which places a checker can move by a die."""

    def legal(place: Int[Array, ""]) -> Bool[Array, ""]:
        return jnp.asarray(rules._is_action_legal(board, 6 * place + die))

    return jax.vmap(legal)(jnp.arange(26))


def _forced(state: BackgammonState, moves: Bool[Array, "26 6"]) -> Bool[Array, "26 6"]:
    """Those of the first moves with two different dice that the rules leave.

    The moves after which the other die can be played too; where there are none, and either die
    could be played, those with the larger.
    """

    def goes_on(place: Int[Array, ""], die: Int[Array, ""], other: Int[Array, ""]) -> Array:
        return _movable(rules._move(state.board, 6 * place + die), other).any()

    dice, places = state.dice, jnp.arange(26)
    follows = jax.vmap(jax.vmap(goes_on, (0, None, None)), (None, 0, 0))(places, dice, dice[::-1])
    both = moves & jnp.zeros_like(moves).at[:, dice].set(follows.T)
    larger = moves & (jnp.arange(6) == dice.max())
    single = jnp.where(larger.any(), larger, moves)
    return jnp.where(both.any(), both, single)


def _faces(unused: Int[Array, " 4"]) -> Int[Array, " 6"]:
    """How often each die may still be played."""
    return (unused[:, None] == jnp.arange(6)).sum(0)
