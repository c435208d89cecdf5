"""The measured table in the terminal: rows by claim, verdicts in words, a symbol and a colour."""

from collections.abc import Iterable, Sequence
from typing import Any

from ..runs.findings import Finding, Row
from .numbers import MISSING, estimate
from .verdicts import COLOURS, SYMBOLS, tally

NARROW = 84
"""Below this width rows are written one under the other instead of in columns."""


def show(findings: Sequence[Finding], console: Any = None) -> None:
    """Print the findings to the terminal, or to the console given."""
    from rich.console import Console

    console = console or Console(highlight=False)
    for finding in findings:
        console.print()
        console.print(_heading(finding))
        if console.width < NARROW:
            for row in finding.rows:
                console.print(_lines(row))
        else:
            console.print(_table(finding.rows))
    console.print()
    console.print(_tally(row for finding in findings for row in finding.rows))


def _heading(finding: Finding) -> Any:
    from rich.text import Text

    return Text.assemble(
        (f"{finding.item}  ", "dim"), (finding.title, "bold"), (f"  {finding.claim}", "dim")
    )


def _table(rows: Sequence[Row]) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim", expand=False)
    for title, ratio in (("Task", 2), ("Decider", 3), ("Quantity", 5)):
        table.add_column(title, ratio=ratio, overflow="fold")
    table.add_column("Estimate [95 % interval]", no_wrap=True, justify="right")
    table.add_column("Verdict", no_wrap=True)
    for row in rows:
        value = Text(estimate(row.estimate, row.low, row.high))
        texts = [Text(row.task), Text(row.decider), _quantity(row)]
        table.add_row(*texts, value, _verdict(row.verdict))
    return table


def _lines(row: Row) -> Any:
    from rich.text import Text

    value = estimate(row.estimate, row.low, row.high)
    head = Text.assemble(_verdict(row.verdict), f"  {row.task}, {row.decider}")
    return Text.assemble(head, ("\n  ", ""), _quantity(row), (": ", "dim"), value)


def _quantity(row: Row) -> Any:
    """What was measured, and what there is to say about it."""
    from rich.text import Text

    return Text.assemble(row.quantity, (f" ({row.note})" if row.note else "", "dim"))


def _verdict(verdict: str | None) -> Any:
    from rich.text import Text

    if verdict not in SYMBOLS:
        return Text(MISSING, style="dim")
    return Text(f"{SYMBOLS[verdict]} {verdict}", style=COLOURS[verdict])


def _tally(rows: Iterable[Row]) -> Any:
    from rich.text import Text

    parts = [
        Text(f"{SYMBOLS[name]} {count} {name}", style=COLOURS[name])
        for name, count in tally(rows).items()
    ]
    return Text("   ").join(parts) if parts else Text("No row carries a verdict.", style="dim")
