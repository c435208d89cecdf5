"""What a search refuses, before it starts and after: shared by the deciders that search."""

import numpy as np
from jaxtyping import Array, Bool, Int

from ..core.errors import (
    NoLegalActionError,
    NonFiniteError,
    TooLargeError,
    UnsuitableTaskError,
)
from ..core.task import Task, check_is_task
from .evaluators import Evaluator
from .faults import FAULT_OF


def check_deterministic(
    task: Task, needs: str, *, players: tuple[int, ...] = (1, 2), listed: bool = False
) -> None:
    """Refuse tasks with chance, hidden state, continuous actions or other numbers of players.

    `needs` ends the message: what is needed, and what to use instead. With `listed`, chance may be
    where the task lists it (`Task.outcomes`).
    """
    check_is_task(task)
    traits = task.traits
    reasons = {
        "has chance in its moves": not (traits.deterministic or (listed and traits.outcomes > 0)),
        "hides part of its state": not traits.fully_observable,
        "has continuous actions": not traits.discrete,
        f"has {traits.players} players": traits.players not in players,
    }
    for reason, applies in reasons.items():
        if applies:
            raise UnsuitableTaskError(f"{task!r} {reason}; {needs}")


def check_memory(size: int, most: int, capacity: int, batch: int) -> None:
    """Refuse trees that would take more bytes than allowed, before they are allocated."""
    if size > most:
        raise TooLargeError(
            f"Trees of {capacity} nodes for {batch} rows would take {size:,} bytes, more than "
            f"max_bytes={most:,}. Use smaller batches or budgets, or raise max_bytes."
        )


def check_stuck(task: Task, stuck: Bool[Array, " batch"]) -> None:
    """Refuse what a search found where a state is live and offers nothing to do."""
    if bool(stuck.any()):
        raise NoLegalActionError(
            f"From row {int(np.argmax(np.asarray(stuck)))} of the batch the search came to a state "
            f"of {task!r} that is not terminal and has no legal action; the task must end the "
            "episode there (`core.check_task` finds such states)."
        )


def check_sound(
    evaluator: Evaluator,
    sound: Bool[Array, " batch"],
    faults: Int[Array, " batch"] | None = None,
) -> None:
    """Refuse what a search found where a number in it was NaN or infinite.

    `faults` says where, in the bits of `faults.FAULT_OF`.
    """
    if bool(sound.all()):
        return
    row = int(np.argmin(np.asarray(sound)))
    where = "a prior, a value, a reward or a sum of them"
    if faults is not None:
        bits = int(faults[row])
        where = " and in ".join(name for bit, name in FAULT_OF.items() if bits & bit)
    raise NonFiniteError(
        f"In row {row} of the batch the search met NaN or infinity in {where} "
        f"(evaluator: {type(evaluator).__name__}). Check the network's weights (a diverged "
        "training run?) and the objective."
    )


def check_opposed(task: Task, opposed: Bool[Array, " batch"], name: str) -> None:
    """Refuse rewards by which two players do not have opposite aims, once a search has met them."""
    if task.traits.players == 2 and not bool(opposed.all()):
        raise UnsuitableTaskError(
            f"From row {int(np.argmin(np.asarray(opposed)))} of the batch {name} met rewards in "
            f"{task!r} that do not sum to zero over its two players; it serves opposite aims. Use "
            "`HistorySearch`, which follows each player's own rewards."
        )
