"""Dyna: acting, learning and planning by one table of habits and one learned table of the world.

Sutton (1990, "Integrated architectures for learning, planning, and reacting based on approximating
dynamic programming"); Sutton and Barto (2018), section 8.2. The model keeps the latest outcomes of
each action, so that it serves slippery worlds as well.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...amortised.training.trained import Trained, training_identity
from ...amortised.training.updates import Watch, run_updates
from ...amortised.trial_and_error.experience import stops
from ...core.answering import CheckedDecider, Question, answer, uniform_weights
from ...core.budget import Budget
from ...core.decider import Decision, Memory, check_finite
from ...core.errors import TooLargeError, UnsuitableTaskError
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import State, Task
from .dyna_table import DynaTable, Place, places_of, sweep

_STILL = 1e-6
"""A sweep that changes no value by more ends the planning."""


@dataclass(frozen=True)
class DynaSettings:
    """How Dyna-Q learns; an update is `steps` actions, each followed by `planning` backups."""

    updates: int = 60
    steps: int = 500
    planning: int = 10
    """k: backups of remembered pairs after each action; 0 is Q-learning."""
    rate: float = 0.2
    explore: float = 0.1
    discount: float | None = None
    """None: 0.97 times the objective's own."""
    places: int = 2048
    """Room for so many different states."""
    outcomes: int = 32
    """The latest outcomes of each action that the model remembers."""
    hasty: bool = False
    """Compiles quickly, to a slower program (see `run_updates`)."""

    def __post_init__(self) -> None:
        if min(self.updates, self.steps, self.places, self.outcomes) < 1 or self.planning < 0:
            raise ValueError(f"Counts start from 1, and planning from 0; got {self}.")
        if not (0 < self.rate <= 1 and 0 <= self.explore <= 1):
            raise ValueError(f"rate and explore are shares up to 1; got {self}.")

    def gamma(self, objective: Objective) -> float:
        """The discount of values."""
        return 0.97 * objective.discount if self.discount is None else self.discount


