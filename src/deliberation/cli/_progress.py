"""Progress that tells the remaining time: a bar on a terminal, lines of text elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import click

LINE_EVERY = 15.0
"""Seconds between lines where there is no terminal to redraw."""


class Display(Protocol):
    """What the commands tell of their progress."""

    def update(self, fraction: float | int, note: str) -> None:
        """How much is done, from 0 to 1, and a few words on what is going on."""
        ...


class Lines:
    """For logs: a line now and then."""

    def __init__(self, title: str):
        self.title, self.start, self.last = title, time.monotonic(), -LINE_EVERY

    def update(self, fraction: float | int, note: str) -> None:
        """Print a line unless the last one is recent."""
        passed = time.monotonic() - self.start
        if passed - self.last < LINE_EVERY and fraction < 1:
            return
        self.last = passed
        click.echo(f"{self.title}: {fraction:4.0%}  {_left(passed, fraction)}  {note}", err=True)


class Bar:
    """For terminals: one line, redrawn."""

    def __init__(self, bar: Any, title: str):
        self.bar, self.start = bar, time.monotonic()
        self.task = bar.add_task(title, total=1.0, left="", note="")

    def update(self, fraction: float | int, note: str) -> None:
        """Redraw."""
        left = _left(time.monotonic() - self.start, fraction)
        self.bar.update(self.task, completed=fraction, left=left, note=note)


@contextmanager
def display(title: str) -> Iterator[Display]:
    """A progress display on standard error, fit for where it goes."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield Lines(title)
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[left]}", style="cyan"),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as bar:
        yield Bar(bar, title)


def _left(passed: float | int, fraction: float | int) -> str:
    """The remaining time, from the share done so far; silent while that says nothing."""
    if not 0.01 <= fraction < 1 or passed < 1:
        return ""
    seconds = passed * (1 - fraction) / fraction
    return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"
