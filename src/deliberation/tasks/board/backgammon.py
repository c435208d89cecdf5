"""Backgammon, by the rules of pgx 2.6 (Koyamada et al. 2023): one checker moved at a time.

Only the rules are pgx's: states here keep a board, the dice and the time, player 0 always moves
first, and all that the dice can show is listed. There is no doubling cube.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key
from pgx import backgammon as rules

from ...core.objective import Objective
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
        """Moves of one checker by one die not yet played, or the passes if there are none."""
        allowed = rules._legal_action_mask(state.board, state.unused).astype(bool)
        return allowed & ~self.terminated(state)

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

    def render(self, state: BackgammonState) -> str:
        """The board in the mover's view, X its own checkers and O the other's."""
        board = np.asarray(state.board)
        points = [f"{abs(n)}{'XO'[n < 0]}" if n else "." for n in board[:24].tolist()]
        upper = " ".join(f"{p:>3}" for p in points[12:])
        lower = " ".join(f"{p:>3}" for p in points[11::-1])
        unused = [int(d) + 1 for d in state.unused if d >= 0]
        bars = f"bar {board[24]}X {-board[25]}O, off {board[26]}X {-board[27]}O"
        return f"{upper}\n{lower}\n{bars}, player {int(state.mover)} (X) to play {unused}"


def _opened(dice: Int[Array, " 2"]) -> BackgammonState:
    zero = jnp.int32(0)
    unused = rules._set_playable_dice(dice)
    return BackgammonState(rules._make_init_board(), dice, unused, zero, zero, zero)


def _faces(unused: Int[Array, " 4"]) -> Int[Array, " 6"]:
    """How often each die may still be played."""
    return (unused[:, None] == jnp.arange(6)).sum(0)
