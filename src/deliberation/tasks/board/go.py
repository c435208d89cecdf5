"""Go on small boards by Tromp and Taylor's rules, as pgx 2.6 plays it (Koyamada et al. 2023).

Suicide and retaking a single stone at once (ko) are illegal. Any other repetition of an earlier
position is a legal move that loses the game (positional superko), two passes end it, and so does a
limit of twice as many moves as there are points. Area is counted at the end.

Written for speed in batches: a chain of stones carries the number of one of its points, so that
what holds for chains is found by comparing numbers, without following neighbours from stone to
stone; only the count at the end does that.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from ...core import noise
from ...core.objective import Objective
from ...core.picture import Picture, counted, every_cell, in_rows, letters, squares
from ...core.task import Symmetry, Traits
from ..bases import AlternatingTask, WinOrLoss, check_sizes, signed

TASKS = {
    "go_9x9": {
        "summary": "Go on 9x9 by Tromp-Taylor rules; options size, komi, history",
        "factory": "Go",
        "options": {"size": 9, "komi": 7.5, "history": 8},
    },
}

_HISTORY = 64
"""No more boards before this one are shown."""


class GoState(eqx.Module):
    """`board` numbers chains, black's positive and white's negative; empty points are 0.

    `last` is the one liberty of the chain that a stone belongs to, -1 where it has more or there is
    no stone. `earlier` keeps the colours on the boards before this one, the latest first, and
    `hashes` all positions for superko. `ko` is the point that must not be retaken, or -1.
    """

    board: Int[Array, " points"]
    last: Int[Array, " points"]
    earlier: Int[Array, "boards points"]
    hashes: UInt32[Array, "plies 2"]
    ply: Int[Array, ""]
    ko: Int[Array, ""]
    passes: Int[Array, ""]
    repeated: Bool[Array, ""]
    over: Bool[Array, ""]


class MostAreaWins(WinOrLoss):
    """One for the larger area, komi added to white's; minus one for the smaller, nothing for equal.

    Whoever repeats a position has lost whatever the area.
    """

    size: int = eqx.field(static=True)
    komi: float = eqx.field(static=True)

    def score(self, state: GoState, action: Int[Array, ""], after: GoState) -> Float[Array, ""]:
        """The area is counted only in rows that are over."""
        del action
        lead = _area(after.board, after.over & ~after.repeated, self.size) - self.komi
        black = jnp.where(after.repeated, signed(state.ply, jnp.float32(-1)), jnp.sign(lead))
        return jnp.where(after.over, black, 0.0)


class Go(AlternatingTask):
    """Player 0 is black. An action is a point, row by row from the top; the last action passes.

    `komi` is what white gets for moving second; a whole number allows draws. `history` is how many
    boards are observed. Sizes from 2 to 19.
    """

    size: int = eqx.field(static=True, default=9)
    komi: float = eqx.field(static=True, default=7.5)
    history: int = eqx.field(static=True, default=8)

    def __check_init__(self) -> None:
        if not 2 <= self.size <= 19 or self.history < 1:
            raise ValueError(
                "A Go board has a size from 2 to 19 and a history of at least 1; got "
                f"size={self.size}, history={self.history}."
            )
        check_sizes("Go", _HISTORY, history=self.history)

    def __repr__(self) -> str:
        return f"Go({self.size}x{self.size}, komi={self.komi}, history={self.history})"

    @property
    def traits(self) -> Traits:
        """An action for each point and the pass."""
        return Traits(players=2, actions=self.size**2 + 1, horizon=2 * self.size**2)

    @property
    def objective(self) -> Objective:
        """The sign of the difference in area after komi."""
        return MostAreaWins(self.size, self.komi)

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """The other seven ways to lay the square down."""
        return _symmetries(self.size)

    def init(self, key: Key[Array, ""]) -> GoState:
        """The empty board."""
        del key
        points, kind = self.size**2, _kind(self.size)
        return GoState(
            board=jnp.zeros(points, kind),
            last=jnp.full(points, -1, kind),
            earlier=jnp.zeros((self.history - 1, points), jnp.int8),
            hashes=jnp.zeros((self.traits.horizon, 2), jnp.uint32),
            ply=jnp.int32(0),
            ko=jnp.int32(-1),
            passes=jnp.int32(0),
            repeated=jnp.bool_(False),
            over=jnp.bool_(False),
        )

    def advance(self, state: GoState, action: Int[Array, ""], key: Key[Array, ""]) -> GoState:
        """Put a stone and take what it leaves without liberties, or pass."""
        del key
        points = self.size**2
        board, ko = _place(state, action, self.size)
        colours = jnp.sign(board).astype(jnp.int8)
        hashed = _hash(colours)
        passed = action == points
        seen = (state.hashes == hashed).all(-1).any()
        passes = jnp.where(passed, state.passes + 1, 0)
        repeated = seen & ~passed
        before = jnp.sign(state.board).astype(jnp.int8)[None]
        return GoState(
            board=board,
            last=_last_liberties(board, self.size),
            earlier=jnp.concatenate([before, state.earlier])[: self.history - 1],
            hashes=state.hashes.at[state.ply].set(hashed),
            ply=state.ply + 1,
            ko=ko,
            passes=passes,
            repeated=repeated,
            over=repeated | (passes >= 2) | (state.ply + 1 >= self.traits.horizon),
        )

    def observe(self, state: GoState) -> Float[Array, "size size planes"]:
        """Own stones and the opponent's, now and on the boards before, then whether white moves."""
        mine = jnp.where(state.ply % 2 == 0, 1, -1).astype(jnp.int8)
        boards = jnp.concatenate([jnp.sign(state.board).astype(jnp.int8)[None], state.earlier])
        stones = jnp.stack([boards == mine, boards == -mine], axis=1).reshape(-1, self.size**2)
        white = jnp.broadcast_to(state.ply % 2 == 1, (1, self.size**2))
        planes = jnp.concatenate([stones, white]).T.astype(jnp.float32)
        return planes.reshape(self.size, self.size, -1)

    def legal(self, state: GoState) -> Bool[Array, " actions"]:
        """Empty points but for ko and suicide, and the pass."""
        mine = jnp.where(state.ply % 2 == 0, state.board, -state.board)
        atari, empty = state.last >= 0, mine == 0
        # A neighbour that is free, of mine with another liberty, or of theirs to be taken.
        breath = empty | ((mine > 0) & ~atari) | ((mine < 0) & atari)
        near = functools.reduce(jnp.logical_or, _around(breath, self.size, False))
        free = empty & near & (jnp.arange(self.size**2) != state.ko)
        return jnp.append(free, True) & ~state.over

    def terminated(self, state: GoState) -> Bool[Array, ""]:
        """Two passes, a repeated position, or too many moves."""
        return state.over

    def fingerprint(self, state: GoState) -> Int[Array, " words"]:
        """Colours, ko, passes, the ply, the end, and all positions so far, whatever their order."""
        each = noise.mix(state.hashes[:, 0], state.hashes[:, 1].astype(jnp.int32))
        sums = jnp.stack([each.sum(), noise.mix(each, 0).sum()])
        facts = [state.ko, state.passes, state.ply, state.repeated, state.over]
        numbers = jnp.stack([jnp.asarray(fact, jnp.int32) for fact in facts])
        colours = jnp.sign(state.board).astype(jnp.int32)
        return jnp.concatenate([colours, numbers, sums.astype(jnp.int32)])

    @property
    def action_names(self) -> tuple[str, ...]:
        """Points, a1 at the lower left and without the letter i, as Go boards have it; pass."""
        return (*squares(counted(self.size), letters(self.size, skipped="i")), "pass")

    def picture(self, state: GoState) -> Picture:
        """The board with X for player 0 (black) and O for player 1 (white)."""
        marks = ["" if c == 0 else "XO"[c < 0] for c in np.asarray(state.board).tolist()]
        return Picture(
            in_rows(marks, self.size), (*every_cell(self.size, self.size), None),
            rows=counted(self.size), columns=letters(self.size, skipped="i"),
        )  # fmt: skip

    def render(self, state: GoState) -> str:
        """The board with X for player 0 (black) and O for player 1 (white)."""
        colours = np.sign(np.asarray(state.board)).reshape(self.size, self.size)
        rows = [" ".join(".XO"[c] for c in row) for row in colours]
        passed = f"passes in a row: {int(state.passes)}" if state.passes else ""
        return "\n".join([*rows, passed] if passed else rows)


