"""A task from arrays whose states are not seen: a partially observable Markov decision process.

What the player has seen makes a belief, a distribution over the states, which is kept up by Bayes'
rule and kept with the state (Kaelbling, Littman and Cassandra 1998).
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ..core.objective import Objective
from ..core.task import Traits
from .bases import SoloTask, time_told
from .chance import draw


class HiddenState(eqx.Module):
    """The number of the state, what was observed last (-1 at first), the belief, and the time."""

    at: Int[Array, ""]
    seen: Int[Array, ""]
    belief: Float[Array, " states"]
    time: Int[Array, ""]


class HiddenArrayTask(SoloTask):
    """A partially observable process from tables; made by `from_arrays` with observations.

    `moves` are P[s, a, s'], `signals` the probabilities O[a, s', o] of observations.
    """

    moves: Float[Array, "states actions states"]
    signals: Float[Array, "actions states observations"]
    first: Float[Array, " states"]
    ends: Bool[Array, " states"]
    wanted: Objective
    longest: int = eqx.field(static=True)
    horizon: int | None = eqx.field(static=True)

    def __repr__(self) -> str:
        actions, states, observations = self.signals.shape
        return f"HiddenArrayTask({states} states, {actions} actions, {observations} observations)"

    @property
    def traits(self) -> Traits:
        """Chance is drawn, and no more listed: it falls in the state and in what is observed."""
        return Traits(
            1, self.signals.shape[0], self.longest, False, False, continuing=self.horizon is None
        )

    @property
    def objective(self) -> Objective:
        """The rewards given."""
        return self.wanted

    def init(self, key: Key[Array, ""]) -> HiddenState:
        """By the distribution of first states, which is the first belief."""
        return HiddenState(draw(key, self.first), jnp.int32(-1), self.first, jnp.int32(0))

    def advance(
        self, state: HiddenState, action: Int[Array, ""], key: Key[Array, ""]
    ) -> HiddenState:
        """A state that can follow, what is observed of it, and the belief after that."""
        moved, told = jax.random.split(key)
        at = draw(moved, self.moves[state.at, action])
        seen = draw(told, self.signals[action, at])
        after = (state.belief @ self.moves[:, action]) * self.signals[action, :, seen]
        # An end is seen as such, and so is that there is none yet.
        after = jnp.where(self.ends == self.ends[at], after, 0.0)
        belief = after / jnp.maximum(after.sum(), 1e-30)
        time = state.time if self.horizon is None else state.time + 1
        return HiddenState(at, seen, belief, time)

    def observe(self, state: HiddenState) -> Float[Array, " numbers"]:
        """One-hot: what was observed last; with a horizon, the fraction of the time left."""
        seen = (jnp.arange(self.signals.shape[2]) == state.seen).astype(jnp.float32)
        return with_time(seen, state.time, self.horizon)

    def table_seen(self, state: HiddenState) -> tuple[tuple[str, str], ...]:
        """What was observed last, and the time where it is limited; not which state it is."""
        count, seen = self.signals.shape[2], int(state.seen)
        told = f"{seen} of 0 to {count - 1}" if seen >= 0 else "nothing yet"
        return (("observed", told), *time_told(state.time, self.horizon))

    def terminated(self, state: HiddenState) -> Bool[Array, ""]:
        """In a state that is an end, or out of time."""
        late = False if self.horizon is None else state.time >= self.horizon
        return self.ends[state.at] | late

    def resample(self, state: HiddenState, key: Key[Array, ""]) -> HiddenState:
        """The state drawn from the belief."""
        return eqx.tree_at(lambda s: s.at, state, draw(key, state.belief))


def with_time(
    seen: Float[Array, " numbers"], time: Int[Array, ""], horizon: int | None
) -> Float[Array, " more"]:
    """What is seen and, where there is a horizon, the fraction of the time that is left."""
    if horizon is None:
        return seen
    return jnp.append(seen, 1 - time.astype(jnp.float32) / horizon)


def checked_signals(given: Any, shape: tuple[int, int, int]) -> Float[np.ndarray, "a s o"]:
    """O[a, s', o] from that or from O[s', o]. Raises `ValueError` for other shapes, or others."""
    signals = np.asarray(given, np.float64)
    states, actions, _ = shape
    if signals.ndim == 2:
        signals = np.broadcast_to(signals, (actions, *signals.shape))
    if signals.ndim != 3 or signals.shape[:2] != (actions, states) or signals.shape[2] < 1:
        raise ValueError(
            f"Observations have the shape {np.shape(given)}; for transitions {shape} they must be "
            f"O[a, s', o] ({actions}, {states}, any number) or O[s', o] ({states}, any number)."
        )
    if not ((signals >= 0).all() and (np.abs(signals.sum(-1) - 1) < 1e-5).all()):
        raise ValueError(
            "The probabilities of observations must not be negative and must sum to 1 over the "
            "last axis of O."
        )
    return signals
