"""Population-based training of learners that weigh the reward of each action alone."""

from ..learners import alone, handed
from ..other_learners import PopulationLearner

SPECIMEN = {
    "name": "population_learner",
    "title": "population-based training",
    "kind": "amortised",
    "answers": {"two_step": "none", "incentives": "responds"},
    "why": "No member cares for later rewards, and the choice among them does.",
}
make = alone
channels = handed(PopulationLearner())
