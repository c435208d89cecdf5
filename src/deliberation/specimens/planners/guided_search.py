"""Search that a network guides: its prior and values are those of the task's own rewards."""

from jaxtyping import Array, Key

from ...audit.exam import Exam
from ...core.decider import Decider
from ...hybrid import guided_search
from ..students import student

SPECIMEN = {
    "name": "guided_search",
    "title": "search guided by a network",
    "kind": "hybrid",
    "answers": {"effort": "responds"},
    "why": "Its network is hardly taught and errs, and search mends some of that; of what is "
    "announced only the search hears, while prior and values speak for the task's own rewards, so "
    "that nothing is said beforehand of how far it follows.",
}
STEPS = 5


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """The network sees few steps of training."""
    return guided_search(exam.task, student(exam, key, STEPS), rollouts=2, capacity=65)
