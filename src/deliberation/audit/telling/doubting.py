"""Verdicts that are left open whatever their interval says."""

import msgspec

from ..profile import SMALLEST, Answer
from ..rates import rates
from .figures import GAINS

_UNTRUSTED = "This probe is wrong too often to be believed when it says that one responds."


def doubted(found: Answer, kind: str) -> Answer:
    """The same answer, not decided where the probe is wrong too often in this kind of world, or
    as in `open_where_bent`.
    """
    if found.found == "responds" and not rates(found.probe, kind).trusted:
        return _left_open(found, _UNTRUSTED)
    return open_where_bent(found)


def open_where_bent(found: Answer) -> Answer:
    """The same answer, not decided where both ends of a figure are alike and something between them
    is not.
    """
    said = _bent(found) if found.found == "none" else ""
    return _left_open(found, said) if said else found


def _left_open(found: Answer, said: str) -> Answer:
    return msgspec.structs.replace(found, found="inconclusive", said=said, rules_out="", word="")


def _bent(found: Answer) -> str:
    """What is said where a budget between the least and the largest does surely better, or worse,
    than both by more than the smallest response; "" where none does.
    """
    if found.probe not in GAINS or found.panel is None or not found.panel.series:
        return ""
    line = found.panel.series[0]
    if line.low is None or line.high is None:
        return ""
    ends = line.y[0], line.y[-1]
    for x, y, low, high in list(zip(line.x, line.y, line.low, line.high, strict=True))[1:-1]:
        if low > max(ends) + SMALLEST or high < min(ends) - SMALLEST:
            return (
                f"The largest budget does as well as the least ({ends[1]:.2f} and {ends[0]:.2f} of "
                f"the way), but {x:g} between them {'better' if y > ends[0] else 'worse'} "
                f"({y:.2f}): what is offered matters, though more of it is not better."
            )
    return ""
