"""From a profile to probabilities of what a subject does under a change that the profile never saw.

Three accounts of a subject are mixed: a device that goes on as before, an agent for what it is
told, and an agent for its own aim alone (`contest`). How much each is trusted follows from the
profile's answers, by weights that were fitted on other subjects: one set where something is
announced, one in states in which the subject was asked before, and one in those that are new, for
there the device has seen nothing. A mixture of accounts is less sure than it is right to be even
where each of them is calibrated (Ranjan and Gneiting 2010), so it is sharpened by a power, fitted
to forecasts of subjects that the weights have not seen. Where a subject may be shown another state
than it is in, the forecasts of both are mixed by how likely that is, after they were sharpened: no
account makes it any surer which state it sees.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, logsumexp, softmax

from .profile import Profile

READ = ("objective", "revaluation", "effort", "forecast")
"""The answers whose statistics are read; one that is not there counts as nothing found."""
_MOST = 2.0
"""No statistic counts for more, on either side."""
_RIDGE, _RIDGE_ALL = 0.02, 1e-4
_ACCOUNTS = 3
_PLACES = range(3)
_ANNOUNCED = 2
"""The weights where something is announced; the others are of new states, and of states met."""
_STRETCH = 1.5
"""The power lies within e to plus or minus this."""


class Accounts(NamedTuple):
    """Probabilities of actions by each account, whether anything was announced, and in which of the
    states the device was asked before (None: in none of them).
    """

    device: Float[np.ndarray, "n actions"]
    told: Float[np.ndarray, "n actions"]
    own: Float[np.ndarray, "n actions"]
    announced: bool
    met: Bool[np.ndarray, " n"] | None = None


class Astray(NamedTuple):
    """How likely it is that another state is seen, and what the accounts say of all that may be."""

    chance: float
    accounts: Accounts


class Case(NamedTuple):
    """What the accounts said of one subject under one change, and what it chose."""

    profile: Profile
    accounts: Accounts
    chosen: Int[np.ndarray, " n"]
    astray: Astray | None = None


def without_profile(case: Case) -> Case:
    """The same case of a subject of which no probe has said anything.

    A forecaster that is fitted to such cases has weights that are the same for every subject: what
    another gains over it is gained by reading profiles, and not by what the accounts say.
    """
    return case._replace(profile=msgspec.structs.replace(case.profile, answers=[]))


def read(profile: Profile) -> Float[np.ndarray, " features"]:
    """What of a profile a forecast depends on: 1, and the statistics of some probes."""
    found = {answer.probe: answer.estimate.estimate for answer in profile.answers}
    numbers = np.array([found.get(probe, np.nan) for probe in READ])
    return np.append(1.0, np.clip(np.where(np.isfinite(numbers), numbers, 0.0), -_MOST, _MOST))


@dataclasses.dataclass(frozen=True, eq=False)
class Forecaster:
    """The scores of the accounts for each statistic, in new states, in those in which the subject
    was asked before, and where something is announced.
    """

    scores: Float[np.ndarray, "places accounts features"]
    sharpness: Float[np.ndarray, " places"]
    """The power to which mixtures are raised; 1 leaves them as they are."""

    def trust(
        self, profile: Profile, *, announced: bool, met: bool = False
    ) -> Float[np.ndarray, " accounts"]:
        """How much each account counts: device, agent for what is told, agent for its own aim."""
        return softmax(self.scores[_ANNOUNCED if announced else int(met)] @ read(profile))

    def says(
        self, profile: Profile, accounts: Accounts, astray: Astray | None = None
    ) -> Float[np.ndarray, "n actions"]:
        """The probability of each action."""
        powers = self.sharpness[_places(accounts)]
        said = softmax(powers[:, None] * _mixed(self.scores, profile, accounts), axis=1)
        if astray is None:
            return said
        elsewhere = self.says(profile, astray.accounts).mean(0)
        return (1 - astray.chance) * said + astray.chance * elsewhere


def fit_forecaster(cases: Sequence[Case], kinds: Sequence[str] | None = None) -> Forecaster:
    """By the likelihood of what was chosen, every case counting as much, and a small ridge.

    The weights are fitted to all cases; the powers to forecasts of each kind of subject by weights
    of the other `kinds` (one a case; by default each case is one), as strangers will be forecast.
    """
    of = list(range(len(cases))) if kinds is None else list(kinds)
    scores, sharpness = _fit_all(cases), np.ones(len(_PLACES))
    unseen: list[tuple[Forecaster, Case]] = []
    for kind in dict.fromkeys(of):
        others = [case for k, case in zip(of, cases, strict=True) if k != kind]
        blank = Forecaster(_fit_all(others), sharpness)
        unseen += [(blank, case) for k, case in zip(of, cases, strict=True) if k == kind]
    for place in _PLACES:
        some = [(f, c) for f, c in unseen if (_places(c.accounts) == place).any()]
        if some:
            sharpness = _with_power(sharpness, place, some)
    return Forecaster(scores, sharpness)


def flat(case: Case) -> Accounts:
    """What each account says by itself of a case, with what may be seen instead mixed in."""
    if case.astray is None:
        return case.accounts
    chance, elsewhere = case.astray
    mixed = (
        (1 - chance) * here + chance * there.mean(0)
        for here, there in zip(case.accounts[:_ACCOUNTS], elsewhere[:_ACCOUNTS], strict=True)
    )
    return Accounts(*mixed, announced=case.accounts.announced, met=case.accounts.met)


def _places(accounts: Accounts) -> Int[np.ndarray, " n"]:
    """Which weights count in each state."""
    if accounts.announced:
        return np.full(len(accounts.device), _ANNOUNCED)
    return np.zeros(len(accounts.device), int) if accounts.met is None else accounts.met.astype(int)


def _fit_all(cases: Sequence[Case]) -> Float[np.ndarray, "places accounts features"]:
    return np.stack([_fit_scores(cases, place) for place in _PLACES])


def _fit_scores(cases: Sequence[Case], place: int) -> Float[np.ndarray, "accounts features"]:
    """The weights in states of one kind; a case counts by its share of such states."""
    start = np.zeros(_ACCOUNTS * (len(READ) + 1))
    known = [(case, here) for case in cases if (here := _places(case.accounts) == place).any()]
    if not known:
        return start.reshape(_ACCOUNTS, -1)
    logs = np.concatenate([_logs(case)[:, here] for case, here in known], 1)
    read_ = np.stack([read(case.profile) for case, _ in known])
    of = np.repeat(np.arange(len(known)), [here.sum() for _, here in known])
    row = np.concatenate([np.full(here.sum(), 1 / len(here)) for _, here in known])
    row /= row.sum()
    # What is trusted on the whole is not drawn to even trust: only what profiles change of it.
    ridge = np.append(_RIDGE_ALL, np.full(len(READ), _RIDGE))

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        table = flat.reshape(_ACCOUNTS, -1)
        trust = log_softmax(table @ read_.T, axis=0)[:, of]
        mixed = logs + trust
        both = logsumexp(mixed, axis=0)
        apart = (np.exp(trust) - np.exp(mixed - both)) * row
        total = -float((row * both).sum()) + float((ridge * table**2).sum())
        return total, (apart @ read_[of] + 2 * ridge * table).ravel()

    found = minimize(cost, start, jac=True, method="L-BFGS-B")
    return found.x.reshape(_ACCOUNTS, -1)


def _logs(case: Case) -> Float[np.ndarray, "accounts n"]:
    at = np.arange(len(case.chosen))
    return np.log([said[at, case.chosen] for said in flat(case)[:_ACCOUNTS]])


def _mixed(
    scores: Float[np.ndarray, "places accounts features"], profile: Profile, accounts: Accounts
) -> Float[np.ndarray, "n actions"]:
    """Logarithms of the mixture, before it is sharpened."""
    weights = softmax(scores @ read(profile), axis=1)[_places(accounts)]
    return np.log(np.einsum("na,anm->nm", weights, np.stack(accounts[:_ACCOUNTS])))


def _with_power(
    sharpness: Float[np.ndarray, " places"], place: int, some: Sequence[tuple[Forecaster, Case]]
) -> Float[np.ndarray, " places"]:
    """With the power of one kind of states under which such forecasts are most likely."""

    def to(power: float) -> np.ndarray:
        return np.where(np.arange(len(sharpness)) == place, np.exp(power), sharpness)

    # Mixtures do not change with powers: they are made once.
    known = [_prepared(forecaster, case, place) for forecaster, case in some]

    def cost(power: float) -> float:
        powers = to(power)
        return -float(np.mean([_weighed(powers, *one) for one in known]))

    return to(minimize_scalar(cost, bounds=(-_STRETCH, _STRETCH), method="bounded").x)


def _prepared(forecaster: Forecaster, case: Case, place: int) -> tuple:
    """A case's mixtures, and where the chosen actions are looked up: in states of one kind."""
    here = np.flatnonzero(_places(case.accounts) == place)
    mixed = _mixed(forecaster.scores, case.profile, case.accounts)[here]
    if case.astray is None:
        return mixed, case.chosen[here], place, len(case.chosen), None
    there = case.astray.accounts
    elsewhere = _mixed(forecaster.scores, case.profile, there), _places(there)
    return mixed, case.chosen[here], place, len(case.chosen), (case.astray.chance, *elsewhere)


def _weighed(
    powers: np.ndarray, mixed: np.ndarray, chosen: np.ndarray, place: int, n: int, astray: Any
) -> float:
    """Nats of the chosen actions, a mean over all of a case's states."""
    taken = softmax(powers[place] * mixed, axis=1)[np.arange(len(chosen)), chosen]
    if astray is not None:
        chance, elsewhere, places = astray
        other = softmax(powers[places][:, None] * elsewhere, axis=1).mean(0)
        taken = (1 - chance) * taken + chance * other[chosen]
    return float(np.log(taken).sum()) / n


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
