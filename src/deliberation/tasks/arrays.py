"""A task from arrays: a Markov decision process given by its probabilities and rewards.

What textbooks, solvers (pymdptoolbox) and Gymnasium's toy texts write down as tables can be planned
on, learned and solved exactly as any other task.
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ..core.task import Traits
from .bases import Discounted, SoloTask, time_told
from .chance import draw, draw_outcome
from .hidden_arrays import HiddenArrayTask, checked_signals, with_time


class ArrayState(eqx.Module):
    """The number of the state, and how many actions were taken (0 throughout without a horizon)."""

    at: Int[Array, ""]
    time: Int[Array, ""]


class ArrayRewards(Discounted):
    """Rewards looked up, by state and action or by the state that follows as well."""

    rewards: Float[Array, "states actions"] | Float[Array, "states actions states"]
    gamma: float = eqx.field(static=True)
    limits: tuple[float, float] = eqx.field(static=True)

    def __call__(self, state: Any, action: Int[Array, ""], after: Any) -> Float[Array, " players"]:
        """R[s, a], or R[s, a, s']."""
        row = self.rewards[state.at, action]
        return (row if row.ndim == 0 else row[after.at])[None]


class ArrayTask(SoloTask):
    """A Markov decision process from tables; made by `from_arrays`.

    `successors` lists the states that can follow each action, padded with probability 0, `chances`
    how probable they are, and `first` how probable each state is as the first one.
    """

    successors: Int[Array, "states actions outcomes"]
    chances: Float[Array, "states actions outcomes"]
    first: Float[Array, " states"]
    ends: Bool[Array, " states"]
    wanted: ArrayRewards
    horizon: int | None = eqx.field(static=True)

    def __repr__(self) -> str:
        states, actions, _ = self.successors.shape
        limit = "" if self.horizon is None else f", {self.horizon} actions"
        return f"ArrayTask({states} states, {actions} actions, gamma={self.wanted.gamma}{limit})"

    @property
    def traits(self) -> Traits:
        """Chance has as many outcomes as any action's; without a horizon episodes need not end."""
        _, actions, outcomes = self.successors.shape
        return Traits(
            players=1,
            actions=actions,
            horizon=_cut(self.wanted.gamma) if self.horizon is None else self.horizon,
            deterministic=outcomes == 1,
            outcomes=0 if outcomes == 1 else outcomes,
            continuing=self.horizon is None,
        )

    @property
    def objective(self) -> ArrayRewards:
        """The rewards given."""
        return self.wanted

    def init(self, key: Key[Array, ""]) -> ArrayState:
        """By the distribution of first states."""
        return ArrayState(draw(key, self.first), jnp.int32(0))

    def starts(self) -> tuple[ArrayState, Float[Array, " starts"]]:
        """Every state, and how probable it is as the first."""
        at = jnp.arange(self.first.size, dtype=jnp.int32)
        return jax.vmap(ArrayState)(at, jnp.zeros_like(at)), self.first

    def advance(self, state: ArrayState, action: Int[Array, ""], key: Key[Array, ""]) -> ArrayState:
        """One of the states that can follow, by its probability."""
        if self.traits.deterministic:
            return self._at(state, self.successors[state.at, action, 0])
        return draw_outcome(self, state, action, key)

    def outcomes(
        self, state: ArrayState, action: Int[Array, ""]
    ) -> tuple[ArrayState, Float[Array, " outcomes"]]:
        """The states that can follow."""
        if self.traits.deterministic:
            return super().outcomes(state, action)
        after = jax.vmap(self._at, (None, 0))(state, self.successors[state.at, action])
        return after, self.chances[state.at, action]

    def _at(self, state: ArrayState, at: Int[Array, ""]) -> ArrayState:
        return ArrayState(at, state.time if self.horizon is None else state.time + 1)

    def observe(self, state: ArrayState) -> Float[Array, " numbers"]:
        """One-hot: the state; with a horizon, the fraction of the time that is left."""
        here = (jnp.arange(self.first.size) == state.at).astype(jnp.float32)
        return with_time(here, state.time, self.horizon)

    def table_seen(self, state: ArrayState) -> tuple[tuple[str, str], ...]:
        """Which state it is, and the time where it is limited."""
        which = ("state", f"{int(state.at)} of 0 to {self.first.size - 1}")
        return (which, *time_told(state.time, self.horizon))

    def terminated(self, state: ArrayState) -> Bool[Array, ""]:
        """In a state that is an end, or out of time where there is a horizon."""
        late = False if self.horizon is None else state.time >= self.horizon
        return self.ends[state.at] | late


def _cut(gamma: float) -> int:
    """Where play without a horizon is cut: rewards weigh a ten-thousandth from there on."""
    if gamma in (0.0, 1.0):
        return 1 if gamma == 0 else _LONGEST
    return min(math.ceil(math.log(1e-4) / math.log(gamma)), _LONGEST)


_LONGEST = 10_000


def from_arrays(
    transitions: Any,
    rewards: Any,
    observations: Any = None,
    *,
    start: Any = None,
    gamma: float = 1.0,
    horizon: int | None = None,
) -> ArrayTask | HiddenArrayTask:
    """A task from P[s, a, s'] and R[s, a, s'], R[s, a] or R[s] (earned by leaving s).

    With `observations` O[a, s', o] or O[s', o], the probabilities of what is observed on arriving,
    states are hidden: planners draw them from the belief.

    States that no action leaves and in which nothing is earned are ends. `start` is the number of
    the first state, or a distribution over states; None: all that are no ends, evenly. `gamma`
    discounts. With a `horizon` episodes end after so many actions and the time is part of the
    state; without one, episodes go on until an end is reached (`traits.continuing`), and `rollout`
    cuts them where a reward weighs less than a ten-thousandth.

    Raises `ValueError` for arrays of other shapes, and for what are no probabilities.
    """
    p, r = np.asarray(transitions, np.float64), np.asarray(rewards, np.float64)
    _check_arrays(p, r, gamma, horizon)
    states, actions, _ = p.shape
    if r.ndim == 1:
        r = np.broadcast_to(r[:, None], (states, actions))
    earned = (np.abs(r) if r.ndim == 2 else np.abs(r * (p > 0)).max(-1)).max(-1) > 0
    ends = (p[np.arange(states), :, np.arange(states)] == 1).all(-1) & ~earned
    first = _first(start, ends)
    width = int((p > 0).sum(-1).max())
    order = np.argsort(p == 0, axis=-1, kind="stable")[..., :width]
    told = r if r.ndim == 2 else r[p > 0]
    limits = _limits(told, gamma, horizon)
    wanted = ArrayRewards(rewards=jnp.asarray(r, jnp.float32), gamma=float(gamma), limits=limits)
    if observations is not None:
        signals = jnp.asarray(checked_signals(observations, p.shape), jnp.float32)
        longest = _cut(gamma) if horizon is None else horizon
        moves, begun = (jnp.asarray(x, jnp.float32) for x in (p, first))
        return HiddenArrayTask(moves, signals, begun, jnp.asarray(ends), wanted, longest, horizon)
    return ArrayTask(
        successors=jnp.asarray(order, jnp.int32),
        chances=jnp.asarray(np.take_along_axis(p, order, -1), jnp.float32),
        first=jnp.asarray(first, jnp.float32),
        ends=jnp.asarray(ends),
        wanted=wanted,
        horizon=horizon,
    )


def _check_arrays(p: np.ndarray, r: np.ndarray, gamma: float, horizon: int | None) -> None:
    if p.ndim != 3 or p.shape[0] != p.shape[2] or 0 in p.shape:
        raise ValueError(
            f"Transitions have the shape {p.shape}; they must be P[s, a, s'], with as many states "
            "on the first axis as on the last. (P[a, s, s'] is np.swapaxes(P, 0, 1).)"
        )
    if r.shape not in (p.shape, p.shape[:2], p.shape[:1]):
        raise ValueError(
            f"Rewards have the shape {r.shape}; for transitions {p.shape} they must be "
            f"R[s, a, s'] {p.shape}, R[s, a] {p.shape[:2]} or R[s] {p.shape[:1]}."
        )
    bad = ~((p >= 0).all(-1) & (np.abs(p.sum(-1) - 1) < 1e-5))
    if bad.any():
        s, a = np.argwhere(bad)[0]
        raise ValueError(
            f"P[{s}, {a}] is {p[s, a]}: the probabilities of what follows must not be negative and "
            "must sum to 1."
        )
    if not np.isfinite(r).all():
        raise ValueError("A reward is NaN or infinite: give finite rewards.")
    if not 0 <= gamma <= 1 or (horizon is not None and horizon < 1):
        raise ValueError(
            f"A discount is from 0 to 1 and a horizon at least 1 (or None); got gamma={gamma}, "
            f"horizon={horizon}."
        )


def _first(start: Any, ends: Bool[np.ndarray, " states"]) -> Float[np.ndarray, " states"]:
    if start is None:
        live = ~ends if not ends.all() else np.ones_like(ends)
        return live / live.sum()
    given = np.asarray(start)
    if given.ndim == 0 and np.issubdtype(given.dtype, np.integer) and 0 <= given < len(ends):
        return np.eye(len(ends))[given]
    proper = given.shape == ends.shape and (given >= 0).all() and abs(given.sum() - 1) < 1e-5
    if not proper:
        raise ValueError(
            f"start={start!r} is neither the number of a state (0 to {len(ends) - 1}) nor a "
            f"distribution over the {len(ends)} states."
        )
    return given.astype(np.float64)


def _limits(r: np.ndarray, gamma: float, horizon: int | None) -> tuple[float, float]:
    """The least and the greatest return: every reward the least, or the greatest, all the time."""
    longest = math.inf if horizon is None else float(horizon)
    worth = longest if gamma == 1 else (1 - gamma**longest) / (1 - gamma)
    least, most = min(0.0, float(r.min())), max(0.0, float(r.max()))
    return (least * worth if least else 0.0, most * worth if most else 0.0)
