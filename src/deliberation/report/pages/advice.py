"""Advice as a self-contained page with its figures: the frontiers, and the cost by decisions."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import msgspec
import numpy as np

from ...advice.amounts import count, span
from ...advice.choosing import HOUR, LEARNED, PLAN, Judged
from ...advice.results import Advice
from ...advice.words import HEADS, asked, headline, ordered, reasons, row
from ...runs.findings import Panel, Series
from ...runs.plain import plain
from ...runs.storage import atomic_write
from ..figures import Mark, panel_svg
from ..folder import provenance
from ..html import document, facts
from ..png import panels_png
from ..svg import standalone

PAGE, JSON, SVG, PNG = "advice.html", "advice.json", "advice.svg", "advice.png"
Drawn = tuple[Panel, list[Mark]]
NAMED = {PLAN: "plan", "learn": "learn", "both": "both"}
BASELINE = "neither"


def build_advice(advice: Advice) -> Path:
    """Write advice.html, .json, .svg and .png into the run's folder; returns the page's path."""
    folder = Path(advice.folder)
    drawn = panels(advice)
    svgs = [panel_svg(p, f"advice-{i}", _said(advice), m) for i, (p, m) in enumerate(drawn)]
    # Numbers and truths of NumPy are written as Python's own.
    content = plain(msgspec.to_builtins(advice, enc_hook=lambda x: x.item()), JSON)
    atomic_write(folder / JSON, msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    atomic_write(folder / SVG, standalone(svgs, columns=len(svgs)).encode())
    atomic_write(folder / PNG, panels_png(drawn))
    path = folder / PAGE
    atomic_write(path, advice_page(advice, svgs, provenance(folder)).encode())
    return path


def panels(advice: Advice) -> list[Drawn]:
    """Score against latency, score against total cost, and total cost against decisions."""
    limits = advice.limits
    latency = Panel(
        title="Score and latency",
        x_label="milliseconds in which nine of ten decisions are made",
        y_label="score",
        x_scale="log10",
        series=_points(advice, lambda o: 1e3 * o.latency.estimate, "on_latency"),
    )
    cost = Panel(
        title="Score and total cost",
        x_label=f"dollars for {count(limits.decisions)} decisions",
        y_label="score",
        x_scale="log10",
        series=_points(advice, lambda o: o.total.estimate, "on_cost"),
    )
    bound = [] if limits.latency is None else [
        Mark(1e3 * limits.latency, float("nan"), f"limit {span(limits.latency)}")
    ]  # fmt: skip
    found: list[Drawn] = [(latency, bound), (cost, [])]
    if advice.recommended is not None:
        option = advice.choice[advice.recommended]
        y = option.score.estimate
        latency_mark = Mark(1e3 * option.latency.estimate, y, option.name)
        found = [(latency, [*bound, latency_mark]),
                 (cost, [Mark(option.total.estimate, y, option.name)])]  # fmt: skip
    by_decisions = _by_decisions(advice)
    return [*found, by_decisions] if by_decisions is not None else found


def _points(advice: Advice, at: "object", frontier: str) -> list[Series]:
    """A cloud for each kind of option with its intervals, and the line of those that are best."""
    series = []
    for kind in (*NAMED, BASELINE):
        some = [o for o in advice.choice.options if NAMED.get(o.kind) == NAMED.get(kind)]
        if some:
            series.append(
                Series(
                    label=NAMED.get(kind, BASELINE),
                    x=[float(at(o)) for o in some],  # type: ignore[operator]
                    y=[o.score.estimate for o in some],
                    low=[o.score.shown.low for o in some],
                    high=[o.score.shown.high for o in some],
                    kind="points",
                )
            )
    best = sorted((o for o in advice.choice.options if getattr(o, frontier)), key=at)  # type: ignore[call-overload]
    line = [(float(at(o)), o.score.estimate) for o in best]  # type: ignore[operator]
    ends = max((x for s in series for x in s.x), default=1.0)
    if line:
        line.append((ends, line[-1][1]))
        x, y = zip(*line, strict=True)
        series.append(Series(label="frontier", x=list(x), y=list(y), kind="step"))
    return series


def _by_decisions(advice: Advice) -> Drawn | None:
    """The cheapest planner and the cheapest learned option, of those that nothing beats."""
    good = [o for o in advice.choice.options if o.good]
    sides = {
        "planner": [o for o in good if o.kind == PLAN],
        "learned": [o for o in good if o.kind in LEARNED],
    }
    if not all(sides.values()):
        return None
    limits, paid = advice.limits, advice.choice.break_even
    least = min(1.0, paid.estimate) if paid.estimate > 0 else 1.0
    most = max(limits.decisions, 100 * paid.estimate if np.isfinite(paid.estimate) else 0, 1e3)
    decisions = np.logspace(np.log10(max(least, 1.0)), np.log10(most), 60)
    series = []
    for label, options in sides.items():
        lines = [_dollars(advice, o, decisions) for o in options]
        cheapest = np.min(lines, 0)
        series.append(Series(label=f"cheapest {label}", x=decisions.tolist(), y=cheapest.tolist()))
    marks = [Mark(limits.decisions, float("nan"), "asked for")]
    if np.isfinite(paid.estimate) and paid.estimate >= 1:
        y = float(np.interp(paid.estimate, decisions, series[1].y))
        marks.append(Mark(paid.estimate, y, f"n* = {count(paid.estimate)}"))
    panel = Panel(
        title="Cost by decisions",
        x_label="decisions",
        y_label="dollars in all",
        x_scale="log10",
        y_scale="log10",
        series=series,
    )
    return panel, marks


def _dollars(advice: Advice, option: Judged, decisions: np.ndarray) -> np.ndarray:
    limits = advice.limits
    before = option.preparation.estimate * limits.training_price
    return (before + decisions * option.each.estimate * limits.price) / HOUR


def _said(advice: Advice) -> str:
    """The picture in words."""
    best = [o.name for o in advice.choice.options if o.on_latency]
    return f"{headline(advice)} On the frontier of score and latency lie {', '.join(best)}."


def advice_page(advice: Advice, svgs: Sequence[str], shown: dict[str, str]) -> str:
    """The page; `svgs` are its pictures and `shown` where the numbers come from."""
    answer, told = headline(advice).split(": ", 1)
    points = "".join(f"<li>{escape(reason)}</li>" for reason in reasons(advice))
    header = f"""<header>
