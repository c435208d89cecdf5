"""The simulations of a search over histories with C++ for everything but the rules of the world.

What `histories.search` does in JAX takes several hundred small operations a simulation, each of
which costs more to start than to do. Here one call stands between two moves and one between two
simulations (`kernels/histories.cpp`), with the same nodes, numbers and random words.
"""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt32

from ...core.noise import Seed
from ...core.objective import Objective
from ...core.rows import as_kinds, narrowed, where_rows
from ...core.task import State, Task
from ..evaluators import Evaluator
from ..kernels.build import HISTORIES as SOURCE
from ..kernels.build import HISTORIES_HANDLERS, load
from ..tree_search.backends.choice import backend_name
from ..tree_search.limits import Limits
from ..tree_search.rules import Rule
from .information import STATES, origin, words_seen
from .judgement import Judgement, judge
from .nodes import Histories, Outcome, view_of

WAY = 12
"""Words of a row that say how its simulation stands, before the pasts of its seats: `enum Way`."""
MOVE = 3
"""Words of a move, before every player's reward: `enum Move`."""
MOST_VISITS = 2**17
"""Where states tell nodes apart, a simulation may visit one again and again; rules look up what
depends on visits in a table, which is not made longer than this."""

Kept = tuple[Array, ...]
"""The nodes (edges, value, span, keys, table), the tallies, and the ways and paths of the rows."""


class Simulation(eqx.Module):
    """One simulation of every row on its way: what is kept, and the move that each row makes next.

    `noise` is the key of the move, `drawn` that of the state begun from and `luck` the seed of the
    judgement at its end; `any` says whether a row goes on, `number` which simulation was the last.
    """

    kept: Kept
    going: Array
    action: Array
    noise: UInt32[Array, "batch 2"]
    drawn: UInt32[Array, "batch 2"]
    luck: Seed
    any: Array
    number: Int[Array, ""]

    @classmethod
    def none(cls, kept: Kept, batch: int) -> "Simulation":
        """Before the first."""
        zero, words = jnp.zeros(batch, jnp.int32), jnp.zeros((batch, 2), jnp.uint32)
        return cls(
            kept, zero > 0, zero, words, words, words[:, 0], jnp.bool_(False), jnp.int32(0)
        )  # fmt: skip


def serves(rule: Rule, nodes: str, capacity: int, depth: int) -> bool:
    """Whether the kernels can be had and know the rule."""
    if not rule.native or backend_name() != "native":
        return False
    if nodes == STATES and capacity * depth > MOST_VISITS:
        return False
    return not load(SOURCE, HISTORIES_HANDLERS)


def simulate_all(
    task: Task, objective: Objective, evaluator: Evaluator, rule: Rule, root: State,
    limits: Limits, seed: Seed, outcome: Outcome, nodes: str, depth: int,
) -> Outcome:  # fmt: skip
    """All simulations of every row, from roots alone."""
    tree = outcome.nodes
    batch, capacity = seed.shape[0], tree.value.shape[1] - 1
    players = task.traits.players
    seats = origin(task, 1, nodes).shape[1]
    visits = capacity * depth if nodes == STATES else capacity
    kernel = rule.kernel(visits + 2)
    counts = (
        outcome.simulations, outcome.model_steps, outcome.evaluations, outcome.faults,
        outcome.stuck, outcome.done,
    )  # fmt: skip
    kept = (
        tree.edges,
        tree.value,
        tree.span,
        tree.keys,
        tree.table,
        jnp.stack([x.astype(jnp.int32) for x in counts], axis=-1),
        jnp.zeros((batch, WAY + 2 * seats), jnp.int32),
        jnp.zeros((batch, depth, MOVE + players), jnp.int32),
    )
    zero = jnp.zeros(batch, jnp.int32)
    given = jnp.stack([limits.simulations, limits.model_steps], axis=-1).astype(jnp.int32)
    mover = jax.vmap(task.player)(root).astype(jnp.int32)
    settings = narrowed((kernel.params, kernel.table))
    discount = jnp.asarray(objective.discount, jnp.float32)
    how = (*settings, given, seed, mover, discount)
    legal = jax.vmap(task.legal)(root)
    turn = _Turns(rule, kernel.kind, how, evaluator.passes, legal, tree.judged)

    def going(carry: tuple) -> Array:
        return carry[0].any

    def once(carry: tuple) -> tuple:
        now, open, left, schedule = carry
        state = as_kinds(jax.vmap(task.resample)(root, _keys(now.drawn)), root)
        now, open, left, state = _moves(
            task, objective, (kernel.kind, *settings), now, open, left, state, nodes
        )
        judged = narrowed(judge(task, objective, evaluator, state, open, now.luck, left))
        now, schedule = turn.next(now, (task, state, judged), schedule)
        return as_kinds((now, open, left, schedule), carry)

    now, schedule = turn.next(Simulation.none(kept, batch), None, outcome.schedule)
    end, _, _, schedule = jax.lax.while_loop(going, once, (now, zero > 0, zero, schedule))
    *spent, stuck, done = end.kept[5].T
    simulations, steps, evaluations, faults = spent
    return Outcome(
        _tree(end.kept, tree.judged), schedule, simulations, steps, evaluations, faults,
        stuck > 0, done > 0,
    )  # fmt: skip


