"""The report as one self-contained page: no network, light and dark, readable on a phone."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from .. import __version__
from ..runs.findings import Figure, Finding, Row
from .figures import figure_svgs
from .numbers import MISSING, estimate, number
from .verdicts import SYMBOLS, overall, tally

STYLE = Path(__file__).parent / "page.css"
THEME_SCRIPT = (
    "document.querySelector('.theme').onclick=()=>{const r=document.documentElement,"
    "d=r.dataset.theme?r.dataset.theme==='dark':matchMedia('(prefers-color-scheme: dark)').matches;"
    "r.dataset.theme=d?'light':'dark'}"
)


def page(findings: Sequence[Finding], provenance: Mapping[str, str]) -> str:
    """The comparison table. `provenance` is shown as it is, term by term, at the foot."""
    sections = "\n".join(_section(finding) for finding in findings)
    return document(
        "The comparison table, measured",
        _header(findings, provenance),
        f"{_overview(findings)}\n{sections}",
        provenance,
    )


def document(title: str, header: str, main: str, provenance: Mapping[str, str]) -> str:
    """A whole page around its header and main part; `main` holds an element `#overview`."""
    return f"""<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="deliberation {escape(__version__)}">
<title>{escape(title)}</title>
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<a class="skip" href="#overview">Skip to the table</a>
<button class="theme" type="button" aria-label="Switch between light and dark">Light / dark</button>
<div class="page">
{header}
<main>
{main}
</main>
{_footer(provenance)}
</div>
<script>{THEME_SCRIPT}</script>
</body>
</html>
"""


def chip(verdict: str | None, count: int | None = None) -> str:
    """A verdict as a symbol and a word, with how often it was given."""
    if verdict not in SYMBOLS:
        return f'<span class="none">{MISSING}</span>'
    times = f" {count}" if count is not None else ""
    symbol = f'<span aria-hidden="true">{SYMBOLS[verdict]}</span>'
    return f'<span class="chip {verdict}">{symbol} {verdict}{times}</span>'


def _header(findings: Sequence[Finding], provenance: Mapping[str, str]) -> str:
    return f"""<header>
<h1>Search, or a learned function?</h1>
<p class="lede">A system can find its answers by searching for them when asked, by evaluating a
function learned beforehand, or by both. Each claim below says how the two differ, was written down
with what would refute it, and then measured.</p>
{_tally([row for finding in findings for row in finding.rows])}
{facts(provenance)}
</header>"""


def facts(provenance: Mapping[str, str]) -> str:
    """What was measured, how hard, and on what, in a line."""
    shown = [provenance[key] for key in ("Tasks", "Effort", "Machine") if key in provenance]
    return f'<ul class="facts">{"".join(f"<li>{escape(fact)}</li>" for fact in shown)}</ul>'


def _tally(rows: Sequence[Row]) -> str:
    chips = "".join(f"<li>{chip(name, count)}</li>" for name, count in tally(rows).items())
    return f'<ul class="tally" aria-label="Verdicts">{chips}</ul>' if chips else ""


def _overview(findings: Sequence[Finding]) -> str:
    tasks = list(dict.fromkeys(row.task for finding in findings for row in finding.rows))
    heads = "".join(f'<th scope="col">{escape(task)}</th>' for task in tasks)
    lines = "\n".join(_overview_line(finding, tasks) for finding in findings)
    return f"""<section class="overview" id="overview" aria-label="Overview">
<div class="scroll"><table class="cards">
<caption>Every claim on every task. A claim is refuted by any refuting row, and inconclusive if a
row leaves it open.</caption>
<thead><tr><th scope="col">Claim</th>{heads}</tr></thead>
<tbody>
{lines}
</tbody></table></div>
</section>"""


def _overview_line(finding: Finding, tasks: Sequence[str]) -> str:
    cells = "".join(
        f'<td data-label="{escape(task)}">'
        f"{chip(overall(row for row in finding.rows if row.task == task))}</td>"
        for task in tasks
    )
    link = f'<a href="#claim-{escape(finding.claim)}">{escape(finding.title)}</a>'
    note = f'<span class="note">{escape(finding.statement)}</span>'
    return f'<tr><th scope="row">{link}{note}</th>{cells}</tr>'


def _section(finding: Finding) -> str:
    name = escape(finding.claim)
    summary = f'<p class="summary">{escape(finding.summary)}</p>' if finding.summary else ""
    figures = "\n".join(
        figure_html(figure, f"{finding.claim}-{index}", finding.title)
        for index, figure in enumerate(finding.figures)
    )
    return f"""<section id="claim-{name}" aria-labelledby="title-{name}">
<p class="kicker">Item {escape(str(finding.item))}</p>
<h2 id="title-{name}">{escape(finding.title)}</h2>
<p class="statement">{escape(finding.statement)}</p>
<p class="refutation"><b>What would refute it.</b> {escape(finding.refuted_if)}</p>
{_tally(finding.rows)}
{summary}
{figures}
{_rows(finding)}
</section>"""


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


def _rows(finding: Finding) -> str:
    if not finding.rows:
        return ""
    lines = "\n".join(_row(row) for row in finding.rows)
    return f"""<div class="scroll"><table class="cards">
<caption>{escape(finding.title)}: every measured quantity</caption>
<thead><tr><th scope="col">Quantity</th><th scope="col">Task</th><th scope="col">Decider</th>
<th scope="col">Estimate [95&nbsp;% interval]</th><th scope="col" class="n">n</th>
<th scope="col">Verdict</th></tr></thead>
<tbody>
{lines}
</tbody></table></div>"""


def _row(row: Row) -> str:
    value, _, interval = estimate(row.estimate, row.low, row.high).partition(" [")
    interval = f' <span class="interval">[{escape(interval)}</span>' if interval else ""
    note = f'<span class="note">{escape(row.note)}</span>' if row.note else ""
    n = number(row.n)
    return (
        f'<tr><th scope="row">{escape(row.quantity)}{note}</th>'
        f'<td data-label="Task">{escape(row.task)}</td>'
        f'<td data-label="Decider">{escape(row.decider)}</td>'
        f'<td data-label="Estimate"><span class="estimate">{escape(value)}{interval}</span></td>'
        f'<td data-label="n" class="n">{n}</td>'
        f'<td data-label="Verdict">{chip(row.verdict)}</td></tr>'
    )


def _footer(provenance: Mapping[str, str]) -> str:
    terms = "\n".join(
        f"<dt>{escape(term)}</dt><dd>{escape(value)}</dd>" for term, value in provenance.items()
    )
    return f"""<footer aria-labelledby="provenance">
<h2 id="provenance">Where these numbers come from</h2>
<dl>
{terms}
</dl>
</footer>"""