<h1>Plan, learn, or both?</h1>
<p class="lede">{escape(advice.task)}: {escape(asked(advice))}.</p>
{facts(shown)}
</header>"""
    pictures = "\n".join(svgs)
    main = f"""<section class="overview" id="overview" aria-label="The advice">
<p class="verdict-of-advice {advice.verdict}"><b>{answer}:</b> {escape(told)}</p>
<ul class="reasons">{points}</ul>
<figure><div class="panels">
{pictures}
</div></figure>
{_lines(advice)}
{_table(advice)}
{_absent("Not measured", advice.left)}
{_absent("No candidates here", advice.unfit)}
</section>"""
    return document("Plan, learn, or both?", header, main, shown)


def _lines(advice: Advice) -> str:
    if not advice.lines:
        return ""
    return f'<h2>To use it</h2>\n<pre class="code">{escape(advice.lines)}</pre>'


def _table(advice: Advice) -> str:
    heads = "".join(
        f'<th scope="col"{_class(i)}>{escape(head or "Remarks")}</th>'
        for i, head in enumerate(HEADS)
    )
    lines = "\n".join(_row(advice, option) for option in ordered(advice))
    return f"""<h2>What was measured</h2>
<div class="scroll"><table class="cards dense">
<caption>A decision: within what time nine of ten are made, one at a time. Before: training or
solving. In all: dollars for all decisions. Compiling is left out.</caption>
<thead><tr>{heads}</tr></thead>
<tbody>
{lines}
</tbody></table></div>"""


def _row(advice: Advice, option: Judged) -> str:
    name, *cells = row(advice, option)
    chosen = ' class="chosen"' if option.name == advice.recommended else ""
    inner = "".join(
        f'<td data-label="{escape(HEADS[i] or "Remarks")}"{_class(i)}>{escape(cell)}</td>'
        for i, cell in enumerate(cells, 1)
    )
    return f'<tr{chosen}><th scope="row">{escape(name)}</th>{inner}</tr>'


def _class(column: int) -> str:
    return ' class="n"' if column in (2, 3, 4, 5) else ""


def _absent(title: str, why: dict[str, str]) -> str:
    if not why:
        return ""
    terms = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in why.items())
    return (
        f'<details><summary>{title} ({len(why)})</summary><dl class="terms">{terms}</dl></details>'
    )
