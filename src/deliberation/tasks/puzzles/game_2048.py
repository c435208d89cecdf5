"""2048 (Cirulli 2014): slide tiles together while new ones appear at random.

The rules, and the numbers of the actions, are those of pgx 2.6 (Koyamada et al. 2023). The time is
part of the state.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.errors import ForeignStateError
from ...core.objective import Objective
from ...core.picture import Picture, in_rows
from ...core.task import Traits
from ..bases import SoloObjective, SoloTask, check_horizon, taken
from ..chance import draw, draw_uniform

TASKS = {
    "2048": {
        "summary": "Slide and merge tiles, new ones at random; options horizon, points",
        "factory": "Game2048",
        "options": {"horizon": 1000, "points": 1000.0},
    },
}

_FOUR = 0.1
"""How often a new tile is a 4 and not a 2."""
_LINES = np.stack([np.rot90(np.arange(16).reshape(4, 4), k) for k in range(4)])
"""The cells of the four lines that each action slides, from where they slide to."""
_LARGEST = 17
"""The exponent of the largest tile that can be built, 131072."""
_MOST = 3_932_156
"""The score of the largest game that can be played: every tile up to 131072, built of 2s and 4s."""


class BoardState(eqx.Module):
    """Exponents of two, row by row (0: empty), and how many actions have been taken."""

    board: Int[Array, " 16"]
    time: Int[Array, ""]


class MergedTiles(SoloObjective):
    """The sum of the tiles that a move makes, in units of `points`."""

    points: float = eqx.field(static=True)

    def reward(
        self, state: BoardState, action: Int[Array, ""], after: BoardState
    ) -> Float[Array, ""]:
        """Worked out from the move itself: the tile that appears afterwards adds nothing."""
        del after
        return (_slid(state.board, action)[1] / self.points).astype(jnp.float32)

    @property
    def bounds(self) -> tuple[float, float]:
        """Nothing, and the largest score there is."""
        return (0.0, _MOST / self.points)


class Game2048(SoloTask):
    """Actions 0 to 3 slide left, up, right and down; one is legal if it moves something.

    After each a 2 (in 9 of 10 cases) or a 4 appears on an empty cell. Play ends when nothing can
    move, or after `horizon` actions: good play of the game without a limit goes on for thousands.
    """

    horizon: int = eqx.field(static=True, default=1000)
    points: float = eqx.field(static=True, default=1000.0)

    def __check_init__(self) -> None:
        if self.horizon < 1 or not self.points > 0:
            raise ValueError(
                f"2048 needs a horizon of at least 1 and positive points; got "
                f"horizon={self.horizon}, points={self.points}."
            )
        check_horizon("2048", self.horizon)

    def __repr__(self) -> str:
        return f"Game2048({self.horizon} actions)"

    @property
    def traits(self) -> Traits:
        """One player, four actions; two tiles on sixteen cells are what can happen."""
        return Traits(players=1, actions=4, horizon=self.horizon, deterministic=False, outcomes=32)

    @property
    def objective(self) -> Objective:
        """The score of the game, in thousands unless `points` says otherwise."""
        return MergedTiles(float(self.points))

    def init(self, key: Key[Array, ""]) -> BoardState:
        """Two tiles."""
        board = jnp.zeros(16, jnp.int32)
        u, v = draw_uniform(key, 2)
        for number in (u, v):
            # Two parts of one number: which empty cell, and what is left of it, which tile.
            place = number * (board == 0).sum()
            four = place - jnp.floor(place) < _FOUR
            board = _with_tile(board, _nth_empty(board, place.astype(jnp.int32)), 1 + four)
        return BoardState(board, jnp.int32(0))

    def advance(self, state: BoardState, action: Int[Array, ""], key: Key[Array, ""]) -> BoardState:
        """Slide, and let a tile appear."""
        board = _slid(state.board, action)[0]
        which = draw(key, _chances(board))
        return BoardState(_with_tile(board, which // 2, 1 + which % 2), state.time + 1)

    def outcomes(
        self, state: BoardState, action: Int[Array, ""]
    ) -> tuple[BoardState, Float[Array, " outcomes"]]:
        """For each cell a 2 and a 4; those for cells that are taken are padding."""
        board = _slid(state.board, action)[0]

        def after(which: Int[Array, ""]) -> BoardState:
            return BoardState(_with_tile(board, which // 2, 1 + which % 2), state.time + 1)

        return jax.vmap(after)(jnp.arange(32)), _chances(board)

    def observe(self, state: BoardState) -> Float[Array, "4 4 19"]:
        """One plane for empty cells, one for each tile up to 131072, and the time left."""
        tiles = (state.board[:, None] == jnp.arange(18)).reshape(4, 4, 18).astype(jnp.float32)
        left = jnp.broadcast_to(1 - state.time / self.horizon, (4, 4, 1))
        return jnp.concatenate([tiles, left], axis=-1)

    def legal(self, state: BoardState) -> Bool[Array, " actions"]:
        """Whatever moves or merges a tile."""
        return _movable(state.board) & (state.time < self.horizon)

    def terminated(self, state: BoardState) -> Bool[Array, ""]:
        """Nothing can move, or the time is up."""
        return ~_movable(state.board).any() | (state.time >= self.horizon)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Where the tiles slide."""
        return ("left", "up", "right", "down")

    def picture(self, state: BoardState) -> Picture:
        """The tiles."""
        marks = [str(tile) if tile else "" for tile in _tiles(state)]
        return Picture(in_rows(marks, 4), (None,) * 4, note=taken(state.time, self.horizon))

    def render(self, state: BoardState) -> str:
        """The tiles, and the time."""
        rows = (" ".join(f"{x or '.':>6}" for x in row) for row in in_rows(_tiles(state), 4))
        return "\n".join([*rows, taken(state.time, self.horizon)])


