"""Tree search with random playouts, as the library has it."""

from jaxtyping import Array, Key

from ...audit.exam import Exam
from ...core.decider import Decider
from ...direct import TreeSearch

SPECIMEN = {
    "name": "uct",
    "title": "UCT",
    "kind": "direct",
    "answers": {
        "effort": "responds", "objective": "responds", "revaluation": "responds",
        "forecast": "responds", "match": "responds", "extraction": "responds",
    },
    "why": "It searches by the rewards it is told, for as long as it is let.",
}  # fmt: skip


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Nothing is drawn beforehand."""
    del key
    return TreeSearch(exam.task, "uct", capacity=257)
