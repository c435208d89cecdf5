"""Gated planning: evaluate the network, and plan where that is expected to pay.

Two systems, as in dual-process accounts of decisions (Daw, Niv and Dayan 2005; Keramati et al.
2011): mostly amortised, planning only when needed.
"""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, Key

from ..amortised.networks import Network, flops
from ..amortised.policy import FORBIDDEN, check_fits, evaluate, masked_softmax
from ..core.answering import answer, timed
from ..core.budget import Budget
from ..core.decider import Decider, Decision, Memory, check_finite, row_keys
from ..core.errors import BudgetError, UnsuitableTaskError
from ..core.objective import Objective
from ..core.task import State, Task, batch_size, check_batch
from .gates import Gate, GaussianGate

_LEAST = 8
"""Planned rows are filled up to this many times a power of two, or once and a half that."""


class Gated(Decider):
    """One forward pass for every row, and the planner for those whose gate says it will pay.

    A row is planned if the gain that `gate` expects exceeds `cost`, in units of return a
    simulation, times the simulations of the usual `budget`: cost 0 plans wherever any
    gain is expected, a large one nowhere. (The budget of one call does not change which rows are
    planned, but how long they are, so that more to spend never means less thought.) Budget 0 leaves
    the network alone. `cost` is data, one number or one a row.

    The rows to plan are gathered into a smaller batch, so compute is saved and not masked; it is
    filled up to a few sizes, so that few programs are compiled, and what filling up spends is
    shared by the rows planned.

    An objective other than the task's own is one that the network was not trained for, and its
    confidence says nothing about it: then every row is planned.

    The memory is the planner's. For use outside of `jit`. Raises `UnsuitableTaskError` where
    network, planner and task do not fit, and what the planner raises.
    """

    task: Task
    network: Network
    planner: Decider
    gate: Gate
    cost: Float[Array, "*batch"]
    budget: Budget

    def __init__(
        self,
        network: Network,
        planner: Decider,
        gate: Gate | None = None,
        *,
        cost: float | Float[Array, "*batch"] = 1e-3,
        budget: Budget | int = 64,
    ):
        task = planner.task
        if not task.traits.discrete:
            raise UnsuitableTaskError(
                f"{task!r} has continuous actions: a gate compares the prior of numbered ones."
            )
        check_fits(task, network)
        self.task, self.network, self.planner = task, network, planner
        self.gate = GaussianGate() if gate is None else gate
        self.cost, self.budget = jnp.asarray(cost, jnp.float32), Budget.of(budget)
        if self.budget.simulations is None or self.budget.seconds is not None:
            raise BudgetError("A gate prices planning by simulations: name them in its budget.")
        if not isinstance(self.cost, Tracer) and not bool((self.cost >= 0).all()):
            raise ValueError(f"A simulation cannot cost {cost}: give 0 or more, in return.")

    def __repr__(self) -> str:
        cost = f"{float(self.cost):g}" if self.cost.ndim == 0 else "one a row"
        return f"Gated({type(self.network).__name__}, {self.planner!r}, cost={cost})"

    def begin(self, batch: int) -> Memory:
        """The planner's."""
        return self.planner.begin(batch)

    def decide(
        self,
        state: State,
        memory: Memory = None,
        *,
        objective: Objective | None = None,
        budget: Budget | int | None = None,
        key: Key[Array, "*batch"],
    ) -> tuple[Decision, Memory]:
        """The network's answer for every row, the planner's where it will pay."""
        batch = batch_size(state)
        asked = Budget.of(self.budget if budget is None else budget)
        simulations, steps = asked.rows(batch)
        check_batch(self.task, state)
        started = time.perf_counter()
        decision, raw, value, gain = _looked(self.task, self.network, self.gate, state)
        check_finite(type(self.network).__name__, logits=raw, value=value)
        pays = np.asarray(gain > self.cost * self.budget.rows(batch)[0])
        if objective is not None and not bool(eqx.tree_equal(objective, self.task.objective)):
            pays = np.ones(batch, bool)
        may = np.asarray((simulations > 0) & (steps > 0) & (decision.action >= 0))
        decision = timed(decision, started)
        rows = np.flatnonzero(pays & may)
        if not len(rows):
            return decision, memory
        padded = np.resize(rows, _room(len(rows)))
        spare = np.arange(len(padded)) >= len(rows)
        # What fills up is the same few rows again, with as little to do as there is.
        limits = Budget(
            jnp.where(spare, 1, simulations[padded]),
            None if asked.model_steps is None else jnp.where(spare, 1, steps[padded]),
        )
        # Rows are gathered and put back on the host: dozens of small programs cost more there.
        planned, kept = self.planner.decide(
            jax.tree.map(lambda x: _take(x, padded), state),
            jax.tree.map(lambda x: _take(x, padded), memory),
            objective=objective,
            budget=limits,
            key=row_keys(key, batch)[padded],
        )
        if memory is not None:
            memory = jax.tree.map(lambda x, y: _put(x, y, rows), memory, kept)
        return _merged(decision, planned, rows, spare), memory


def _room(rows: int) -> int:
    room = _LEAST
    while room < rows:
        room *= 2
    return room * 3 // 4 if rows <= room * 3 // 4 and room > _LEAST else room


def _merged(
    decision: Decision, planned: Decision, rows: Int[np.ndarray, " rows"], spare: np.ndarray
) -> Decision:
    """The planner's answers in their rows; costs are added, those of filling up shared."""
    count = len(rows)

    def add(x: Array, y: Array) -> Array:
        each = np.broadcast_to(np.asarray(y), spare.shape)
        wasted = np.where(spare, each, 0).sum()
        if np.issubdtype(x.dtype, np.floating):
            share = wasted / count
        else:
            share = wasted // count + (np.arange(count) < wasted % count)
        return _put(x, np.asarray(x)[rows] + each[:count] + share, rows)

    return Decision(
        action=_put(decision.action, planned.action, rows),
        weights=_put(decision.weights, planned.weights, rows),
        value=_put(decision.value, planned.value, rows),
        spent=jax.tree.map(add, decision.spent, planned.spent),
    )


def _is_key(x: Array) -> bool:
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _take(x: Array, rows: Int[np.ndarray, " rows"]) -> Array:
    return x[rows] if _is_key(x) else jnp.asarray(np.asarray(x)[rows])


def _put(x: Array, y: Array | np.ndarray, rows: Int[np.ndarray, " rows"]) -> Array:
    """The first of `y` in some rows of `x`."""
    if _is_key(x):
        return x.at[rows].set(jnp.asarray(y)[: len(rows)])
    found = np.array(x)
    found[rows] = np.asarray(y)[: len(rows)]
    return jnp.asarray(found)


@eqx.filter_jit
def _looked(
    task: Task, network: Network, gate: Gate, state: State
) -> tuple[Decision, Float[Array, "batch actions"], Float[Array, " batch"], Float[Array, " batch"]]:
    """The network's own decision, what it said, and what planning is expected to gain."""
    legal = jax.vmap(task.legal)(state)
    live: Bool[Array, " batch"] = ~jax.vmap(task.terminated)(state)
    logits, value = evaluate(network, jax.vmap(task.observe)(state), legal)
    action = jnp.argmax(jnp.where(legal, logits, FORBIDDEN), axis=-1)
    decision = answer(
        live, action, masked_softmax(logits, legal), value,
        network_evaluations=live.astype(jnp.int32), flops=live * flops(network),
    )  # fmt: skip
    return decision, logits, value, gate(logits, legal)