def _tree(kept: Kept, judged: bool) -> Histories:
    edges, value, span, keys, table = kept[:5]
    return Histories(edges, value, span, keys, table, judged)


def _keys(words: UInt32[Array, "batch 2"]) -> Array:
    return jax.random.wrap_key_data(words, impl="threefry2x32")


def _moves(
    task: Task, objective: Objective, rule: tuple[int, Array, Array], now: Simulation,
    open: Array, left: Array, state: State, nodes: str,
) -> tuple[Simulation, Array, Array, State]:  # fmt: skip
    """Play until every row is over or comes to a history not met before.

    Also returns which rows are open, how many moves are left to them, and their states.
    """
    tables, (kind, *settings) = now.kept[:5], rule

    def move(carry: tuple) -> tuple:
        _, ways, paths, going, action, noise, *then, state = carry
        after = jax.vmap(task.advance)(state, action, _keys(noise))
        reward = jax.vmap(objective)(state, action, after).astype(jnp.float32)
        seen = (
            jax.vmap(task.player)(after).astype(jnp.int32),
            jax.vmap(task.legal)(after), jax.vmap(task.terminated)(after),
            words_seen(task, after, nodes), reward,
        )  # fmt: skip
        state = where_rows(going, after, state)
        results = (ways, paths, going, action, noise, *then)
        # What comes lies where the last lay, which saves the loop from copying it.
        *found, any = jax.ffi.ffi_call(
            "deliberation_move", [*map(_like, results), jax.ShapeDtypeStruct((), "bool")],
            input_output_aliases={7: 0, 8: 1, **{i: i - 12 for i in range(14, 19)}},
            vmap_method="sequential",
        )(
            *tables, *settings, ways, paths, *seen, *results[2:],
            kind=np.int32(kind), keeps=np.int32(nodes != STATES),
            horizon=np.int32(task.traits.horizon),
        )  # fmt: skip
        return as_kinds((any, *found, state), carry)

    start = (now.any, *now.kept[6:], now.going, now.action, now.noise, open, left, state)
    any, *kept, going, action, noise, open, left, state = jax.lax.while_loop(
        lambda carry: carry[0], move, start
    )
    now = Simulation(
        (*now.kept[:6], *kept), going, action, noise, now.drawn, now.luck, any, now.number
    )
    return now, open, left, state


@dataclass(frozen=True, eq=False)
class _Turns:
    """From one simulation to the next; `how` is what both halves go by."""

    rule: Rule
    kind: int
    how: tuple
    passes: int
    legal: Array
    judged: bool

    def next(self, now: Simulation, end: tuple | None, schedule: Any) -> tuple[Simulation, Any]:
        """Enter what a simulation found at its `end`, and begin another."""
        if not self.rule.plans_root:
            # Nobody looks at the roots between the two, so one call does both.
            return self._call(now, end, True, None), schedule
        if end is not None:
            now = self._call(now, end, False, None)
        root = view_of(_tree(now.kept, self.judged), jnp.zeros_like(now.action), self.legal)
        forced, planned = self.rule.next_lanes(root, schedule, 1)
        now = self._call(now, None, True, forced[:, 0])
        return now, where_rows(now.going, planned, schedule)

    def _call(
        self, now: Simulation, end: tuple | None, departs: bool, forced: Array | None
    ) -> Simulation:
        last = (now.going, now.action, now.noise, now.drawn, now.luck, now.any)
        params, table, limits, seed, mover, discount = self.how
        forced = jnp.zeros(0, jnp.int32) if forced is None else forced.astype(jnp.int32)
        number = now.number + 1 if end is None else now.number
        found = jax.ffi.ffi_call(
            "deliberation_turn", [_like(x) for x in (*now.kept, *last, number)],
            input_output_aliases={**{i: i for i in range(8)}, **{i: i - 15 for i in range(23, 29)}},
            vmap_method="sequential",
        )(
            *now.kept, params, table, limits, seed, number, forced, mover, discount,
            *_answer(end), *last,
            kind=np.int32(self.kind), concludes=np.int32(end is not None),
            departs=np.int32(departs), passes=np.int32(self.passes),
        )  # fmt: skip
        going, action, noise, drawn, luck, any, number = found[8:]
        return Simulation(tuple(found[:8]), going, action, noise, drawn, luck, any, number)


def _answer(end: tuple[Task, State, Judgement] | None) -> tuple[Array, ...]:
    if end is None:
        none, zero = jnp.zeros((0, 0), jnp.float32), jnp.zeros(0, jnp.int32)
        return none, none, zero > 0, zero, zero, zero, zero > 0
    task, state, judged = end
    return (
        judged.logits, judged.values, jax.vmap(task.legal)(state),
        jax.vmap(task.player)(state).astype(jnp.int32), judged.model_steps.astype(jnp.int32),
        judged.faults.astype(jnp.int32), judged.stuck,
    )  # fmt: skip


def _like(x: Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, x.dtype)
