"""Search over sampled actions, for tasks with many actions or continuous ones.

Each node searches over some actions that a proposal drew there (Hubert et al. 2021, Learning and
planning in complex action spaces, "Sampled MuZero"). With beta the proposal, beta^ the shares of
the draws and pi the evaluator's prior, a drawn action has the prior (beta^ / beta) pi: averaged
over the draws, expectations under it are those under pi. Edge k of a node stands for its k-th drawn
action; a rule chooses between edges and never sees the actions.

Progressive widening (Couetoux et al. 2011) offers a node's first ceil(c (N + 1)^alpha) drawn
actions after N simulations: few at first, more the longer it is looked at.
"""

import abc
import dataclasses
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ....core.errors import UnsuitableTaskError
from ....core.noise import Seed, gumbel, mix, uniform
from ....core.task import Actions, State, Task, Traits
from ...faults import IN_DRAWS
from ...playouts import uniform_box
from ..round import Leaves, Widths
from ..tree import FORBIDDEN, log_prior
from .base import Model, Step, Wrapper
from .chance import Pending

Logits = Float[Array, "lanes actions"]
Weights = Float[Array, "lanes count"]
_DRAWS = 1 << 16
"""A counter apart from those by which models and evaluators make their noise."""


class Proposed(eqx.Module):
    """Actions for each node, in the order in which they are offered.

    `log_weights` are the logs of (beta^ / beta) pi, up to a constant of the node; minus infinity
    for edges that stand for no action.
    """

    actions: Int[Array, "lanes count"] | Float[Array, "lanes count ..."]
    log_weights: Weights


class Proposal(eqx.Module):
    """Draws the actions that a node searches over. `discrete`: whether they are numbers."""

    discrete: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def __call__(
        self, task: Task, state: State, logits: Logits, count: int, seed: Seed
    ) -> Proposed:
        """Draw `count` actions at each state; `logits` are the evaluator's log-prior there.

        Where actions are continuous, the logits say nothing. A learned policy may draw from its own
        density and weigh the draws by `weigh`.
        """


class FromBox(Proposal):
    """Uniform draws between the bounds of a continuous task's actions, under a uniform prior."""

    discrete: ClassVar[bool] = False

    def __call__(
        self, task: Task, state: State, logits: Logits, count: int, seed: Seed
    ) -> Proposed:
        """All actions are equally likely."""
        del state
        traits = task.traits
        each = mix(seed[:, None], jnp.arange(count))
        actions = uniform_box(traits.low, traits.high, traits.shape, each)
        return Proposed(actions, jnp.zeros((logits.shape[0], count), jnp.float32))


class FromPrior(Proposal):
    """Draws from the evaluator's prior, sharpened or flattened: beta in proportion to pi^(1/T).

    With `replace`, as in the paper: independent draws, of which equal ones are merged. Without, an
    action is drawn once at most (Gumbel-top-k), and weighed by pi over its chance of being among
    the drawn, given the threshold it had to pass (Kool et al. 2019): as unbiased; exactly the whole
    prior where there are no more actions than draws.
    """

    discrete: ClassVar[bool] = True
    temperature: float | Float[Array, ""] = 1.0
    replace: bool = eqx.field(static=True, default=True)

    def __call__(
        self, task: Task, state: State, logits: Logits, count: int, seed: Seed
    ) -> Proposed:
        """Draw by the logits."""
        del task, state
        legal = logits > FORBIDDEN / 2
        proposal = log_prior(logits / self.temperature, legal)
        draw = with_replacement if self.replace else without_replacement
        return draw(log_prior(logits, legal), proposal, count, seed)


def with_replacement(prior: Logits, proposal: Logits, count: int, seed: Seed) -> Proposed:
    """Independent draws from log-probabilities `proposal`; equal ones are merged into the first."""
    total = jnp.cumsum(jnp.exp(proposal), axis=-1)
    u = uniform(mix(seed[:, None], jnp.arange(count))) * total[:, -1:]
    drawn = jax.vmap(lambda t, x: jnp.searchsorted(t, x, side="right"))(total, u)
    drawn = jnp.minimum(drawn, prior.shape[1] - 1).astype(jnp.int32)
    # Sums of many are rounded here and there, which leaves slivers to actions without any mass.
    likeliest = jnp.argmax(proposal, axis=-1, keepdims=True).astype(jnp.int32)
    drawn = jnp.where(_at(proposal, drawn) > FORBIDDEN / 2, drawn, likeliest)
    same = drawn[:, :, None] == drawn[:, None, :]
    first = jnp.argmax(same, axis=-1) == jnp.arange(count)
    order = jnp.argsort(~first, axis=-1, stable=True)[:, : prior.shape[1]]
    drawn, first, times = (
        jnp.take_along_axis(x, order, axis=-1) for x in (drawn, first, same.sum(-1))
    )
    weights = weigh(_at(prior, drawn), _at(proposal, drawn), times)
    return Proposed(drawn, jnp.where(first, weights, -jnp.inf))


