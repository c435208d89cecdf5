"""States that an answer rests on, drawn: where a subject lost most by what it chose."""

import jax
import numpy as np
from jaxtyping import Int

from .exam import Exam
from .profile import Cited

MOST = 3
"""So many states are cited of an answer."""


def cite(
    exam: Exam, rows: Int[np.ndarray, " n"], actions: Int[np.ndarray, " n"], most: int = MOST
) -> list[Cited]:
    """The states in which the chosen action gives up most, the costliest first and one of each
    place; those alone in which it gives up anything.
    """
    values = exam.values[rows]
    lost = np.nanmax(values, 1) - values[np.arange(len(rows)), actions]
    order = np.argsort(-lost, kind="stable")
    if exam.listed is not None:
        order = order[np.sort(np.unique(exam.place[rows[order]], return_index=True)[1])]
    order = [i for i in order[:most] if lost[i] > 1e-6 * exam.span]
    states = exam.states(rows[order]) if order else None
    found = []
    for place, i in enumerate(order):
        state = jax.tree.map(lambda x, at=place: x[at], states)
        found.append(
            Cited(
                drawn=exam.task.render(state), picture=exam.task.picture(state),
                chosen=int(actions[i]), best=int(np.nanargmax(values[i])), lost=float(lost[i]),
                names=list(exam.task.action_names),
            )
        )  # fmt: skip
    return found
