"""Q-learning for whom what comes next is worth nearly as much."""

from ..learners import QLearner, alone, handed

SPECIMEN = {
    "name": "far_sighted_learner",
    "title": "Q-learning, discount .9",
    "kind": "amortised",
    "answers": {"experience": "none", "two_step": "none", "incentives": "responds"},
    "why": "It learns that a price of 1/2 now pays 1 at the next step; it revises nothing "
    "that it does not pass through.",
}
make = alone
channels = handed(QLearner(discount=0.9))
