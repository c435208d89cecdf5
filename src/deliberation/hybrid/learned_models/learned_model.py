"""A world learned from experience, as a task that any planner can search.

An ensemble of networks that foretell the change of the observation, the reward and the end, each
fitted to its own draws of the data, on normalised inputs (Chua et al. 2018, "PETS", in the variant
with deterministic members).
"""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...amortised.networks.feed_forward import NETWORKS, Buildable
from ...core.errors import UnsuitableTaskError
from ...core.objective import Action, Misere, Objective, misere
from ...core.task import State, Task, Traits, may_be_cut
from .layers import Layers

Ends = Callable[[Array], Array]
"""Whether an episode is over, from what is seen."""
Decode = Callable[[Array], Any]
"""A state of the real task from what is seen of it, as far as objectives need to know."""


class Scale(eqx.Module):
    """Mean and deviation of some numbers, by which they are normalised.

    The deviation of a number that never changes, or by no more than rounding does (a millionth of
    it, or of 1), is 0, so that `up` foretells just that number: a planner would take the noise of a
    network around it for a reason to prefer one plan to another.
    """

    mean: Float[Array, " size"]
    deviation: Float[Array, " size"]

    @staticmethod
    def of(x: Float[Array, "n size"], weight: Float[Array, " n"]) -> "Scale":
        """That of the rows that have weight."""
        share = weight[:, None] / jnp.maximum(weight.sum(), 1)
        mean = (share * x).sum(0)
        deviation = jnp.sqrt((share * (x - mean) ** 2).sum(0))
        real = weight[:, None] > 0
        low, high = (
            f(x, 0, where=real, initial=i) for f, i in ((jnp.min, jnp.inf), (jnp.max, -jnp.inf))
        )
        # Equal numbers are told by their range: the rounding of a mean grows with their count.
        still = (low == high) | (deviation <= 1e-6 * jnp.maximum(1.0, jnp.abs(mean)))
        return Scale(jnp.where(low == high, low, mean), jnp.where(still, 0.0, deviation))

    def down(self, x: Float[Array, "*n size"]) -> Float[Array, "*n size"]:
        """To mean 0 and deviation 1; to 0 what never changed, and by no more than its distance."""
        return (x - self.mean) / jnp.where(self.deviation > 0, self.deviation, 1.0)

    def up(self, x: Float[Array, "*n size"]) -> Float[Array, "*n size"]:
        """Back again."""
        return x * self.deviation + self.mean


class Ensemble(Buildable):
    """`count` networks with one leading axis; each predicts (change and reward, end)."""

    kind: ClassVar[str] = "ensemble"
    members: Layers
    inputs: Scale
    outputs: Scale
    count: int = eqx.field(static=True)

    @staticmethod
    def of(
        task: Task, *, key: Key[Array, ""], members: int = 5, width: int = 64, depth: int = 2
    ) -> "Ensemble":
        """Fresh networks for a task's shapes. Raises `UnsuitableTaskError` for two players."""
        if task.traits.players != 1:
            raise UnsuitableTaskError(
                f"{task!r} has {task.traits.players} players: a learned model here is of a world "
                "without opponents. For games use `train_muzero`."
            )
        if members < 1:
            raise ValueError(f"An ensemble needs at least 1 member; got {members}.")
        return Ensemble.build(
            size=observed_size(task), taken=action_size(task), members=members, width=width,
            depth=depth, key=key,
        )  # fmt: skip

    @staticmethod
    def build(
        *, size: int, taken: int, members: int, width: int, depth: int, key: Key[Array, ""]
    ) -> "Ensemble":
        """Fresh networks of some shapes: what `config` tells."""
        sizes = (size + taken, *[width] * depth, size + 2)
        blank = jnp.zeros(size + 2)
        grown = jax.vmap(lambda k: Layers(sizes, key=k, first=blank, smooth=True))
        return Ensemble(
            grown(jax.random.split(key, members)),
            Scale(jnp.zeros(size + taken), jnp.ones(size + taken)),
            Scale(jnp.zeros(size + 1), jnp.ones(size + 1)),
            members,
        )

    @property
    def config(self) -> dict[str, Any]:
        """What `build` takes; plain JSON."""
        size = self.outputs.mean.size - 1
        return {
            "kind": self.kind,
            "size": size,
            "taken": self.inputs.mean.size - size,
            "members": self.count,
            "width": self.members.layers[0].w.shape[-1],
            "depth": len(self.members.layers) - 1,
        }

    def __call__(
        self, seen: Float[Array, " size"], action: Float[Array, " taken"]
    ) -> tuple[Float[Array, "members size"], Float[Array, " members"], Float[Array, " members"]]:
        """The next observation, the reward and the logit of the end, by every member."""
        x = self.inputs.down(jnp.concatenate([seen, action]))
        raw = jax.vmap(lambda member: member(x))(self.members)
        told = self.outputs.up(raw[:, :-1])
        return seen + told[:, :-1], told[:, -1], raw[:, -1]

    @property
    def flops(self) -> float:
        """Floating-point operations of one step, all members together."""
        return self.members.flops


