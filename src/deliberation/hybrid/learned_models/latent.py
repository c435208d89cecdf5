"""A learned latent world: representation, dynamics and prediction, as a task to be searched.

MuZero's three functions (Schrittwieser et al. 2020). What lies behind an action is a vector that
the dynamics network makes of the one before: no rule of the real task is asked below the root.
"""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...amortised.networks.feed_forward import NETWORKS, Buildable
from ...core.errors import UnsuitableTaskError
from ...core.noise import Seed
from ...core.objective import Objective
from ...core.rows import greatest
from ...core.task import State, Task, Traits, may_be_cut
from ...direct.evaluators import Evaluation, Evaluator
from .layers import Layers
from .scalars import Support


class LatentNetworks(Buildable):
    """MuZero's representation h, dynamics g and prediction f; vectors are scaled to [0, 1]."""

    kind: ClassVar[str] = "latent_networks"
    represent: Layers
    move: Layers
    earn: Layers
    predict: Layers
    actions: int = eqx.field(static=True)
    rewards: Support = eqx.field(static=True)
    values: Support = eqx.field(static=True)
    turn: Layers | None = None
    """Says whether the other player moves next; None where players take turns by the rules."""

    @staticmethod
    def of(
        task: Task,
        *,
        key: Key[Array, ""],
        latent: int = 48,
        width: int = 96,
        bins: int = 41,
        value_range: tuple[float, float] | None = None,
        alternate: bool = True,
    ) -> "LatentNetworks":
        """Networks with the task's shapes.

        `value_range` bounds returns and rewards; the objective's bounds unless given. Unless two
        players `alternate`, who moves next is learned too. Raises
        `UnsuitableTaskError` for continuous actions and where no range is known.
        """
        traits = task.traits
        if not traits.discrete or traits.players > 2:
            raise UnsuitableTaskError(
                f"{task!r} has continuous actions or more than two players: MuZero here serves "
                "numbered actions of one player or two. For continuous ones use `train_mpc`."
            )
        low, high = task.objective.bounds if value_range is None else value_range
        if not math.isfinite(high - low):
            raise UnsuitableTaskError(
                f"{task!r} does not bound its returns {(low, high)}: give value_range=(low, high)."
            )
        if traits.players == 2:
            low, high = min(low, -high), max(high, -low)
        seen = jax.eval_shape(lambda k: task.observe(task.init(k)), key).shape
        return LatentNetworks.build(
            inputs=math.prod(seen), actions=traits.actions, latent=latent, width=width, bins=bins,
            low=float(low), high=float(high), turn=not alternate and traits.players == 2, key=key,
        )  # fmt: skip

    @staticmethod
    def build(
        *,
        inputs: int,
        actions: int,
        latent: int,
        width: int,
        bins: int,
        low: float,
        high: float,
        turn: bool,
        key: Key[Array, ""],
    ) -> "LatentNetworks":
        """Fresh networks of some shapes: what `config` tells."""
        keys = jax.random.split(key, 4)
        support = Support(low, high, bins)
        # Worth nothing until something was earned: hopes would keep the first searches in place.
        nothing = support.nothing
        flat = jnp.concatenate([jnp.zeros(actions), nothing])
        return LatentNetworks(
            represent=Layers((inputs, width, latent), key=keys[0]),
            move=Layers((latent + actions, width, latent), key=keys[1]),
            earn=Layers((latent + actions, width, bins), key=keys[2], first=nothing),
            predict=Layers((latent, width, actions + bins), key=keys[3], first=flat),
            actions=actions,
            rewards=support,
            values=support,
            turn=Layers((latent + actions, width, 1), key=jax.random.fold_in(key, 4))
            if turn
            else None,
        )

    @property
    def config(self) -> dict[str, Any]:
        """What `build` takes; plain JSON."""
        (inputs, width), latent = self.represent.layers[0].w.shape, self.represent.layers[-1].b.size
        return {
            "kind": self.kind,
            "inputs": inputs,
            "actions": self.actions,
            "latent": latent,
            "width": width,
            "bins": self.values.bins,
            "low": self.values.low,
            "high": self.values.high,
            "turn": self.turn is not None,
        }

    def encode(self, observation: Float[Array, "..."]) -> Float[Array, " latent"]:
        """The vector that stands for what is seen."""
        return _scaled(self.represent(observation.reshape(-1)))

    def step(
        self, vector: Float[Array, " latent"], action: Int[Array, ""]
    ) -> tuple[Float[Array, " latent"], Float[Array, " bins"]]:
        """The vector after an action, and the logits of what the mover earns by it."""
        both = jnp.concatenate([vector, jax.nn.one_hot(action, self.actions)])
        return _scaled(vector + self.move(both)), self.earn(both)

    def passes(self, vector: Float[Array, " latent"], action: Int[Array, ""]) -> Float[Array, ""]:
        """Logit that the other player moves after an action; only where that is learned."""
        assert self.turn is not None, "players take turns"
        return self.turn(jnp.concatenate([vector, jax.nn.one_hot(action, self.actions)]))[0]

    def judge(
        self, vector: Float[Array, " latent"]
    ) -> tuple[Float[Array, " actions"], Float[Array, " bins"]]:
        """Logits over actions, and those of the value for the player to move."""
        both = self.predict(vector)
        return both[: self.actions], both[self.actions :]

    @property
    def step_flops(self) -> float:
        """Floating-point operations of one step of the dynamics."""
        turn = 0.0 if self.turn is None else self.turn.flops
        return self.move.flops + self.earn.flops + turn


