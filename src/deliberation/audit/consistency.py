"""Whether a subject answers the same question the same way: all comparisons rest on that."""

import jax
import numpy as np
from jaxtyping import Array, Key

from ..core.decider import Decider
from .asking import BATCHES, formed
from .exam import Exam


def oddities(decider: Decider, exam: Exam, key: Key[Array, ""]) -> list[str]:
    """What a reader has to know: answers that change though nothing that was asked did.

    The same states are asked twice with the same keys, then in another order. Raises whatever the
    decider raises.
    """
    rows = np.resize(exam.rows, BATCHES[-1])
    keys = jax.random.split(key, len(rows))
    order = np.random.default_rng(0).permutation(len(rows))

    def asked(order: np.ndarray) -> np.ndarray:
        decision, _ = decider.decide(
            exam.states(rows[order]), decider.begin(len(rows)),
            objective=exam.told, key=keys[order],
        )  # fmt: skip
        found = np.empty(len(rows), int)
        found[order] = formed(decider, decision, len(rows))
        return found

    first, again, shuffled = (asked(x) for x in (np.arange(len(rows)), np.arange(len(rows)), order))
    if (changed := int((first != again).sum())) > 0:
        return [
            f"Answers are not reproducible: {changed} of {len(rows)} changed when the same states "
            "were asked again with the same random keys. It remembers, or draws chance of its own; "
            "what is said below holds on average only."
        ]
    if (changed := int((first != shuffled).sum())) > 0:
        return [
            f"Answers depend on what is asked beside them: {changed} of {len(rows)} changed when "
            "the same states were asked in another order."
        ]
    return []
