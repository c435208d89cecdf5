"""What a search plans with: a task, a learned model, a user's function; one batched step each.

A search knows nothing of tasks or networks. A model says what lies behind an edge (`step`) and at
the roots (`root`): states, rewards, values and priors, each in the view of the player to move at
the node that it belongs to.
"""

import abc
import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ....core.noise import Seed, as_key, mix
from ....core.objective import Objective, cancel
from ....core.rows import narrowed
from ....core.task import Actions, State, Task
from ...evaluators import Evaluation, Evaluator, ask, check_answer
from ...faults import IN_AIMS, IN_PRIOR, IN_REWARD, IN_VALUE
from ..round import Leaves
from ..tree import log_prior


class Step(eqx.Module):
    """What was found behind one edge a lane: the new node and the way into it.

    `reward` is for the player who moved, `discount` turns the new node's value into that player's
    view, `value` and `logits` are for the player to move at the new node. `faults` says what is
    wrong with the numbers (`direct.faults`). With `legal`, the search normalises the logits and
    looks for what is not finite by itself. Without it, the model did: the logits are those of a
    prior (`log_prior`), and `stuck` says where a state that is not `over` has no legal action.
    `model_steps` and `evaluations` are 0 for lanes that are not new. `chance` marks nodes whose
    edges are outcomes; None: there are none.
    """

    state: State
    reward: Float[Array, " lanes"]
    discount: Float[Array, " lanes"]
    value: Float[Array, " lanes"]
    logits: Float[Array, "lanes actions"]
    sign: Float[Array, " lanes"]
    over: Bool[Array, " lanes"]
    chance: Bool[Array, " lanes"] | None
    model_steps: Int[Array, " lanes"]
    evaluations: Int[Array, " lanes"]
    legal: Bool[Array, "lanes actions"] | None = None
    faults: Int[Array, " lanes"] | None = None
    stuck: Bool[Array, " lanes"] | None = None

    def single(self) -> "Step":
        """The same in numbers of 32 bits, but for the state."""
        narrow = narrowed(dataclasses.replace(self, state=None))
        return dataclasses.replace(narrow, state=self.state)

    def settled(self) -> "Step":
        """The same with normalised logits, and with `faults` and `stuck` filled in."""
        if self.legal is None:
            return self
        legal = self.legal
        stuck = ~self.over & ~legal.any(-1)
        if self.stuck is not None:
            stuck = stuck | self.stuck
        prior = (jnp.isfinite(self.logits) | ~legal).all(-1)
        faults = jnp.where(prior | self.over, 0, IN_PRIOR)
        faults = faults if self.faults is None else faults | self.faults
        faults = faults | jnp.where(jnp.isfinite(self.value) | self.over, 0, IN_VALUE)
        faults = faults | jnp.where(jnp.isfinite(self.reward), 0, IN_REWARD)
        return Step(
            self.state, self.reward, self.discount, self.value, log_prior(self.logits, legal),
            self.sign, self.over, self.chance, self.model_steps, self.evaluations,
            None, faults, stuck,
        )  # fmt: skip


def greatest(task: Task, objective: Objective) -> float | Array:
    """The greatest return of a single player; infinite where unknown, and for several."""
    return objective.bounds[1] if task.traits.players == 1 else math.inf


class Model(eqx.Module):
    """One batched step from nodes along edges."""

    @property
    @abc.abstractmethod
    def actions(self) -> int:
        """The width of a node: actions, or outcomes where a node is chance's."""

    @property
    @abc.abstractmethod
    def horizon(self) -> int | Int[Array, ""]:
        """No path is longer."""

    @property
    @abc.abstractmethod
    def bounds(self) -> tuple[float | Array, float | Array]:
        """The least and the greatest return of player 0."""

    @property
    def scale_bounds(self) -> tuple[float | Array, float | Array]:
        """The bounds of player 0's returns by which rules scale what they explore.

        Infinite, as here, where they had better go by the returns that were met.
        """
        return -math.inf, math.inf

    @property
    def most(self) -> float | Array:
        """The greatest return of a single player; infinite where unknown, and for several."""
        return math.inf

    def enter(self, state: State) -> State:
        """What a root node keeps of a state to search from: by default the state itself."""
        return state

    def place(self, state: State) -> State:
        """What a node's state begins with: by it a state is found again in a tree."""
        return self.enter(state)

    @abc.abstractmethod
    def root(self, state: State, seed: Seed, evaluate: bool) -> Step:
        """The root nodes, and what they are worth if `evaluate`; one seed a row."""

    @abc.abstractmethod
    def step(self, leaves: Leaves) -> Step:
        """Follow one edge a lane; lanes that are not `new` may be answered with anything."""


