"""Where something was measured: a few of its positions, for whoever keeps them beside the numbers.

Whatever examines deciders or plays them notes where it did, inside of `watching.watching`. Nothing
else depends on it, and nothing is noted where nobody watches. Kept are those positions in which
most was given up, and one in which nothing was; of whole episodes, the last decision of the worst
and of the best; of a lesson, some examples.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from ..task import State
from .codes import as_bits, encode
from .watching import Watch, watch

MOST = 8
"""So many positions are kept of a measurement."""
LONGEST = 400
"""So many moves of an episode are kept, and so many plies are looked back on."""
_BEST, _TIE = 16, 1e-6


class Sight(NamedTuple):
    """One position (a state without a batch axis), what was chosen there, and what came of it.

    `lost` is the return given up against the `best` actions, None where the best is not known;
    `said` how it was asked; `moves` what led there from the start of an episode that earned
    `returned`, None where these are not known.
    """

    state: State
    chosen: int
    lost: float | None = None
    best: tuple[int, ...] = ()
    said: str = ""
    moves: tuple[int, ...] | None = None
    returned: float | None = None

    def told(self) -> dict[str, Any]:
        """As JSON; what is not known is left out."""
        return {
            "state": encode(self.state), "chosen": self.chosen,
            **({} if self.lost is None else {"lost": float(f"{self.lost:.6g}")}),
            **({"best": list(self.best)} if self.best else {}),
            **({"said": self.said} if self.said else {}),
            **({} if self.moves is None else {"moves": list(self.moves)}),
            **({} if self.returned is None else {"returned": float(f"{self.returned:.6g}")}),
        }  # fmt: skip


class Witness:
    """What was noted: by how it was asked, the positions that tell most."""

    def __init__(self) -> None:
        self.of = 0
        self._erred: dict[str, list[Sight]] = {}
        self._fine: dict[str, Sight] = {}

    def examined(
        self, states: State, action: Int[np.ndarray, " n"],
        values: Float[np.ndarray, "n actions"], said: str,
    ) -> None:  # fmt: skip
        """Positions in which something was chosen whose exact worth is known, NaN where illegal."""
        top = np.nanmax(values, 1)
        lost = top - values[np.arange(len(values)), action]
        size = np.maximum(np.abs(top), 1e-30)
        self.of = max(self.of, len(values))
        for row in np.argsort(-lost, kind="stable")[: MOST - 1].tolist():
            if lost[row] > _TIE * size[row]:
                self._keep(self._sight(states, action, values, lost, row, said))
        fine = np.flatnonzero(lost <= _TIE * size)
        if len(fine) and said not in self._fine:
            self._fine[said] = self._sight(states, action, values, lost, int(fine[0]), said)

    def _sight(
        self, states: State, action: np.ndarray, values: np.ndarray, lost: np.ndarray, row: int,
        said: str,
    ) -> Sight:  # fmt: skip
        best = np.flatnonzero(values[row] >= np.nanmax(values[row]) - _TIE)[:_BEST]
        state = _row(states, row)
        return Sight(state, int(action[row]), float(lost[row]), tuple(best.tolist()), said)

    def played(
        self, states: Sequence[State], actions: Int[np.ndarray, "batch plies"],
        returns: Float[np.ndarray, " batch"], said: str,
    ) -> None:  # fmt: skip
        """Whole episodes: the states before each ply, the actions (-1 after the end), the returns.

        Kept is where the worst and where the best of them was decided last.
        """
        self.of = max(self.of, len(returns))
        made = (actions[:, : len(states)] >= 0).sum(1)
        for row in dict.fromkeys((int(np.argmin(returns)), int(np.argmax(returns)))):
            last = int(made[row]) - 1
            if last < 0:
                continue
            way, state = actions[row, :last], _row(states[last], row)
            moves = tuple(int(a) for a in way) if last <= LONGEST else None
            self._keep(
                Sight(
                    state, int(actions[row, last]), said=said, moves=moves,
                    returned=float(returns[row]),
                )
            )  # fmt: skip

    def taught(self, states: State, answers: Int[np.ndarray, " n"], said: str) -> None:
        """Examples that somebody learns from: a few, evenly spaced."""
        self.of = max(self.of, len(answers))
        for row in np.unique(np.linspace(0, len(answers) - 1, MOST).astype(int)).tolist():
            self._keep(Sight(_row(states, row), int(answers[row]), said=said))

    def _keep(self, sight: Sight) -> None:
        """Among those that were asked in the same way, the ones that gave up most."""
        kept = self._erred.setdefault(sight.said, [])
        if any(_same(sight.state, one.state) for one in kept):
            return
        kept.append(sight)
        kept.sort(key=lambda one: -(one.lost or 0.0))
        del kept[MOST:]

    def sights(self, most: int = MOST) -> list[Sight]:
        """What is kept: of each way of asking in turn, and one position where nothing is lost."""
        waiting = [list(kept) for kept in self._erred.values()]
        fine = list(self._fine.values())[-1:]
        found: list[Sight] = []
        while any(waiting) and len(found) < most - len(fine):
            for kept in waiting:
                if kept and len(found) < most - len(fine):
                    found.append(kept.pop(0))
        return found + fine

    def told(self) -> dict[str, Any]:
        """What a record keeps of it, as JSON; nothing where nothing was noted."""
        found = self.sights()
        return {"of": self.of, "sights": [one.told() for one in found]} if found else {}


def _witness(there: Watch) -> Witness:
    """Whom notes are handed to; it comes into being with the first."""
    if not isinstance(there.made, Witness):
        there.made = Witness()
    return there.made


def note_exam(
    states: State, action: Int[np.ndarray, " n"], values: Float[np.ndarray, "n actions"],
    said: str = "",
) -> None:  # fmt: skip
    """An action was chosen in each of some states, whose actions are worth so much exactly."""
    there = watch()
    if there is not None and len(values):
        _witness(there).examined(
            states, np.asarray(action), np.asarray(values, float), said or there.said
        )


def note_taught(states: State, answers: Int[np.ndarray, " n"], said: str = "taught here") -> None:
    """Examples of a lesson were made: the positions, and what the teacher answered to each."""
    there = watch()
    if there is not None and len(answers):
        _witness(there).taught(states, np.asarray(answers), said)


def note_episodes(
    states: Sequence[State], actions: np.ndarray, returns: Float[np.ndarray, " batch"]
) -> None:
    """Episodes were played; see `Witness.played`. Of continuous actions none are kept."""
    there = watch()
    if there is not None and actions.ndim == 2 and np.issubdtype(actions.dtype, np.integer):
        kept = [state.state for state in states] if there.within else states
        _witness(there).played(kept, actions, returns, there.said)


def _row(states: State, row: int) -> State:
    """One row of a batch, off the device, so that nothing is compiled for it."""
    return jax.tree.map(lambda x: np.asarray(as_bits(x))[row], states)


def _same(one: State, other: State) -> bool:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)
