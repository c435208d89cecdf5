"""Best-first search with an admissible heuristic: A* (Hart, Nilsson and Raphael 1968).

In returns instead of costs: a node's promise is what was collected on the way to it and the most
that can still follow (`Objective.heuristic`), and the most promising node is expanded first. Nodes
are kept on the host, in a queue for each row; many nodes of many rows are expanded in one compiled
call.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from ...core.answering import CheckedDecider, Question, answer, uniform_weights
from ...core.budget import Budget
from ...core.decider import Decision, Memory
from ...core.errors import ForeignMemoryError
from ...core.host import on_host
from ...core.noise import seeds, uniform
from ...core.objective import Objective
from ...core.rows import where_rows
from ...core.task import State, Task
from ..aims import aim_of
from ..checks import check_deterministic
from ..evaluators import Evaluator
from .frontier import Arena, Frontier, Line, Pruning

Merge = Callable[[State], Int[Array, " words"]]


class Plan(eqx.Module):
    """The rest of a plan for each row, as a decider's memory.

    `actions` is -1 and `values` (the return still to come) 0 beyond its end; `states` are the
    fingerprints of the states that it leads through. `effort` is the budget it was found with,
    or the largest number where it is proved to be the best.
    """

    actions: Int[Array, "batch plies"]
    values: Float[Array, "batch plies"]
    states: Int[Array, "batch plies words"]
    effort: Int[Array, " batch"]
    aim: UInt32[Array, "batch 2"]


PROVED = int(np.iinfo(np.int32).max)


class BestFirst(CheckedDecider):
    """A* over a deterministic task of one player that hides nothing; its answer is a whole plan.

    One simulation is the expansion of one node, that is, a model step for each of its legal
    actions. A search ends when nothing left promises more than the best finished plan: that plan
    is optimal, given that `Objective.heuristic` is admissible. When the budget ends before, the
    plan leads to the most promising node found, finished or not (as in real-time A*, Korf 1990).
    Budget 0 draws an action evenly. `weights` are one action's alone.

    The rest of the plan is the memory. It is followed without a search as long as play keeps to it
    and the objective stays; a plan that was not proved best gives way to a search where a decision
    may spend more than it was found with.

    States are told apart by `task.fingerprint`, or by `merge(state)` (integers, hashable as static
    data): for a task that keeps the time in its state, `lambda s: s.cell` lets an early visit to a
    place stand for later ones too, which is right as long as the time limit does not bind.
    `lanes` nodes of a row are expanded side by side, which is faster and costs a few more.

    `prune` drops what a judge other than the heuristic thinks little of: see `Pruning`.

    Raises `UnsuitableTaskError` for chance, hidden state, continuous actions or a second player,
    and `NonFiniteError` where rewards, heuristic or values are not finite (an objective without
    bounds has no heuristic). For use outside of `jit`.
    """

    task: Task
    budget: Budget
    prune: Pruning | None
    lanes: int = eqx.field(static=True)
    merge: Merge | None = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        *,
        budget: Budget | int = 1024,
        lanes: int = 8,
        merge: Merge | None = None,
        prune: Pruning | None = None,
    ):
        check_plannable(task, type(self).__name__)
        if lanes < 1:
            raise ValueError(f"At least one node is expanded at a time; got lanes={lanes}.")
        self.task, self.budget, self.prune = task, Budget.of(budget), prune
        self.lanes, self.merge = lanes, merge

    def __repr__(self) -> str:
        pruned = "" if self.prune is None else f", pruned by {type(self.prune.judge).__name__}"
        return f"BestFirst({self.task!r}, budget={self.budget.simulations}{pruned})"

    def begin(self, batch: int) -> Memory:
        """No plan yet: room for one as long as the horizon."""
        plies, words = self.task.traits.horizon, self._words
        return Plan(
            actions=jnp.full((batch, plies), -1, jnp.int32),
            values=jnp.zeros((batch, plies)),
            states=jnp.zeros((batch, plies, words), jnp.int32),
            effort=jnp.zeros(batch, jnp.int32),
            aim=jnp.zeros((batch, 2), jnp.uint32),
        )

    @property
    def _words(self) -> int:
        state = jax.eval_shape(self.task.init, jax.random.key(0))
        return jax.eval_shape(self.task.fingerprint, state).size

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Follow the plan of a row, or search for a new one."""
        state, objective, keys = question.state, question.objective, question.keys
        limits = np.stack(question.limits)
        memory = self.begin(len(keys)) if question.memory is None else question.memory
        if not isinstance(memory, Plan):
            raise ForeignMemoryError(
                f"{self!r} remembers plans; got a memory of {type(memory).__name__}. Start with "
                "`begin(batch)` and hand on what `decide` returns."
            )
        words, live, legal = map(np.asarray, _look(self.task, state))
        # Made into host arrays once: they are written row by row.
        plan = jax.tree.map(np.array, memory)
        aim = np.asarray(aim_of(objective))
        u = np.asarray(uniform(seeds(keys)))
        known = (plan.actions[:, 0] >= 0) & (plan.states[:, 0] == words).all(1)
        known &= (plan.aim == aim).all(1) & (limits.min(0) <= plan.effort)
        search = live & ~known & (limits.min(0) > 0)
        lines = self._search(objective, state, np.flatnonzero(search), limits)
        for row, line in lines.items():
            effort = PROVED if line.proved else int(limits[:, row].min())
            _write(plan, row, line, effort, aim)
            # Not even the root could be expanded within its model steps, or no way ends.
            search[row] = bool(line.actions)
        decision = _answer(plan, live, legal, known | search, u, lines)
        return decision, _shifted(plan, known | search)

    def _search(
        self,
        objective: Objective,
        state: State,
        rows: Int[np.ndarray, " rows"],
        limits: Int[np.ndarray, "2 batch"],
    ) -> dict[int, Line]:
        """A plan for each of some rows, all searched in step."""
        if not len(rows):
            return {}
        arena = Arena(self.task, objective, self.merge, self.prune)
        roots = arena.init(jax.tree.map(lambda x: x[rows], on_host(state)))
        queues = [
            Frontier(arena, int(root), *(int(x) for x in limits[:, row]))
            for root, row in zip(roots, rows, strict=True)
        ]
        busy = queues
        while busy:
            asked = [queue.take(self.lanes) for queue in busy]
            counts = [len(nodes) for nodes in asked]
            children, judged = arena.expand(np.concatenate([np.array(n, int) for n in asked]))
            offsets = np.cumsum([0, *counts])
            for i, queue in enumerate(busy):
                own = slice(*offsets[i : i + 2])
                queue.put(children[own], judged[own])
            busy = [queue for queue in busy if queue.busy]
        return {int(row): queue.line() for row, queue in zip(rows, queues, strict=True)}


