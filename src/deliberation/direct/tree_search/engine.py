"""Batched tree search in rounds: descend, ask the model, expand and back up.

The one loop behind `TreeSearch` and `direct.mctx`. All rows simulate in step; a row whose budget is
spent is carried along unchanged. Only the paths that the simulations took are read or written, so a
round's cost grows with the depth of the tree and not with its size. Budgets are data: one
compilation serves every budget up to the capacity. One of two back ends with the same results works
on the trees (`backends.choice`).

Values that are certain are proved on the way up (MCTS-Solver, Winands et al. 2008): an edge into a
terminal node is settled, and so is a node once all its edges are, or one of them at the best return
there can be. Settled edges are not searched again, and a settled root ends its row's search.
Without proofs only edges into terminal nodes are settled, and rules do not hear of it.
"""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from ...core.noise import Seed, mix
from ...core.rows import as_kinds, where_rows
from ...core.task import State
from ..ties import SINGLE
from .limits import Limits
from .models.base import Model, Step
from .picker import Picker, Schedule, within
from .round import (
    DONE,
    EVALUATIONS,
    FAULTS,
    IDLE,
    SIMULATIONS,
    STEPS,
    STUCK,
    Leaves,
    Terms,
    Widths,
)
from .scale import first_range
from .stopping import Never, Returns, Standing, Stopping
from .tree import (
    COUNT,
    HIGH,
    LOGIT,
    LOW,
    NODE_SLOTS,
    OWN,
    SIGN,
    TOTAL,
    VALUE,
    Bookkeeping,
    NodeView,
    Tree,
    empty,
)

Bounds = tuple[float | Array, float | Array]
Loop = Callable[[Callable, Callable, Any], Any]
"""As `jax.lax.while_loop`: a condition, a body and what they go over."""


class Outcome(eqx.Module):
    """A search so far: the tree, what the rule kept, and what each row spent.

    `sound` is false for rows in which a prior, value, reward or sum of them was NaN or infinite, or
    which are `stuck`: they met a state that is not terminal and has no legal action. `done` is true
    for rows whose root's value is proved, which no further simulation can change. `returns` is kept
    for stopping rules that ask for it.
    """

    tree: Tree
    schedule: Schedule
    seed: UInt32[Array, " batch"]
    tally: Int[Array, "batch 6"]
    returns: Returns | None = None

    @property
    def simulations(self) -> Int[Array, " batch"]:
        """How many each row has taken."""
        return self.tally[:, SIMULATIONS]

    @property
    def model_steps(self) -> Int[Array, " batch"]:
        """Those of the search itself and of the evaluator's playouts, by row."""
        return self.tally[:, STEPS]

    @property
    def evaluations(self) -> Int[Array, " batch"]:
        """Forward passes of a network."""
        return self.tally[:, EVALUATIONS]

    @property
    def faults(self) -> Int[Array, " batch"]:
        """What was wrong with the numbers, in bits: see `direct.faults`."""
        return self.tally[:, FAULTS]

    @property
    def sound(self) -> Bool[Array, " batch"]:
        """Rows in which every number was fit to search with."""
        return self.faults == 0

    @property
    def stuck(self) -> Bool[Array, " batch"]:
        """Rows that met a live state without a legal action."""
        return self.tally[:, STUCK] > 0

    @property
    def done(self) -> Bool[Array, " batch"]:
        """Rows that no further simulation can change."""
        return self.tally[:, DONE] > 0


_NEVER = Never()


