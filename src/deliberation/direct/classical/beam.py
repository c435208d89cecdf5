"""Beam search (Lowerre 1976): layer by layer, with the most promising few nodes of each."""

from dataclasses import dataclass
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from ...core.answering import CheckedDecider, Question, answer, uniform_weights
from ...core.budget import Budget
from ...core.decider import Decision, Memory
from ...core.errors import NonFiniteError
from ...core.noise import Seed, mix, pick_uniform, seeds, uniform
from ...core.objective import Objective
from ...core.rows import as_kinds
from ...core.task import State, Task, is_concrete
from ..checks import check_stuck
from .best_first import Merge, check_plannable

_PLACES = 1 << 14
"""Of the table of places that were in the beam; far more than a beam holds."""


class BeamSearch(CheckedDecider):
    """Keeps the `width` most promising nodes of each depth; deterministic, one player, full view.

    It answers with the first action towards the best node found, finished or not. A node's promise
    is what was collected on the way to it and the most that can still follow
    (`Objective.heuristic`); ties are broken by lot. Nodes of one layer with equal fingerprints are
    one. With `merge(state)` (integers, hashable as static data; see `BestFirst`) so are those that
    were in the beam at any depth before: it does not walk in circles.

    One simulation is the expansion of one node: a model step for each of its legal actions. The
    search ends with its budget, or when no node in the beam promises more than the best finished
    one. With a width of at least the number of states in a layer, an admissible heuristic and
    without `merge` its answer is optimal. `weights` are one action's alone; budget 0 draws evenly.

    Raises `UnsuitableTaskError` for chance, hidden state, continuous actions or a second player,
    `NoLegalActionError` if it expands a state that is not terminal and has no legal action, and
    `NonFiniteError` where rewards or the heuristic are not finite.
    """

    pads: ClassVar[bool] = True
    task: Task
    budget: Budget
    width: int = eqx.field(static=True)
    merge: Merge | None = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        *,
        width: int = 16,
        budget: Budget | int = 1024,
        merge: Merge | None = None,
    ):
        check_plannable(task, type(self).__name__)
        if width < 1:
            raise ValueError(f"A beam is at least 1 wide; got width={width}.")
        self.task, self.width, self.budget = task, width, Budget.of(budget)
        self.merge = merge

    def __repr__(self) -> str:
        budget = self.budget.simulations
        return f"BeamSearch({self.task!r}, width={self.width}, budget={budget})"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Search from every row."""
        objective = question.objective
        decision, sound, stuck = _decide(
            self.task, Shape(self.width, self.merge), objective, question.state, question.limits,
            seeds(question.keys),
        )  # fmt: skip
        if is_concrete(sound) and not bool(sound.all()):
            raise NonFiniteError(
                f"In row {int(jnp.argmin(sound))} of the batch beam search met NaN or infinity in "
                f"a reward or in the heuristic of {type(objective).__name__}. It needs finite "
                "rewards and a finite `Objective.heuristic`, which is the upper end of `bounds` "
                "unless defined: give either."
            )
        if is_concrete(stuck):
            check_stuck(self.task, stuck)
        return decision, question.memory


@dataclass(frozen=True)
class Shape:
    """How wide a beam is, and what makes two of its nodes one."""

    width: int
    merge: Merge | None


class _Beam(eqx.Module):
    """A layer: its states, which places hold one, what was collected, and where each began."""

    state: State
    live: Bool[Array, " width"]
    gain: Float[Array, " width"]
    promise: Float[Array, " width"]
    first: Int[Array, " width"]
    name: UInt32[Array, "width 2"]


class _Best(eqx.Module):
    """The best way found: to a terminal node, and to what the beam held last."""

    gain: Float[Array, ""]
    first: Int[Array, ""]
    expansions: Int[Array, ""]
    steps: Int[Array, ""]
    sound: Bool[Array, ""]
    stuck: Bool[Array, ""]
    """Whether the beam came to a dead end: not terminal, and no legal action."""


@eqx.filter_jit
def _decide(
    task: Task,
    shape: Shape,
    objective: Objective,
    state: State,
    limits: tuple[Int[Array, " batch"], Int[Array, " batch"]],
    seed: Seed,
) -> tuple[Decision, Bool[Array, " batch"], Bool[Array, " batch"]]:
    """The decisions, and for each row whether all numbers were finite, and any dead end."""
    live = ~jax.vmap(task.terminated)(state)
    legal = jax.vmap(task.legal)(state)

    def one(state: State, limits: Any, seed: UInt32[Array, ""]):
        return _search(task, shape, objective, state, limits, seed)

    beam, best = jax.vmap(one)(state, limits, seed)
    promise = jnp.where(beam.live, beam.promise, -jnp.inf)
    # A finished way wins ties against one that only promises as much.
    open_ = promise.max(-1) > best.gain
    top = jnp.argmax(promise, -1)[:, None]
    first = jnp.where(open_, jnp.take_along_axis(beam.first, top, 1)[:, 0], best.first)
    value = jnp.where(open_, promise.max(-1), best.gain)
    planned = first >= 0
    drawn = pick_uniform(legal, uniform(mix(seed, -1)))
    weights = jnp.where(
        planned[:, None], jax.nn.one_hot(first, legal.shape[1]), uniform_weights(legal)
    )
    decision = answer(
        live, jnp.where(planned, first, drawn), weights, jnp.where(planned, value, 0.0),
        model_steps=best.steps,
    )  # fmt: skip
    return decision, best.sound | ~live, best.stuck & live


def _search(
    task: Task, shape: Shape, objective: Objective, state: State, limits: Any, seed: Any
) -> tuple[_Beam, _Best]:
    """One row, layer by layer."""
    width = shape.width
    blank = jnp.zeros(width)
    root = _Beam(
        state=jax.tree.map(lambda x: jnp.broadcast_to(x, (width, *x.shape)), state),
        live=(jnp.arange(width) == 0) & ~task.terminated(state),
        gain=blank,
        promise=blank + objective.heuristic(state),
        first=jnp.full(width, -1, jnp.int32),
        name=jnp.broadcast_to(_names(task, shape, state), (width, 2)),
    )
    zero = jnp.int32(0)
    sound = jnp.isfinite(root.promise).all()
    best = _Best(jnp.float32(-jnp.inf), jnp.int32(-1), zero, zero, sound, jnp.bool_(False))

    def going(carry: tuple) -> Bool[Array, ""]:
        beam, best, _, depth = carry
        chosen = _affordable(task, beam, best, limits)
        hopeful = jnp.where(beam.live, beam.promise, -jnp.inf).max() > best.gain
        return chosen.any() & hopeful & best.sound & (depth < task.traits.horizon)

    def layer(carry: tuple) -> tuple:
        beam, best, past, depth = carry
        chosen = _affordable(task, beam, best, limits)
        pool, best = _grown(task, shape, objective, (beam, best, chosen), past, depth)
        lot = uniform(mix(seed, depth, jnp.arange(pool.live.size)))
        order = jnp.lexsort((lot, jnp.where(pool.live, -pool.promise, jnp.inf)))
        after = jax.tree.map(lambda x: x[order[:width]], pool)
        # What model steps did not suffice for lies at this depth: nothing deeper is looked at.
        paid = (chosen == beam.live).all()
        deeper = jnp.where(paid, depth + 1, task.traits.horizon)
        return as_kinds((after, best, _noted(past, after), deeper), carry)

    past = _noted(jnp.zeros(_PLACES if shape.merge else 1, jnp.uint32), root)
    beam, best, _, _ = jax.lax.while_loop(going, layer, (root, best, past, zero))
    return beam, best


def _affordable(task: Task, beam: _Beam, best: _Best, limits: Any) -> Bool[Array, " width"]:
    """The nodes that the rest of the budget pays for, from the most promising on."""
    legal = jax.vmap(task.legal)(beam.state).sum(-1) * beam.live
    expansions = best.expansions + jnp.cumsum(beam.live)
    steps = best.steps + jnp.cumsum(legal)
    return beam.live & (expansions <= limits[0]) & (steps <= limits[1])


def _grown(
    task: Task,
    shape: Shape,
    objective: Objective,
    now: tuple[_Beam, _Best, Bool[Array, " width"]],
    past: UInt32[Array, " places"],
    depth: Int[Array, ""],
) -> tuple[_Beam, _Best]:
    """Expand the chosen nodes; all that may be in the next beam, and the best finished way."""
    beam, best, chosen = now
    width, actions = chosen.shape[0], task.traits.actions
    worth = jnp.float32(objective.discount) ** depth

    def act(state: State, action: Int[Array, ""]):
        after = task.advance(state, action, jax.random.key(0))
        reward = jnp.asarray(objective(state, action, after))[0]
        over = task.terminated(after)
        rest = jnp.where(over, 0.0, objective.heuristic(after))
        return after, reward, rest, over, _names(task, shape, after)

    numbers = jnp.arange(actions, dtype=jnp.int32)
    each = jax.vmap(jax.vmap(act, (None, 0)), (0, None))(beam.state, numbers)
    after, reward, rest, over, name = jax.tree.map(
        lambda x: x.reshape(width * actions, *x.shape[2:]), each
    )
    allowed = jax.vmap(task.legal)(beam.state)
    legal = (allowed & chosen[:, None]).ravel()
    sound = jnp.where(legal, jnp.isfinite(reward) & jnp.isfinite(rest), True).all()
    gain = jnp.repeat(beam.gain, actions) + worth * reward
    promise = gain + worth * objective.discount * rest
    first = jnp.repeat(beam.first, actions)
    first = jnp.where(first < 0, jnp.tile(numbers, width), first)

    ended = jnp.where(legal & over, gain, -jnp.inf)
    better = ended.max() > best.gain
    best = _Best(
        jnp.where(better, ended.max(), best.gain),
        jnp.where(better, first[jnp.argmax(ended)], best.first),
        best.expansions + chosen.sum(),
        best.steps + legal.sum(),
        best.sound & sound,
        best.stuck | (chosen & ~allowed.any(-1)).any(),
    )
    new = _distinct(name, legal & ~over, gain)
    if shape.merge is not None:
        new &= past[name[:, 0] % _PLACES] != name[:, 1]
    # What could not be paid for stays in the running.
    left = beam.live & ~chosen
    pool = jax.tree.map(
        lambda a, b: jnp.concatenate([a, b]),
        _Beam(beam.state, left, beam.gain, beam.promise, beam.first, beam.name),
        _Beam(after, new, gain, promise, first, name),
    )
    return pool, best


def _names(task: Task, shape: Shape, state: State) -> UInt32[Array, "2"]:
    """Two words for what tells nodes apart; 64 mixed bits do not meet by chance."""
    words = jnp.ravel(task.fingerprint(state) if shape.merge is None else shape.merge(state))
    place = jnp.arange(words.size)
    return jnp.stack([mix(jnp.uint32(i), words, place).sum(dtype=jnp.uint32) for i in (1, 2)])


def _noted(past: UInt32[Array, " places"], beam: _Beam) -> UInt32[Array, " places"]:
    """The table of what was in the beam and what is; of two in one place one is forgotten."""
    if past.size == 1:
        return past
    place = jnp.where(beam.live, beam.name[:, 0] % past.size, past.size)
    return past.at[place].set(beam.name[:, 1], mode="drop")


def _distinct(
    name: UInt32[Array, "nodes 2"], live: Bool[Array, " nodes"], gain: Float[Array, " nodes"]
) -> Bool[Array, " nodes"]:
    """Of live nodes of one name the one with the largest gain, the first if there are several."""
    order = jnp.lexsort((-gain, name[:, 1], name[:, 0], ~live))
    same = (name[order][1:] == name[order][:-1]).all(-1)
    again = jnp.concatenate([jnp.zeros(1, bool), same & live[order][:-1]])
    return live & ~jnp.zeros_like(live).at[order].set(again)
