"""MuZero: search in a world that was learned, by networks that the search teaches.

Schrittwieser et al. (2020), with Gumbel search at the root (Danihelka et al. 2022).
"""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from ...core.answering import CheckedDecider, Question
from ...core.budget import Budget
from ...core.decider import Decision, Memory
from ...core.errors import UnsuitableTaskError
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import State, Task
from ...direct.tree_search.decider import TreeSearch
from ...direct.tree_search.rules import Gumbel
from .latent import LatentGuide, LatentNetworks, LatentState, LatentTask


@dataclass(frozen=True)
class MuZeroSettings:
    """How MuZero is trained. An update plays `plies` in each of `lanes`, then learns."""

    updates: int = 80
    lanes: int = 64
    plies: int = 16
    simulations: int = 16
    explore: float = 0.2
    """Chance that an action is drawn uniformly instead; targets stay the search's."""
    unroll: int = 4
    """K: so many steps of the dynamics are trained at once."""
    returns: int | None = None
    """n of n-step returns; None: 10 for one player, and for two the outcome of the game."""
    discount: float | None = None
    """None: 0.97 for one player (times the objective's own), the objective's for two."""
    alternate: bool = True
    """Two players take turns. If not, who moves next is learned as well."""
    timeouts: bool = False
    """Ends at the horizon are cuts too, of a task that neither says so nor shows the time (see
    `PPO`)."""
    length: int = 256
    """Plies of each lane that are remembered."""
    batch_size: int = 256
    gradient_steps: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    value_weight: float = 0.5
    latent: int = 48
    width: int = 96
    bins: int = 41
    value_range: tuple[float, float] | None = None
    value_scale: float = 1.0
    hasty: bool = False
    """Compiles quickly, to a slower program (see `run_updates`)."""

    def __post_init__(self) -> None:
        if not self.plies + self.unroll < self.length:
            raise ValueError(
                f"{self.length} plies of memory do not hold an update of {self.plies} and "
                f"{self.unroll} to unroll: raise length."
            )
        if (
            min(
                self.updates, self.lanes, self.plies, self.simulations, self.unroll, self.batch_size
            )
            < 1
        ):
            raise ValueError(f"Every count must be at least 1; got {self}.")
        if self.plies <= self.unroll:
            raise ValueError(f"plies must be above unroll; got {self.plies} and {self.unroll}.")

    def gamma(self, task: Task, objective: Objective | None = None) -> float:
        """The discount of training and of the search."""
        if self.discount is not None:
            return self.discount
        scored = task.objective if objective is None else objective
        return scored.discount * (0.97 if task.traits.players == 1 else 1.0)

    def steps(self, task: Task) -> int:
        """n of the returns."""
        if self.returns is not None:
            return self.returns
        return 10 if task.traits.players == 1 else task.traits.horizon

    def networks(
        self, task: Task, key: Key[Array, ""], objective: Objective | None = None
    ) -> LatentNetworks:
        """Fresh networks."""
        span = self.value_range
        if span is None and objective is not None:
            span = objective.bounds
        return LatentNetworks.of(
            task, key=key, latent=self.latent, width=self.width, bins=self.bins, value_range=span,
            alternate=self.alternate,
        )  # fmt: skip

    def decider(
        self,
        task: Task,
        networks: LatentNetworks,
        objective: Objective | None = None,
        **options: Any,
    ) -> "MuZero":
        """Networks as the decider that these settings train and use."""
        return MuZero(
            task, networks, gamma=self.gamma(task, objective), scale=self.value_scale,
            budget=self.simulations, **options,
        )  # fmt: skip


class MuZero(CheckedDecider):
    """Encodes what is seen and searches in the learned world; the rules are never asked.

    A simulation is one step of the learned dynamics. Budget 0 answers from the prediction network
    alone. The reward is part of what was learned, so another objective is ignored; and only
    the observation is read, so hidden state stays hidden. `noise` scales the Gumbel noise
    at the root, and `scale` how much returns count against the prior, over the range of returns;
    `line` is as for `TreeSearch`.
    Raises `UnsuitableTaskError` for networks of other shapes than the task's.
    """

    task: Task
    networks: LatentNetworks
    budget: Budget
    gamma: float = eqx.field(static=True)
    capacity: int = eqx.field(static=True)
    noise: float = eqx.field(static=True)
    scale: float = eqx.field(static=True)
    line: int = eqx.field(static=True)

    def __init__(
        self,
        task: Task,
        networks: LatentNetworks,
        *,
        gamma: float = 1.0,
        budget: Budget | int = 16,
        capacity: int = 64,
        noise: float = 0.0,
        scale: float = 1.0,
        line: int = 0,
    ):
        seen = jax.eval_shape(lambda k: task.observe(task.init(k)), jax.random.key(0)).size
        takes = networks.represent.layers[0].w.shape[0]
        if (seen, task.traits.actions) != (takes, networks.actions):
            raise UnsuitableTaskError(
                f"{task!r} shows {seen} numbers and has {task.traits.actions} actions, but the "
                f"networks take {takes} and answer with {networks.actions}. Build them by "
                "`LatentNetworks.of(task, ...)`."
            )
        self.task, self.networks, self.budget = task, networks, Budget.of(budget)
        self.gamma, self.capacity, self.noise = gamma, capacity, noise
        self.scale, self.line = scale, line

    def __repr__(self) -> str:
        size = self.networks.represent.layers[-1].w.shape[-1]
        return f"MuZero({self.task!r}, {size} latent, budget={self.budget.simulations})"

    @property
    def world(self) -> LatentTask:
        """The learned world, whose states are vectors."""
        return LatentTask(self.task, self.networks, self.gamma)

    @property
    def search(self) -> TreeSearch:
        """The planner over the learned world."""
        low, high = self.networks.values.low, self.networks.values.high
        return TreeSearch(
            self.world,
            Gumbel(noise=self.noise, value_scale=self.scale / (high - low), rescale=False),
            LatentGuide(self.networks),  # type: ignore[call-arg]  # flops is a property here
            budget=self.budget,
            prove=False,
            capacity=self.capacity,
            line=self.line,
        )

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Search from what is observed of every row; the objective is ignored."""
        entered = _enter(self.world, question.state)
        decision, _ = self.search.decide(entered, budget=question.budget, key=question.keys)
        return _counted(self.networks, decision), question.memory


@eqx.filter_jit
def _enter(task: LatentTask, state: State) -> LatentState:
    return jax.vmap(task.enter)(state)


def _counted(networks: LatentNetworks, decision: Decision) -> Decision:
    """With the representation, and the dynamics behind each model step, counted as well."""
    live = (decision.action >= 0).astype(jnp.int32)
    steps = jnp.asarray(decision.spent.model_steps)
    more = Ledger(
        network_evaluations=steps + live,
        flops=steps * networks.step_flops + live * networks.represent.flops,
    )
    return eqx.tree_at(lambda d: d.spent, decision, decision.spent + more)
