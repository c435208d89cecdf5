"""From a profile to probabilities of what a subject does under a change that the profile never saw.

Three accounts of a subject are mixed: a device that goes on as before, an agent for what it is
told, and an agent for its own aim alone (`contest`). How much each is trusted follows from the
profile's answers, by weights that were fitted on other subjects. A mixture of accounts is less sure
than it is right to be even where each of them is calibrated (Ranjan and Gneiting 2010), so it is
sharpened by a power, fitted to forecasts of subjects that the weights have not seen.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, logsumexp, softmax

from .profile import Profile

READ = ("objective", "revaluation", "effort", "forecast")
"""The answers whose statistics are read; one that is not there counts as nothing found."""
_MOST = 2.0
"""No statistic counts for more, on either side."""
_RIDGE = 0.02
_ACCOUNTS = 3
_STRETCH = 1.5
"""The power lies within e to plus or minus this."""


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
        place = int(accounts.announced)
        mixed = _mixed(self.scores[place], profile, accounts)
        return softmax(self.sharpness[place] * mixed, axis=1)


def fit_forecaster(cases: Sequence[Case], kinds: Sequence[str] | None = None) -> Forecaster:
    """By the likelihood of what was chosen, every case counting as much, and a small ridge.

    The weights are fitted to all cases; the power to forecasts of each kind of subject by weights
    of the other `kinds` (one a case; by default each case is one), as strangers will be forecast.
    """
    of = list(range(len(cases))) if kinds is None else list(kinds)
    scores, sharpness = np.zeros((2, _ACCOUNTS, len(READ) + 1)), np.ones(2)
    for announced in (False, True):
        some = [(k, c) for k, c in zip(of, cases, strict=True) if c.accounts.announced == announced]
        if not some:
            continue
        scores[int(announced)] = _fit_scores([case for _, case in some])
        unseen: list[tuple[np.ndarray, np.ndarray]] = []
        for kind in dict.fromkeys(k for k, _ in some):
            others = [case for k, case in some if k != kind]
            table = _fit_scores(others) if others else np.zeros_like(scores[0])
            unseen += [
                (_mixed(table, c.profile, c.accounts), c.chosen) for k, c in some if k == kind
            ]
        sharpness[int(announced)] = _fit_power(unseen)
    return Forecaster(scores, sharpness)


def _fit_scores(cases: Sequence[Case]) -> Float[np.ndarray, "accounts features"]:
    known = [(read(case.profile), _logs(case)) for case in cases]

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        table, nats = flat.reshape(_ACCOUNTS, -1), 0.0
        slope = np.zeros_like(table)
        for features, logs in known:
            score = table @ features
            mixed = logs + (score - logsumexp(score))[:, None]
            nats -= float(np.asarray(logsumexp(mixed, axis=0)).mean())
            slope -= np.outer(softmax(mixed, axis=0).mean(1) - softmax(score), features)
        n = len(known)
        total = nats / n + _RIDGE * float((flat**2).sum())
        return total, slope.ravel() / n + 2 * _RIDGE * flat

    start = np.zeros(_ACCOUNTS * (len(READ) + 1))
    found = minimize(cost, start, jac=True, method="L-BFGS-B")
    return found.x.reshape(_ACCOUNTS, -1)


def _logs(case: Case) -> Float[np.ndarray, "accounts n"]:
    at = np.arange(len(case.chosen))
    return np.log([said[at, case.chosen] for said in case.accounts[:_ACCOUNTS]])


def _mixed(
    table: Float[np.ndarray, "accounts features"], profile: Profile, accounts: Accounts
) -> Float[np.ndarray, "n actions"]:
    """Logarithms of the mixture, before it is sharpened."""
    weights = softmax(table @ read(profile))
    return np.log(np.tensordot(weights, np.stack(accounts[:_ACCOUNTS]), 1))


def _fit_power(unseen: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """The power under which forecasts [n, actions] are most likely; it is the same for all."""

    def cost(power: float) -> float:
        said = (log_softmax(np.exp(power) * mixed, axis=1) for mixed, _ in unseen)
        chosen = (rows for _, rows in unseen)
        nats = [x[np.arange(len(r)), r].mean() for x, r in zip(said, chosen, strict=True)]
        return -float(np.mean(nats))

    found = minimize_scalar(cost, bounds=(-_STRETCH, _STRETCH), method="bounded")
    return float(np.exp(found.x))


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
