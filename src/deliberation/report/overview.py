"""The page's main table: eleven rows in the order of the sources, and what each opens."""

from collections.abc import Mapping, Sequence
from html import escape

from ..runs.findings import Finding
from .chips import chip, counts, few
from .comparison import (
    Comparison,
    Line,
    Measured,
    Remark,
    Side,
    family_sentence,
    label,
    missing,
    partly,
)
from .details import contents, opened
from .glossary import explained
from .verdicts import RULE, tally

CHECKS = {"holds": "holds", "fails": "fails", "open": "is open"}


def overview(found: Comparison, more: Mapping[str, str] | None = None) -> str:
    """The table, the claims beneath it, and how the verdicts stand together.

    `more` is markup that a row opens besides its claims, by the name of its aspect.
    """
    tasks, more = len(found.tasks), more or {}
    lines = "\n".join(_line(line, tasks, more.get(line.name, "")) for line in found.lines)
    on = f" on {', '.join(found.tasks)}" if found.tasks else ""
    return f"""<section class="overview" id="overview" aria-label="The comparison table">
<table class="sides">
<caption>What the sources say of each side, and what was measured{escape(on)}</caption>
<thead><tr><th scope="col">Aspect</th>
<th scope="col">Direct optimisation <span>search when asked</span></th>
<th scope="col">Amortised optimisation <span>a learned function</span></th></tr></thead>
{lines}
</table>
<p class="rule">{explained(escape(RULE))}</p>
{_remarks(found.remarks, tasks)}
<p class="family">{explained(escape(family_sentence(found.family)))}</p>
</section>"""


def _line(line: Line, tasks: int, more: str) -> str:
    sides = zip(("Direct", "Amortised"), (line.direct, line.amortised), strict=True)
    cells = "".join(
        f'<td data-label="{name}">{explained(_cell(side, tasks))}</td>' for name, side in sides
    )
    head = f'<tr><th scope="row">{escape(line.title)}</th>{cells}</tr>'
    return f'<tbody id="row-{line.name}">\n{head}\n{_opening(line.findings, more)}</tbody>'


def _opening(findings: Sequence[Finding], more: str = "") -> str:
    if not findings and not more:
        return ""
    title = "How it was measured" if findings else "Examples"
    return (
        f'<tr class="opening"><td colspan="3"><details><summary>{title}'
        f"<span>{contents(findings)}</span></summary>\n"
        f"{explained(opened(findings) + more)}</details></td></tr>\n"
    )


def _cell(side: Side, tasks: int) -> str:
    parts = [f'<p class="said">{escape(side.said)}</p>', _measured(side, tasks)]
    if side.checked:
        parts.append(_checks(side, tasks))
    parts += [f'<p class="why">{escape(_sentence(w))}</p>' for w in _reasons(side) if w]
    if side.verdict is not None:
        parts.append(f'<p class="verdict">{chip(side.verdict)} {counts(side.counts)}</p>')
    return "\n".join(part for part in parts if part)


def _reasons(side: Side) -> tuple[str, str]:
    return missing(side), partly(side)


def _measured(side: Side, tasks: int) -> str:
    only = not side.claimed and not side.checked
    items = [_item(one, label(one, side.claimed), tasks) for one in side.claimed]
    if only:
        items = [_item(one, label(one, side.told), tasks) for one in side.told]
    grey = ' class="measured told"' if only else ' class="measured"'
    return f"<ul{grey}>{''.join(items)}</ul>" if items else ""


def _item(one: Measured, name: str, tasks: int) -> str:
    given = tally(one.rows)
    verdicts = f" {few(given)}" if given else ""
    span, rest = map(escape, one.parts(tasks))
    return f"<li>{escape(name)}: <b>{span}</b> {rest}{verdicts}</li>"


def _checks(side: Side, tasks: int) -> str:
    """Instrument checks in grey; what they found where nothing else was measured."""
    word, fails = CHECKS[side.checks], " fails" if side.checks == "fails" else ""
    found = "; ".join(f"{m.quantity} {m.value(tasks)}" for m in side.checked)
    what = f": {escape(found)}" if not side.claimed else ""
    return f'<p class="check{fails}">Instrument check {word}{what}. Not counted.</p>'


def _remarks(remarks: Sequence[Remark], tasks: int) -> str:
    if not remarks:
        return ""
    lines = "\n".join(_remark(remark, tasks) for remark in remarks)
    return f"""<table class="sides remarks">
<caption>What the sources say beneath their table</caption>
<thead><tr><th scope="col">Claim</th><th scope="col">What was measured</th>
<th scope="col">Verdict</th></tr></thead>
{lines}
</table>"""


def _remark(remark: Remark, tasks: int) -> str:
    finding, side = remark
    why = "".join(f'<p class="why">{escape(_sentence(w))}</p>' for w in _reasons(side) if w)
    body = explained(_measured(side, tasks) + why)
    given = f" {counts(side.counts)}" if side.counts else ""
    return f"""<tbody>
<tr><th scope="row">{escape(finding.title)}</th><td data-label="Measured">{body}</td>
<td data-label="Verdict"><p class="verdict">{chip(side.verdict)}{given}</p></td></tr>
{_opening([finding])}</tbody>"""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
