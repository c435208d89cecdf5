"""A foil: it infers which side is good, and does what has gone with that side."""

from ..learners import alone, handed
from ..other_learners import LatentLearner

SPECIMEN = {
    "name": "latent_learner",
    "title": "latent-state learner",
    "kind": "cheat",
    "answers": {"two_step": "responds"},
    "why": "It has neither a model of steps nor values of first choices, and yet stays as "
    "if it had: what fools the probe.",
}
make = alone
channels = handed(LatentLearner())
