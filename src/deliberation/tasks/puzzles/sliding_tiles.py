"""The sliding-tile puzzle: push tiles into the gap until they are in order (Johnson 1879).

On 3x3 the 8-puzzle, half of whose 9! arrangements can be solved, in at most 31 moves (Schofield
1967); on 2x2 the 3-puzzle (at most 6). All distances up to 3x3 are known here by breadth-first
search, so that every heuristic and every search has a truth to be measured against.
"""

import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt8

from ...core.objective import Objective
from ...core.picture import Picture, around, in_rows
from ...core.task import Traits
from ..bases import SoloObjective, SoloTask, check_horizon, check_sizes

TASKS = {
    "sliding_tiles": {
        "summary": "The 8-puzzle, every move costs 1; options size (2 to 5), scramble, horizon",
        "factory": "SlidingTiles",
        "options": {"size": 3, "scramble": None, "horizon": 80},
    },
}

LARGEST_SOLVED = 3
_SCRAMBLED = 1_000_000
_STEPS = ((0, -1), (1, 0), (0, 1), (-1, 0))
"""Where the gap goes: left, down, right, up, as (rows, columns)."""


class TilesState(eqx.Module):
    """The tile in each cell, row by row, 0 for the gap; and how many moves have been made."""

    tiles: Int[Array, " cells"]
    time: Int[Array, ""]


class FewestMoves(SoloObjective):
    """Minus one for each move: the best return is minus the number of moves that are needed."""

    size: int = eqx.field(static=True)
    horizon: int = eqx.field(static=True)

    def reward(
        self, state: TilesState, action: Int[Array, ""], after: TilesState
    ) -> Float[Array, ""]:
        """Every move costs the same."""
        return jnp.float32(-1)

    @property
    def bounds(self) -> tuple[float, float]:
        """No more moves than the horizon allows."""
        return (-float(self.horizon), 0.0)

    def heuristic(self, state: TilesState) -> Float[Array, ""]:
        """Minus the sum of the tiles' Manhattan distances from home, or minus the time left."""
        table = jnp.asarray(_manhattan(self.size))
        away = table[jnp.arange(self.size**2), state.tiles].sum()
        return self._within(state, away)

    def optimum(self, state: TilesState) -> Float[Array, ""]:
        """Minus the moves needed, looked up; NaN on boards larger than 3x3."""
        if self.size > LARGEST_SOLVED:
            return jnp.float32(jnp.nan)
        away = jnp.asarray(distances(self.size))[_rank(state.tiles)]
        return self._within(state, away.astype(jnp.int32))

    def _within(self, state: TilesState, moves: Int[Array, ""]) -> Float[Array, ""]:
        return -jnp.minimum(moves, self.horizon - state.time).astype(jnp.float32)