class DynaQ(CheckedDecider):
    """Habits in a table, and a learned model that can revise them before acting.

    A simulation is one sweep over all that was ever tried, each pair backed up from its remembered
    outcomes; sweeps end early where nothing changes any more. Budget 0 answers by habit. Another
    objective is planned for from nothing by what the model remembers of states, if there is any
    budget; cached values ignore it. States never met are answered at random. Ties share evenly,
    and broken by the key.
    """

    task: Task
    table: DynaTable
    budget: Budget
    gamma: float = eqx.field(static=True)
    place: Place | None = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        table: DynaTable,
        *,
        gamma: float | Float[Array, ""] = 0.97,
        budget: Budget | int = 0,
        place: Place | None = None,
    ):
        _check_suits(task)
        self.task, self.table, self.budget = task, table, Budget.of(budget)
        # An objective's discount may be an array, and what is part of a compiled program is none.
        self.gamma, self.place = float(gamma), place

    def __repr__(self) -> str:
        size = self.table.q.shape[0]
        return f"DynaQ({self.task!r}, room for {size} places, budget={self.budget.simulations})"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Answer every row by habit, revised as far as its budget goes."""
        other = question.objective if question.is_other(self.task) else None
        sweeps, steps = question.limits
        decision = _decide(self, other, question.state, sweeps, steps, question.keys)
        check_finite(repr(self), value=decision.value)
        return decision, question.memory


@eqx.filter_jit
def _decide(
    dyna: DynaQ,
    objective: Objective | None,
    state: State,
    sweeps: Int[Array, " batch"],
    steps: Int[Array, " batch"],
    keys: Key[Array, " batch"],
) -> Decision:
    """The table is one for all rows: it is swept once, and each row reads it after its own time."""
    task, table = dyna.task, dyna.table
    legal, live = jax.vmap(task.legal)(state), ~jax.vmap(task.terminated)(state)
    where, known = jax.vmap(table.find)(places_of(task, dyna.place, state))
    each = table.remembered
    allowed = jnp.where(live & known, jnp.minimum(sweeps, steps // jnp.maximum(each, 1)), 0)
    habit = table.q
    reward = table.reward
    fresh = habit
    if objective is not None:
        reward, fresh = table.rewards_under(objective), jnp.zeros_like(habit)
    first = jnp.where((allowed > 0)[:, None], fresh[where], habit[where])

    def more(carry: tuple) -> Array:
        _, _, done, moved = carry
        return (done < allowed).any() & (moved > _STILL)

    def once(carry: tuple) -> tuple:
        q, said, done, _ = carry
        after = sweep(table, q, reward, dyna.gamma)
        going = done < allowed
        said = jnp.where(going[:, None], after[where], said)
        return after, said, done + 1, jnp.abs(after - q).max()

    begun = (fresh, first, jnp.int32(0), jnp.float32(jnp.inf))
    _, said, done, _ = jax.lax.while_loop(more, once, begun)
    # Of a place where something was tried, a plan knows nothing else.
    tried = (table.known > 0)[where]
    planned = (allowed > 0)[:, None] & tried.any(-1, keepdims=True)
    said = jnp.where(planned & ~tried, -jnp.inf, said)
    q = jnp.where(known[:, None], said, 0.0)
    best = jnp.where(legal, q, -jnp.inf).max(-1, keepdims=True)
    ties = legal & (q >= best - 1e-6)
    weights = uniform_weights(ties)
    drawn = jax.vmap(jax.random.categorical)(keys, jnp.where(ties, 0.0, -jnp.inf))
    spent = jnp.minimum(allowed, done) * each
    return answer(live, drawn, weights, best[:, 0], model_steps=spent)


class Carry(eqx.Module):
    """All that an update starts from: the table, and the one episode under way."""

    table: DynaTable
    state: State
    age: Int[Array, ""]
    total: Float[Array, ""]
    last: Float[Array, ""]
    backups: Int[Array, ""]
    key: Key[Array, ""]


def train_dyna(
    task: Task,
    *,
    key: Key[Array, ""],
    settings: DynaSettings | None = None,
    objective: Objective | None = None,
    place: Place | None = None,
    budget: Budget | int = 0,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Learn from one long stream of episodes; the decider answers with `budget` sweeps unless told.

    `place` says by which integers states are told apart (`Task.fingerprint` unless given): leave
    out what should not matter, such as the time. An episode cut by the limit of time is not taken
    to end. Metrics of each update: `score`, the mean return of the episodes that ended (the one
    before's where none did), and `places`, how many states were met. `folder` and `watch` are those
    of `run_updates`. Raises `UnsuitableTaskError`, and `TooLargeError` where there were more places
    than there is room for.
    """
    _check_suits(task)
    settings = settings or DynaSettings()
    scored = task.objective if objective is None else objective
    # What only the loop needs is left out, so that trainings of any length share a program.
    update = eqx.Partial(_update, task, replace(settings, updates=1, hasty=False), place, scored)
    trained = run_updates(
        update, _start(task, settings, place, key), updates=settings.updates, folder=folder,
        watch=watch, hasty=settings.hasty,
        identity=training_identity(
            "dyna", key, task=task, objective=objective, settings=settings,
            functions={"place": place},
        ),
    )  # fmt: skip
    table, done = trained.carry.table, len(trained.metrics["score"])
    if int(table.count) > settings.places:
        raise TooLargeError(
            f"{task!r} has more than {settings.places} places: raise DynaSettings(places=...), or "
            "tell fewer of them apart by `place`."
        )
    acted, backups = done * settings.steps, int(trained.carry.backups)
    spent = Ledger(
        model_steps=acted + backups, fits=acted + backups, data=acted, seconds=trained.seconds
    )
    decider = DynaQ(task, table, gamma=settings.gamma(scored), budget=budget, place=place)
    return Trained(
        decider, table, spent, trained.metrics, trained.carry,
        None if folder is None else Path(folder),
    )  # fmt: skip


