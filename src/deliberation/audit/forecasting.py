"""From a profile to probabilities of what a subject does under a change that the profile never saw.

Three accounts of a subject are mixed: a device that goes on as before, an agent for what it is
told, and an agent for its own aim alone (`contest`). How much each is trusted follows from the
profile's answers, by weights that were fitted on other subjects. A mixture of accounts is less sure
than it is right to be even where each of them is calibrated (Ranjan and Gneiting 2010), so it is
sharpened by a power that is fitted with the weights.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

from .profile import Profile

READ = ("objective", "revaluation", "effort", "forecast")
"""The answers whose statistics are read; one that is not there counts as nothing found."""
_MOST = 2.0
"""No statistic counts for more, on either side."""
_RIDGE = 0.02
_ACCOUNTS = 3


class Accounts(NamedTuple):
    """Probabilities of actions by each account, and whether anything was announced."""

    device: Float[np.ndarray, "n actions"]
    told: Float[np.ndarray, "n actions"]
    own: Float[np.ndarray, "n actions"]
    announced: bool


class Case(NamedTuple):
    """What the accounts said of one subject under one change, and what it chose."""

    profile: Profile
    accounts: Accounts
    chosen: Int[np.ndarray, " n"]


def read(profile: Profile) -> Float[np.ndarray, " features"]:
    """What of a profile a forecast depends on: 1, and the statistics of some probes."""
    found = {answer.probe: answer.estimate.estimate for answer in profile.answers}
    numbers = np.array([found.get(probe, np.nan) for probe in READ])
    return np.append(1.0, np.clip(np.where(np.isfinite(numbers), numbers, 0.0), -_MOST, _MOST))


@dataclasses.dataclass(frozen=True, eq=False)
class Forecaster:
    """The scores of the accounts for each statistic, where something is announced and where not."""

    scores: Float[np.ndarray, "announced accounts features"]
    sharpness: Float[np.ndarray, " announced"]
    """The power to which mixtures are raised; 1 leaves them as they are."""

    def trust(self, profile: Profile, *, announced: bool) -> Float[np.ndarray, " accounts"]:
        """How much each account counts: device, agent for what is told, agent for its own aim."""
        return softmax(self.scores[int(announced)] @ read(profile))

    def says(self, profile: Profile, accounts: Accounts) -> Float[np.ndarray, "n actions"]:
        """The probability of each action."""
        weights = self.trust(profile, announced=accounts.announced)
        mixed = np.log(np.tensordot(weights, np.stack(accounts[:_ACCOUNTS]), 1))
        return softmax(self.sharpness[int(accounts.announced)] * mixed, axis=1)


def fit_forecaster(cases: Sequence[Case]) -> Forecaster:
    """By the likelihood of what was chosen, every case counting as much, and a small ridge."""
    scores, sharpness = np.zeros((2, _ACCOUNTS, len(READ) + 1)), np.ones(2)
    for announced in (False, True):
        some = [case for case in cases if case.accounts.announced == announced]
        if not some:
            continue
        known = [(read(case.profile), np.log(case.accounts[:_ACCOUNTS]), case) for case in some]

        def cost(flat: np.ndarray, known: list = known) -> float:
            *table, power = flat
            nats = 0.0
            for features, logs, case in known:
                score = np.reshape(table, (_ACCOUNTS, -1)) @ features
                mixed = logsumexp(logs + (score - logsumexp(score))[:, None, None], axis=0)
                said = log_softmax(np.exp(power) * mixed, axis=1)
                nats -= float(said[np.arange(len(case.chosen)), case.chosen].mean())
            return nats / len(known) + _RIDGE * float((flat**2).sum())

        found = minimize(cost, np.zeros(scores[0].size + 1), method="L-BFGS-B")
        scores[int(announced)] = found.x[:-1].reshape(_ACCOUNTS, -1)
        sharpness[int(announced)] = np.exp(found.x[-1])
    return Forecaster(scores, sharpness)


def calibration(
    said: Float[np.ndarray, "n actions"], chosen: Int[np.ndarray, " n"], bins: int = 5
) -> list[tuple[float, float, int]]:
    """By how probable actions were said to be: the mean of that, the share taken, of how many.

    Every action of every case counts; bins without any are left out.
    """
    taken: Bool[np.ndarray, "n actions"] = np.eye(said.shape[1], dtype=bool)[chosen]
    place = np.minimum((said * bins).astype(int), bins - 1)
    return [
        (float(said[place == b].mean()), float(taken[place == b].mean()), int((place == b).sum()))
        for b in range(bins)
        if (place == b).any()
    ]
