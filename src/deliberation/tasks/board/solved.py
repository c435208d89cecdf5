"""Positions of real games with the exact score of every move: truth to measure deciders against."""

import functools
from collections.abc import Sequence
from importlib import resources

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.errors import FinishedGameError, IllegalActionError
from ...core.task import State, Task
from .mnk import MNK

_FULL = -99


class SolvedPositions(eqx.Module):
    """A batch of states with exact scores for the player to move.

    For Connect Four a score is how many of one's own stones are left at the win (1 is the last
    stone), 0 a draw, negative a loss. `action_scores` is NaN where a move is illegal.
    """

    task: Task
    states: State
    scores: Int[np.ndarray, " n"]
    action_scores: Float[np.ndarray, "n actions"]

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        contested = int(self.contested.sum())
        return f"SolvedPositions({self.task!r}, {len(self)} positions, {contested} contested)"

    @property
    def keeps(self) -> Bool[np.ndarray, "n actions"]:
        """Moves that keep the game's value: a win stays a win, a draw a draw."""
        kept = np.sign(self.action_scores) == np.sign(self.scores)[:, None]
        return kept & ~np.isnan(self.action_scores)

    @property
    def optimal(self) -> Bool[np.ndarray, "n actions"]:
        """Moves with the best score: the quickest win, the slowest loss."""
        return self.action_scores == self.scores[:, None]

    @property
    def contested(self) -> Bool[np.ndarray, " n"]:
        """Positions in which some but not all legal moves keep the value."""
        legal = ~np.isnan(self.action_scores)
        return (self.keeps != legal).any(1) & self.keeps.any(1)

    def take(self, rows: np.ndarray | slice) -> "SolvedPositions":
        """Some of the positions, by a mask, by numbers or by a slice."""
        states = jax.tree.map(lambda x: x[rows], self.states)
        return SolvedPositions(self.task, states, self.scores[rows], self.action_scores[rows])


@functools.cache
def solved_connect_four() -> SolvedPositions:
    """1,000 Connect Four positions, 8 to 32 plies into the game, solved by alpha-beta.

    They come from random play in which nobody leaves a winning move unplayed. Take the contested
    ones with `positions.take(positions.contested)`.
    """
    file = resources.files("deliberation.tasks") / "data" / "connect_four_exact.txt"
    lines = [line.split() for line in file.read_text(encoding="ascii").splitlines()]
    numbers = np.array([line[1:] for line in lines], int)
    task = MNK(width=7, height=6, k=4, gravity=True)
    states = replay(task, [[int(c) - 1 for c in line[0]] for line in lines])
    action_scores = np.where(numbers[:, 1:] == _FULL, np.nan, numbers[:, 1:]).astype(np.float32)
    return SolvedPositions(task, states, numbers[:, 0], action_scores)


def replay(
    task: Task, sequences: Sequence[Sequence[int]], *, key: Key[Array, ""] | None = None
) -> State:
    """The states that sequences of actions lead to, as one batch; they may differ in length.

    Raises `IllegalActionError` and `FinishedGameError`, naming the sequence and the ply.
    """
    plies = max(map(len, sequences), default=0)
    padded = np.full((len(sequences), plies), -1, np.int32)
    for row, sequence in enumerate(sequences):
        padded[row, : len(sequence)] = sequence
    given = np.array([[i < len(s) for i in range(plies)] for s in sequences]).reshape(padded.shape)
    keys = jax.random.split(jax.random.key(0) if key is None else key, len(sequences))
    state, late, illegal = _replay(task, jnp.asarray(padded), jnp.asarray(given), keys)
    for bad, error, what in (
        (np.asarray(late), FinishedGameError, "comes after the end of the game"),
        (np.asarray(illegal), IllegalActionError, "is illegal there"),
    ):
        if bad.any():
            row, ply = np.argwhere(bad)[0]
            raise error(
                f"Sequence {row} cannot be replayed on {task!r}: its action {padded[row, ply]} in "
                f"ply {ply} {what}. The sequence: {list(sequences[row])}."
            )
    return state


@eqx.filter_jit
def _replay(
    task: Task,
    actions: Int[Array, "batch plies"],
    given: Bool[Array, "batch plies"],
    keys: Key[Array, " batch"],
) -> tuple[State, Bool[Array, "batch plies"], Bool[Array, "batch plies"]]:
    def one(sequence: Int[Array, " plies"], real: Bool[Array, " plies"], key: Key[Array, ""]):
        def turn(carry, move):
            state, key = carry
            action, now = move
            key, mine = jax.random.split(key)
            legal, over = task.legal(state), task.terminated(state)
            inside = (action >= 0) & (action < legal.shape[0])
            allowed = inside & legal[jnp.clip(action, 0, legal.shape[0] - 1)]
            after = task.advance(state, jnp.where(allowed, action, 0), mine)
            state = jax.tree.map(lambda x, y: jnp.where(now & allowed, y, x), state, after)
            return (state, key), (now & over, now & ~over & ~allowed)

        first, rest = jax.random.split(key)
        (state, _), (late, illegal) = jax.lax.scan(turn, (task.init(first), rest), (sequence, real))
        return state, late, illegal

    return jax.vmap(one)(actions, given, keys)
