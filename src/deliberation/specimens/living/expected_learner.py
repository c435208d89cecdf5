"""A model-free learner that backs up what it will do on average: expected SARSA."""

from ..learners import ExpectedLearner, alone, handed

SPECIMEN = {
    "name": "expected_learner",
    "title": "expected SARSA, discount .9",
    "kind": "amortised",
    "held_out": True,
    "answers": {"experience": "none", "two_step": "none", "incentives": "responds"},
    "why": "It caches what its own choices earn on average, later rewards included, and revises "
    "nothing that it does not pass through.",
}
make = alone
channels = handed(ExpectedLearner())
