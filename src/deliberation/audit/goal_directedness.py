"""Maximum-entropy goal-directedness: how well an objective, followed softly, foretells behaviour.

MacDermott et al. 2024 ("Measuring Goal-Directedness"): the largest expected log-likelihood ratio,
over beta, of a policy that is as random as its return allows (softmax of beta times soft action
values) to one that chooses evenly. It is nothing for even choices, at most log(actions) a decision,
and the same under every U -> a U + b with a != 0; the sign of beta says which way a is.
"""

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from ..core.objective import Objective
from ..direct.exact.states import Reached

_GRID = np.concatenate([[0.0], 2.0 ** np.arange(-3, 9)])
"""Sizes of beta that are tried first, over the greatest difference that one choice makes."""
_CLOSER, _ROUNDS = 7, 5
_MOST, _ENOUGH = 3000, 1e-6
Log = Float[np.ndarray, "states actions"]


@dataclasses.dataclass(frozen=True, eq=False)
class Directed:
    """How far an objective foretells decisions.

    `nats` is the sum over all decisions, `each` the mean over `decisions` of them; `beta` is in
    units of 1 over reward; `log_policy` the logarithm of what the fitted policy does.
    """

    nats: float
    decisions: float
    beta: float
    log_policy: Log

    @property
    def each(self) -> float:
        """Nats a decision; NaN where there is none."""
        return self.nats / self.decisions if self.decisions else float("nan")


@dataclasses.dataclass(frozen=True, eq=False)
class SoftWorld:
    """A listed task under an objective, to be followed as randomly as one likes."""

    reached: Reached
    gains: Float[np.ndarray, "states actions"]
    discount: float
    unit: float
    """The greatest difference that one choice makes."""

    @staticmethod
    def of(
        reached: Reached, objective: Objective, values: Float[np.ndarray, "states actions"]
    ) -> "SoftWorld":
        """`values` are the exact action values under the objective, for their unit alone."""
        gains = (reached.chances * reached.rewards(objective)).sum(-1)
        known = np.where(reached.legal, values, np.nan)[reached.legal.any(1)]
        stakes = np.nanmax(known, 1) - np.nanmin(known, 1)
        unit = max(float(stakes.max(initial=0.0)), 1e-12)
        return SoftWorld(reached, gains, float(objective.discount), unit)

    def log_policies(
        self, betas: Float[np.ndarray, " betas"]
    ) -> Float[np.ndarray, "betas states actions"]:
        """Log-probabilities of the soft policy at each beta (soft value iteration).

        Entropy is taken relative to even choice, so that the length of an episode is worth nothing
        by itself. NaN for a beta whose values do not settle.
        """
        legal, to = self.reached.legal, np.maximum(self.reached.to, 0)
        count = np.log(np.maximum(legal.sum(1), 1))
        gains = np.where(legal, self.gains, 0.0) * betas[:, None, None]
        worth, change = np.zeros((len(betas), len(legal))), np.full(len(betas), np.inf)
        for _ in range(_MOST):
            with np.errstate(over="ignore", invalid="ignore"):
                ahead = (self.reached.chances * worth[:, to]).sum(-1)
                scores = np.where(legal, gains + self.discount * ahead, -np.inf)
                after = np.where(legal.any(1), logsumexp(scores, axis=-1) - count, 0.0)
                change = np.abs(after - worth).max(1)
            worth = after
            size = np.maximum(1.0, np.abs(worth).max(1))
            if (change <= _ENOUGH * size).all():
                break
        settled = change <= 1e-4 * np.maximum(1.0, np.abs(worth).max(1))
        with np.errstate(invalid="ignore"):
            found = scores - (after + count)[:, :, None]
        return np.where(settled[:, None, None], found, np.nan)

    def fit(self, counts: Float[np.ndarray, "states actions"], *, signed: bool = True) -> Directed:
        """The beta under which some decisions are likeliest; `counts` of them may be expectations.

        With `signed` it may be negative: an objective that is avoided is foretold by as well.
        """
        sizes = np.unique(np.concatenate([-_GRID, _GRID])) if signed else _GRID
        rows = np.flatnonzero(counts.sum(1))
        even = np.log(np.maximum(self.reached.legal[rows].sum(1), 1))[:, None]
        # Even choice is foretold by nothing: another beta has to do better than that.
        best, log = (0.0, 0.0), self.log_policies(np.zeros(1))[0]
        for _ in range(_ROUNDS):
            policies = self.log_policies(sizes / self.unit)
            gains = policies[:, rows] + even
            with np.errstate(invalid="ignore"):
                parts = np.where(counts[rows] > 0, counts[rows] * gains, 0.0)
            totals = parts.sum((1, 2))
            totals = np.where(np.isnan(totals), -np.inf, totals)
            at = int(totals.argmax())
            if totals[at] > best[0] + 1e-12 * counts.sum():
                best, log = (float(totals[at]), float(sizes[at])), policies[at]
            low, high = sizes[max(at - 1, 0)], sizes[min(at + 1, len(sizes) - 1)]
            sizes = np.linspace(low, high, _CLOSER)
        return Directed(best[0], float(counts.sum()), best[1] / self.unit, log)


def goal_directedness(
    reached: Reached,
    objective: Objective,
    policy: Float[np.ndarray, "states actions"],
    values: Float[np.ndarray, "states actions"],
) -> Directed:
    """That of a whole policy from the first states of a listed task, for a known objective.

    `policy` holds the chances of the actions, `values` the exact action values under the objective.
    Decisions count as often as they come up, discounted as the objective's rewards are.
    """
    world = SoftWorld.of(reached, objective, values)
    return world.fit(occupancy(reached, policy, world.discount)[:, None] * policy)


def occupancy(
    reached: Reached, policy: Float[np.ndarray, "states actions"], discount: float
) -> Float[np.ndarray, " states"]:
    """How often a policy is expected to decide in each state, later times discounted."""
    first = np.zeros(len(reached))
    first[reached.starts] = reached.probable
    to = np.maximum(reached.to, 0)
    flows = policy[:, :, None] * reached.chances * ~reached.terminal[:, None, None]
    found, wave = np.zeros(len(reached)), first
    for _ in range(_MOST):
        found += wave
        moved = discount * flows * wave[:, None, None]
        wave = np.bincount(to.ravel(), moved.ravel(), len(reached))
        if wave.sum() < _ENOUGH:
            break
    return np.where(reached.terminal, 0.0, found)
