"""How far a run is and how long it will take: a bar on a terminal, lines of text elsewhere."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from .cells import Cell
    from .records import Record

LINE_SECONDS = 10.0


@runtime_checkable
class Progress(Protocol):
    """What `execute` tells. `cell_started` may come from another thread."""

    def start(
        self, cells: int, done: int, total_seconds: float, done_seconds: float, jobs: int
    ) -> None:
        """How many cells there are and are recorded, their rough cost, and the workers."""

    def cell_started(self, cell: "Cell") -> None:
        """A cell was handed to a worker."""

    def cell_done(self, cell: "Cell", record: "Record") -> None:
        """A cell's record was written."""

    def stop(self) -> None:
        """Nothing more will come, whatever the reason."""


class Silent(Progress):
    """Says nothing."""


class Forecast:
    """The remaining time, from the cells' rough costs and how these compared so far in this run."""

    def __init__(
        self,
        total_seconds: float | int,
        done_seconds: float | int,
        jobs: int,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.left, self.jobs, self.clock = float(total_seconds - done_seconds), jobs, clock
        # Guesses count as if a twentieth of the work had been measured to agree with them.
        self._guessed = self._measured = max(1e-9, 0.05 * self.left)
        self._running: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def started(self, cell: "Cell") -> None:
        """A worker took up a cell."""
        with self._lock:
            self._running[cell.id] = (cell.seconds, self.clock())

    def finished(self, cell: "Cell", seconds: float | int) -> None:
        """A cell took so long."""
        with self._lock:
            self._running.pop(cell.id, None)
            self.left -= cell.seconds
            self._guessed += cell.seconds
            self._measured += seconds

    def remaining(self) -> float:
        """Seconds until everything is done: the work left shared out, or the longest cell left."""
        with self._lock:
            pace, now = self._measured / self._guessed, self.clock()
            due = [(pace * guess, now - since) for guess, since in self._running.values()]
        work = pace * self.left - sum(min(whole, passed) for whole, passed in due)
        longest = max((whole - passed for whole, passed in due), default=0.0)
        return max(work / self.jobs, longest, 0.0)


class RichProgress:
    """Cells done, what is running, elapsed and remaining time; on standard error by default."""

    def __init__(self, console: Any = None, line_seconds: float | int = LINE_SECONDS):
        from rich.console import Console

        self.console = console or Console(stderr=True, highlight=False)
        self.line_seconds = line_seconds
        self._running: dict[str, str] = {}
        self._ended = threading.Event()
        self._bar: Any = None
        self._lines: threading.Thread | None = None

    def start(
        self, cells: int, done: int, total_seconds: float, done_seconds: float, jobs: int
    ) -> None:
        """Show the bar, or begin to print lines."""
        self.cells, self.done, self.begun = cells, done, time.monotonic()
        self.forecast = Forecast(total_seconds, done_seconds, jobs)
        self._whole, self._past = total_seconds, done_seconds
        if self.console.is_terminal:
            self._show_bar()
        else:
            self._lines = threading.Thread(target=self._print_lines, daemon=True)
            self._lines.start()

    def cell_started(self, cell: "Cell") -> None:
        """Name it among those running."""
        self._running[cell.id] = cell.name
        self.forecast.started(cell)

    def cell_done(self, cell: "Cell", record: "Record") -> None:
        """Move on."""
        self._running.pop(cell.id, None)
        self.done += 1
        self._past += cell.seconds
        self.forecast.finished(cell, record.seconds)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._past)

    def stop(self) -> None:
        """Take the bar away, and say how far it went."""
        self._ended.set()
        if self._bar is not None:
            self._bar.stop()
        if self._lines is not None:
            self._lines.join()
        passed = clock_time(time.monotonic() - self.begun)
        self.console.print(f"{self.done}/{self.cells} cells in {passed}")

    def status(self) -> str:
        """One line: cells, times, and what is running."""
        passed = clock_time(time.monotonic() - self.begun)
        left = clock_time(self.forecast.remaining())
        names = ", ".join(list(self._running.values()))
        return f"{self.done}/{self.cells} cells, {passed} elapsed, about {left} left: {names}"

    def _print_lines(self) -> None:
        while not self._ended.wait(self.line_seconds):
            self.console.print(self.status(), markup=False, soft_wrap=True)

    def _show_bar(self) -> None:
        from rich.progress import BarColumn, ProgressColumn
        from rich.progress import Progress as Bar
        from rich.text import Text

        class Status(ProgressColumn):
            def __init__(self, status: Callable[[], str]):
                super().__init__()
                self.status = status

            def render(self, task: Any) -> Text:
                return Text(self.status(), overflow="ellipsis", no_wrap=True)

        self._bar = Bar(
            BarColumn(bar_width=20),
            Status(self.status),
            console=self.console,
            transient=True,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("", total=self._whole, completed=self._past)
        self._bar.start()


def clock_time(seconds: float | int) -> str:
    """Minutes and seconds, or hours and minutes."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 60}:{whole % 60:02}"