class SlidingTiles(SoloTask):
    """Actions 0 to 3 move the gap left, down, right and up; solved with the gap in the last cell.

    It starts from an arrangement drawn evenly from those that can be solved, or after `scramble`
    random moves from the solved one (again, if that is where they end). An episode ends when
    solved or after `horizon` moves; at least the 31 of the hardest 8-puzzle, or its optimum is cut
    short. Raises `ValueError` for sizes other than 2 to 5.
    """

    size: int = eqx.field(static=True, default=3)
    scramble: int | None = eqx.field(static=True, default=None)
    horizon: int = eqx.field(static=True, default=80)

    def __check_init__(self) -> None:
        if not 2 <= self.size <= 5 or self.horizon < 1:
            raise ValueError(
                f"Sliding tiles need a size from 2 to 5 and a horizon of at least 1; got "
                f"size={self.size}, horizon={self.horizon}."
            )
        check_horizon("Sliding tiles", self.horizon)
        check_sizes("Sliding tiles", _SCRAMBLED, scramble=self.scramble)
        if self.scramble is not None and self.scramble < 1:
            raise ValueError(f"Give a scramble of at least 1 move or None; got {self.scramble}.")

    def __repr__(self) -> str:
        begin = "any start" if self.scramble is None else f"scramble={self.scramble}"
        return f"SlidingTiles({self.size}x{self.size}, {begin}, {self.horizon} moves)"

    @property
    def traits(self) -> Traits:
        """One player, four actions, no chance after the start."""
        return Traits(players=1, actions=4, horizon=self.horizon)

    @property
    def objective(self) -> Objective:
        """As few moves as possible."""
        return FewestMoves(self.size, self.horizon)

    def init(self, key: Key[Array, ""]) -> TilesState:
        """An arrangement that can be solved and is not."""
        if self.scramble is not None:
            tiles = self._scrambled(key)
        else:
            tiles = _solvable(jax.random.permutation(key, self.size**2), self.size)
        # One move away, where chance gave the solved one.
        aside = _moved(self.size, _home(self.size), jnp.int32(0))
        return TilesState(jnp.where(self._solved(tiles), aside, tiles), jnp.int32(0))

    def _scrambled(self, key: Key[Array, ""]) -> Int[Array, " cells"]:
        def move(tiles: Int[Array, " cells"], key: Key[Array, ""]):
            allowed = self._allowed(tiles)
            action = jax.random.categorical(key, jnp.where(allowed, 0.0, -jnp.inf))
            return _moved(self.size, tiles, action), None

        assert self.scramble is not None
        return jax.lax.scan(move, _home(self.size), jax.random.split(key, self.scramble))[0]

    def advance(self, state: TilesState, action: Int[Array, ""], key: Key[Array, ""]) -> TilesState:
        """The gap changes places with the tile beside it."""
        del key
        return TilesState(_moved(self.size, state.tiles, action), state.time + 1)

    def observe(self, state: TilesState) -> Float[Array, "size size planes"]:
        """A plane for each tile and the gap, and the fraction of the time that is left."""
        planes = jax.nn.one_hot(state.tiles, self.size**2).reshape(self.size, self.size, -1)
        left = jnp.full((self.size, self.size, 1), 1 - state.time / self.horizon)
        return jnp.concatenate([planes, left], axis=-1).astype(jnp.float32)

    def legal(self, state: TilesState) -> Bool[Array, " actions"]:
        """Wherever the gap stays on the board."""
        return self._allowed(state.tiles) & ~self.terminated(state)

    def _allowed(self, tiles: Int[Array, " cells"]) -> Bool[Array, " actions"]:
        return jnp.asarray(_swaps(self.size))[jnp.argmin(tiles)] >= 0

    def terminated(self, state: TilesState) -> Bool[Array, ""]:
        """In order, or out of time."""
        return self._solved(state.tiles) | (state.time >= self.horizon)

    def _solved(self, tiles: Int[Array, " cells"]) -> Bool[Array, ""]:
        return (tiles == _home(self.size)).all()

    @property
    def action_names(self) -> tuple[str, ...]:
        """Where the gap moves."""
        return ("left", "down", "right", "up")

    def picture(self, state: TilesState) -> Picture:
        """The board; arrows lead from the gap."""
        tiles = np.asarray(state.tiles)
        here = divmod(int(tiles.argmin()), self.size)
        return Picture(
            in_rows([str(t) if t else "" for t in tiles.tolist()], self.size),
            around(here, ((0, -1), (1, 0), (0, 1), (-1, 0))), here,
            note=f"{int(state.time)} of {self.horizon} moves made",
        )  # fmt: skip

    def render(self, state: TilesState) -> str:
        """The board and the time."""
        rows = np.asarray(state.tiles).reshape(self.size, self.size)
        lines = [" ".join(f"{t:2d}" if t else " ." for t in row) for row in rows]
        return "\n".join([*lines, f"{int(state.time)} of {self.horizon} moves made"])


def _home(size: int) -> Int[Array, " cells"]:
    return jnp.append(jnp.arange(1, size**2), 0).astype(jnp.int32)


def _moved(size: int, tiles: Int[Array, " cells"], action: Int[Array, ""]) -> Int[Array, " cells"]:
    gap = jnp.argmin(tiles)
    beside = jnp.asarray(_swaps(size))[gap, action]
    cells = jnp.arange(size**2)
    # By comparison, which a vectorised loop prefers to writing at two places.
    tile = jnp.where(cells == beside, tiles, 0).sum()
    return jnp.where(cells == gap, tile, jnp.where(cells == beside, 0, tiles)).astype(jnp.int32)


