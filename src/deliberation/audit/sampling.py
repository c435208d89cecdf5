"""States of random play, or of a subject's own, and what their actions are worth by a planner's
word: where states are too many to list, a reference at a declared budget stands in for the truth.
"""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ..core.decider import Decider, check_finite
from ..core.errors import TooSlowError, WrongKindError
from ..core.host import on_host, with_keys
from ..core.objective import Objective
from ..core.play import advance_rows, random_positions
from ..core.rows import where_rows
from ..core.task import State, Task, stopped
from ..direct import TreeSearch
from ..direct.exact.expansion import player_zero
from ..runs.provenance import code, content
from ..runs.storage import atomic_write
from ..tasks.sampled_chance import SampledChance
from .telling.waiting import Pace, check_time, time_is_up

BUDGET = 512
"""Simulations of the reference where none is handed over."""
DRAWS = 4
"""Successors that each action is judged by, where chance has a say."""
PLANNED = 16
"""Results that an action has to a search where the world does not list its chance."""
_ROWS = 64


def plannable(task: Task) -> Task:
    """A task as a plain search plans in it: with drawn results where its chance is not listed."""
    traits = task.traits
    unlisted = not traits.deterministic and not traits.outcomes and traits.fully_observable
    return SampledChance(task, PLANNED) if unlisted else task


@dataclasses.dataclass(frozen=True)
class Judge:
    """Who says what actions are worth: a decider, or else UCT, with a budget of so many simulations
    or its own. With a file `kept` its word is written there as it comes, and read from there.
    """

    decider: Decider | None = None
    budget: int | None = None
    kept: Path | None = None

    def __repr__(self) -> str:
        if self.decider is None:
            return f"{self.budget or BUDGET} simulations of UCT"
        return repr(self.decider) + ("" if self.budget is None else f" at {self.budget} a move")


@dataclasses.dataclass(eq=False)
class Judged:
    """Some states, what each action is worth there to the player to move (NaN where illegal), by
    whose word, and whether the states are of the subject's own play.
    """

    states: State
    values: Float[np.ndarray, "states actions"]
    judge: str
    own: bool = False


def judged(
    task: Task,
    objective: Objective,
    count: int,
    seed: int,
    judge: Judge,
    player: Decider | None = None,
) -> Judged:
    """As many states as can be had of `count` episodes of random play, or of a player's, each worth
    a look by the judge: an action is worth what it earns, and what the judge expects of what
    follows.

    Raises `TooSlowError` where the time allowed is up; a file holds what was judged by then.
    """
    first, *keys = jax.random.split(jax.random.key(seed), 3)
    if player is None:
        states = distinct(task, random_positions(task, count, first))
    else:
        states = distinct(task, own_positions(player, count, first))
    legal = np.asarray(jax.jit(jax.vmap(task.legal))(states))
    told = content(task, objective, judge.decider)
    parts = [told, repr(task), repr(objective), repr(judge), str((count, seed)), code()]
    parts += [] if player is None else [content(states)]
    stamp = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    path = judge.kept
    if path is not None and player is not None:
        path = path.with_stem(f"{path.stem}_own")  # that of random play stays
    worth = _looked(task, objective, states, legal, judge, keys, _Word(path, stamp))
    values = np.full(legal.shape, np.nan)
    values[legal] = worth
    said = repr(judge)
    if judge.decider is None and plannable(task) is not task:
        said += f", with {PLANNED} results drawn for each action"
    return Judged(on_host(states), values, said, player is not None)


def own_positions(player: Decider, count: int, key: Key[Array, ""]) -> State:
    """An unfinished position of each of so many episodes that a decider plays alone: a moment that
    is evenly drawn.
    """
    task = player.task
    state = kept = jax.vmap(task.init)(jax.random.split(key, count))
    memory, over = player.begin(count), jax.jit(jax.vmap(lambda x: stopped(task, x)))
    for ply in range(task.traits.horizon):
        going = ~np.asarray(over(state))
        if not going.any():
            break
        now, chosen, chance = jax.random.split(jax.random.fold_in(key, ply), 3)
        check_time(player)
        here = going & (np.asarray(jax.random.uniform(chosen, (count,))) * (ply + 1) < 1)
        kept = where_rows(jnp.asarray(here), state, kept)
        decision, memory = player.decide(state, memory, key=now)
        keys = jax.random.split(chance, count)
        state, _ = advance_rows(task, task.objective, state, decision.action, keys)
    return kept


class _Kept(msgspec.Struct, frozen=True):
    stamp: str
    worth: list[float]
    blank: bool
    """Whether all that was expected so far is 0."""


class _Word(NamedTuple):
    """The file, if any, of what was judged of a question with this stamp, from the first on."""

    path: Path | None
    stamp: str

    def read(self) -> _Kept:
        """What it holds; nothing where it is of another question."""
        none = _Kept(self.stamp, [], True)
        if self.path is None or not self.path.exists():
            return none
        try:
            kept = msgspec.json.decode(self.path.read_bytes(), type=_Kept)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return none  # cut off, or another version's
        return kept if kept.stamp == self.stamp else none

    def write(self, judge: Judge, worth: Float[np.ndarray, " pairs"], blank: bool) -> None:
        """Keep what was judged by now. Raises `NonFiniteError`."""
        check_finite(f"{judge!r}", value=worth)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            data = _Kept(self.stamp, worth.tolist(), blank)
            atomic_write(self.path, msgspec.json.encode(data))