def check_plannable(task: Task, name: str) -> None:
    """Refuse tasks in which a plan is not a list of actions."""
    needs = (
        f"{name} plans for one player in a deterministic, discrete task in full view. Use "
        "`TreeSearch` or `HistorySearch`."
    )
    check_deterministic(task, needs, players=(1,))


def pruned_best_first(
    task: Task, judge: Evaluator, margin: float, *, budget: Budget | int = 1024, **options
) -> BestFirst:
    """A* that does not look below children which `judge` values `margin` less than their best."""
    return BestFirst(task, budget=budget, prune=Pruning(judge, margin), **options)


@eqx.filter_jit
def _look(task: Task, state: State) -> tuple[Array, Array, Array]:
    live = ~jax.vmap(task.terminated)(state)
    return jax.vmap(task.fingerprint)(state), live, jax.vmap(task.legal)(state)


def _write(plan: Plan, row: int, line: Line, effort: int, aim: np.ndarray) -> None:
    """Replace the plan of one row; arrays are the host's own."""
    actions, values, states = (np.asarray(x) for x in (plan.actions, plan.values, plan.states))
    length = len(line.actions)
    actions[row], values[row] = -1, 0.0
    actions[row, :length], values[row, :length] = line.actions, line.values
    if length:
        states[row, :length] = line.states
    np.asarray(plan.effort)[row], np.asarray(plan.aim)[row] = effort, aim


def _answer(
    plan: Plan,
    live: np.ndarray,
    legal: np.ndarray,
    planned: np.ndarray,
    u: np.ndarray,
    lines: dict[int, Line],
) -> Decision:
    batch, actions = legal.shape
    rank = np.minimum((u * legal.sum(1)).astype(int), np.maximum(legal.sum(1) - 1, 0))
    drawn = np.argmax(legal & (legal.cumsum(1) - 1 == rank[:, None]), axis=1)
    action = np.where(planned, np.asarray(plan.actions)[:, 0], drawn)
    even = np.asarray(uniform_weights(jnp.asarray(legal)))
    weights = np.where(planned[:, None], np.eye(actions)[action], even)
    spent = np.zeros((3, batch))
    for row, line in lines.items():
        spent[:, row] = line.steps, line.evaluations, line.flops
    return answer(
        live, action, weights, np.where(planned, np.asarray(plan.values)[:, 0], 0.0),
        model_steps=spent[0].astype(np.int32), network_evaluations=spent[1].astype(np.int32),
        flops=spent[2],
    )  # fmt: skip


def _shifted(plan: Plan, taken: np.ndarray) -> Plan:
    """Plans without the action just taken; no plan where nothing was planned."""

    def shift(x: np.ndarray, blank: int) -> Array:
        rest = np.concatenate([x[:, 1:], np.full_like(x[:, :1], blank)], axis=1)
        return where_rows(jnp.asarray(taken), jnp.asarray(rest), jnp.full(x.shape, blank, x.dtype))

    return Plan(
        shift(np.asarray(plan.actions), -1),
        shift(np.asarray(plan.values), 0),
        shift(np.asarray(plan.states), 0),
        jnp.asarray(plan.effort),
        jnp.asarray(plan.aim),
    )
