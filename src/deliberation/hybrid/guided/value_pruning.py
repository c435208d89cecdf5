"""Search that does not look where a learned value says it would not pay.

Forward pruning by a value function, as in ProbCut (Buro 1995) without its statistics: fewer nodes,
and errors where the value is wrong. `measure_pruning` says how many of both.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...amortised.networks.feed_forward import Network
from ...amortised.policies.network import check_fits
from ...core.budget import Budget
from ...core.task import State, Task, batch_size
from ...direct.classical.alpha_beta import AlphaBeta, look
from ...direct.classical.best_first import BestFirst, pruned_best_first
from ...direct.evaluators import Evaluator
from .guide import NetworkGuide


def value_pruned(
    task: Task,
    network: Network,
    *,
    margin: float | Float[Array, ""],
    budget: Budget | int = 1024,
    depth: int | None = None,
) -> AlphaBeta:
    """Alpha-beta that leaves out children worse by more than `margin` than their best sibling.

    Worse by the network's value, which also orders the rest and stands for what lies beyond the
    depth. With an infinite margin nothing is left out. Raises `UnsuitableTaskError` where network
    and task do not fit, or `AlphaBeta` cannot serve the task.
    """
    check_fits(task, network)
    judge = NetworkGuide.of(task, network)
    return AlphaBeta(task, judge, budget=budget, depth=depth, margin=margin)


def value_pruned_best_first(
    task: Task, network: Network, *, margin: float, budget: Budget | int = 1024, **options
) -> BestFirst:
    """A* that leaves out children worse by more than `margin` than their best sibling.

    `options` (`lanes`, `merge`) go to `BestFirst`; what it raises, and `UnsuitableTaskError` where
    network and task do not fit.
    """
    check_fits(task, network)
    judge = NetworkGuide.of(task, network)
    return pruned_best_first(task, judge, margin, budget=budget, **options)


@dataclass(frozen=True)
class PruningMeasured:
    """What pruning saved and what it cost, row by row; `full` searches in the same order.

    `errors` is how much the answers' true values fall short of the best, `wrong` where they do.
    """

    margin: float
    nodes: Int[np.ndarray, " batch"]
    full: Int[np.ndarray, " batch"]
    errors: Float[np.ndarray, " batch"]

    @property
    def saved(self) -> float:
        """The share of nodes that were not expanded."""
        return 1 - float(self.nodes.sum()) / max(1.0, float(self.full.sum()))

    @property
    def wrong(self) -> Bool[np.ndarray, " batch"]:
        """Rows whose answer is not a best one."""
        return self.errors > 1e-5

    def __repr__(self) -> str:
        return (
            f"PruningMeasured(margin={self.margin:g}, saved={self.saved:.3f}, "
            f"wrong={self.wrong.mean():.3f}, mean error={self.errors.mean():.4f})"
        )


def measure_pruning(
    task: Task,
    judge: Evaluator,
    state: State,
    truth: Float[np.ndarray, "batch actions"],
    *,
    margins: tuple[float, ...],
    key: Key[Array, ""],
    budget: Budget | int = 10**6,
    depth: int | None = None,
) -> list[PruningMeasured]:
    """Alpha-beta with and without pruning from each state, against the true action values.

    `truth` is for the player to move (`Solution.action_values`). Nodes are expansions, over all
    looks of iterative deepening; margins share one compilation.
    """
    batch = batch_size(state)
    keys, limits = jax.random.split(key, batch), Budget.of(budget).rows(batch)

    def searched(margin: float) -> tuple[np.ndarray, np.ndarray]:
        decider = AlphaBeta(task, judge, margin=jnp.float32(margin), depth=depth)
        decision, _, looked = look(decider, None, state, limits, keys)
        return np.asarray(decision.action), np.asarray(looked.expansions)

    _, full = searched(float("inf"))
    found = []
    for margin in margins:
        action, nodes = searched(margin)
        errors = truth.max(1) - truth[np.arange(batch), action]
        found.append(PruningMeasured(margin, nodes, full, errors))
    return found