def without_replacement(prior: Logits, proposal: Logits, count: int, seed: Seed) -> Proposed:
    """Different draws, the likeliest under `proposal` most often and earliest."""
    actions = prior.shape[1]
    noise = gumbel(mix(seed[:, None], jnp.arange(actions)))
    legal = proposal > FORBIDDEN / 2
    perturbed = jnp.where(legal, proposal + noise, -jnp.inf)
    count = min(count, actions)
    # XLA would join the slices below to this, and then sort everything: 20 times the time.
    top, drawn = jax.lax.optimization_barrier(jax.lax.top_k(perturbed, min(count + 1, actions)))
    bar = top[:, count:] if count < actions else jnp.full((top.shape[0], 1), -jnp.inf, jnp.float32)
    top, drawn = top[:, :count], drawn[:, :count]
    chance = -jnp.expm1(-jnp.exp(_at(proposal, drawn) - bar))
    weights = _at(prior, drawn) - jnp.log(jnp.maximum(chance, 1e-30))
    return Proposed(drawn, jnp.where(top > -jnp.inf, weights, -jnp.inf))


def weigh(prior: Weights, proposal: Weights, times: Int[Array, "lanes count"] | int = 1) -> Weights:
    """log (beta^ / beta) pi up to a constant, from log pi, log beta and how often each was drawn.

    The logs of densities serve as well as those of probabilities.
    """
    return jnp.log(jnp.asarray(times, jnp.float32)) + prior - proposal


def _at(x: Logits, drawn: Int[Array, "lanes count"]) -> Weights:
    return jnp.take_along_axis(x, drawn, axis=-1)


class Drawn(eqx.Module):
    """What a node keeps: the state, and the actions that were drawn there, one for each edge."""

    state: State
    actions: Int[Array, "lanes width"] | Float[Array, "lanes width ..."]


class Sampling(eqx.Module):
    """How a search samples actions: `count` at each node, drawn by the `proposal`.

    The proposal is the evaluator's prior unless given (`FromPrior`), or uniform draws where actions
    are continuous (`FromBox`). `widening` is (c, alpha) of progressive widening; None offers all
    drawn actions at once. It holds where the rule chooses by scores: the root of a Gumbel search
    is planned over all of them.
    """

    count: int = eqx.field(static=True, default=32)
    proposal: Proposal | None = None
    widening: tuple[float, float] | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"At least one action must be drawn; got count={self.count}.")
        c, alpha = self.widening or (1.0, 0.0)
        if not (c > 0 and 0 <= alpha <= 1):
            raise ValueError(
                "Progressive widening offers ceil(c (N + 1)^alpha) actions, with c above 0 and "
                f"alpha from 0 to 1; got {self.widening}."
            )

    def over(self, model: Model, task: Task) -> "SampledModel":
        """The same model, searched by sampled actions."""
        proposal = self.proposal
        if proposal is None:
            proposal = FromPrior() if task.traits.discrete else FromBox()
        return SampledModel(model, task, proposal, self.count)

    def widths(self, visits: int) -> Widths:
        """How many actions are offered after 0, 1, 2... simulations, as far as `visits`."""
        if self.widening is None:
            return None
        c, alpha = self.widening
        # Less a little, so that rounding does not offer one too early.
        most = np.ceil(c * np.arange(1, visits + 1) ** alpha - 1e-9)
        return jnp.asarray(np.clip(most, 1, self.count), jnp.int32)


