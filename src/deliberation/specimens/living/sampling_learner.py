"""A learner that imagines one world of those it holds possible, and plans in it (Strens 2000)."""

from ..learners import alone, handed
from ..other_learners import SamplingLearner

SPECIMEN = {
    "name": "sampling_learner",
    "title": "posterior sampling",
    "kind": "direct",
    "held_out": True,
    "answers": {"experience": "responds", "two_step": "responds", "incentives": "responds"},
    "why": "Whenever it acts it works out values in a world that it draws from what its counts of "
    "steps allow; what it leaves behind is part of that.",
}
make = alone
channels = handed(SamplingLearner())
