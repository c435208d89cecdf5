"""A network behind a gate: it plans where planning should pay, and wherever it is told of other
rewards than the task's own.
"""

from jaxtyping import Array, Key

from ...audit.exam import Exam
from ...core.decider import Decider
from ...direct import TreeSearch
from ...hybrid import Gated
from ..students import student

SPECIMEN = {
    "name": "gated",
    "title": "planning behind a gate",
    "kind": "hybrid",
    "answers": {
        "effort": "none", "objective": "responds", "revaluation": "responds",
    },
    "why": "Under the task's own rewards a well-taught network answers, behind a gate that is "
    "shut; under announced ones all is searched by plain tree search. So it hears them; "
    "how well it is forecast under them depends on how well that search does.",
}  # fmt: skip
STEPS, SHUT = 200, 1e6


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """The price of planning shuts the gate where the gate is asked at all."""
    network = student(exam, key, STEPS)
    return Gated(network, TreeSearch(exam.task, "uct", capacity=257), cost=SHUT)
