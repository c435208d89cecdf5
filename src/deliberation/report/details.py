"""What opens beneath a row of the page: each claim with figures, intervals and checks."""

import re
from collections.abc import Sequence
from html import escape

from ..runs.findings import Figure, Finding, Row
from .chips import counts
from .figures import figure_svgs
from .forest import forest
from .numbers import number, of_row
from .verdicts import tally

CHECKED = {"holds": "check holds", "fails": "check fails", "inconclusive": "check is open"}


def opened(findings: Sequence[Finding]) -> str:
    """All claims of a row; nothing where there is none."""
    return "\n".join(_claim(finding) for finding in findings)


def contents(findings: Sequence[Finding]) -> str:
    """What there is to open, in a few words: "2 claims, 14 rows, 4 pictures"."""
    rows = sum(len(finding.rows) for finding in findings)
    panels = sum(len(figure.panels) for finding in findings for figure in finding.figures)
    some = ((len(findings), "claim"), (rows, "row"), (panels, "picture"))
    return ", ".join(f"{n} {word}{'s' if n != 1 else ''}" for n, word in some if n)


def _claim(finding: Finding) -> str:
    name = escape(finding.claim)
    given = tally(row for row in finding.rows if row.kind == "claim")
    figures = "\n".join(
        figure_html(figure, f"{finding.claim}-{index}", finding.title)
        for index, figure in enumerate(finding.figures)
    )
    return f"""<div class="claim" id="claim-{name}">
<h3>{escape(finding.title)} {counts(given) if given else ""}</h3>
<p class="statement">{escape(finding.statement)}</p>
{declared(finding)}
{summarised(finding.summary)}
{forest(finding.rows, f"{finding.title}: what is claimed, by task")}
{figures}
{uncounted(finding)}
</div>"""


def summarised(text: str) -> str:
    """What was found, a line a task."""
    lines = [line for line in re.split(r"(?<=\.) (?=On )", text) if line]
    if len(lines) < 3:
        return f'<p class="summary">{escape(text)}</p>' if text else ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="summary">{items}</ul>'


def declared(finding: Finding) -> str:
    """What was fixed before anything was measured."""
    terms = (
        ("What would refute it", finding.refuted_if),
        ("Estimand", finding.estimand),
        ("Generalises over", finding.unit),
        ("Smallest effect", finding.smallest),
    )
    shown = "".join(
        f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in terms if text
    )
    return f'<dl class="declared">{shown}</dl>'


def figure_html(figure: Figure, prefix: str, heading: str) -> str:
    """The panels of a figure under their caption; `prefix` makes ids unique within the page."""
    svgs = figure_svgs(figure, prefix)
    sole = " sole" if len(svgs) == 1 else ""
    panels = "\n".join(svgs)
    # A caption that only repeats the heading above it would say nothing.
    caption = f"<figcaption>{escape(figure.title)}</figcaption>" if figure.title != heading else ""
    return f"""<figure>
{caption}
<div class="panels{sole}">
{panels}
</div>
</figure>"""


def uncounted(finding: Finding) -> str:
    """What is not counted, in grey: checks, what is only reported, and what is not there."""
    rows = [row for row in finding.rows if row.kind in ("check", "told")]
    absent = [row for row in finding.rows if row.kind == "absent"]
    reasons = "".join(
        f"<li>{escape((row.verdict or 'not measured').capitalize())} on {escape(row.task)}: "
        f"{escape(row.reason)}</li>"
        for row in absent
    )
    missing = f'<ul class="absent">{reasons}</ul>' if absent else ""
    if not rows:
        return missing
    lines = "\n".join(_row(row) for row in rows)
    return f"""<div class="scroll"><table class="cards grey">
<caption>Not counted: instrument checks, and what is only reported</caption>
<thead><tr><th scope="col">Quantity</th><th scope="col">Task</th><th scope="col">Decider</th>
<th scope="col">Estimate [95&nbsp;% interval]</th><th scope="col" class="n">n</th>
<th scope="col">Kind</th></tr></thead>
<tbody>
{lines}
</tbody></table></div>
{missing}"""


def _row(row: Row) -> str:
    value = f"{of_row(row)} {row.unit}".strip()
    note = f'<span class="note">{escape(row.note)}</span>' if row.note else ""
    kind = CHECKED.get(row.verdict or "", "check") if row.kind == "check" else "reported"
    fails = ' class="fails"' if row.kind == "check" and row.verdict == "fails" else ""
    return (
        f'<tr{fails}><th scope="row">{escape(row.quantity)}{note}</th>'
        f'<td data-label="Task">{escape(row.task)}</td>'
        f'<td data-label="Decider">{escape(row.decider)}</td>'
        f'<td data-label="Estimate"><span class="estimate">{escape(value)}</span></td>'
        f'<td data-label="n" class="n">{number(row.n)}</td>'
        f'<td data-label="Kind">{kind}</td></tr>'
    )