def _scaled(vector: Float[Array, " latent"]) -> Float[Array, " latent"]:
    low, high = -greatest(-vector), greatest(vector)
    return (vector - low) / jnp.maximum(high - low, 1e-5)


NETWORKS[LatentNetworks.kind] = LatentNetworks.build


class LatentState(eqx.Module):
    """A vector, what the last action earned its mover, and the little that is known for certain."""

    vector: Float[Array, " latent"]
    reward: Float[Array, ""]
    legal: Bool[Array, " actions"]
    player: Int[Array, ""]
    time: Int[Array, ""]
    over: Bool[Array, ""]


class LearnedReward(Objective):
    """The reward that the model predicts; no other objective can be asked of it."""

    players: int = eqx.field(static=True)
    gamma: float = eqx.field(static=True)

    def __call__(
        self, state: LatentState, action: Int[Array, ""], after: LatentState
    ) -> Float[Array, " players"]:
        """The mover's gain is the other's loss."""
        sign = jnp.where(state.player == 0, 1.0, -1.0)
        gain = sign * after.reward
        return gain[None] if self.players == 1 else jnp.stack([gain, -gain])

    @property
    def discount(self) -> float:
        """That of training."""
        return self.gamma


class LatentTask(Task):
    """The learned world as a task. Legal actions and the end are known at the root alone.

    Below it every action is allowed, nothing ends before the task's horizon (nor there, if episodes
    are only cut), and two players take turns (Schrittwieser et al. 2020, appendix A), unless the
    networks have learned who moves next.
    """

    task: Task
    networks: LatentNetworks
    gamma: float = eqx.field(static=True)

    def __repr__(self) -> str:
        return f"LatentTask({self.task!r})"

    @property
    def traits(self) -> Traits:
        """The shape of the real task's; a vector has one successor."""
        real = self.task.traits
        return Traits(real.players, real.actions, real.horizon)

    @property
    def objective(self) -> Objective:
        """What the model says was earned."""
        return LearnedReward(self.task.traits.players, self.gamma)

    def enter(self, state: State) -> LatentState:
        """What the networks make of what is seen in a real state."""
        vector = self.networks.encode(self.task.observe(state).astype(jnp.float32))
        return LatentState(
            vector,
            jnp.float32(0),
            self.task.legal(state),
            self.task.player(state).astype(jnp.int32),
            jnp.int32(0),
            self.task.terminated(state),
        )

    def init(self, key: Key[Array, ""]) -> LatentState:
        """The real task's first state, as it is seen."""
        return self.enter(self.task.init(key))

    def advance(
        self, state: LatentState, action: Int[Array, ""], key: Key[Array, ""]
    ) -> LatentState:
        """One step of the dynamics network."""
        del key
        vector, earned = self.networks.step(state.vector, action)
        time = state.time + 1
        # Where episodes are only cut, what the networks have learned goes on past the horizon.
        over = (time >= self.task.traits.horizon) & (not may_be_cut(self.task))
        legal = jnp.broadcast_to(~over, state.legal.shape)
        passes: Array = jnp.bool_(True)
        if self.networks.turn is not None:
            passes = self.networks.passes(state.vector, action) > 0
        player = (state.player + passes) % self.task.traits.players
        reward = self.networks.rewards.mean(earned)
        return LatentState(vector, reward, legal, player.astype(jnp.int32), time, over)

    def observe(self, state: LatentState) -> Float[Array, " latent"]:
        """The vector."""
        return state.vector

    def legal(self, state: LatentState) -> Bool[Array, " actions"]:
        """The real task's at the root, all of them below."""
        return state.legal & ~state.over

    def player(self, state: LatentState) -> Int[Array, ""]:
        """The real one at the root; below, who moves by turns or by what was learned."""
        return state.player

    def terminated(self, state: LatentState) -> Bool[Array, ""]:
        """Only at the root, and at the horizon of a task that ends there."""
        return state.over


class LatentGuide(Evaluator):
    """Prior and value by the prediction network."""

    networks: LatentNetworks
    has_prior: bool = eqx.field(static=True, default=True)
    passes: int = eqx.field(static=True, default=1)

    @property
    def flops(self) -> float:  # type: ignore[override]
        """Those of one pass."""
        return self.networks.predict.flops

    def __call__(
        self,
        task: Task,
        objective: Objective,
        state: LatentState,
        live: Bool[Array, " batch"],
        seed: Seed,
    ) -> Evaluation:
        """Judge every row by its vector."""
        del task, objective, seed
        logits, worth = jax.vmap(self.networks.judge)(state.vector)
        value = self.networks.values.mean(worth)
        return Evaluation(logits, value, jnp.zeros(live.shape, jnp.int32))
