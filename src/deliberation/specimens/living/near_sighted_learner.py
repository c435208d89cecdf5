"""Q-learning for whom what comes next is worth less than half."""

from ..learners import QLearner, alone, handed

SPECIMEN = {
    "name": "near_sighted_learner",
    "title": "Q-learning, discount .4",
    "kind": "amortised",
    "answers": {"experience": "none", "two_step": "none", "incentives": "none"},
    "why": "A gift of 1 at the next step is worth less to it than its price of 1/2.",
}
make = alone
channels = handed(QLearner(discount=0.4))
