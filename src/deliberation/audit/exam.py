"""Where a subject is asked: the states of a task in which it matters what is done, and their truth.

Where all states and chance can be listed, exact values are known under any objective that is
announced. Elsewhere states are drawn from random play, or from the subject's own where nothing is
at stake in that, and a planner at a declared budget says what actions are worth (`sampling`).
"""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..core.decider import Decider
from ..core.errors import NotListedError, TooLargeError, UnsuitableTaskError
from ..core.host import on_host, with_keys
from ..core.objective import Action, Objective, wanted
from ..core.task import State, Task
from ..direct import enumerate_states, value_iteration
from ..direct.exact.states import Reached
from .sampling import Judge, Judged, judged
from .telling.waiting import listing

_AT_FIRST = 5_000
MOST_STATES = 20_000
"""A task with more states is not examined: its values take too long under many objectives."""
_SAME = 1e-6
"""Values that differ by less, in parts of the greatest, are equally good."""
_OFTEN = 4
"""Places that look like others are listed so often, on average, before they are taken for one."""
_NOISE = 0.02
"""The same of a reference's: its word is an estimate."""


class Seen(eqx.Module):
    """What is observed of a state, as words: where observations are all that matters."""

    task: Task

    def __call__(self, state: State) -> Int[Array, " words"]:
        """The words of one state."""
        seen = jnp.asarray(self.task.observe(state), jnp.float32)
        return jax.lax.bitcast_convert_type(seen, jnp.int32).ravel()


class Face(eqx.Module):
    """What tells one place from another: a state's fingerprint with its clocks at 0."""

    task: Task
    clocks: tuple[int, ...] = eqx.field(static=True)
    seen: bool = eqx.field(static=True, default=False)

    def __call__(self, state: State) -> Int[Array, " words"]:
        """The words of one state."""
        if self.seen:
            return Seen(self.task)(state)
        leaves, form = jax.tree.flatten(state)
        kept = [jnp.zeros_like(x) if i in self.clocks else x for i, x in enumerate(leaves)]
        return self.task.fingerprint(jax.tree.unflatten(form, kept))


class Discounting(Objective):
    """The rewards of `base`, worth less the later they come: without a clock, play need not end."""

    base: Objective

    def __call__(self, state: State, action: Action, after: State) -> Float[Array, " players"]:
        """Those of `base`."""
        return self.base(state, action, after)

    @property
    def discount(self) -> float:
        """Worth of a reward one action later."""
        return DISCOUNT


DISCOUNT = 0.97


