"""Batched tree search in rounds: descend, step the model, insert.

All rows simulate in step; a row whose budget is spent is carried along unchanged. Only the paths
that the simulations took are read or written, so a round's cost grows with the depth of the tree
and not with its size. Budgets are data: one compilation serves every budget up to the capacity.
The tree is walked by one of two back ends with the same results (`backend.py`).

Values that are certain are proved on the way up (MCTS-Solver, Winands et al. 2008): an edge into a
terminal node is settled, and so is a node once all its edges are, or one of them at the best return
there can be. Settled edges are not searched again, and a settled root ends its row's search.
Without proofs only edges into terminal nodes are settled, and rules do not hear of it.
"""

from dataclasses import dataclass
from types import ModuleType

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from ..core.noise import Seed, mix
from ..core.task import State
from .backend import BackendName, backend_for
from .lanes import (
    DONE,
    EVALUATIONS,
    FREE,
    IDLE,
    SIMULATIONS,
    STEPS,
    STUCK,
    UNSOUND,
    Ask,
    Terms,
    Turn,
    Widths,
)
from .model import Model
from .rules import Rule, Schedule
from .tree import COUNT, LOGIT, NODE_SLOTS, SIGN, TOTAL, VALUE, Tree, empty

Bounds = tuple[float | Array, float | Array]


class Outcome(eqx.Module):
    """A search so far: the tree, what the rule kept, and what each row spent.

    `sound` is false for rows in which a prior, value, reward or sum of them was NaN or infinite, or
    which are `stuck`: they met a state that is not terminal and has no legal action. `done` is true
    for rows whose root's value is proved, which no further simulation can change.
    """

    tree: Tree
    schedule: Schedule
    seed: UInt32[Array, " batch"]
    tally: Int[Array, "batch 6"]

    @property
    def simulations(self) -> Int[Array, " batch"]:
        """How many each row has taken."""
        return self.tally[:, SIMULATIONS]

    @property
    def model_steps(self) -> Int[Array, " batch"]:
        """Those of the search itself and of the evaluator's playouts."""
        return self.tally[:, STEPS]

    @property
    def evaluations(self) -> Int[Array, " batch"]:
        """Forward passes of a network."""
        return self.tally[:, EVALUATIONS]

    @property
    def sound(self) -> Bool[Array, " batch"]:
        """Rows in which everything was finite."""
        return self.tally[:, UNSOUND] == 0

    @property
    def stuck(self) -> Bool[Array, " batch"]:
        """Rows that met a live state without a legal action."""
        return self.tally[:, STUCK] > 0

    @property
    def done(self) -> Bool[Array, " batch"]:
        """Rows that no further simulation can change."""
        return self.tally[:, DONE] > 0


class Limits(eqx.Module):
    """What each row may spend; see `Terms.left` for how they are kept."""

    simulations: Int[Array, " batch"]
    model_steps: Int[Array, " batch"]


def search(
    model: Model,
    rule: Rule,
    root: State,
    limits: Limits,
    seed: Seed,
    *,
    capacity: int,
    judge: bool,
    prove: bool = True,
    widths: Widths = None,
    backend: BackendName = "auto",
) -> Outcome:
    """Search every row of a batch of root states; pure, and to be jitted by the caller.

    `seed` is one uint32 a row (`core.noise.seeds`); a row's tree depends on its own state, limits
    and seed alone. Terminal rows are left with an empty tree. `judge`: whether the roots are judged
    before the first simulation.
    """
    budget = jnp.minimum(limits.simulations, limits.model_steps)
    outcome = plant(model, rule, root, budget, seed, capacity=capacity, judge=judge, prove=prove)
    return proceed(model, rule, outcome, limits, widths=widths, backend=backend)


def plant(
    model: Model,
    rule: Rule,
    root: State,
    budget: Int[Array, " batch"],
    seed: Seed,
    *,
    capacity: int,
    judge: bool,
    prove: bool = True,
) -> Outcome:
    """Trees of the roots alone, judged if so asked or if the rule wants a value."""
    judge = judge or rule.needs_value
    step = model.root(root, mix(seed, 0), judge).settled()
    tree = empty(step.state, model.actions, capacity, prove)
    edges = tree.edges.at[:, 0, LOGIT].set(step.logits)
    node = jnp.zeros((seed.shape[0], NODE_SLOTS)).at[:, COUNT].set(float(judge))
    node = node.at[:, TOTAL].set(step.value).at[:, VALUE].set(step.value).at[:, SIGN].set(step.sign)
    trees = (edges, tree.nodes.at[:, 0].set(node))
    tree = eqx.tree_at(lambda t: (t.edges, t.nodes), tree, trees)
    assert step.sound is not None and step.stuck is not None
    spent = (jnp.zeros(seed.shape, jnp.int32), step.model_steps, step.evaluations)
    found = (~step.sound, step.stuck, step.over | step.stuck)
    tally = jnp.stack([*spent, *(x.astype(jnp.int32) for x in found)], axis=-1)
    return Outcome(tree, rule.begin(tree.root, budget, mix(seed, 1)), seed, tally)