def init(
    model: Model,
    rule: Picker,
    root: State,
    budget: Int[Array, " batch"],
    seed: Seed,
    *,
    capacity: int,
    evaluate: bool,
    prove: bool = True,
    books: Bookkeeping = OWN,
) -> Outcome:
    """Trees of the roots alone, evaluated if so asked (`evaluate`) or if the rule wants a value.

    `seed` is one uint32 a row (`core.noise.seeds`); a row's tree depends on its own state, budget
    and seed alone.
    """
    evaluate = evaluate or rule.needs_value
    step = model.root(root, mix(seed, 0), evaluate).single().settled()
    tree = empty(step.state, model.actions, capacity, prove, books)
    edges = tree.edges.at[:, 0, LOGIT].set(step.logits)
    node = jnp.zeros((seed.shape[0], NODE_SLOTS), jnp.float32).at[:, COUNT].set(float(evaluate))
    node = node.at[:, TOTAL].set(step.value).at[:, VALUE].set(step.value).at[:, SIGN].set(step.sign)
    low, high = _root_range(step, model.scale_bounds, evaluate)
    node = node.at[:, LOW].set(low).at[:, HIGH].set(high)
    tree = dataclasses.replace(tree, edges=edges, nodes=tree.nodes.at[:, 0].set(node))
    assert step.faults is not None and step.stuck is not None
    spent = (jnp.zeros(seed.shape, jnp.int32), step.model_steps, step.evaluations)
    found = (step.faults, step.stuck, step.over | step.stuck)
    tally = jnp.stack([*spent, *(x.astype(jnp.int32) for x in found)], axis=-1)
    return Outcome(tree, rule.begin(tree.root, budget, mix(seed, 1)), seed, tally)


def proceed(
    model: Model,
    rule: Picker,
    outcome: Outcome,
    limits: Limits,
    *,
    backend: ModuleType,
    widths: Widths = None,
    stopping: Stopping = _NEVER,
    rounds: Int[Array, ""] | None = None,
    loop: Loop = jax.lax.while_loop,
    leave: bool = False,
) -> Outcome:
    """Go on with a search until its limits, which may be raised and gone on with again.

    A row never has more nodes than its tree has room for; terminal and proved rows stay as they
    are. After so many `rounds` at most, the search pauses where it is: gone on with, it is the
    search that never paused. `backend` is what `backends.choice.backend_for` gives. With `leave`,
    rows that have finished leave the batch once it can be half as large, and so on (`sizes`): the
    same trees, for more time to compile and less to search where rows end far apart.
    """
    terms = _terms(model, outcome, limits, widths)
    rule = within(rule, model.most)
    lanes = rule.lane_widths(model.actions)
    if stopping.needs_returns and outcome.returns is None:
        outcome = watch(outcome)
    parts = sizes(outcome.seed.shape[0]) if leave else (outcome.seed.shape[0],)
    for width, narrower in zip(lanes, (*lanes[1:], 0), strict=True):
        for part, smaller in zip(parts, (*parts[1:], 0), strict=True):
            rows = None if part == parts[0] else _first_active(pending.leaves, terms, part)
            terms = dataclasses.replace(terms, rows=rows)
            body = _Rounds(model, rule, stopping, terms, backend, width, narrower)
            pending = loop(
                functools.partial(_going, smaller),
                lambda p, body=body: as_kinds(body.round(p), p),
                body.ask(outcome, rounds),
            )
            # The leaves that were found last and not answered leave no trace.
            outcome, rounds = pending.outcome, pending.rounds
    return outcome