def _kind(size: int) -> type:
    """The smallest integers that hold a point's number with either sign: the cost is in bytes."""
    return jnp.int8 if size**2 < 127 else jnp.int16


def _around(x: Array, size: int, outside: int | bool) -> list[Array]:
    """What lies above, below, to the left and to the right of each point of a flat board."""
    column = np.arange(size**2) % size
    edge = jnp.full(size, outside, x.dtype)
    return [
        jnp.concatenate([edge, x[:-size]]),
        jnp.concatenate([x[size:], edge]),
        jnp.where(column == 0, edge[0], jnp.concatenate([edge[:1], x[:-1]])),
        jnp.where(column == size - 1, edge[0], jnp.concatenate([x[1:], edge[:1]])),
    ]


def _place(
    state: GoState, action: Int[Array, ""], size: int
) -> tuple[Int[Array, " points"], Int[Array, ""]]:
    """The board after a stone or a pass, and the point that must not be retaken at once, or -1."""
    points, kind = size**2, state.board.dtype
    sign = jnp.where(state.ply % 2 == 0, 1, -1).astype(kind)
    mine = state.board * sign
    near = jnp.asarray(_neighbours(size))[action]
    inside = near >= 0
    chains = jnp.where(inside, mine[near], 0)
    taken = (chains < 0) & (state.last[near] == action)
    captured = ((mine[:, None] == chains) & taken).any(-1)
    alone = (~inside | (chains < 0)).all()
    ko = jnp.where(alone & (captured.sum() == 1), jnp.argmax(captured), -1)
    joined = ((mine[:, None] == chains) & (chains > 0)).any(-1)
    number = jnp.minimum(jnp.where(chains > 0, chains, points).min(), action + 1)
    stone = jnp.arange(points) == action  # nowhere for a pass, which has no neighbours either
    mine = jnp.where(captured, 0, jnp.where(joined | stone, number, mine))
    return (mine * sign).astype(kind), ko.astype(jnp.int32)