def _check_suits(task: Task) -> None:
    traits = task.traits
    if traits.players != 1 or not traits.discrete or not traits.fully_observable:
        raise UnsuitableTaskError(
            f"{task!r} has more than one player, continuous actions or hidden state: Dyna's tables "
            "are for one player with numbered actions who sees everything. For games use "
            "`train_muzero`, for continuous actions `train_mpc`."
        )


def _start(task: Task, settings: DynaSettings, place: Place | None, key: Key[Array, ""]) -> Carry:
    key, first = jax.random.split(key)
    state = task.init(first)
    words = places_of(task, place, jax.tree.map(lambda x: x[None], state)).shape[-1]
    table = DynaTable.empty(task, state, words, settings.places, settings.outcomes)
    none, nothing = jnp.int32(0), jnp.float32(0)
    return Carry(table, state, none, nothing, nothing, none, key)


def _update(
    task: Task, settings: DynaSettings, place: Place | None, objective: Objective, carry: Carry
) -> tuple[Carry, dict[str, Float[Array, ""]]]:
    """Some actions in the world, each followed by some in the model."""
    key, now = jax.random.split(carry.key)

    def step(carry: Carry, key: Key[Array, ""]) -> tuple[Carry, tuple[Array, Array]]:
        return _live(task, settings, place, objective, carry, key)

    carry, (total, count) = jax.lax.scan(step, carry, jax.random.split(now, settings.steps))
    ended = count.sum()
    last = jnp.where(ended > 0, total.sum() / jnp.maximum(ended, 1), carry.last)
    carry = eqx.tree_at(lambda c: (c.last, c.key), carry, (last, key))
    return carry, {"score": last, "places": carry.table.count.astype(jnp.float32)}


def _live(
    task: Task,
    settings: DynaSettings,
    place: Place | None,
    objective: Objective,
    carry: Carry,
    key: Key[Array, ""],
) -> tuple[Carry, tuple[Float[Array, ""], Bool[Array, ""]]]:
    """One action: choose, learn from it, remember it, and plan."""
    dice, tie, chance, again, memory = jax.random.split(key, 5)
    state, gamma = carry.state, settings.gamma(objective)
    table, here = carry.table.enter(task, place, state)
    legal = task.legal(state)
    score = jnp.where(legal, table.q[here] + 1e-6 * jax.random.uniform(tie, legal.shape), -jnp.inf)
    wander = jax.random.uniform(dice) < settings.explore
    anything = jax.random.categorical(jax.random.fold_in(dice, 1), jnp.where(legal, 0.0, -jnp.inf))
    action = jnp.where(wander, anything, jnp.argmax(score)).astype(jnp.int32)
    after = task.advance(state, action, chance)
    reward = jnp.asarray(objective(state, action, after))[0]
    age = carry.age + 1
    over, cut = (
        x[0] for x in stops(task, jax.tree.map(lambda x: x[None], after), age[None], timeouts=True)
    )
    table, there = table.enter(task, place, after)
    ends = over & ~cut
    table = table.remember(here, action, there, reward, ends)
    table = table.back_up(here, action, there, reward, ends, gamma, settings.rate)

    def from_memory(i: Int[Array, ""], table: DynaTable) -> DynaTable:
        return table.replay(jax.random.fold_in(memory, i), gamma, settings.rate)

    table = jax.lax.fori_loop(0, settings.planning, from_memory, table)
    total = carry.total + reward
    fresh = task.init(again)
    state = jax.tree.map(lambda x, y: jnp.where(over, x, y), fresh, after)
    carry = Carry(
        table, state, jnp.where(over, 0, age), jnp.where(over, 0.0, total), carry.last,
        carry.backups + settings.planning, carry.key,
    )  # fmt: skip
    return carry, (jnp.where(over, total, 0.0), over)
