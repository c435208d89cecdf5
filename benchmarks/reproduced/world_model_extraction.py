"""The world model in an agent that is asked for composite goals, by how much it has seen."""

import jax
import numpy as np
from scipy.stats import binom

from deliberation.audit.extraction import read_off
from deliberation.stats import bootstrap

from . import Row

REPRODUCTION = {
    "name": "world_model_extraction",
    "title": "Transitions read off which of two composite goals is taken",
    "source": "Richens, Abel, Bellot and Everitt 2025",
    "published": "Mean errors .156, .074, .046 and .032 from 500, 2,000, 5,000 and 10,000 samples "
    "(20 states, 5 actions; goals of 100 tries).",
    "tolerance": "20 % of the published error; permuted goals at least three times the last.",
}
PUBLISHED = {500: 0.156, 2000: 0.074, 5000: 0.046, 10000: 0.032}
STATES, ACTIONS, OUTCOMES, TRIES, WITHIN = 20, 5, 5, 100, 0.2
WORLDS = {"smoke": 10, "quick": 40, "full": 200}


def reproduce(effort: str, key: jax.Array) -> list[Row]:
    """Agents that plan by frequencies of what they saw under random actions, in random worlds."""
    rng = np.random.default_rng(jax.random.key_data(key).tolist())
    errors: dict[int, list[float]] = {n: [] for n in PUBLISHED}
    permuted = []
    for _ in range(WORLDS[effort]):
        truth = world(rng)
        for samples, found in errors.items():
            read = read_off(bets(learned(truth, samples, rng)))
            possible = truth > 0
            found.append(float(np.abs(read - truth)[possible].mean()))
        # The answers to other pairs' goals: what says nothing of this one.
        mixed = rng.permutation(read.reshape(-1, STATES)).reshape(read.shape)
        permuted.append(float(np.abs(mixed - truth)[possible].mean()))
    rows = [
        Row(f"mean error from {samples:,} samples", PUBLISHED[samples], bootstrap(found),
            PUBLISHED[samples] * (1 - WITHIN), PUBLISHED[samples] * (1 + WITHIN))
        for samples, found in errors.items()
    ]  # fmt: skip
    least = 3 * PUBLISHED[10000]
    return [*rows, Row("the same with permuted goals", None, bootstrap(permuted), least)]


def world(rng: np.random.Generator) -> np.ndarray:
    """P[s, a, s']: five successors of every state and action, with random probabilities."""
    found = np.zeros((STATES, ACTIONS, STATES))
    for state in range(STATES):
        for action in range(ACTIONS):
            after = rng.choice(STATES, OUTCOMES, replace=False)
            found[state, action, after] = rng.dirichlet(np.ones(OUTCOMES))
    return found


def learned(truth: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    """What frequencies make of random play; even odds of what was never tried."""
    counts, state = np.zeros(truth.shape), 0
    actions, draws = rng.integers(0, ACTIONS, samples), rng.random(samples)
    ladder = truth.cumsum(2)
    for action, draw in zip(actions, draws, strict=True):
        after = min(int(np.searchsorted(ladder[state, action], draw)), STATES - 1)
        counts[state, action, after] += 1
        state = after
    tried = counts.sum(2, keepdims=True)
    return np.where(tried > 0, counts / np.maximum(tried, 1), 1 / STATES)


def bets(model: np.ndarray) -> np.ndarray:
    """For each transition and k, whether "at most k of the tries succeed" is the likelier goal."""
    return binom.cdf(np.arange(TRIES), TRIES, model[..., None]) >= 0.5
