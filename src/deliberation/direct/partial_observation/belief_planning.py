"""Exact planning where something is hidden: expectimax over what may be the case.

Åström (1965); Kaelbling, Littman and Cassandra, "Planning and acting in partially observable
stochastic domains" (1998).
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ...core.answering import CheckedDecider, Question, answer
from ...core.budget import Budget
from ...core.decider import Decision, Memory
from ...core.host import on_host
from ...core.noise import Seed, mix, seeds
from ...core.objective import Objective
from ...core.task import State, Task
from ..exact.belief_graph import Grown, Particles, check_believable, grow, listed, valued
from ..ties import best_action, tied


class BeliefPlanning(CheckedDecider):
    """Considers every action, everything that can then be seen, and what is then known.

    It starts from `task.beliefs(state)` where something is hidden, the exact posterior over states
    by all that the player has seen (where nothing is, from the state). Beliefs are expanded layer
    by layer until the episode's end, or to `horizon` actions, equal ones once; beyond the last
    layer nothing is expected. A simulation is one belief expanded, and a layer is expanded wholly
    or not at all; every outcome listed is a model step. With room enough the answer is optimal;
    budget 0 answers evenly. Rows that know the same share a search, and each is charged for it
    (see `Ledger`).

    `weights` are even over the best actions. Runs on the host, not inside of `jit`. Raises
    `UnsuitableTaskError` for several players, continuous actions, chance that is not listed and
    hidden state that is not.
    """

    pads: ClassVar[bool] = True
    task: Task
    budget: Budget
    horizon: int = eqx.field(static=True)

    def __init__(self, task: Task, *, horizon: int | None = None, budget: Budget | int = 100_000):
        check_believable(task)
        if horizon is not None and horizon < 1:
            raise ValueError(f"BeliefPlanning needs a horizon of at least 1; got {horizon}.")
        self.task, self.budget = task, Budget.of(budget)
        self.horizon = task.traits.horizon if horizon is None else horizon

    def __repr__(self) -> str:
        spend = f"horizon={self.horizon}, budget={self.budget.simulations}"
        return f"BeliefPlanning({self.task!r}, {spend})"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Search from every row."""
        limits, keys, objective = question.limits, question.keys, question.objective
        states, chances, legal = on_host(_roots(self.task, question.state))
        known: dict[tuple[bytes, ...], tuple[np.ndarray, Grown]] = {}
        q, spent = np.full(legal.shape, -np.inf), np.zeros(len(keys), np.int64)
        for row in np.flatnonzero(legal.any(1)):
            likely = chances[row] > 0
            root = jax.tree.map(lambda x, r=row, k=likely: x[r][k], states)
            most = [int(x[row]) for x in limits]
            parts = [*jax.tree.leaves(root), chances[row][likely], np.array(most)]
            name = tuple(np.asarray(x).tobytes() for x in parts)
            if name not in known:
                known[name] = self._search(root, chances[row][likely], legal[row], most, objective)
            q[row], grown = known[name]
            spent[row] = grown.steps
        return judged(q, legal, spent, seeds(keys)), question.memory

    def _search(
        self,
        root: State,
        chances: Float[np.ndarray, " states"],
        legal: Bool[np.ndarray, " actions"],
        most: list[int],
        objective: Objective,
    ) -> tuple[np.ndarray, Grown]:
        first = Particles(root, np.zeros(len(chances), int), chances.astype(float))
        grown = grow([self.task], [objective], [first], legal[None], self.horizon, *most)
        return action_values(grown, legal, float(objective.discount)), grown


def action_values(
    grown: Grown, legal: Bool[np.ndarray, " actions"], discount: float
) -> Float[np.ndarray, " actions"]:
    """The values at the root: zeros where nothing was expanded, minus infinity where illegal."""
    return valued(grown, discount)[0] if grown.layers else np.where(legal, 0.0, -np.inf)


def judged(
    q: Float[np.ndarray, "batch actions"],
    legal: Bool[np.ndarray, "batch actions"],
    steps: np.ndarray,
    seed: Seed,
) -> Decision:
    """A decision by action values: one of the best, evenly; the values must be finite if legal."""
    live = np.asarray(legal.any(1))
    top = np.where(live, q.max(1, initial=-np.inf), 0.0)
    best = legal & tied(q)
    action = best_action(jnp.where(best, 0.0, -jnp.inf), mix(seed, 2))
    weights = (best / np.maximum(best.sum(1, keepdims=True), 1)).astype(np.float32)
    steps = np.minimum(steps, np.iinfo(np.int32).max).astype(np.int32)
    return answer(live, action, weights, top.astype(np.float32), model_steps=steps)


@eqx.filter_jit
def _roots(
    task: Task, state: State
) -> tuple[State, Float[Array, "batch states"], Bool[Array, "batch actions"]]:
    states, chances = jax.vmap(lambda s: listed(task, s))(state)
    return states, chances, jax.vmap(task.legal)(state)