NETWORKS[Ensemble.kind] = Ensemble.build


class ModelState(eqx.Module):
    """What would be seen, the reward of getting there, how many actions were taken, what is sure.

    `legal` is the real task's at the root; below it every action is allowed.
    """

    observation: Float[Array, "..."]
    reward: Float[Array, ""]
    legal: Bool[Array, " actions"]
    time: Int[Array, ""]
    over: Bool[Array, ""]


class PredictedReward(Objective):
    """What the model says was earned."""

    gamma: float = eqx.field(static=True, default=1.0)

    def __call__(
        self, state: ModelState, action: Action, after: ModelState
    ) -> Float[Array, " players"]:
        """The reward that was foretold together with the state."""
        return after.reward[None]

    @property
    def discount(self) -> float:
        """That of the real task."""
        return self.gamma


class OnObservations(Objective):
    """An objective that reads what is seen, so that it can be planned for in a learned world too.

    `score(before, action, after)` is the reward for one transition between observations. It scores
    the states of `task` and those of its learned models alike.
    """

    task: Task
    score: Callable[[Array, Array, Array], Array] = eqx.field(static=True)
    gamma: float = eqx.field(static=True, default=1.0)

    def __call__(self, state: State, action: Action, after: State) -> Float[Array, " players"]:
        """The score of what is seen before and after."""
        earned = self.score(self._look(state), action, self._look(after))
        return jnp.asarray(earned, jnp.float32)[None]

    def _look(self, state: State) -> Array:
        return state.observation if isinstance(state, ModelState) else self.task.observe(state)

    @property
    def discount(self) -> float:
        """As given."""
        return self.gamma


class Decoded(Objective):
    """A real task's objective, scored on states made up from observations."""

    of: Objective
    decode: Decode = eqx.field(static=True)

    def __call__(
        self, state: ModelState, action: Action, after: ModelState
    ) -> Float[Array, " players"]:
        """The same events with the same worth."""
        return self.of(self.decode(state.observation), action, self.decode(after.observation))

    @property
    def discount(self) -> float:
        """That of the objective."""
        return self.of.discount


