"""Chance in the tree: an action leads to a chance node, whose edges are what chance can make of it.

For tasks that list the outcomes of an action (`Task.outcomes`). Outcomes are visited in proportion
to their probability, by argmax p / (N + 1) (Antonoglou et al. 2022, Stochastic MuZero), so a chance
node's mean return converges to the expectation. What has happened is seen before the next action
is chosen and never before it happens: the tree holds what the listed distribution says and nothing
of the keys by which a task draws.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ....core.noise import Seed, gumbel, mix
from ....core.objective import Objective
from ....core.rows import where_rows
from ....core.task import State, Task
from ...evaluators import Evaluator
from ...faults import IN_CHANCES
from ..round import Leaves
from ..tree import FORBIDDEN, log_prior
from .base import Model, Step, TaskModel, Wrapper

NONE = -1
"""The pending action of a node at which a player moves."""


class Pending(eqx.Module):
    """What a node keeps: a state of the task, and the action whose outcome is still to come."""

    state: State
    action: Int[Array, "*lanes"]

    @staticmethod
    def of(state: State, lanes: int) -> "Pending":
        """States in which a player is to move."""
        return Pending(state, jnp.full(lanes, NONE, jnp.int32))


class ChanceModel(Wrapper):
    """A task that lists its outcomes, an objective and an evaluator as a model.

    A chance node has the state and the mover of its parent; the reward and discount of an action
    belong to its outcomes. It is evaluated by one of them, drawn anew: unbiased, and one question
    to the evaluator as for any other node. An action with a single possible outcome leads
    there at once, so what is certain is proved as elsewhere; no chance node's value is ever proved.

    Each listed outcome counts as a model step: listing computes them all.
    """

    of: TaskModel

    @property
    def actions(self) -> int:
        """The larger of the task's numbers of actions and of outcomes."""
        traits = self.of.task.traits
        return max(traits.actions, traits.outcomes)

    @property
    def horizon(self) -> int:
        """An action and an outcome alternate."""
        return 2 * self.of.horizon

    def enter(self, state: State) -> Pending:
        """States in which a player is to move."""
        return Pending.of(state, jax.tree.leaves(state)[0].shape[0])

    def root(self, state: State, seed: Seed, evaluate: bool) -> Step:
        """The roots, at which players move."""
        step = self.of.root(state, seed, evaluate).settled()
        known = (self.enter(state), self._widen(step.logits))
        return eqx.tree_at(lambda s: (s.state, s.logits), step, known)

    def step(self, leaves: Leaves) -> Step:
        """Meet an outcome: the edge's own at a chance node, elsewhere one drawn for a look."""
        state, action, seed = leaves.state, leaves.action, leaves.seed
        rolls = state.action != NONE
        taken = jnp.where(rolls, state.action, action)
        listed, chances = jax.vmap(self.of.task.outcomes)(state.state, taken)
        drawn = draw(chances, mix(seed, 1))
        # Computed once: XLA would work it out again for each of its readers.
        after = jax.lax.optimization_barrier(_take(listed, jnp.where(rolls, action, drawn)))
        steps = chances.shape[1]
        met = self.of.arrive(state.state, taken, after, leaves, mix(seed, 2), steps).settled()
        waits = ~rolls & ((chances > 0).sum(-1) > 1)
        odds = self._widen(log_prior(jnp.log(chances), chances > 0))
        proper = jnp.isfinite(chances).all(-1) & (chances > 0).any(-1)
        return Step(
            Pending(where_rows(waits, state.state, met.state), jnp.where(waits, taken, NONE)),
            jnp.where(waits, 0.0, met.reward),
            jnp.where(waits, 1.0, met.discount),
            jnp.where(waits, met.reward + met.discount * met.value, met.value),
            jnp.where(waits[:, None], odds, self._widen(met.logits)),
            jnp.where(waits, self.of.sign(state.state), met.sign),
            met.over & ~waits,
            waits,
            met.model_steps,
            met.evaluations,
            faults=met.faults | jnp.where(proper, 0, IN_CHANCES),  # type: ignore[operator]  # settled
            stuck=met.stuck,
        )

    def _widen(self, logits: Float[Array, "lanes narrow"]) -> Float[Array, "lanes actions"]:
        room = self.actions - logits.shape[-1]
        return jnp.pad(logits, ((0, 0), (0, room)), constant_values=FORBIDDEN)


def model_for(task: Task, objective: Objective, evaluator: Evaluator) -> Model:
    """What a tree search of this task plans with: chance nodes where there is chance."""
    model = TaskModel(task, objective, evaluator)
    return model if task.traits.deterministic else ChanceModel(model)


def draw(chances: Float[Array, "lanes outcomes"], seed: Seed) -> Int[Array, " lanes"]:
    """One outcome a lane with these probabilities (Gumbel-max); never one of probability 0."""
    noise = gumbel(mix(seed[:, None], jnp.arange(chances.shape[1])))
    return jnp.argmax(jnp.log(chances) + noise, axis=-1).astype(jnp.int32)


def _take(listed: State, which: Int[Array, " lanes"]) -> State:
    rows = jnp.arange(which.shape[0])
    return jax.tree.map(lambda x: x[rows, which], listed)