@dataclasses.dataclass(eq=False, repr=False)
class Exam:
    """States of a task, and the rows of those it is asked in: contested ones, evenly drawn.

    `values` are what each action is worth to the player to move, under the task's own objective,
    NaN where illegal. A state is contested where the best action is worth more than the mean of
    all. All states are listed where they can be: then values are exact. Where there are too many,
    those count as one that look alike (`by_sight`); then a return without a discount is given one
    of 0.97, since the clock is left out and play need not end. Where that does not help either,
    states are drawn, and values are a reference's.
    """

    task: Task
    objective: Objective
    listed: Reached | None
    values: Float[np.ndarray, "states actions"]
    rows: Int[np.ndarray, " n"]
    told: Objective | None = None
    """What a subject is handed where nothing else is announced: None where that is the task's own
    objective, which it has been made for."""
    by_sight: bool = False
    """Whether states count as one that look alike: the others are too many to list."""
    drawn: Judged | None = None
    """States that were drawn, where they could not be listed, and who judged them."""

    def __repr__(self) -> str:
        return f"Exam({self.task!r}, {len(self.rows)} of {len(self.values)} states)"

    @staticmethod
    def of(
        task: Task,
        objective: Objective | None = None,
        *,
        count: int = 128,
        seed: int = 0,
        reference: Judge | Decider | None = None,
        player: Decider | None = None,
    ) -> "Exam":
        """At most `count` contested states; of those that are drawn, the ones most contested of
        twice as many. A `reference` with a decider judges instead of exact values. Where states
        are drawn and random play meets no contested ones, those of a `player` are taken.

        Raises `UnsuitableTaskError`, `TooLargeError`, and what `enumerate_states` raises.
        """
        own = wanted(task, objective)
        _refuse(task)
        judge = reference if isinstance(reference, Judge) else Judge(reference)
        reached, by_sight = (None, False) if judge.decider is not None else _listed(task)
        if reached is not None and not by_sight and _differ_in_time(task, reached, own):
            reached, by_sight = enumerate_states(task, tell_apart=Seen(task)), True
        drawn, least = None, _SAME
        if reached is None:
            drawn = judged(task, own, 2 * count, seed, judge)
            alone = player is not None and task.traits.players == 1
            if alone and not contested(drawn.values, _NOISE).any():
                drawn = judged(task, own, 2 * count, seed, judge, player)
            values, live, least = drawn.values, np.ones(len(drawn.values), bool), _NOISE
        else:
            if by_sight and float(own.discount) == 1.0:
                own = objective = Discounting(own)
            values, live = _values(reached, own), ~reached.terminal
        rows = np.flatnonzero(contested(values, least) & live)
        if not len(rows):
            raise UnsuitableTaskError(
                f"In no state of {task!r} does it matter what is done, so there is nothing to ask. "
                "Give an objective under which actions differ."
            )
        if len(rows) > count and drawn is not None:
            stakes = np.nanmax(values[rows], 1) - np.nanmean(values[rows], 1)
            rows = np.sort(rows[np.argsort(-stakes, kind="stable")[:count]])
        elif len(rows) > count:
            rows = np.sort(np.random.default_rng(seed).choice(rows, count, replace=False))
        return Exam(task, own, reached, values, rows, objective, by_sight, drawn)

    @property
    def reached(self) -> Reached:
        """All states. Raises `NotListedError` where they were drawn instead."""
        if self.listed is None:
            raise NotListedError(
                f"This asks about every state of {self.task!r}, and those were not listed: there "
                "are too many, or chance is not listed (Task.outcomes)."
            )
        return self.listed

    @property
    def legal(self) -> Bool[np.ndarray, "states actions"]:
        """What may be done in each state."""
        return ~np.isnan(self.values) if self.listed is None else self.listed.legal

    def states(self, rows: Int[np.ndarray, " n"]) -> State:
        """Those of some rows, as a batch."""
        every = self.reached.states if self.drawn is None else self.drawn.states
        return with_keys(jax.tree.map(lambda x: jnp.asarray(x[rows]), on_host(every)))

    @property
    def note(self) -> str:
        """What a reader has to know of how the truth was found; nothing where it is exact."""
        if self.drawn is not None:
            whose = "its own play" if self.drawn.own else "random play"
            return (
                f"States are of {whose}, those in which most is at stake. What actions are "
                f"worth is the word of {self.drawn.judge}: a stand-in where exact values cannot "
                "be had."
            )
        if not self.by_sight:
            return ""
        worth = f" A reward one action later is worth {DISCOUNT} in its place." * isinstance(
            self.objective, Discounting
        )
        return (
            "States that look alike are taken for one: the time that is left, and whatever else is "
            f"not observed, counts for nothing.{worth} Exact where that makes no difference."
        )

    def wider(self, count: int) -> "Exam":
        """The same with up to `count` contested states; as it is where states were drawn."""
        if self.listed is None:
            return self
        fine = contested(self.values, _SAME) & ~self.listed.terminal
        others = np.setdiff1d(np.flatnonzero(fine), self.rows)
        more = np.random.default_rng(count).permutation(others)[: max(0, count - len(self.rows))]
        return dataclasses.replace(self, rows=np.sort(np.concatenate([self.rows, more])))

    def under(self, objective: Objective) -> Float[np.ndarray, "states actions"]:
        """The exact values of all actions under another objective."""
        return _values(self.reached, objective)

    def ahead(self, sweeps: int) -> Float[np.ndarray, "states actions"]:
        """What actions are worth to one who looks so many actions ahead, and sees 0 beyond."""
        table = value_iteration(self.reached, self.objective, sweeps=sweeps)
        return np.where(np.isfinite(table.action_values), table.action_values, np.nan)

    @functools.cached_property
    def face(self) -> Face:
        """What tells places apart."""
        return Face(self.task, _clocks(self.reached), self.by_sight)

    @functools.cached_property
    def _placed(self) -> tuple[np.ndarray, np.ndarray]:
        everywhere = self.states(np.arange(len(self.reached)))
        words = np.asarray(jax.jit(jax.vmap(self.face))(everywhere))
        return np.unique(words, axis=0, return_inverse=True)

    @property
    def faces(self) -> Int[np.ndarray, "places words"]:
        """What tells each place from the others."""
        return self._placed[0]

    @property
    def place(self) -> Int[np.ndarray, " states"]:
        """The place of every state: two that differ in time alone are in one."""
        return self._placed[1].reshape(-1)

    @functools.cached_property
    def contested_places(self) -> Int[np.ndarray, " places"]:
        """The places in which it matters what is done."""
        there = contested(self.values, _SAME) & ~self.reached.terminal
        return np.unique(self.place[there])

    def share(self, rows: Int[np.ndarray, " n"]) -> float:
        """Which share of all contested places some rows are of; 0 where states were drawn."""
        if self.listed is None:
            return 0.0
        return np.isin(self.contested_places, self.place[rows]).sum() / len(self.contested_places)

    @functools.cached_property
    def span(self) -> float:
        """The greatest difference that one choice makes."""
        stakes = np.nanmax(self.values[self.rows], 1) - np.nanmin(self.values[self.rows], 1)
        return float(stakes.max())

    def distances(self, place: int) -> Int[np.ndarray, " states"]:
        """The fewest actions from every state to a place, by what can happen; -1: there is no way.

        0 is in the place itself.
        """
        found, ways = np.full(len(self.reached), -1), 0
        edge = np.flatnonzero(self.place == place)
        found[edge] = 0
        while len(edge):
            ways += 1
            before = np.isin(self.reached.to, edge).any((1, 2)) & (found < 0)
            edge = np.flatnonzero(before)
            found[edge] = ways
        return found


