"""Q-learning for the reward of each action alone."""

from ..learners import QLearner, alone, handed

SPECIMEN = {
    "name": "myopic_learner",
    "title": "Q-learning, discount 0",
    "kind": "amortised",
    "answers": {"experience": "inconclusive", "two_step": "none", "incentives": "none"},
    "why": "No later reward counts for it; in chains it never learns which to choose.",
}
make = alone
channels = handed(QLearner(discount=0.0))
