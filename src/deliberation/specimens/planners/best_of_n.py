"""Best of n even draws, scored by one playout each, as the library has it."""

from jaxtyping import Array, Key

from ...audit.exam import Exam
from ...core.decider import Decider
from ...direct import BestOfN

SPECIMEN = {
    "name": "best_of_n",
    "title": "best of n",
    "kind": "direct",
    "answers": {"effort": "responds", "objective": "responds"},
    "why": "It keeps the draw that scores best by the rewards it is told, of as many as it is let.",
}


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Nothing is drawn beforehand; eight playouts settle a draw's score."""
    del key
    return BestOfN(exam.task, playouts=8)