def _tiles(state: BoardState) -> list[int]:
    """The numbers on the tiles, 0 where there is none. Raises `ForeignStateError`."""
    exponents = np.asarray(state.board).tolist()
    wrong = [x for x in exponents if not 0 <= x <= _LARGEST]
    if wrong:
        raise ForeignStateError(f"No game of 2048 comes to a tile of 2 to the power of {wrong[0]}.")
    return [2**x if x else 0 for x in exponents]


def _slid(board: Int[Array, " 16"], action: Int[Array, ""]) -> tuple[Array, Array]:
    """The board after sliding, and the sum of the tiles made, before another appears."""
    cells = jnp.asarray(_LINES)[action]
    lines, made = jax.vmap(_merged)(board[cells])
    return jnp.zeros_like(board).at[cells.reshape(-1)].set(lines.reshape(-1)), made.sum()


def _movable(board: Int[Array, " 16"]) -> Bool[Array, " 4"]:
    """In which of the four directions something would slide or merge."""
    lines = board[jnp.asarray(_LINES)]
    before, after = lines[..., :-1], lines[..., 1:]
    return ((after > 0) & ((before == 0) | (before == after))).any((-1, -2))


def _merged(line: Int[Array, " 4"]) -> tuple[Int[Array, " 4"], Int[Array, ""]]:
    """Four cells slid towards the first, equal neighbours joined once, nearest first."""
    a, b, c, d = _packed(line)
    first = (a > 0) & (a == b)
    second = ~first & (b > 0) & (b == c)
    third = ~second & (c > 0) & (c == d)
    pairs = jnp.stack([first, second, third])
    made = jnp.where(pairs, 2 << jnp.stack([a, b, c]), 0).sum()
    joined = jnp.stack(
        [
            a + first,
            jnp.where(first, 0, b + second),
            jnp.where(second, 0, c + third),
            jnp.where(third, 0, d),
        ]
    )
    return _packed(joined), made


def _packed(line: Int[Array, " 4"]) -> Int[Array, " 4"]:
    """The same tiles without the empty cells between them."""
    place = jnp.cumsum(line > 0) - 1
    to = (place[:, None] == jnp.arange(4)) & (line > 0)[:, None]
    return (line[:, None] * to).sum(0).astype(line.dtype)


def _chances(board: Int[Array, " 16"]) -> Float[Array, " 32"]:
    """Of a 2 and a 4 on each cell in turn."""
    empty = board == 0
    each = empty / jnp.maximum(empty.sum(), 1)
    return (each[:, None] * jnp.array([1 - _FOUR, _FOUR])).reshape(-1).astype(jnp.float32)


def _nth_empty(board: Int[Array, " 16"], n: Int[Array, ""]) -> Int[Array, ""]:
    """The cell of the n-th empty place, counted from 0."""
    return jnp.argmax(jnp.cumsum(board == 0) > n)


def _with_tile(board: Int[Array, " 16"], cell: Int[Array, ""], tile: Int[Array, ""]) -> Array:
    return board.at[cell].set(tile.astype(board.dtype))
