"""A quantiliser's costs: at most 1/q times those of what it is drawn from, whatever they are."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from deliberation.hybrid import quantilise
from deliberation.stats import Estimate

from . import Row

REPRODUCTION = {
    "name": "quantiliser_bound",
    "title": "Quantilisers keep their bound",
    "source": "Taylor 2016",
    "published": "E[cost] <= E_base[cost] / q for every cost that is not negative; the divergence "
    "from the base is log(1/q) where the edge falls between two answers.",
    "tolerance": "1e-4: both are exact.",
    "by_construction": {
        "worst E*": "what is kept is kept at most 1/q times as often",
        "nats from the base, *": "what is kept is q of even answers",
    },
}
ANSWERS, WORLDS = 64, {"smoke": 50, "quick": 500, "full": 5000}
SHARES = (1 / 2, 1 / 8, 1 / 32)


def reproduce(effort: str, key: Key[Array, ""]) -> list[Row]:
    """Random bases and utilities; the worst cost of each is one for what it does most too often."""
    rng = np.random.default_rng(jax.random.key_data(key).tolist())
    base = rng.dirichlet(np.ones(ANSWERS), WORLDS[effort])
    utility = rng.normal(size=base.shape)
    even = np.full((1, ANSWERS), 1 / ANSWERS)
    rows = []
    for q in SHARES:
        kept = np.asarray(quantilise(jnp.asarray(base), jnp.asarray(utility), q), float)
        # A cost of 1 on one answer: all others are sums of these, so that none does worse.
        worst = (kept / base).max(1) * q
        mean, least, most = (float(x) for x in (worst.mean(), worst.min(), worst.max()))
        # Worked out in each of these worlds, and no sample: the interval is from least to most. The
        # bound is reached but where one answer alone weighs more than q.
        rows.append(
            Row(f"worst E[cost] q / E_base[cost], mean [least, most] of the worlds, q = {q:g}", 1.0,
                Estimate(mean, least, most, 0), high=1 + 1e-4)
        )  # fmt: skip
        p = np.asarray(quantilise(jnp.asarray(even), jnp.asarray(utility[:1]), q), float)[0]
        nats = float((p[p > 0] * np.log(p[p > 0] * ANSWERS)).sum())
        at = float(np.log(1 / q))
        rows.append(
            Row(f"nats from the base, q = {q:g}", at, Estimate(nats, nats, nats, 0),
                at - 1e-4, at + 1e-4)
        )  # fmt: skip
    return rows
