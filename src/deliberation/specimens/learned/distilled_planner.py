"""A network trained on a planner's answers: what it does came of planning, which is gone."""

from jaxtyping import Array, Key

from ...amortised import NetworkPolicy
from ...audit.exam import Exam
from ...core.decider import Decider
from ..students import student

SPECIMEN = {
    "name": "distilled_planner",
    "title": "planner distilled into a network",
    "kind": "amortised",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "forecast": "against",
        "extraction": "none",
    },
    "why": "It has a planner's answers under the task's own rewards in its weights, and one "
    "forward pass hears neither a budget nor an announcement.",
}  # fmt: skip
STEPS = 200


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Fitted until it has nearly all of them."""
    return NetworkPolicy(exam.task, student(exam, key, STEPS))
