"""The report as one self-contained page: no network, light and dark, readable on a phone."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from .. import __version__
from ..runs.findings import Finding
from .comparison import compare
from .curves import curves
from .disagreements import Position, drawn
from .glossary import glossary
from .headline import headlines
from .overview import overview

STYLE = Path(__file__).parent / "page.css"
EXAMPLES = "problem_solving"
"""The row that opens to positions, and what each side made of them."""
SCRIPT = (
    "document.querySelector('.theme').onclick=()=>{const r=document.documentElement,"
    "d=r.dataset.theme?r.dataset.theme==='dark':matchMedia('(prefers-color-scheme: dark)').matches;"
    "r.dataset.theme=d?'light':'dark'};"
    "addEventListener('beforeprint',()=>document.querySelectorAll('details').forEach("
    "d=>d.open=true))"
)


def page(
    findings: Sequence[Finding],
    provenance: Mapping[str, str],
    notes: Sequence[str] = (),
    positions: Sequence[Position] = (),
) -> str:
    """The comparison table. `provenance` is shown as it is, term by term, at the foot.

    `notes` are what a reader has to know first: that cells failed, say. `positions` are examples of
    how problems are solved.
    """
    table = overview(compare(findings), {EXAMPLES: drawn(positions)})
    header = _header(provenance, notes, curves(headlines(findings)))
    return document(
        "The comparison table, measured",
        header,
        f"{table}\n{glossary(header + table)}",
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
<script>{SCRIPT}</script>
</body>
</html>
"""


def _header(provenance: Mapping[str, str], notes: Sequence[str], picture: str) -> str:
    shown = "".join(f'<p class="notice">{escape(note)}</p>' for note in notes)
    return f"""<header>
<h1>Search, or a learned function?</h1>
<p class="lede">A system can find its answers by searching for them when asked, or by evaluating a
function learned beforehand. What each is said to do was written down with what would refute it, and
then measured.</p>
{facts(provenance)}
{shown}
{picture}
</header>"""


def facts(provenance: Mapping[str, str]) -> str:
    """What was measured, how hard, and on what, in a line."""
    shown = [provenance[key] for key in ("Tasks", "Effort", "Machine") if key in provenance]
    return f'<ul class="facts">{"".join(f"<li>{escape(fact)}</li>" for fact in shown)}</ul>'


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
