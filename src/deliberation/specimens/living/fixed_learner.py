"""It takes one action for ever: a high rate of cooperation that no incentive made."""

from ..learners import alone, handed
from ..other_learners import Fixed

SPECIMEN = {
    "name": "fixed_learner",
    "title": "learns nothing",
    "kind": "cheat",
    "answers": {"two_step": "none", "incentives": "none"},
    "why": "Nothing that it meets changes what it does.",
}
make = alone
channels = handed(Fixed())