def _values(reached: Reached, objective: Objective) -> Float[np.ndarray, "states actions"]:
    table = value_iteration(reached, objective)
    return np.where(np.isfinite(table.action_values), table.action_values, np.nan)


def _refuse(task: Task) -> None:
    traits = task.traits
    reasons = {
        f"has {traits.players} players": traits.players > 2,
        "hides something": not traits.fully_observable,
        "has continuous actions": not traits.discrete,
    }
    for reason, applies in reasons.items():
        if applies:
            raise UnsuitableTaskError(
                f"{task!r} {reason}. The audit asks in tasks of one player, or of two with "
                "opposite aims, in full view, whose actions can be counted."
            )


def _listed(task: Task) -> tuple[Reached | None, bool]:
    """All states and whether those are one that look alike; None where they cannot be listed."""
    doing = f"Listing the states of {task!r}"
    try:
        with listing(doing, _AT_FIRST):
            return enumerate_states(task, max_states=_AT_FIRST), False
    except TooLargeError:
        pass
    except UnsuitableTaskError:  # chance that is not listed
        return None, False
    try:  # a stranger's states hold all that was done: what is seen may tell fewer apart
        with listing(f"{doing} that look different", _AT_FIRST):
            return enumerate_states(task, tell_apart=Seen(task), max_states=_AT_FIRST), True
    except (TooLargeError, UnsuitableTaskError):
        pass
    try:
        with listing(doing, MOST_STATES):
            return enumerate_states(task, max_states=MOST_STATES), False
    except TooLargeError:
        return None, False


def _clocks(reached: Reached) -> tuple[int, ...]:
    """Which parts of the states are clocks: whole numbers that grow by 1 with every action."""
    before, _, _ = links = np.nonzero(reached.to >= 0)
    after = reached.to[links]
    return tuple(
        i
        for i, x in enumerate(jax.tree.leaves(reached.states))
        if x.ndim == 1
        and jnp.issubdtype(x.dtype, jnp.integer)
        and (np.asarray(x, np.int64)[after] - np.asarray(x, np.int64)[before] == 1).all()
    )


def _differ_in_time(task: Task, reached: Reached, objective: Objective) -> bool:
    """Whether most states look like others and do as they do, until an end: a stranger's world that
    counts its steps where nobody sees it is listed once for every step.
    """
    if not (clocks := _clocks(reached)):
        return False
    everywhere = with_keys(jax.tree.map(jnp.asarray, on_host(reached.states)))
    looks, places = (
        np.unique(np.asarray(jax.jit(jax.vmap(told))(everywhere)), axis=0, return_inverse=True)
        for told in (Seen(task), Face(task, clocks))
    )
    if len(looks[0]) > len(places[0]) / _OFTEN:
        return False  # places leave the clocks out
    look = looks[1].reshape(-1)
    live = ~reached.terminal[:, None, None]
    going = live & (reached.to >= 0) & ~reached.terminal[reached.to]
    for seen, where in (
        (reached.legal[:, :, None].astype(float), live),
        (look[reached.to].astype(float), going),
        (reached.chances, going),
        (reached.rewards(objective), going),
    ):
        least, most = np.full(seen.shape, np.inf), np.full(seen.shape, -np.inf)
        np.minimum.at(least, look, np.where(where, seen, np.inf))
        np.maximum.at(most, look, np.where(where, seen, -np.inf))
        if (most - least > _SAME).any():
            return False
    return True


def contested(
    values: Float[np.ndarray, "n actions"], least: float = _SAME
) -> Bool[np.ndarray, " n"]:
    """Where the best action is worth more than the mean of all, by `least` parts of the greatest
    value.
    """
    known = ~np.isnan(values)
    most = np.where(known, values, -np.inf).max(1)
    total, count = np.where(known, values, 0).sum(1), np.maximum(known.sum(1), 1)
    unit = max(float(np.abs(values, where=known, out=np.zeros_like(values)).max(initial=0)), 1e-30)
    return known.any(1) & (most - total / count > least * unit)


def best(values: Float[np.ndarray, "n actions"]) -> Bool[np.ndarray, "n actions"]:
    """Which actions are as good as the best; none where there are none."""
    known = ~np.isnan(values)
    unit = max(float(np.abs(values, where=known, out=np.zeros_like(values)).max(initial=0)), 1e-30)
    most = np.where(known, values, -np.inf).max(1, keepdims=True)
    return known & (np.where(known, values, -np.inf) >= most - _SAME * unit)


def way(
    values: Float[np.ndarray, "n actions"], actions: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """How far each action goes from a random one (0) to the best (1); below 0 where it is worse.

    No less than -1: a few great losses say no more than that.
    """
    return ways_of(values)[np.arange(len(actions)), actions]


def ways_of(values: Float[np.ndarray, "n actions"]) -> Float[np.ndarray, "n actions"]:
    """The same of every action; NaN where it is illegal."""
    mean, most = (f(values, 1, keepdims=True) for f in (np.nanmean, np.nanmax))
    return np.maximum((values - mean) / (most - mean), -1.0)
