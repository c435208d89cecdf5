"""What is behind a record where no single position is: a training, episodes, a clock, the rules."""

from collections.abc import Mapping
from typing import Any

from ...report.numbers import number
from ...runs import Record


def instead(record: Record, drawn: bool, source: Record | None) -> str:
    """In a sentence or two; nothing where the positions drawn are all there is to say."""
    if isinstance(record.outcomes.get("refused"), str):
        return f"Nothing was played: it was refused. {record.outcomes['refused'][:300]}"
    own = source is None or source.cell == record.cell
    trained = _training(record)
    if drawn and own:
        return trained
    if drawn:
        return trained or (
            "The positions below are of a record that this one builds on, not of its own asking."
        )
    return trained or _clocked(record) or _OTHERWISE


_OTHERWISE = (
    "No positions stand behind this record: it was worked out from the rules as a whole, or by a "
    "version that kept none of where it measured."
)


def _training(record: Record) -> str:
    """That a whole training is behind it, and how much of one."""
    spent = {**record.spent, **_trained(record.outcomes)}
    fits, data = (_amount(spent.get(name)) for name in ("fits", "data"))
    if not fits and not data:
        return ""
    parts = [
        f"{number(amount)} {unit}"
        for amount, unit in ((fits, "updates of its weights"), (data, "examples"))
        if amount
    ]
    return (
        f"A whole training stands behind it ({' on '.join(parts)}), and no single position: what "
        "it spent, and its curve where one was kept, are told below."
    )


def _trained(outcomes: Mapping[str, Any]) -> Mapping[str, Any]:
    found = outcomes.get("trained")
    return found if isinstance(found, dict) else {}


def _clocked(record: Record) -> str:
    """That it is a matter of the machine."""
    if "nanoseconds" not in record.outcomes and "milliseconds" not in record.outcomes:
        return ""
    told = (str(x) for x in record.machine.values() if x is not None)
    return (
        f"No position stands behind it: it is the time that a step takes on the machine "
        f"({', '.join(told) or 'not recorded'})."
    )


def _amount(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and value == value else 0.0