def _last_liberties(board: Int[Array, " points"], size: int) -> Int[Array, " points"]:
    """The only liberty of each stone's chain, -1 where there are several: least and greatest."""
    points, kind = size**2, board.dtype
    numbers = jnp.arange(points, dtype=kind)
    free = jnp.where(board == 0, numbers, -1)
    turned = jnp.where(board == 0, points - 1 - numbers, -1)
    near = [functools.reduce(jnp.maximum, _around(x, size, -1)) for x in (free, turned)]

    def row(r: Int[Array, ""], found: tuple[Array, Array]) -> tuple[Array, Array]:
        """Raise the stones of each chain to what one row's stones of that chain have."""
        first, second = found
        chain, high, low = (jax.lax.dynamic_slice(x, (r * size,), (size,)) for x in (board, *near))
        for c in range(size):
            same = board == chain[c]
            first = jnp.where(same, jnp.maximum(first, high[c]), first)
            second = jnp.where(same, jnp.maximum(second, low[c]), second)
        return first, second

    # Row by row: as one comparison of all with all, XLA computes the board anew for each pair.
    none = jnp.full(points, -1, kind)
    greatest, turned_least = jax.lax.fori_loop(0, size, row, (none, none))
    single = (board != 0) & (greatest == points - 1 - turned_least)
    return jnp.where(single, greatest, -1).astype(kind)


def _hash(colours: Int[Array, " points"]) -> UInt32[Array, " 2"]:
    """Zobrist's: a number for each stone, all joined by exclusive or; 64 bits in two words."""
    black, white = jnp.asarray(_zobrist(colours.shape[0]))
    stones = jnp.where(
        (colours > 0)[:, None], black, jnp.where((colours < 0)[:, None], white, jnp.uint32(0))
    )
    empty = jnp.array([1, 1], jnp.uint32)  # the empty board differs from places not filled yet
    return jax.lax.reduce(stones, jnp.uint32(0), jax.lax.bitwise_xor, (0,)) ^ empty


def _area(board: Int[Array, " points"], wanted: Bool[Array, ""], size: int) -> Float[Array, ""]:
    """Black's area less white's: stones, and empty points that reach stones of one colour only.

    Nothing is done where it is not wanted.
    """
    black, white = board > 0, board < 0
    empty = board == 0

    def spread(reach: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        wider = [
            functools.reduce(jnp.logical_or, _around(part, size, False), part) & (empty | part)
            for part in reach[:2]
        ]
        grown = (wider[0] != reach[0]).any() | (wider[1] != reach[1]).any()
        return wider[0], wider[1], grown

    blacks, whites, _ = jax.lax.while_loop(lambda reach: reach[2], spread, (black, white, wanted))
    return blacks.sum().astype(jnp.float32) - whites.sum().astype(jnp.float32)


@functools.cache
def _neighbours(size: int) -> Int[np.ndarray, "actions 4"]:
    """The points beside each point, -1 outside of the board; none for the pass."""
    points = np.arange(size**2, dtype=np.int32)
    row, column = np.divmod(points, size)
    near = np.stack([points - size, points + size, points - 1, points + 1], 1)
    inside = np.stack([row > 0, row < size - 1, column > 0, column < size - 1], 1)
    none = np.full((1, 4), -1, np.int32)
    return np.concatenate([np.where(inside, near, -1).astype(np.int32), none])


@functools.cache
def _zobrist(points: int) -> UInt32[np.ndarray, "colours points 2"]:
    rng = np.random.default_rng(9)
    return rng.integers(1, 2**32, (2, points, 2), np.uint32)


@functools.cache
def _symmetries(size: int) -> tuple[Symmetry, ...]:
    found = []
    points = np.arange(size**2).reshape(size, size)
    for turn in range(4):
        for mirror in (False, True):
            if turn or mirror:
                image = np.rot90(points[:, ::-1] if mirror else points, turn).reshape(-1)
                actions = (*np.argsort(image).tolist(), size**2)
                name = f"{'mirror, ' * mirror}turn {90 * turn}"
                move = functools.partial(_turned, times=turn, mirror=mirror)
                found.append(Symmetry(name, move, actions))
    return tuple(found)


def _turned(x: Array, times: int, mirror: bool) -> Array:
    return jnp.rot90(jnp.flip(x, 1) if mirror else x, times)