def _looked(
    task: Task,
    objective: Objective,
    states: State,
    legal: Bool[np.ndarray, "states actions"],
    judge: Judge,
    keys: list[Key[Array, ""]],
    word: _Word,
) -> Float[np.ndarray, " pairs"]:
    """The worth of each legal action of each state, in their order."""
    draws = 1 if task.traits.deterministic else DRAWS
    row, action = (np.repeat(x, draws) for x in np.nonzero(legal))
    kept, worth = word.read(), np.empty(len(row))
    begun, blank = min(len(kept.worth), len(row)), kept.blank
    worth[:begun] = kept.worth[:begun]
    pace = _pace(judge, len(legal), row, begun)
    steps, look = jax.random.split(keys[0], len(row)), _look(task, objective, judge, keys[1])
    for start in range(begun, len(row), _ROWS):
        if start > begun and time_is_up():
            raise TooSlowError(_late(judge, int(row[start]), len(legal), word.path))
        some = np.resize(np.arange(start, min(start + _ROWS, len(row))), _ROWS)
        here = jax.tree.map(lambda x, at=row[some]: x[at], states)
        worth[some], told = look(here, jnp.asarray(action[some], jnp.int32), steps[some], start)
        done = int(some.max()) + 1
        blank = blank and not told
        word.write(judge, worth[:done], blank)
        pace.at(int(row[done - 1]) + (done == len(row)))
    if blank and judge.decider is not None:
        raise WrongKindError(
            f"{judge.decider!r} gives no values (all are 0), so that it cannot say what actions "
            "are worth: take a reference that searches, or whose network has a value."
        )
    return worth.reshape(-1, draws).mean(1)


def _look(
    task: Task, objective: Objective, judge: Judge, key: Key[Array, ""]
) -> Callable[..., tuple[Float[np.ndarray, " n"], bool]]:
    """What tells, of some states and actions, what those are worth, and whether anything but 0 is
    expected of what follows.
    """
    planner, budget = judge.decider, judge.budget
    if planner is None:
        budget = BUDGET if budget is None else budget
        planner = TreeSearch(plannable(task), "uct", capacity=int(budget) + 1)

    def look(here: State, actions: Array, keys: Key[Array, " n"], start: int) -> Any:
        after, rewards, mover, sign, over = _advance(task, objective, here, actions, keys)
        told, _ = planner.decide(
            after, planner.begin(_ROWS), objective=objective, budget=budget,
            key=jax.random.fold_in(key, start),
        )  # fmt: skip
        ahead = np.where(over, 0.0, np.asarray(told.value) * np.asarray(sign))
        # Raises where two players' aims are not opposite: then signs say nothing.
        earned = player_zero(task, np.asarray(rewards, float)) * (1.0 - 2.0 * np.asarray(mover))
        return earned + float(objective.discount) * ahead, bool(np.asarray(told.value).any())

    return look


def _pace(judge: Judge, count: int, row: Int[np.ndarray, " pairs"], begun: int) -> Pace:
    """Tells how many of the states are judged, of which some were before."""
    before = int(row[begun]) if begun < len(row) else count
    return Pace(f"Judging states by {judge!r}", count, begun=before)


def _late(judge: Judge, done: int, count: int, path: Path | None) -> str:
    """That the time is up, and what to do."""
    again = (
        "Given a folder (out), the same call goes on where it was"
        if path is None
        else f"They are kept in {path.parent}: the same call goes on from there"
    )
    return (
        f"Judging states by {judge!r} took longer than the time allowed: {done} of {count} states "
        f"are judged. {again}. Or allow more seconds, ask with less effort (smoke is the least), "
        "or take a reference that is faster. Nothing has to be judged where an environment lists "
        "what can follow (as Gymnasium's toy text does: P[s][a], and its state s)."
    )


def distinct(task: Task, states: State) -> State:
    """Each once: where a task does not offer as many as were asked for, they repeat."""
    prints = np.asarray(jax.jit(jax.vmap(task.fingerprint))(states))
    rows = np.unique(prints.reshape(len(prints), -1), axis=0, return_index=True)[1]
    return with_keys(jax.tree.map(lambda x: jnp.asarray(x[np.sort(rows)]), on_host(states)))


@eqx.filter_jit
def _advance(
    task: Task, objective: Objective, states: State, actions: Array, keys: Key[Array, " n"]
) -> tuple[State, Float[Array, "n players"], Array, Float[Array, " n"], Bool[Array, " n"]]:
    """(after, what all earn, who moved, 1 or -1 as the next mover is the same or not, over)."""

    def one(state: State, action: Array, key: Key[Array, ""]) -> Any:
        after = task.advance(state, action, key)
        mover = task.player(state)
        same = jnp.where(task.player(after) == mover, 1.0, -1.0)
        return after, objective(state, action, after), mover, same, stopped(task, after)

    return jax.vmap(one)(states, actions, keys)
