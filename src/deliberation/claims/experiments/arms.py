"""What experiments share: how many trainings, the cell of one arm, and reading what it found."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from ...runs import Cell, Outcome
from ..measuring.cells import cell
from ..measuring.effort import Effort
from ..measuring.results import Results

HERE = "deliberation.claims.experiments"
TRAININGS = {"smoke": 6, "quick": 24, "full": 100}
"""Of each arm of an experiment, by effort."""


def arm(
    experiment: str, e: Effort, seconds: float, name: str = "", *, null: bool = False,
    **settings: Any,
) -> Cell:  # fmt: skip
    """A cell of `experiments/<experiment>.py`: its `train`, with as many trainings as the effort.

    `name` tells the arms of an experiment apart. With `null` the experiment takes out what the
    claim is about (its file says how), and leaves everything else as it is.
    """
    told = {"trainings": TRAININGS[e.name], "arm": name, "key": 0, **settings}
    if null:
        told["null"] = True
    label = f"{experiment.replace('_', ' ')}{f': {name}' * bool(name)}"
    return cell(f"{HERE}.{experiment}:train", told, (), seconds, label)


def keys_of(settings: dict[str, Any]) -> Key[Array, " trainings"]:
    """A key for each training of a cell."""
    return jax.random.split(jax.random.key(settings["key"]), settings["trainings"])


def outcome(found: dict[str, Any], **spent: Any) -> Outcome:
    """Arrays with a leading axis for the trainings, as a cell's outcome."""
    from ...core.ledger import Ledger

    plainly = {name: np.asarray(x, float).tolist() for name, x in found.items()}
    return Outcome(plainly, Ledger(**spent).as_dict())


def found(results: Results, cell: Cell, name: str) -> np.ndarray:
    """One of a cell's outcomes as numbers: [trainings, ...]."""
    return np.asarray(results.outcomes(cell)[name], float)