class LearnedModel(Task):
    """The learned world as a task, whose states are observations.

    The mean of the ensemble foretells what happens; with `spread`, chance draws a member anew for
    every step ("TS1" of the paper), and the members are the listed outcomes. `ends` says from what
    is seen whether an episode is over, if that is known; otherwise the ensemble foretells it.
    """

    task: Task
    ensemble: Ensemble
    spread: bool = eqx.field(static=True, default=False)
    ends: Ends | None = eqx.field(static=True, default=None)

    def __repr__(self) -> str:
        how = "drawn anew" if self.spread else "averaged"
        return f"LearnedModel({self.task!r}, {self.ensemble.count} members, {how})"

    @property
    def traits(self) -> Traits:
        """The real task's, but for chance and what is hidden: the model knows what it sees."""
        real = self.task.traits
        return Traits(
            real.players, real.actions, real.horizon,
            deterministic=not self.spread, discrete=real.discrete,
            outcomes=self.ensemble.count if self.spread else 0,
            shape=real.shape, low=real.low, high=real.high,
        )  # fmt: skip

    @property
    def objective(self) -> Objective:
        """The reward that is foretold."""
        return PredictedReward(self.task.objective.discount)

    @property
    def passes(self) -> int:
        """Networks asked for one step."""
        return self.ensemble.count

    def enter(self, state: State, time: Int[Array, ""] | int = 0) -> ModelState:
        """The root for a real state: what is seen of it, and the actions that one has counted."""
        return ModelState(
            self.task.observe(state).astype(jnp.float32), jnp.float32(0), self.task.legal(state),
            jnp.asarray(time, jnp.int32), self.task.terminated(state),
        )  # fmt: skip

    def init(self, key: Key[Array, ""]) -> ModelState:
        """The real task's first state, as it is seen."""
        return self.enter(self.task.init(key))

    def advance(self, state: ModelState, action: Action, key: Key[Array, ""]) -> ModelState:
        """One step by the mean, or by a member drawn for it."""
        seen, reward, end = self._foretell(state, action)
        if self.spread:
            member = jax.random.randint(key, (), 0, self.ensemble.count)
            return self._after(state, seen[member], reward[member], end[member])
        return self._after(state, seen.mean(0), reward.mean(), end.mean())

    def outcomes(
        self, state: ModelState, action: Action
    ) -> tuple[ModelState, Float[Array, " outcomes"]]:
        """One for each member."""
        if not self.spread:
            return super().outcomes(state, action)
        after = jax.vmap(self._after, (None, 0, 0, 0))(state, *self._foretell(state, action))
        return after, jnp.full(self.ensemble.count, 1 / self.ensemble.count)

    def _foretell(self, state: ModelState, action: Action) -> tuple[Array, Array, Array]:
        flat, written = state.observation.reshape(-1), write_action(self.task, action)
        return self.ensemble(flat, written)

    def _after(self, state: ModelState, seen: Array, reward: Array, end: Array) -> ModelState:
        seen = seen.reshape(state.observation.shape)
        over = end > 0 if self.ends is None else self.ends(seen)
        time = state.time + 1
        if not may_be_cut(self.task):
            over = over | (time >= self.traits.horizon)
        return ModelState(seen, reward, jnp.broadcast_to(~over, state.legal.shape), time, over)

    def observe(self, state: ModelState) -> Float[Array, "..."]:
        """What would be seen."""
        return state.observation

    def legal(self, state: ModelState) -> Bool[Array, " actions"]:
        """The real task's at the root, all of them below."""
        return state.legal & ~state.over

    def player(self, state: ModelState) -> Int[Array, ""]:
        """There is one."""
        del state
        return jnp.int32(0)

    def terminated(self, state: ModelState) -> Bool[Array, ""]:
        """As known or foretold, and at the horizon of a task that ends there."""
        return state.over

    def truncated(self, state: ModelState) -> Bool[Array, ""]:
        """At the horizon of a task whose episodes are cut; plans look past it."""
        return (state.time >= self.traits.horizon) & may_be_cut(self.task)

    def translate(self, objective: Objective | None, decode: Decode | None) -> Objective | None:
        """An objective of the real task as one of this model; None is the reward foretold.

        Raises `UnsuitableTaskError` for one that reads more than what is seen.
        """
        if objective is None or isinstance(objective, OnObservations):
            return objective
        if decode is not None:
            return Decoded(objective, decode)
        if isinstance(objective, Misere):
            return misere(self.translate(objective.of, decode) or self.objective)
        if bool(eqx.tree_equal(objective, self.task.objective)):
            return None
        raise UnsuitableTaskError(
            f"{objective!r} reads states of {self.task!r}, of which a learned model knows only "
            "what is seen: give `OnObservations(task, score)`, or `decode=`, which makes a state "
            "of an observation."
        )


def observed_size(task: Task) -> int:
    """How many numbers are seen."""
    return math.prod(jax.eval_shape(lambda k: task.observe(task.init(k)), jax.random.key(0)).shape)


def action_size(task: Task) -> int:
    """How many numbers a model is told of an action."""
    return task.traits.actions if task.traits.discrete else math.prod(task.traits.shape)


def write_action(task: Task, action: Action) -> Float[Array, " taken"]:
    """An action as numbers: one-hot, or the continuous ones brought to -1..1."""
    traits = task.traits
    if traits.discrete:
        return jax.nn.one_hot(action, traits.actions)
    middle, half = (traits.low + traits.high) / 2, (traits.high - traits.low) / 2
    return (jnp.asarray(action, jnp.float32).reshape(-1) - middle) / half