class Wrapper(Model):
    """A model made of another one, `of`, in which the same can be earned."""

    of: eqx.AbstractVar[Model]

    @property
    def bounds(self) -> tuple[float | Array, float | Array]:
        """Those of the other model."""
        return self.of.bounds

    @property
    def scale_bounds(self) -> tuple[float | Array, float | Array]:
        """Those of the other model."""
        return self.of.scale_bounds

    @property
    def most(self) -> float | Array:
        """That of the other model."""
        return self.of.most


class TaskModel(Model):
    """A task, an objective and an evaluator as a model: what `TreeSearch` plans with."""

    task: Task
    objective: Objective
    evaluator: Evaluator

    @property
    def actions(self) -> int:
        """Those of the task."""
        return self.task.traits.actions

    @property
    def horizon(self) -> int:
        """That of the task."""
        return self.task.traits.horizon

    @property
    def bounds(self) -> tuple[float | Array, float | Array]:
        """Those of the objective."""
        return self.objective.bounds

    @property
    def scale_bounds(self) -> tuple[float | Array, float | Array]:
        """Those of the objective in games for two: what can be won and lost there.

        Those of one player add up the worst and the best of every step, which no play comes near.
        """
        return self.objective.bounds if self.task.traits.players == 2 else super().scale_bounds

    @property
    def most(self) -> float | Array:
        """That of the objective."""
        return greatest(self.task, self.objective)

    def root(self, state: State, seed: Seed, evaluate: bool) -> Step:
        """The roots; they are asked about once, with the search's own seed."""
        live = ~jax.vmap(self.task.terminated)(state)
        zeros = jnp.zeros(live.shape, jnp.float32)
        return self._node(
            state, live, zeros, zeros, seed, jnp.zeros(live.shape, jnp.int32), evaluate,
            jnp.full(live.shape, self.task.traits.horizon),
        )  # fmt: skip

    def step(self, leaves: Leaves) -> Step:
        """Advance the task and evaluate where that leads."""
        state, action, seed = leaves.state, leaves.action, leaves.seed
        after = jax.vmap(self.task.advance)(state, action, as_key(mix(seed, 1)))
        # Computed once: XLA would work the new state out again for each of its readers.
        after = jax.lax.optimization_barrier(after)
        return self.arrive(state, action, after, leaves, mix(seed, 2))

    def arrive(
        self,
        state: State,
        action: Actions,
        after: State,
        leaves: Leaves,
        seed: Seed,
        steps: int = 1,
    ) -> Step:
        """Evaluate the state that an action led to, which took so many model steps to find."""
        new, left = leaves.new, self.task.traits.horizon - leaves.depth
        earned = jax.vmap(self.objective)(state, action, after)
        gains = earned[:, 0]
        before = self.sign(state)
        same = before == self.sign(after)
        discount = jnp.where(same, self.objective.discount, -self.objective.discount)
        spent = new.astype(jnp.int32) * steps
        step = self._node(after, new, gains * before, discount, seed, spent, True, left)
        if self.task.traits.players != 2:
            return step
        # What is not finite is refused as that.
        opposed = cancel(earned) | ~jnp.isfinite(earned).all(-1) | ~new
        return dataclasses.replace(step, faults=jnp.where(opposed, 0, IN_AIMS))

    def _node(
        self,
        state: State,
        new: Bool[Array, " lanes"],
        reward: Float[Array, " lanes"],
        discount: Float[Array, " lanes"],
        seed: Seed,
        steps: Int[Array, " lanes"],
        evaluate: bool,
        left: Int[Array, " lanes"],
    ) -> Step:
        over = jax.vmap(self.task.terminated)(state)
        legal = jax.vmap(self.task.legal)(state) & ~over[:, None]
        asked = new & ~over
        zeros = jnp.zeros(over.shape, jnp.float32)
        found = Evaluation(jnp.zeros(legal.shape), zeros, zeros.astype(jnp.int32))
        if evaluate:
            found = ask(self.evaluator, self.task, self.objective, state, asked, seed, left)
            check_answer(self.evaluator, found, *legal.shape)
        passes = self.evaluator.passes if evaluate else 0
        return Step(
            state, reward, discount, jnp.where(asked, found.value, 0.0), found.logits,
            self.sign(state), over, None, steps + found.model_steps * asked,
            asked * passes, legal=legal, stuck=None if found.stuck is None else found.stuck & asked,
        )  # fmt: skip

    def sign(self, state: State) -> Float[Array, " lanes"]:
        """1 where player 0 is to move, else -1."""
        return jnp.where(jax.vmap(self.task.player)(state) == 0, 1.0, -1.0)