class SampledModel(Wrapper):
    """Another model, in which a node offers only the actions that were drawn there.

    Chance nodes keep all of their outcomes.
    """

    of: Model
    task: Task
    proposal: Proposal
    count: int = eqx.field(static=True)

    @property
    def actions(self) -> int:
        """As many as are drawn, or more if chance has more outcomes."""
        return max(self._width, self.task.traits.outcomes)

    @property
    def _width(self) -> int:
        """Of a task with fewer actions than draws, each action at most once."""
        traits = self.task.traits
        return min(self.count, traits.actions) if traits.discrete else self.count

    @property
    def horizon(self) -> int | Int[Array, ""]:
        """That of the model."""
        return self.of.horizon

    def enter(self, state: State) -> Drawn:
        """States at which nothing has been drawn yet."""
        traits, lanes = self.task.traits, jax.tree.leaves(state)[0].shape[0]
        if traits.discrete:
            return Drawn(self.of.enter(state), jnp.zeros((lanes, self.actions), jnp.int32))
        return Drawn(
            self.of.enter(state), jnp.zeros((lanes, self.actions, *traits.shape), jnp.float32)
        )

    def place(self, state: State) -> State:
        """That of the model: a state is found again whatever actions were drawn there."""
        return self.of.place(state)

    def root(self, state: State, seed: Seed, evaluate: bool) -> Step:
        """The model's roots, with actions drawn."""
        return self._draw(self.of.root(state, seed, evaluate), mix(seed, _DRAWS))

    def step(self, leaves: Leaves) -> Step:
        """Take the drawn action that an edge stands for, and draw where it leads."""
        node: Drawn = leaves.state
        taken = node.actions[jnp.arange(leaves.action.shape[0]), leaves.action]
        step = self.of.step(dataclasses.replace(leaves, state=node.state, action=taken))
        return self._draw(step, mix(leaves.seed, _DRAWS))

    def _draw(self, step: Step, seed: Seed) -> Step:
        step = step.settled()
        within = step.state.state if isinstance(step.state, Pending) else step.state
        live = (step.logits > FORBIDDEN / 2).any(-1)
        drawn = self.proposal(self.task, within, step.logits, self.count, seed)
        used = (drawn.log_weights > -jnp.inf) & live[:, None]
        actions, logits = drawn.actions, log_prior(drawn.log_weights, used)
        room = self.actions - logits.shape[1]
        if room:
            rest = [(0, 0)] * (actions.ndim - 2)
            actions = jnp.pad(actions, [(0, 0), (0, room), *rest])
            logits = jnp.pad(logits, ((0, 0), (0, room)), constant_values=FORBIDDEN)
        if step.chance is not None and self.task.traits.outcomes:
            outcomes = jnp.broadcast_to(jnp.arange(self.actions), actions.shape)
            actions = jnp.where(step.chance[:, None], outcomes, actions)
            logits = jnp.where(step.chance[:, None], step.logits[:, : self.actions], logits)
        assert step.faults is not None
        fine = jnp.isfinite(drawn.actions).reshape(live.shape[0], -1).all(-1)
        fine = fine & (drawn.log_weights < jnp.inf).all(-1) & (used.any(-1) | ~live)
        return Step(
            Drawn(step.state, actions), step.reward, step.discount, step.value, logits, step.sign,
            step.over, step.chance, step.model_steps, step.evaluations,
            faults=step.faults | jnp.where(fine | ~live, 0, IN_DRAWS), stuck=step.stuck,
        )  # fmt: skip


def named(
    drawn: Drawn, slot: Int[Array, " batch"], weights: Float[Array, "batch width"], traits: Traits
) -> tuple[Actions, Float[Array, "batch actions"], Float[Array, "batch width ..."] | None]:
    """From edges to actions: the action of the edge chosen, weights, and candidates.

    Where actions are discrete, the weights are over all of them and candidates are None; else the
    weights are over the candidates, the actions drawn at the root.
    """
    rows = jnp.arange(slot.shape[0])
    action = drawn.actions[rows, slot]
    if not traits.discrete:
        return action, weights, drawn.actions
    wide = jnp.zeros((slot.shape[0], traits.actions), jnp.float32)
    return action, wide.at[rows[:, None], drawn.actions].add(weights), None


def check_sampling(task: Task, sampling: Sampling | None) -> None:
    """Refuse what a search of a task's actions lacks. Raises `UnsuitableTaskError`."""
    traits = task.traits
    if not traits.discrete and sampling is None:
        raise UnsuitableTaskError(
            f"{task!r} has continuous actions: TreeSearch serves tasks whose actions can be "
            "counted, and others by `sampling=Sampling(...)`."
        )
    if not traits.discrete and not traits.deterministic:
        raise UnsuitableTaskError(
            f"{task!r} has continuous actions and chance: TreeSearch serves one or the other."
        )
    proposal = None if sampling is None else sampling.proposal
    if proposal is not None and proposal.discrete != traits.discrete:
        raise UnsuitableTaskError(
            f"{type(proposal).__name__} is for {'numbered' if proposal.discrete else 'continuous'} "
            f"actions, and those of {task!r} are not: give `Sampling` another proposal, or none."
        )
