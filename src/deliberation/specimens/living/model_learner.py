"""A learner that works out values from the steps and rewards it has seen, newest first."""

from ..learners import HybridLearner, alone, handed

SPECIMEN = {
    "name": "model_learner",
    "title": "model-based learner",
    "kind": "direct",
    "answers": {"experience": "responds", "two_step": "responds", "incentives": "responds"},
    "why": "It chooses by values that it works out from its model whenever it acts; what it "
    "leaves behind is part of the model.",
}
make = alone
channels = handed(HybridLearner(weight=1.0, discount=0.9, forget=0.1))