def _solvable(tiles: Int[Array, " cells"], size: int) -> Int[Array, " cells"]:
    """The arrangement, or with its first two tiles exchanged where it could not be solved.

    Every move changes the parity of the permutation and that of the gap's distance from home.
    """
    cells = size**2
    order = jnp.where(tiles == 0, cells, tiles)
    later = jnp.arange(cells)[:, None] < jnp.arange(cells)
    inversions = (later & (order[:, None] > order)).sum()
    row, column = jnp.divmod(jnp.argmin(tiles), size)
    odd = (inversions + 2 * (size - 1) - row - column) % 2 == 1
    first, second = jnp.sort(jnp.argsort(tiles == 0)[:2])
    exchanged = tiles.at[first].set(tiles[second]).at[second].set(tiles[first])
    return jnp.where(odd, exchanged, tiles).astype(jnp.int32)


def _rank(tiles: Int[Array, "*batch cells"]) -> Int[Array, "*batch"]:
    """The place of a permutation among all of them in lexicographic order (Lehmer 1960)."""
    cells = tiles.shape[-1]
    later = np.arange(cells)[:, None] < np.arange(cells)
    smaller = (later & (tiles[..., None] > tiles[..., None, :])).sum(-1)
    weights = np.array([math.factorial(cells - 1 - i) for i in range(cells)])
    return (smaller * weights).sum(-1)


@functools.cache
def distances(size: int) -> UInt8[np.ndarray, " permutations"]:
    """Moves needed from each arrangement, in lexicographic order; 255 where it cannot be solved.

    By breadth-first search from the solved one; for sizes 2 and 3. Raises `ValueError` for others,
    which have more than 10^13 arrangements.
    """
    if size not in (2, LARGEST_SOLVED):
        raise ValueError(f"Distances are known for sizes 2 and 3; got {size}.")
    found = np.full(math.factorial(size**2), 255, np.uint8)
    layer = np.append(np.arange(1, size**2), 0)[None]
    moves = 0
    while len(layer):
        found[_ranks(layer)] = moves
        swaps = _swaps(size)[layer.argmin(1)]
        rows, actions = np.nonzero(swaps >= 0)
        after, beside = layer[rows], swaps[rows, actions]
        gap, each = layer.argmin(1)[rows], np.arange(len(rows))
        after[each, gap] = after[each, beside]
        after[each, beside] = 0
        ranks, first = np.unique(_ranks(after), return_index=True)
        layer, moves = after[first[found[ranks] == 255]], moves + 1
    return found


def _ranks(tiles: Int[np.ndarray, "n cells"]) -> Int[np.ndarray, " n"]:
    """`_rank` on the host, column by column."""
    cells = tiles.shape[1]
    found = np.zeros(len(tiles), np.int64)
    for i in range(cells):
        smaller = (tiles[:, i + 1 :] < tiles[:, i : i + 1]).sum(1)
        found += smaller * math.factorial(cells - 1 - i)
    return found


@functools.cache
def _swaps(size: int) -> Int[np.ndarray, "cells 4"]:
    """The cell that the gap goes to by each action from each cell; -1 off the board."""
    row, column = np.divmod(np.arange(size**2), size)
    to = []
    for down, right in _STEPS:
        inside = (row + down >= 0) & (row + down < size)
        inside &= (column + right >= 0) & (column + right < size)
        to.append(np.where(inside, (row + down) * size + column + right, -1))
    return np.stack(to, 1).astype(np.int32)


@functools.cache
def _manhattan(size: int) -> Int[np.ndarray, "cells tiles"]:
    """How far each tile is from home in each cell; nothing for the gap."""
    cell = np.arange(size**2)
    home = (cell - 1) % size**2
    row, column = (np.abs(part[:, None] - part[home]) for part in np.divmod(cell, size))
    return np.where(cell > 0, row + column, 0).astype(np.int32)