def sizes(batch: int) -> tuple[int, ...]:
    """How large a batch of so many rows is as they finish: halves, down to 8.

    From there on there is little to be saved, and networks may round otherwise: one row is
    multiplied as a vector.
    """
    found = [batch]
    while found[-1] >= 16:
        found.append(found[-1] // 2)
    return tuple(found)


def _first_active(leaves: Leaves, terms: Terms, count: int) -> Int[Array, " part"]:
    """So many rows, those that are still at work among them."""
    idle = ~leaves.active.any(1)
    places = jnp.argsort(idle, stable=True)[:count].astype(jnp.int32)
    return places if terms.rows is None else terms.rows[places]


def going_on(
    model: Model, outcome: Outcome, limits: Limits, stopping: Stopping = _NEVER
) -> Bool[Array, " batch"]:
    """Which rows would go on if asked to proceed."""
    terms = _terms(model, outcome, limits, None)
    left = terms.left(outcome.tree, outcome.tally) > 0
    stopped = _stopped(model, stopping, terms, outcome)
    return left if stopped is None else left & ~stopped


def watch(outcome: Outcome) -> Outcome:
    """The same search, keeping from now on what comes back along the edges of its roots."""
    return dataclasses.replace(outcome, returns=Returns.none(outcome.tree.root.visits))


def _terms(model: Model, outcome: Outcome, limits: Limits, widths: Widths) -> Terms:
    room, depth = outcome.tree.nodes.shape[1], model.horizon
    depth = min(depth, room) if isinstance(depth, int) else jnp.minimum(depth, room)
    return Terms(
        jnp.stack([limits.simulations, limits.model_steps], axis=-1), outcome.seed,
        _ceilings(model.bounds), _pair(model.scale_bounds), widths, depth,
    )  # fmt: skip


def _root_range(
    step: Step, bounds: Bounds, evaluated: bool
) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
    """LOW and HIGH of the roots: a root that was not evaluated has met no return yet."""
    known = _pair(bounds)
    low, high = first_range(step.value, step.sign, known)
    nothing = ~jnp.isfinite(known).all() & (not evaluated)
    return jnp.where(nothing, jnp.inf, low), jnp.where(nothing, -jnp.inf, high)


def _pair(bounds: Bounds) -> Float[Array, "2"]:
    return jnp.stack([jnp.asarray(x, jnp.float32) for x in bounds])


def _stopped(
    model: Model, stopping: Stopping, terms: Terms, outcome: Outcome
) -> Bool[Array, " batch"] | None:
    if isinstance(stopping, Never):
        return None
    root = outcome.tree.root
    left = jnp.maximum(terms.limits.min(1) - outcome.simulations, 0)
    return stopping.stops(Standing(root, beaten(root, model.bounds), left, outcome.returns))


class _Pending(eqx.Module):
    """A search between two halves of a round: where the model is asked, and what follows then.

    `schedule` is the rule's after the round, `forced` how its lanes leave the root (kept for those
    who need it), `rounds` how many may still follow. `leaves` are those of the rows that take part.
    """

    outcome: Outcome
    schedule: Schedule
    leaves: Leaves
    forced: Int[Array, "batch width"] | None
    rounds: Int[Array, ""] | None


def _going(smaller: int, pending: _Pending) -> Bool[Array, ""]:
    # Lanes, of which a row has at least one: there are no more rows.
    going = pending.leaves.going > smaller
    return going if pending.rounds is None else going & (pending.rounds > 0)


@dataclass(frozen=True, eq=False)
class _Rounds:
    """The rounds of one width, for as long as a row has any to do; see `Picker.lane_widths`."""

    model: Model
    rule: Picker
    stopping: Stopping
    terms: Terms
    backend: ModuleType
    width: int
    narrower: int

    def ask(self, outcome: Outcome, rounds: Int[Array, ""] | None) -> _Pending:
        """Find out where the next round is to ask the model."""
        forced, schedule = self._forced(outcome)
        part = self.terms.part
        number = outcome.simulations[part, None] + 1 + jnp.arange(self.width, dtype=jnp.int32)
        outcome, _, leaves = self._one_round(outcome, None, forced[part], number)
        assert leaves is not None
        kept = forced if self.stopping.needs_returns else None
        return _Pending(outcome, schedule, leaves, kept, rounds)

    def round(self, pending: _Pending) -> _Pending:
        """Ask the model, expand by its answers and back them up, and find out where to ask next."""
        outcome, leaves = pending.outcome, pending.leaves
        outcome = dataclasses.replace(outcome, schedule=pending.schedule)
        rounds = None if pending.rounds is None else pending.rounds - 1
        answered = (leaves, self.model.step(leaves.flat()).single())
        if self._looks:
            after, gain, _ = self._one_round(outcome, answered, None, leaves.number)
            return self.ask(self._with_returns(after, gain, pending), rounds)
        # Nobody looks at the roots between the two halves, so one call does both.
        after, _, found = self._one_round(outcome, answered, self.width, leaves.number + 1)
        assert found is not None
        return _Pending(after, after.schedule, found, None, rounds)

    @property
    def _looks(self) -> bool:
        """Whether the roots are looked at between one round and the next."""
        return self.rule.plans_root or not isinstance(self.stopping, Never)

    def _one_round(
        self, outcome: Outcome, answered: tuple | None, forced: Array | int | None, number: Array
    ) -> tuple[Outcome, Array | None, Leaves | None]:
        rule, noise = self.rule, None
        if forced is not None:
            rule, noise = rule.in_round(number)
        trees = (outcome.tree, outcome.tally)
        trees, gain, leaves = self.backend.one_round(
            rule, self.terms, trees, answered, forced, noise
        )
        return dataclasses.replace(outcome, tree=trees[0], tally=trees[1]), gain, leaves

    def _with_returns(self, outcome: Outcome, gain: Array | None, pending: _Pending) -> Outcome:
        returns = outcome.returns
        if returns is None:
            return outcome
        assert gain is not None and pending.forced is not None
        gain = jnp.where(pending.leaves.active, gain, 0.0)
        gain = jnp.zeros(pending.forced.shape).at[self.terms.part].set(gain)
        returns = returns.add(outcome.tree.root.visits, pending.forced, gain)
        return dataclasses.replace(outcome, returns=returns)

    def _forced(self, outcome: Outcome) -> tuple[Int[Array, "batch width"], Schedule]:
        """How the lanes of the next round leave the root; rows that wait or ended stay idle."""
        root = outcome.tree.root
        forced, schedule = self.rule.next_lanes(root, outcome.schedule, self.width)
        if not self._looks:
            return forced, schedule
        going = self.terms.left(outcome.tree, outcome.tally) > 0
        stopped = _stopped(self.model, self.stopping, self.terms, outcome)
        if stopped is not None:
            going = going & ~stopped
        if self.narrower:
            going = going & ~self.rule.waits(outcome.schedule, self.narrower)
        schedule = where_rows(going, schedule, outcome.schedule)
        return jnp.where(going[:, None], forced, IDLE), schedule


def _ceilings(bounds: Bounds) -> Float[Array, "2"]:
    """From where on a value counts as the best there is, for player 0 and for player 1."""
    low, high = bounds
    return jnp.stack([high - near(high), -low - near(low)]).astype(jnp.float32)


def near(bound: Float[Array, "..."] | float) -> Float[Array, "..."]:
    """How near to a bound counts as at it: rounding, however large or tiny the returns are."""
    return jnp.where(jnp.isfinite(bound), SINGLE * jnp.abs(bound), 0.0)


def beaten(root: NodeView, bounds: Bounds) -> Bool[Array, "batch actions"]:
    """The actions whose returns are proved to be worse than those of others for the player to move.

    Worse than another proved one, or as bad as can be.
    """
    low, high = bounds
    floor = jnp.where(root.sign > 0, low, -high)[:, None]
    top = surest(root)
    # Where nothing is proved, nothing is worse.
    worse = root.q < jnp.where(jnp.isfinite(top), top - near(top), -jnp.inf)
    return root.settled & (worse | (root.q <= floor + near(floor)))


def surest(root: NodeView) -> Float[Array, "batch 1"]:
    """The best return that is proved for the player to move; minus infinity where there is none."""
    return jnp.where(root.settled, root.q, -jnp.inf).max(-1, keepdims=True)


def won(
    value: Float[Array, " batch"], sign: Float[Array, " batch"], bounds: Bounds
) -> Bool[Array, " batch"]:
    """Whether values are as good as can be for the player to move."""
    low, high = bounds
    ceiling = jnp.where(sign > 0, high, -low)
    return value >= ceiling - near(ceiling)
