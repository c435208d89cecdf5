"""A model-free learner: SARSA(lambda), with the parameters of people (Daw et al. 2011)."""

from ..learners import HybridLearner, alone, handed

SPECIMEN = {
    "name": "sarsa_learner",
    "title": "SARSA(λ) that goes on learning",
    "kind": "amortised",
    "answers": {"experience": "none", "two_step": "none"},
    "why": "It credits what it did, and revises nothing that it does not pass through.",
}
make = alone
channels = handed(HybridLearner(weight=0.0))
