"""A quantiliser over even draws: of three actions, one of the better ones by random playouts."""

from jaxtyping import Array, Key

from ...audit.exam import Exam
from ...core.decider import Decider
from ...core.uniform import UniformRandom
from ...direct import RandomRollouts
from ...hybrid import Quantiliser

SPECIMEN = {
    "name": "quantiliser",
    "title": "quantiliser",
    "kind": "hybrid",
    "answers": {"effort": "responds", "objective": "responds"},
    "why": "It judges by the rewards it is told, eight playouts at a time as often as it is let, "
    "and draws from the better two fifths of what it might have done.",
}
SHARE, PLAYOUTS = 0.4, 8


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """The base policy draws evenly."""
    del key
    return Quantiliser(UniformRandom(exam.task), RandomRollouts(count=PLAYOUTS), q=SHARE, budget=64)