def proceed(
    model: Model,
    rule: Rule,
    outcome: Outcome,
    limits: Limits,
    *,
    widths: Widths = None,
    backend: BackendName = "auto",
) -> Outcome:
    """Go on with a search until its limits, which may be raised and gone on with again.

    A row never has more nodes than its tree has room for.
    """
    walk = backend_for(rule, outcome.tree, backend)
    terms = Terms(
        jnp.stack([limits.simulations, limits.model_steps], axis=-1), outcome.seed,
        _ceilings(model.bounds), widths, min(model.horizon, outcome.tree.nodes.shape[1]),
    )  # fmt: skip
    lanes = rule.lane_widths(model.actions)
    for width, narrower in zip(lanes, (*lanes[1:], 0), strict=True):
        loop = _Loop(model, rule, terms, walk, width, narrower)
        outcome, _ = jax.lax.while_loop(_going, loop.round, loop.ask(outcome))
    return outcome


def _going(carry: tuple[Outcome, Ask]) -> Bool[Array, ""]:
    return carry[1].going > 0


@dataclass(frozen=True, eq=False)
class _Loop:
    """The rounds of one width, for as long as a row has any to do; see `Rule.lane_widths`."""

    model: Model
    rule: Rule
    terms: Terms
    walk: ModuleType
    width: int
    narrower: int

    def ask(self, outcome: Outcome) -> tuple[Outcome, Ask]:
        """Find out where the next round is to ask the model."""
        forced, schedule = self._forced(outcome)
        number = outcome.simulations[:, None] + 1 + jnp.arange(self.width)
        turn = self._turn(outcome, None, forced, number)
        assert turn.ask is not None
        return Outcome(turn.tree, schedule, outcome.seed, turn.tally), turn.ask

    def round(self, carry: tuple[Outcome, Ask]) -> tuple[Outcome, Ask]:
        """Ask the model, insert the answers, and find out where to ask next."""
        outcome, ask = carry
        lanes = (x.reshape(-1) for x in (ask.leaf.action, self._new(ask), ask.number, ask.noise))
        asked = (ask, self.model.step(ask.before, *lanes))
        if self.rule.plans_root:
            turn = self._turn(outcome, asked, None, ask.number)
            return self.ask(Outcome(turn.tree, outcome.schedule, outcome.seed, turn.tally))
        # Both halves at once: what is free needs nothing from in between.
        turn = self._turn(outcome, asked, jnp.full_like(ask.number, FREE), ask.number + 1)
        assert turn.ask is not None
        return Outcome(turn.tree, outcome.schedule, outcome.seed, turn.tally), turn.ask

    def _turn(
        self, outcome: Outcome, asked: tuple | None, forced: Array | None, number: Array
    ) -> Turn:
        noise = None if forced is None else self.rule.lane_noise(number)
        given = (self.rule, self.terms, outcome.tree, outcome.tally)
        return self.walk.turn(*given, asked, forced, noise)

    def _new(self, ask: Ask) -> Bool[Array, "batch width"]:
        return ask.active & (ask.leaf.child == 0)

    def _forced(self, outcome: Outcome) -> tuple[Int[Array, "batch width"], Schedule]:
        """How the lanes of the next round leave the root; rows that wait or ended stay idle."""
        root = outcome.tree.root
        forced, schedule = self.rule.next_lanes(root, outcome.schedule, self.width)
        if not self.rule.plans_root:
            return forced, schedule
        going = self.terms.left(outcome.tree, outcome.tally) > 0
        if self.narrower:
            going = going & ~self.rule.waits(outcome.schedule, self.narrower)

        def keep(new: Array, old: Array) -> Array:
            return jnp.where(going.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        schedule = jax.tree.map(keep, schedule, outcome.schedule)
        return jnp.where(going[:, None], forced, IDLE), schedule


def _ceilings(bounds: Bounds) -> Float[Array, "2"]:
    """From where on a value counts as the best there is, for player 0 and for player 1."""
    low, high = bounds
    return jnp.stack([high - slack(bounds), -low - slack(bounds)]).astype(jnp.float32)


def slack(bounds: Bounds) -> Float[Array, ""]:
    """How near to a bound counts as at it: rounding, even where all returns are tiny."""
    return 1e-5 * jnp.minimum(1.0, bounds[1] - bounds[0])
