"""The zoo's table in the terminal and as a page: where each decider stands, and what it costs."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from .. import zoo
from ..runs.cells import Cell
from ..runs.findings import Figure, Panel, Series
from ..runs.plain import plain
from ..runs.records import read_records
from ..runs.storage import atomic_write
from ..stats import Estimate
from ..zoo import Placed, Refused
from .details import figure_html
from .folder import REPORT, manifest_of, provenance
from .html import document, facts
from .numbers import MISSING, duration, estimate, number

TABLE = "zoo.json"
NARROW = 130
HEADS = (
    "Decider", "Task", "Score [95 %]", "Optimum", "Reached", "Search", "Learning", "Steps",
    "Evals", "Time", "Training",
)  # fmt: skip
WORDS = ("Decider", "Task")
"""Columns that are no numbers."""
EXPLAINED = {
    "Score": "the mean return, two players' against random play, with its 95 % interval (where all "
    "returns were equal it allows for others not seen yet); exact where neither the world nor the "
    "decider draws anything, so that every episode is the same one",
    "Optimum": "the exact best expected return, where it is known; two players' against random "
    "play",
    "Reached": "the part of the way from random play to the optimum; random play's return is exact "
    "where it can be worked out",
    "Search, Learning": "how far search, and how far learning, carry the decider from random play "
    "(0) towards the optimum (1): Shapley values over its scores with each part switched off, "
    "where the optimum is known. In brackets where a decider has one part alone: the other "
    "coordinate is then 0 by definition, and no measurement",
    "Steps, Evals": "steps of a model and evaluations of a network per decision, by the decider's "
    "own word",
    "Time": "wall time per decision, measured from outside (at smoke of programs compiled in a "
    "hurry, which are up to twice slower)",
    "Training": "how long learning, or solving beforehand, took",
}


def placed(folder: Path | str) -> list[Placed]:
    """Where a folder's deciders stand, from its records alone.

    Raises `OutputFolderError` where there is no run of the zoo, and `RecordError` for a missing
    cell.
    """
    return zoo.analyse(read_records(folder), _cells(folder))


def refused(folder: Path | str) -> list[Refused]:
    """Which of a folder's deciders cannot treat a task they were asked for. Raises as `placed`."""
    return zoo.refused(read_records(folder), _cells(folder))


def _cells(folder: Path | str) -> list[Cell]:
    manifest = manifest_of(folder, "zoo")
    return zoo.plan(manifest["effort"], only=manifest["zoo"], tasks=manifest.get("tasks"))


def build_zoo(folder: Path | str, found: Sequence[Placed], no: Sequence[Refused] = ()) -> Path:
    """Write zoo.json and report.html into a run's folder; returns the page's path.

    `no` are those that could not treat their task.
    """
    folder = Path(folder)
    parts = {"rows": found, "refused": no} if no else {"rows": found}
    rows = {key: plain([msgspec.to_builtins(x) for x in part], key) for key, part in parts.items()}
    content = msgspec.json.format(msgspec.json.encode({"schema": 1, **rows}), indent=1)
    atomic_write(folder / TABLE, content + b"\n")
    path = folder / REPORT
    atomic_write(path, zoo_page(found, provenance(folder), no).encode())
    return path


def show_zoo(found: Sequence[Placed], console: Any = None, no: Sequence[Refused] = ()) -> None:
    """Print the table, and what did not apply, to the terminal or to the console given."""
    from rich.console import Console
    from rich.markup import escape as escape_markup

    console = console or Console(highlight=False)
    for kind in zoo.KINDS:
        some = [one for one in found if one.kind == kind]
        if some:
            console.print(_lines(kind, some) if console.width < NARROW else _table(kind, some))
    for one in no:
        console.print(f"[b]Not {one.title} on {one.task}:[/b] {escape_markup(one.reason)}")
    for term, meaning in (EXPLAINED if found else {}).items():
        console.print(f"[dim]{term}: {meaning}[/dim]")


def zoo_page(found: Sequence[Placed], shown: dict[str, str], no: Sequence[Refused] = ()) -> str:
    """The table as a self-contained page, with where the deciders stand as pictures."""
    header = f"""<header>
<h1>The zoo, measured</h1>
<p class="lede">Every named kind of decision system on a task it is meant for: how near it comes to
the exact optimum, how much of that it owes to search and how much to learning, and what a decision
costs.</p>
{facts(shown)}
</header>"""
    bodies = "\n".join(_html_rows(kind, [p for p in found if p.kind == kind]) for kind in zoo.KINDS)
    heads = "".join(f'<th scope="col"{_class(head)}>{escape(head)}</th>' for head in HEADS)
    not_for = "".join(
        f"<dt>{escape(one.title)} on {escape(one.task)}</dt><dd>{escape(one.reason)}</dd>"
        for one in no
    )
    without = f'<h2>Not applicable</h2><dl class="terms">{not_for}</dl>' if no else ""
    terms = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in EXPLAINED.items())
    main = f"""<section id="overview" aria-label="The table">
{figure_html(figure(found), "zoo", "")}
<div class="scroll"><table class="cards dense">
<thead><tr>{heads}</tr></thead>
{bodies}
</table></div>
<dl class="terms">{terms}</dl>
{without}
</section>"""
    return document("The zoo, measured", header, main, shown)


