"""A successor representation: where actions lead in the end, times what is paid there now."""

from ..learners import SuccessorLearner, alone, handed

SPECIMEN = {
    "name": "successor_learner",
    "title": "successor representation, learning on",
    "kind": "amortised",
    "answers": {"experience": "responds", "two_step": "responds"},
    "why": "It follows changed rewards and no changed ways, and for the two-step task that "
    "is enough.",
}
make = alone
channels = handed(SuccessorLearner())
