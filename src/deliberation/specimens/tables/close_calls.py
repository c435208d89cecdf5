"""A table that is read with an error: it misses where choices are close."""

from jaxtyping import Array, Key

from ...audit.exam import Exam
from ...core.decider import Decider
from .softmax_policy import Softmax

SPECIMEN = {
    "name": "close_calls",
    "title": "table read with an error",
    "kind": "amortised",
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "forecast": "against",
        "extraction": "none", "depth": "none",
    },
    "why": "It knows what every action is worth up to an error, and errs where two are worth "
    "nearly as much; such choices often need more look-ahead, and it looks no move ahead.",
}  # fmt: skip
TEMPERATURE = 0.1


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """The error is of one size everywhere."""
    del key
    return Softmax(exam.task, exam, TEMPERATURE)
