"""States that an answer rests on, drawn: where a subject lost most by what it chose."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Float, Int

from ..core.objective import Objective
from ..core.witness.codes import encode
from ..tasks.seen import table_of
from .announcing import Bonus
from .asking import Asked
from .exam import Discounting, Exam
from .profile import Cited

MOST = 3
"""So many states are cited of an answer."""
LONGEST = 80
"""Characters of what is seen in a place, where that is told in a sentence."""


def cite_asked(heard: Sequence[Asked]) -> list[Cited]:
    """States for an answer that cites none itself, with what was announced there.

    Where rewards were announced, states asked about with some of these announcements, judged by
    what was announced; else of what was asked, the most at a time, before those with another
    objective. Where nothing was given up, one state says so.
    """
    plain = [one for one in heard if one.objective is None]
    told = [one for one in heard if one.objective is not None and one.exam.listed is not None]
    paid = [one for one in told if isinstance(one.objective, Bonus) and one.objective.amount != 0]
    if paid:
        some = [paid[i] for i in np.unique(np.linspace(0, len(paid) - 1, MOST).round().astype(int))]
        found = sorted((c for one in some for c in _under(one, 1)), key=lambda c: -c.lost)
        return found or _under(paid[-1], 1, least=-1.0)
    if plain:
        exam, rows, action, _ = max(plain, key=lambda one: len(one.rows))
        return cite(exam, rows, action) or cite(exam, rows, action, 1, least=-1.0)
    if not told:
        return []
    return _under(told[-1], MOST) or _under(told[-1], 1, least=-1.0)


def _under(one: Asked, most: int, **options: float) -> list[Cited]:
    """States judged by the objective that was announced there."""
    exam, rows, action, objective = one
    assert objective is not None
    values, said = exam.under(objective)[rows], f"told {told_of(exam, objective)}, and judged by it"
    worth = float(objective.discount)
    return cite(exam, rows, action, most, values=values, said=said, discount=worth, **options)


def told_of(exam: Exam, objective: Objective) -> str:
    """An announcement in words: what pays how much more, where that is a few places."""
    if not isinstance(objective, Bonus):
        return "another objective"
    same = (exam.faces[None] == np.asarray(objective.places)[:, None]).all(-1)
    rows = [int(np.flatnonzero(exam.place == p.argmax())[0]) for p in same if p.any()]
    named = " or ".join(_named(exam, row) for row in rows)
    return f"that arriving in {named} pays {float(objective.amount):.3g} more"


def _named(exam: Exam, row: int) -> str:
    """A place in a few words: where one is on a board, what is seen of it, or its number."""
    state = jax.tree.map(lambda x: x[0], exam.states(np.array([row])))
    picture = exam.task.picture(state)
    if picture is not None and picture.here is not None:
        return "row {}, column {}".format(*(at + 1 for at in picture.here))
    seen = "" if picture else ", ".join(" ".join(one) for one in table_of(exam.task, state))
    return f"({seen})" if 0 < len(seen) <= LONGEST else f"place {exam.place[row]}"


def cite(
    exam: Exam,
    rows: Int[np.ndarray, " n"],
    actions: Int[np.ndarray, " n"],
    most: int = MOST,
    *,
    values: Float[np.ndarray, "n actions"] | None = None,
    said: str = "",
    discount: float | None = None,
    least: float = 1e-6,
) -> list[Cited]:
    """The states in which the chosen action gives up most, the costliest first and one of each
    place; those alone in which it gives up more than the `least`, in parts of what returns span.

    Judged by the exam's own values unless others are given, as of what was told (`said`), with its
    `discount`.
    """
    own = isinstance(exam.objective, Discounting)
    worth = float(exam.objective.discount) if discount is None else discount
    values = exam.values[rows] if values is None else values
    lost = np.nanmax(values, 1) - values[np.arange(len(rows)), actions]
    order = np.argsort(-lost, kind="stable")
    if exam.listed is not None:
        order = order[np.sort(np.unique(exam.place[rows[order]], return_index=True)[1])]
    order = [i for i in order[:most] if lost[i] > least * exam.span]
    states = exam.states(rows[order]) if order else None
    found = []
    for place, i in enumerate(order):
        state = jax.tree.map(lambda x, at=place: x[at], states)
        picture = exam.task.picture(state)
        found.append(
            Cited(
                drawn=exam.task.render(state), picture=picture,
                table=table_of(exam.task, state) if picture is None else [],
                chosen=int(actions[i]), best=int(np.nanargmax(values[i])), lost=float(lost[i]),
                names=list(exam.task.action_names), said=said, state=encode(state),
                discount=worth if own else 1.0,
            )
        )  # fmt: skip
    return found
