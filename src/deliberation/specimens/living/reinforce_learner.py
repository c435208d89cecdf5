"""REINFORCE on the reward of each action alone."""

from ..learners import alone, handed
from ..other_learners import Reinforce

SPECIMEN = {
    "name": "reinforce_learner",
    "title": "REINFORCE, a reward at a time",
    "kind": "amortised",
    "answers": {"two_step": "none", "incentives": "none"},
    "why": "No later reward counts for it.",
}
make = alone
channels = handed(Reinforce())
