"""Who revises a choice after a change that was seen further on: three learners."""

import numpy as np
from jaxtyping import Array, Key

from deliberation.audit.probes.experience import switches
from deliberation.specimens.learners import HybridLearner, SuccessorLearner
from deliberation.stats import Estimate, bootstrap

from . import Row

REPRODUCTION = {
    "name": "relearning",
    "title": "Reward and transition revaluation by learning",
    "source": "Momennejad et al. 2017",
    "published": "P(switch) after changed rewards, changed transitions, and no change: (1, 1, 0) "
    "for a model, (1, 0, 0) for a successor representation, (0, 0, 0) for cached values.",
    "tolerance": "0.1 from each, of learners that explore in at most a tenth of their choices.",
    "by_construction": {
        "model-free: changed *": "the cached value of a state that is not entered stays what it "
        "was: the same number as after no change",
        "successor representation: changed transitions": "what was seen to follow a state that is "
        "not entered stays what it was: the same number as after no change",
    },
}
LEARNERS = {
    "model-based": (HybridLearner(weight=1.0, discount=0.9, forget=0.1), (1.0, 1.0, 0.0)),
    "successor representation": (SuccessorLearner(explore=0.02), (1.0, 0.0, 0.0)),
    "model-free": (HybridLearner(weight=0.0), (0.0, 0.0, 0.0)),
}
CONDITIONS = ("changed rewards", "changed transitions", "no change")
TRAININGS = {"smoke": 80, "quick": 200, "full": 1000}
TOLERANCE = 0.1


def reproduce(effort: str, key: Key[Array, ""]) -> list[Row]:
    """P(switch) after the second phase, and whether that phase was learned."""
    rows = []
    for name, (learner, pattern) in LEARNERS.items():
        found = switches(learner, TRAININGS[effort], key)
        rows += [
            Row(f"{name}: {condition}", told, _mean(x), told - TOLERANCE, told + TOLERANCE)
            for condition, told, x in zip(CONDITIONS, pattern, found.after, strict=True)
        ]
        learned = _mean(found.on[:2].mean(0))
        rows.append(Row(f"{name}: what the middle states pay was learned", None, learned, 0.9))
    return rows


def _mean(share: np.ndarray) -> Estimate:
    return bootstrap(share, bounds=(0.0, 1.0))
