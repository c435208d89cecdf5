"""A transition's probability, read off which of two composite goals an agent takes.

Richens, Abel, Bellot and Everitt 2025, "General agents need world models": asked whether to bring
about "at most k successes of (s, a) -> s' in n tries" or "more than k", an agent that is good at
both lets slip what it holds the probability for, by the k at which it changes over.
"""

import numpy as np
from jaxtyping import Bool, Float


def read_off(at_most: Bool[np.ndarray, "*queries thresholds"]) -> Float[np.ndarray, "*queries"]:
    """The probability, from whether "at most k" is taken for k = 0 to n - 1.

    (k* - 1/2) / n at the first such k, and (n - 1/2) / n where it is never taken; no less than 0.
    """
    n = at_most.shape[-1]
    first = np.where(at_most.any(-1), at_most.argmax(-1), n)
    return np.maximum(first - 0.5, 0.0) / n


def bound(
    probability: Float[np.ndarray, "*queries"], tries: int, regret: float
) -> Float[np.ndarray, "*queries"]:
    """How far off what is read can be, of an agent that forgoes at most a share `regret` of the
    best chance: sqrt(2 P (1 - P) / ((n - 1) (1 - regret))).
    """
    spread = 2 * probability * (1 - probability)
    return np.sqrt(spread / ((tries - 1) * (1 - regret)))
