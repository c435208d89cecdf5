"""The sources' table of eleven rows in the terminal, a log or a notebook.

Verdicts are words and symbols, with colour only in addition. All rows that it is made of are in
table.csv and table.json.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..claims import CHAPTERS
from ..runs.findings import Finding
from .comparison import (
    Comparison,
    Line,
    Measured,
    Side,
    compare,
    family_sentence,
    label,
    missing,
    partly,
)
from .headline import foremost, headlines
from .numbers import MISSING
from .pages.stories import by_chapter, stories_of
from .verdicts import COLOURS, RULE, SYMBOLS, counted, tally

NARROW = 84
"""Below this width rows are written one under the other instead of in columns."""
WIDEST = 120
UNSEEN = 100
"""The width where there is no terminal: in a log, in CI, in a notebook."""
TITLES = 15
"""The width of the column of aspects."""
MOST = 4
"""So many quantities stand in a cell; the page has all of them."""
NBSP = "\u00a0"
Part = tuple[str, str]
"""Text and its style."""


def show(findings: Sequence[Finding], console: Any = None) -> None:
    """Print the table to the terminal, or to the console given."""
    console = console or _console()
    found, width = compare(findings), min(console.width, WIDEST)
    if stories_of(findings):
        _tell_story(findings, console, width)
        return
    made = headlines(findings)
    if made:
        first = made[foremost(made)]
        console.print(f"{first.said} {first.advice}", width=width, markup=False)
    if console.width < NARROW:
        for line in found.lines:
            _stack(line, len(found.tasks), console)
    else:
        console.print(_table(found, width))
    console.print()
    console.print(_remarks(found), width=width)
    console.print(f"\n{family_sentence(found.family)}", width=width, markup=False)
    console.print(RULE, width=width, style="dim")


def markdown(findings: Sequence[Finding]) -> str:
    """The same as Markdown: the eleven rows, what stands beneath them, and the count."""
    found = compare(findings)
    tasks = len(found.tasks)
    lines = [
        "| Aspect | Direct: search when asked | Amortised: a learned function |",
        "|---|---|---|",
    ]
    for line in found.lines:
        cells = (_marked(side, tasks) for side in (line.direct, line.amortised))
        lines.append(f"| **{line.title}** | {' | '.join(cells)} |")
    for finding, side in found.remarks:
        lines.append(f"| {finding.title} | {_marked(side, tasks)} | |")
    return "\n".join([*lines, "", f"{family_sentence(found.family)} {RULE}"])


def _marked(side: Side, tasks: int) -> str:
    """A cell of Markdown: its lines, each after a break."""
    told = ["".join(text for text, _ in parts) for parts in told_lines(side, tasks)]
    word = side.verdict and f"**{SYMBOLS[side.verdict]} {side.verdict}** ({counted(side.counts)})"
    said = [f"*{side.said}*"] if side.said else []
    return "<br>".join(text.replace("|", "\\|") for text in (*said, *told, word) if text)


def _console() -> Any:
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=UNSEEN)


def _table(found: Comparison, width: int) -> Any:
    from rich.box import HORIZONTALS
    from rich.table import Table
    from rich.text import Text

    table = Table(box=HORIZONTALS, show_lines=True, width=width, header_style="bold")
    table.add_column("Aspect", width=TITLES)
    table.add_column("Direct: search when asked", ratio=1, overflow="fold")
    table.add_column("Amortised: a learned function", ratio=1, overflow="fold")
    for line in found.lines:
        title = Text("\n".join(textwrap.wrap(line.title, TITLES)), style="bold")
        sides = (line.direct, line.amortised)
        table.add_row(title, *(_cell(side, len(found.tasks)) for side in sides))
    return table


def _stack(line: Line, tasks: int, console: Any) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print(Text(f"\n{line.title}", style="bold"))
    for name, side in (("Direct", line.direct), ("Amortised", line.amortised)):
        console.print(Text(f" {name}", style="bold dim"))
        console.print(Padding(_cell(side, tasks), (0, 0, 0, 2)))


def _cell(side: Side, tasks: int) -> Any:
    """What is said, what was measured, and the verdict."""
    from rich.console import Group
    from rich.text import Text

    parts = [Text(side.said, style="italic"), _listed(told_lines(side, tasks))]
    return Group(*parts, *([_verdict(side)] if side.verdict else []))


def _listed(told: Iterable[list[Part]]) -> Any:
    """Lines behind a mark, so that one sees where each begins."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    for parts in told:
        grid.add_row(Text("·", style="dim"), Text.assemble(*parts))
    return grid


def _verdict(side: Side) -> Any:
    from rich.text import Text

    assert side.verdict is not None
    word = f"{SYMBOLS[side.verdict]} {side.verdict}"
    counts = (f"  ({counted(side.counts)})", "dim")
    return Text.assemble((word, f"bold {COLOURS[side.verdict]}"), counts)


def told_lines(side: Side, tasks: int) -> Iterator[list[Part]]:
    """Each line beneath what is said, as parts with a style."""
    for one in side.claimed[:MOST]:
        value = f"{label(one, side.claimed)}: {one.value(tasks)}"
        yield [(value, ""), *_counts(one)]
    if len(side.claimed) > MOST:
        yield [(f"and {len(side.claimed) - MOST} more quantities, in the report", "dim")]
    if side.checked:
        yield [(_checks(side, tasks), "bold red" if side.checks == "fails" else "dim")]
    if not side.claimed and not side.checked:
        for one in side.told[:MOST]:
            yield [(f"{one.quantity}: {one.value(tasks)} (nothing is claimed of it)", "dim")]
    for why in (missing(side), partly(side)):
        if why:
            yield [(_sentence(why), "dim")]


def _checks(side: Side, tasks: int) -> str:
    """One line for all instrument checks; what they found, where there is nothing else."""
    word = {"holds": "holds", "fails": "FAILS", "open": "is open"}[side.checks]
    if side.claimed:
        return f"Instrument check {word}"
    found = ", ".join(f"{one.quantity} {one.value(tasks)}" for one in side.checked)
    return f"Instrument check, not counted: {found}; it {word}"


def _counts(one: Measured) -> list[Part]:
    """How often each verdict was given; of one row, which."""
    given, alone = tally(one.rows), len(one.rows) == 1
    return [
        (f" {SYMBOLS[name]}" + ("" if alone else f"{NBSP}{n}"), COLOURS[name])
        for name, n in given.items()
    ]


def _tell_story(findings: Sequence[Finding], console: Any, width: int) -> None:
    """Claims with worlds of their own, chapter by chapter."""
    for name, some in by_chapter(findings).items():
        console.print(f"\n[bold]{CHAPTERS[name].title}[/bold]", width=width)
        console.print(_remarks(compare(some)), width=width)
    family = family_sentence(compare(findings).family)
    console.print(f"\n{family}", width=width, markup=False)


def _remarks(found: Comparison) -> Any:
    """The claims beneath the table, a verdict and a line each."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=14)
    grid.add_column(overflow="fold")
    for finding, side in found.remarks:
        told = [f"{label(m, side.claimed)} {m.value(len(found.tasks))}" for m in side.claimed]
        why = missing(side)
        counts = f"  ({counted(side.counts)})" if side.counts else ""
        text = f": {why or '; '.join(told) or 'nothing is claimed'}"
        verdict = side.verdict
        word = Text(f"{SYMBOLS[verdict]} {verdict}", style=COLOURS[verdict]) if verdict else MISSING
        grid.add_row(word, Text.assemble((finding.title, "bold"), text, (counts, "dim")))
    return grid


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
