"""Forest plots as tables: each task's estimate with its interval drawn against the smallest effect.

The drawing stretches with its column, and all that it shows stands beside it as text.
"""

import math
from collections.abc import Iterable, Sequence
from html import escape

from ..runs.findings import Row
from .chips import chip
from .comparison import Measured, measured
from .numbers import Number, number, of_row

LOG_FROM = 30.0
"""Positive values that span more than this factor are drawn on a logarithmic axis."""
EDGE = 4.0
"""Room at each end of the axis, in hundredths of its length."""


def forest(rows: Iterable[Row], caption: str) -> str:
    """The rows that claim something, a block a quantity; nothing if there are none."""
    bodies = "\n".join(_block(one) for one in measured(r for r in rows if r.kind == "claim"))
    if not bodies:
        return ""
    return f"""<div class="scroll"><table class="cards forest">
<caption>{escape(caption)}</caption>
<thead><tr><th scope="col">Task</th><th scope="col">95&nbsp;% interval; dashed: smallest effect</th>
<th scope="col">Estimate</th><th scope="col" class="n">n</th><th scope="col">Verdict</th></tr>
</thead>
{bodies}
</table></div>"""


def claim_words(row: Row) -> str:
    """What a row claims, in words: "above 0.01 of the way"."""
    unit = f" {row.unit}" if row.unit else ""
    if row.above is not None and row.below is not None:
        return f"from {number(row.above)} to {number(row.below)}{unit}"
    if row.above is not None:
        return f"above {number(row.above)}{unit}"
    return f"below {number(row.below)}{unit}" if row.below is not None else ""


def _block(one: Measured) -> str:
    axis = Axis(one.rows)
    lines = "\n".join(_line(row, axis) for row in one.rows)
    said = claim_words(one.rows[0])
    head = f"{escape(one.quantity)}, {escape(one.decider)}"
    claimed = f' <span class="claimed">claimed: {escape(said)}</span>' if said else ""
    return f"""<tbody>
<tr class="quantity"><th scope="rowgroup" colspan="5">{head}{claimed}</th></tr>
{lines}
<tr class="axis" aria-hidden="true"><td></td><td>{axis.labels()}</td><td colspan="3"></td></tr>
</tbody>"""


def _line(row: Row, axis: "Axis") -> str:
    value, _, interval = of_row(row).partition(" [")
    interval = f' <span class="interval">[{escape(interval)}</span>' if interval else ""
    note = f'<span class="note">{escape(row.note)}</span>' if row.note else ""
    own = ""
    if row.alone is not None and row.alone != row.verdict:
        own = f'<span class="note">by its own interval {escape(row.alone)}</span>'
    return (
        f'<tr><th scope="row">{escape(row.task)}{note}</th>'
        f'<td class="drawn">{axis.strip(row)}</td>'
        f'<td data-label="Estimate"><span class="estimate">{escape(value)}{interval}</span></td>'
        f'<td data-label="n" class="n">{number(row.n)}</td>'
        f'<td data-label="Verdict"><span>{chip(row.verdict)}{own}</span></td></tr>'
    )


class Axis:
    """The axis that a quantity's rows share: from values to hundredths of its length."""

    def __init__(self, rows: Sequence[Row]):
        first = rows[0]
        self.bounds = [b for b in (first.above, first.below) if b is not None]
        self.above, self.below = first.above, first.below
        seen = [v for row in rows for v in (row.estimate, *row.shown)]
        known = [v for v in (*seen, *self.bounds) if math.isfinite(v)] or [0.0]
        self.log = min(known) > 0 and max(known) / min(known) > LOG_FROM
        self.low, self.high = min(known), max(known)

    def place(self, value: Number) -> float:
        """Where a value lies, from 0 to 100; what has no end lies at the edge."""
        if math.isinf(value):
            return 100.0 if value > 0 else 0.0
        if self.log and value <= 0:
            return 0.0
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        share = 0.5 if high == low else (at - low) / (high - low)
        return round(EDGE + share * (100 - 2 * EDGE), 2)

    def strip(self, row: Row) -> str:
        """The interval and the estimate, over the side that is claimed and the smallest effect."""
        parts = [_side(self)]
        parts += [_vertical(self.place(bound)) for bound in self.bounds]
        if not math.isnan(row.low + row.high):
            low, high = map(self.place, row.shown)
            parts.append(f'<path class="ci" d="M{low} 10H{high}"/>')
        if not math.isnan(row.estimate):
            parts.append(f'<path class="dot" d="M{self.place(row.estimate)} 10h0"/>')
        return (
            f'<svg class="strip {escape(row.verdict or "")}" viewBox="0 0 100 20" '
            f'preserveAspectRatio="none" aria-hidden="true">{"".join(parts)}</svg>'
        )

    def labels(self) -> str:
        """The smallest effect and the ends of the axis, where there is room for them."""
        places = [(self.place(bound), bound) for bound in self.bounds]
        for end in (self.low, self.high):
            if all(abs(self.place(end) - at) > 20 for at, _ in places):
                places.append((self.place(end), end))
        spans = "".join(
            f'<span{_end(at)} style="left:{at}%">{escape(number(value))}</span>'
            for at, value in sorted(places)
        )
        return f'<span class="ticks">{spans}</span>'


def _end(at: float) -> str:
    """Labels at the ends grow inwards."""
    return ' class="first"' if at < 10 else ' class="last"' if at > 90 else ""


def _side(axis: Axis) -> str:
    """The ground of the side that is claimed."""
    left = 0.0 if axis.above is None else axis.place(axis.above)
    right = 100.0 if axis.below is None else axis.place(axis.below)
    if left == 0.0 and right == 100.0:
        return ""
    return f'<rect class="zone" x="{left}" y="0" width="{round(right - left, 2)}" height="20"/>'


def _vertical(at: float) -> str:
    return f'<path class="bound" d="M{at} 0V20"/>'
