"""A network that was taught puzzles alone: what three moves of look-ahead get wrong."""

import numpy as np
from jaxtyping import Array, Key

from ...amortised import NetworkPolicy
from ...audit.exam import Exam
from ...core.decider import Decider
from ..students import student
from .misled import misled

SPECIMEN = {
    "name": "puzzle_network",
    "title": "network taught puzzles",
    "kind": "amortised",
    "held_out": True,
    "answers": {
        "effort": "none", "objective": "none", "revaluation": "none", "depth": "responds",
        "extraction": "none",
    },
    "why": "It is one forward pass, fitted to the best actions of just those states in which "
    "three moves of look-ahead, or some more, choose wrongly; about others it was taught nothing.",
}  # fmt: skip
DEEP, STEPS, ROOM = 3, 300, 160
"""Moves that are too few in a puzzle (others than those by which the probe of depth halves states);
steps of training; rows of its data, filled up."""


def make(exam: Exam, key: Key[Array, ""]) -> Decider:
    """Trained on the exact best actions of the puzzles."""
    rows = np.flatnonzero(misled(exam, moves=DEEP))
    return NetworkPolicy(
        exam.task, student(exam, key, STEPS, np.resize(rows, max(ROOM, len(rows))))
    )
