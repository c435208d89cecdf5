"""Progress that tells the remaining time: a bar on a terminal, lines of text elsewhere."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import click

LINE_EVERY = 15.0
"""Seconds between lines where there is no terminal to redraw."""

PATIENCE = 2.0
"""Seconds after which somebody who sees nothing wonders."""


class Display(Protocol):
    """What the commands tell of their progress."""

    def update(self, fraction: float | int, note: str) -> None:
        """How much is done, from 0 to 1, and a few words on what is going on."""
        ...


class Clock:
    """Tells the remaining time from how fast things went since we have been watching.

    A training that resumes begins well above 0, which must not look like speed.
    """

    def __init__(self) -> None:
        self.first: tuple[float, float] | None = None

    def left(self, now: float | int, fraction: float | int) -> str:
        """The remaining time in words; silent while nothing is known."""
        if self.first is None:
            self.first = (now, fraction)
        passed, gained = now - self.first[0], fraction - self.first[1]
        if passed < 1 or gained < 0.01 or fraction >= 1:
            return ""
        seconds = passed * (1 - fraction) / gained
        return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"


class Lines:
    """For logs: a line now and then."""

    def __init__(self, title: str):
        self.title, self.clock, self.last = title, Clock(), -math.inf

    def update(self, fraction: float | int, note: str) -> None:
        """Print a line unless the last one is recent."""
        now = time.monotonic()
        left = self.clock.left(now, fraction)
        if now - self.last < LINE_EVERY and fraction < 1:
            return
        self.last = now
        told = ", ".join(part for part in (f"{min(fraction, 1):.0%}", left, note) if part)
        click.echo(f"{self.title}: {told}", err=True)


class Bar:
    """For terminals: one line, redrawn."""

    def __init__(self, bar: Any, title: str):
        self.bar, self.clock = bar, Clock()
        self.task = bar.add_task(title, total=1.0, left="", note="")

    def update(self, fraction: float | int, note: str) -> None:
        """Redraw."""
        left = self.clock.left(time.monotonic(), fraction)
        self.bar.update(self.task, completed=min(fraction, 1), left=left, note=note)


@contextmanager
def patience(doing: str) -> Iterator[Callable[[str], None]]:
    """Says on standard error what is going on, and for how long, where that takes long; what is
    handed over says that something else goes on from now on.
    """
    done, began = threading.Event(), time.monotonic()

    def tell() -> None:
        wait = PATIENCE
        while not done.wait(wait):
            passed, wait = time.monotonic() - began, LINE_EVERY
            click.echo(f"{doing} ({passed:.0f} s so far).", err=True)

    def instead(other: str) -> None:
        nonlocal doing
        doing = other

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield instead
    finally:
        done.set()
        teller.join()


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
