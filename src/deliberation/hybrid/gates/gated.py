"""Gated planning: evaluate the network, and plan where that is expected to pay.

Two systems, as in dual-process accounts of decisions (Daw, Niv and Dayan 2005; Keramati et al.
2011): mostly amortised, planning only when needed, and only for as long as it is.
"""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from ...amortised.networks.feed_forward import Network, flops
from ...amortised.policies.network import check_fits, evaluate, masked_softmax
from ...core import clock
from ...core.answering import answer, timed
from ...core.budget import UNLIMITED, Budget
from ...core.decider import Decider, Decision, Memory, check_finite, row_keys
from ...core.errors import BudgetError, UnsuitableTaskError
from ...core.masks import FORBIDDEN
from ...core.objective import Objective
from ...core.root import RootStatistics
from ...core.task import State, Task, batch_size, check_batch
from .gates import Gate, GaussianGate, as_logits, room


class Gated(Decider):
    """One forward pass for every row, and the planner for those whose gate says it will pay.

    Planning goes by stages, which end after the numbers of simulations in `looks` and at the
    budget. Before each stage its own gate of `gates` says what the stage is expected to gain over
    the answer so far (first the network's, then the planner's): a row goes on if that exceeds
    `cost`, in units of return a simulation, times the simulations of the stage under the usual
    `budget`. This is the meta-greedy policy of Russell and Wefald (1991): cost 0 goes on wherever
    any gain is expected, a large one nowhere. (The budget of one call does not change which rows
    begin, but how long they go on, so that a larger budget never plans less.) Budget 0 leaves
    the network alone. `cost` is data, one number or one a row.

    All stages of a row together keep to its budget. A planner that remembers its trees
    (`TreeSearch` with `reuse` and a `capacity` of twice the budget) goes on with the one of the
    stage before; any other begins anew at every stage.

    The rows to plan are gathered into a smaller batch, so compute is saved and not masked. It is
    filled up to a few sizes, so that few programs are compiled: with copies of its own rows that
    take one simulation, which are not counted in `spent` (but for their wall time), since a row
    alone would not have needed them.

    An objective other than the task's own is one that the network was not trained for, and its
    confidence says nothing about it: then every row is planned to the end.

    The memory is the planner's. For use outside of `jit`. Raises `UnsuitableTaskError` where
    network, planner and task do not fit, `BudgetError` for a limit of model steps where there are
    `looks` and the planner does not count its steps, and what the planner raises.
    """

    task: Task
    network: Network
    planner: Decider
    gates: tuple[Gate, ...]
    looks: tuple[int, ...] = eqx.field(static=True)
    cost: Float[Array, "*batch"]
    budget: Budget

    def __init__(
        self,
        network: Network,
        planner: Decider,
        gates: Gate | Sequence[Gate] | None = None,
        *,
        looks: Sequence[int] = (),
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
        gates = GaussianGate() if gates is None else gates
        self.gates = (gates,) if isinstance(gates, Gate) else tuple(gates)
        self.cost, self.budget = jnp.asarray(cost, jnp.float32), Budget.of(budget)
        self.looks = tuple(looks)
        if self.budget.simulations is None or self.budget.seconds is not None:
            raise BudgetError("A gate prices planning by simulations: name them in its budget.")
        if not isinstance(self.cost, Tracer) and not bool((self.cost >= 0).all()):
            raise ValueError(f"A simulation cannot cost {cost}: give 0 or more, in return.")
        ends = (0, *self.looks, UNLIMITED)
        if len(self.gates) != len(ends) - 1 or (np.diff(ends) <= 0).any():
            raise ValueError(
                f"{len(self.gates)} gates and looks after {list(self.looks)} simulations: give "
                "rising numbers, and one gate more than looks."
            )

    def __repr__(self) -> str:
        cost = f"{float(self.cost):g}" if self.cost.ndim == 0 else "one a row"
        looks = f", looks={self.looks}" if self.looks else ""
        return f"Gated({type(self.network).__name__}, {self.planner!r}{looks}, cost={cost})"

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
        simulations, steps = (np.asarray(x) for x in asked.rows(batch))
        check_batch(self.task, state)
        started = clock.now()
        decision, raw, value, legal = _looked(self.task, self.network, state)
        check_finite(type(self.network).__name__, logits=raw, value=value)
        decision = timed(decision, started)
        own = np.asarray(decision.action)
        going, cost = own >= 0, np.broadcast_to(np.asarray(self.cost), batch)
        other = objective is not None and not eqx.tree_equal(objective, self.task.objective)
        stages = [(0, None, self.gates[0])] if other else self._stages()
        keys, usual = row_keys(key, batch), np.asarray(self.budget.rows(batch)[0])
        if memory is None and self.looks:
            memory = self.planner.begin(batch)
        for begin, end, gate in stages:
            logits = raw if begin == 0 else as_logits(decision.weights, legal)
            revised = jnp.asarray(np.asarray(decision.action) != own)
            price = cost * (np.maximum(usual - begin, 1) if end is None else end - begin)
            pays = other | (np.asarray(_gain(gate, logits, legal, revised)) > price)
            most = simulations if end is None else np.minimum(simulations, end)
            left = steps if asked.model_steps is None else steps - _steps(self.planner, decision)
            going = going & pays & (most > begin) & (left > 0)
            rows = np.flatnonzero(going)
            if not len(rows):
                break
            limits = (most - begin, None if asked.model_steps is None else left)
            decision, memory = self._plan(state, memory, decision, rows, limits, objective, keys)
        return decision, memory

    def _stages(self) -> list[tuple[int, int | None, Gate]]:
        """Where each begins and ends (None: at the budget), and its gate."""
        return list(zip((0, *self.looks), (*self.looks, None), self.gates, strict=True))

    def _plan(
        self,
        state: State,
        memory: Memory,
        decision: Decision,
        rows: Int[np.ndarray, " rows"],
        limits: tuple[np.ndarray, np.ndarray | None],
        objective: Objective | None,
        keys: Key[Array, " batch"],
    ) -> tuple[Decision, Memory]:
        """A stage of some rows: gathered, planned and put back."""
        padded = np.resize(rows, room(len(rows)))
        spare = np.arange(len(padded)) >= len(rows)
        # What fills up is the same few rows again, with as little to do as there is.
        least = Budget(*jax.tree.map(lambda x: jnp.asarray(np.where(spare, 1, x[padded])), limits))
        some, kept, own = _gathered((state, memory, keys), jnp.asarray(padded))
        planned, kept = self.planner.decide(some, kept, objective=objective, budget=least, key=own)
        if memory is not None:
            memory = _put_back(
                memory, kept, jnp.asarray(np.where(spare, batch_size(state), padded))
            )
        return _merged(decision, planned, rows), memory


def _steps(planner: Decider, decision: Decision) -> Int[np.ndarray, " batch"]:
    if decision.spent.model_steps is None:
        raise BudgetError(
            f"{planner!r} does not count its model steps, so nobody knows how many of a budget's "
            "are left for the next stage: give simulations instead, or Gated without looks."
        )
    return np.asarray(decision.spent.model_steps)


def _merged(decision: Decision, planned: Decision, rows: Int[np.ndarray, " rows"]) -> Decision:
    """The planner's answers in their rows; costs are added, and the time of filling up shared."""
    count, filled = len(rows), planned.action.shape[0]

    def put(x: Array, y: Array | np.ndarray) -> Array:
        # On the host: a small program for each would cost more.
        found = np.array(x)
        found[rows] = np.asarray(y)[:count]
        return jnp.asarray(found)

    def add(x: Any, y: Any) -> Array | None:
        if x is None or y is None:
            return None
        return put(x, np.asarray(x)[rows] + np.broadcast_to(np.asarray(y), filled)[:count])

    cost = planned.spent
    if cost.seconds is not None:
        seconds = np.broadcast_to(np.asarray(cost.seconds), filled)
        cost = eqx.tree_at(lambda c: c.seconds, cost, seconds + seconds[count:].sum() / count)
    return Decision(
        action=put(decision.action, planned.action),
        weights=put(decision.weights, planned.weights),
        value=put(decision.value, planned.value),
        spent=jax.tree.map(add, decision.spent, cost, is_leaf=lambda x: x is None),
        root=_root(decision, planned.root, put),
    )


def _root(
    decision: Decision, planned: RootStatistics | None, put: Callable[[Array, Array], Array]
) -> RootStatistics | None:
    """The planner's statistics in its rows; nothing is visited in those that it was not asked of.

    Of these rows the network's weights are the prior, if searches have one at all.
    """
    if planned is None:
        return None
    before = decision.root
    if before is None:
        batch, none = decision.weights.shape[0], jnp.zeros_like(decision.weights)
        prior = None if planned.prior is None else decision.weights
        line = jnp.full((batch, planned.line.shape[1]), -1, jnp.int32)
        before = RootStatistics(none, none, prior, line)
    return jax.tree.map(put, before, planned)


@eqx.filter_jit
def _gathered(tree: PyTree, rows: Int[Array, " rows"]) -> PyTree:
    return jax.tree.map(lambda x: x[rows], tree)


@eqx.filter_jit
def _put_back(tree: PyTree, some: PyTree, rows: Int[Array, " rows"]) -> PyTree:
    """`some` in those rows of a tree that it has."""
    return jax.tree.map(lambda x, y: x.at[rows].set(y, mode="drop"), tree, some)


@eqx.filter_jit
def _gain(
    gate: Gate, logits: Array, legal: Bool[Array, "batch actions"], revised: Bool[Array, " batch"]
) -> Float[Array, " batch"]:
    return gate(logits, legal, revised)


@eqx.filter_jit
def _looked(
    task: Task, network: Network, state: State
) -> tuple[
    Decision, Float[Array, "batch actions"], Float[Array, " batch"], Bool[Array, "batch actions"]
]:
    """The network's own decision, what it said, and what is legal."""
    legal = jax.vmap(task.legal)(state)
    live: Bool[Array, " batch"] = ~jax.vmap(task.terminated)(state)
    logits, value = evaluate(network, jax.vmap(task.observe)(state), legal)
    action = jnp.argmax(jnp.where(legal, logits, FORBIDDEN), axis=-1)
    decision = answer(
        live, action, masked_softmax(logits, legal), value,
        network_evaluations=live.astype(jnp.int32), flops=live * flops(network),
    )  # fmt: skip
    return decision, logits, value, legal
