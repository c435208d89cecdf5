"""Cached values and those of a model, mixed as in the median of people (Daw et al. 2011)."""

from ..learners import HybridLearner, alone, handed

SPECIMEN = {
    "name": "mixed_learner",
    "title": "model-based in part (w = .39)",
    "kind": "hybrid",
    "answers": {"two_step": "responds"},
    "why": "Two fifths of its values come from its model: too few to turn a choice that "
    "cached values are sure of.",
}
make = alone
channels = handed(HybridLearner())
