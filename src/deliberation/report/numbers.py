"""Numbers as people read them, those of core and those of a table's rows."""

import math

from ..core.display.numbers import MISSING, THIN, Number, duration, estimate, number
from ..runs.findings import Row

__all__ = ["MISSING", "THIN", "Number", "bound_of", "duration", "estimate", "number", "of_row"]


def of_row(row: Row) -> str:
    """The same of a row, which says where its estimate is only a bound."""
    return bound_of(row) + estimate(row.estimate, *row.shown)


def bound_of(row: Row) -> str:
    """ "at least " or "at most " where a row's estimate is only that, else nothing."""
    if not row.censored or not math.isfinite(row.estimate):
        return ""
    if math.isinf(row.high) == (row.low <= 0):
        return ""  # nothing is known on either side, or all that matters is
    return "at least " if math.isinf(row.high) else "at most "