def figure(found: Sequence[Placed]) -> Figure:
    """Where the deciders stand, and what they cost, as pictures."""
    return Figure(
        title="Where each decider stands, and what it costs",
        panels=[
            Panel(
                title="Position",
                x_label="carried by search",
                y_label="carried by learning",
                series=[
                    *_points([p for p in found if not p.by_definition], _at),
                    *_points([p for p in found if p.by_definition], _at, " (by definition)"),
                ],
            ),
            Panel(
                title="What a decision costs",
                x_label="milliseconds a decision",
                y_label="reached (1: the optimum)",
                x_scale="log10",
                series=_points(found, lambda p: (p.milliseconds, p.reached.estimate)),
            ),
        ],
        alternative=_alternative(found),
    )


def _alternative(found: Sequence[Placed]) -> str:
    """What the picture shows, in numbers of those that are in it."""
    spots = [(one, *_at(one)) for one in found if math.isfinite(sum(_at(one)))]
    alone = sum(one.by_definition for one, *_ in spots)
    both = [(x, y) for one, x, y in spots if not one.by_definition]
    mixed = sum(x > 0.05 and y > 0.05 for x, y in both)
    return (
        f"{len(spots)} deciders by how far search and learning carry each: {alone} have one part "
        f"alone and stand on an axis by definition; of the {len(both)} with two parts {mixed} owe "
        "at least a twentieth of the way to each. Beside it, how near each comes to the optimum "
        "against its cost."
    )


def _at(one: Placed) -> tuple[float, float]:
    return one.search_gain.estimate, one.learning_gain.estimate


def _points(found: Iterable[Placed], at: Any, more: str = "") -> list[Series]:
    series = []
    for kind in zoo.KINDS:
        spots = [at(one) for one in found if one.kind == kind]
        spots = [(x, y) for x, y in spots if x is not None and math.isfinite(x + y)]
        if spots:
            x, y = zip(*spots, strict=True)
            series.append(Series(label=f"{kind}{more}", x=list(x), y=list(y), kind="points"))
    return series


def texts(one: Placed) -> list[str]:
    """One row as people read it, in the order of `HEADS`."""
    trained = one.training_seconds
    return [
        one.title,
        one.task,
        _score(one.score),
        number(one.optimum),
        _share(one.reached),
        *(_place(share, one.by_definition) for share in (one.search_gain, one.learning_gain)),
        number(one.model_steps),
        number(one.network_evaluations),
        MISSING if one.milliseconds is None else f"{number(one.milliseconds)} ms",
        MISSING if not trained else duration(trained),
    ]


def _score(score: Estimate) -> str:
    if score.n == 1 and score.low == score.high:
        return f"{number(score.estimate)} exact"
    return estimate(score.estimate, score.shown.low, score.shown.high)


def _share(share: Estimate) -> str:
    return number(share.estimate, 2)


def _place(share: Estimate, by_definition: bool) -> str:
    told = _share(share)
    return f"({told})" if by_definition and told != MISSING else told


def _table(kind: str, found: Sequence[Placed]) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim", title=kind, title_style="b")
    for head in HEADS:
        left = head in WORDS
        table.add_column(head, justify="left" if left else "right", no_wrap=not left)
    for one in found:
        table.add_row(*texts(one))
    return table


def _lines(kind: str, found: Sequence[Placed]) -> Any:
    """The same for a narrow terminal: a block of lines for each decider."""
    from rich.text import Text

    text = Text(f"\n{kind}\n", style="bold")
    for one in found:
        title, task, *rest = texts(one)
        text.append(f"{title}, {task}\n", style="not bold")
        pairs = [f"{head} {value}" for head, value in zip(HEADS[2:], rest, strict=True)]
        text.append(f"  {'; '.join(pairs)}\n", style="not bold dim")
    return text


def _html_rows(kind: str, found: Sequence[Placed]) -> str:
    if not found:
        return ""
    lines, before = [], ""
    for one in found:
        lines.append(_html_row(one, again=one.title == before))
        before = one.title
    head = f'<th scope="rowgroup" colspan="{len(HEADS)}">{escape(kind)}</th>'
    return f"<tbody><tr>{head}</tr>\n" + "\n".join(lines) + "\n</tbody>"


def _html_row(one: Placed, again: bool) -> str:
    """A row. A decider's name is shown at its first task only; screen readers hear it at each."""
    title, *rest = texts(one)
    cells = "".join(
        f'<td data-label="{escape(head)}"{_class(head)}>{escape(text)}</td>'
        for head, text in zip(HEADS[1:], rest, strict=True)
    )
    shown = ' class="again"' if again else ""
    return f'<tr><th scope="row"{shown}>{escape(title)}</th>{cells}</tr>'


def _class(head: str) -> str:
    return "" if head in WORDS else ' class="n"'
