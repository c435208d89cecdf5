"""What expert iteration can be told, in one frozen record that is plain JSON."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import jax
from jaxtyping import Array, Key

from ...amortised.networks.feed_forward import Network, network_from_config
from ...core.objective import Objective
from ...core.task import Task
from ...direct.evaluators import RandomRollouts
from ...direct.tree_search.decider import TreeSearch
from ...direct.tree_search.rules import UCT, Gumbel
from ..guided.guide import NetworkGuide


@dataclass(frozen=True)
class Settings:
    """How to train by expert iteration (Anthony et al. 2017).

    The first expert is UCT with random rollouts, which needs no network; after `warmup_share` of
    the training, the expert is Gumbel search guided by the network so far.
    """

    network: Mapping[str, Any] = field(
        default_factory=lambda: {"kind": "mlp", "width": 512, "depth": 3}
    )
    """Kind and size; the shapes are the task's."""
    lanes: int = 128
    """Games played side by side by each worker."""
    plies: int = 16
    """Positions searched in each lane between two updates of the network."""
    warmup_share: float | int = 0.3
    warmup_simulations: int = 400
    warmup_rollouts: int = 1
    warmup_c: float | int = 1.4
    simulations: int = 64
    considered: int = 16
    value_scale: float | int = 0.1
    rollouts: int = 0
    """Random playouts averaged with the network's value, in training and in the saved policy."""
    restart: float | int = 0.1
    """Chance at each ply that a lane goes on from a position of random play instead."""
    trace: float | int = 0.6
    """Weight of what followed in the game against the search's own value, in value targets."""
    buffer: int = 2**18
    """The latest positions, from which batches are drawn."""
    batch_size: int = 512
    passes: float | int = 8.0
    """How often a position is learned from, on average, while it is in the buffer."""
    learning_rate: float | int = 2e-3
    """The peak: a cosine over the whole of the training leads down to zero."""
    rate_warmup: int = 50
    """Gradient steps over which the rate rises to it."""
    weight_decay: float | int = 1e-4
    value_weight: float | int = 1.0
    symmetries: bool = True
    """Whether each example is seen under symmetries of the task drawn anew."""
    checkpoint_seconds: float | int = 15.0
    """Least time between two checkpoints; 0 writes one after every iteration."""

    def __post_init__(self) -> None:
        counts = ("lanes", "plies", "warmup_simulations", "warmup_rollouts", "simulations")
        for name in (*counts, "considered", "buffer", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"Settings need {name} of at least 1; got {getattr(self, name)}.")
        for name in ("warmup_share", "restart", "trace"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1; got {getattr(self, name)}.")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0 < self.passes):
            raise ValueError(
                f"learning_rate and passes must be above 0; got {self.learning_rate} and "
                f"{self.passes}."
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**asdict(self), "network": dict(self.network)}

    def make_network(
        self, task: Task, key: Key[Array, ""], objective: Objective | None = None
    ) -> Network:
        """A fresh network with the task's shapes; its value is bounded where returns are."""
        state = jax.eval_shape(task.init, key)
        low, high = (task.objective if objective is None else objective).bounds
        shapes = {
            "observation_shape": jax.eval_shape(task.observe, state).shape,
            "actions": task.traits.actions,
            "value_range": (low, high) if math.isfinite(high - low) else None,
        }
        return network_from_config({**shapes, **self.network}, key)

    def first_expert(self, task: Task) -> TreeSearch:
        """Direct optimisation alone: the rules suffice."""
        return TreeSearch(task, UCT(self.warmup_c), RandomRollouts(count=self.warmup_rollouts))

    def guided_expert(self, task: Task, network: Network) -> TreeSearch:
        """The network so far, improved by search."""
        rule = Gumbel(considered=self.considered, value_scale=self.value_scale)
        return TreeSearch(task, rule, NetworkGuide.of(task, network, rollouts=self.rollouts))

    def steps(self, positions: int) -> int:
        """Gradient steps for so many new positions."""
        return max(1, round(self.passes * positions / self.batch_size))
