"""How far a run is and how long it will take: a bar on a terminal, lines of text elsewhere."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from .cells import Cell
    from .records import Record

LINE_SECONDS = 10.0
_OVERDUE = 0.25
"""So much more than it has taken, a cell is expected to take that is late and tells nothing."""


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
    """The remaining time, from the cells' rough costs and what was measured in their place.

    Cells of one function are compared with their own kind first, those of a kind not met yet with
    all. A cell that tells how far it is counts by that; one that takes longer than expected is
    expected to take a quarter more than it has by now, and its whole kind with it.
    """

    def __init__(
        self,
        total_seconds: float | int,
        done_seconds: float | int,
        jobs: int,
        clock: Callable[[], float] = time.monotonic,
        told: Callable[[str], float] = lambda cell: 0.0,
    ):
        self.left, self.jobs, self.clock, self.told = (
            float(total_seconds - done_seconds), jobs, clock, told,
        )  # fmt: skip
        # Guesses count as if a twentieth of the work had been measured to agree with them.
        self._prior = max(1e-9, 0.05 * self.left)
        self._kinds: dict[str, _Kind] = {}
        self._running: dict[str, tuple[Cell, float]] = {}
        self._lock = threading.Lock()

    def expect(self, cells: "Iterable[Cell]") -> None:
        """Which cells are still to come; those of no known kind are reckoned by all others."""
        with self._lock:
            for cell in cells:
                self._kind(cell).left += cell.seconds

    def recall(self, cell: "Cell", seconds: float | int) -> None:
        """An earlier call of this run took so long for a cell that is done."""
        with self._lock:
            self._kind(cell).measure(cell.seconds, seconds)

    def started(self, cell: "Cell") -> None:
        """A worker took up a cell."""
        with self._lock:
            self._running[cell.id] = (cell, self.clock())

    def finished(self, cell: "Cell", seconds: float | int) -> None:
        """A cell took so long."""
        self.dropped(cell)
        with self._lock:
            self._kind(cell).measure(cell.seconds, seconds)

    def dropped(self, cell: "Cell") -> None:
        """A cell will not come any more."""
        with self._lock:
            self._running.pop(cell.id, None)
            self.left -= cell.seconds
            kind = self._kind(cell)
            kind.left = max(kind.left - cell.seconds, 0.0)

    def remaining(self) -> float:
        """Seconds until everything is done: the work left shared out, or the longest cell left."""
        with self._lock:
            now = self.clock()
            running = [(cell, now - since) for cell, since in self._running.values()]
            pace = self._paces(running)
            overall = pace("")
            work, known = 0.0, 0.0
            for name, kind in self._kinds.items():
                work, known = work + pace(name) * kind.left, known + kind.left
            work += overall * max(self.left - known, 0.0)
            left = [self._left(cell, passed, pace(cell.function)) for cell, passed in running]
        due = sum(pace(cell.function) * cell.seconds for cell, _ in running)
        return max((work - due + sum(left)) / self.jobs, max(left, default=0.0), 0.0)

    def _left(self, cell: "Cell", passed: float, pace: float) -> float:
        """Of a running cell: by what it tells, else what is expected, or a quarter more if late."""
        share = self.told(cell.id)
        if share > 0:
            return passed * (1 - share) / share
        whole = pace * cell.seconds
        return whole - passed if passed < whole else _OVERDUE * passed

    def _paces(self, running: "list[tuple[Cell, float]]") -> Callable[[str], float]:
        """Measured over guessed seconds of each kind; of all kinds for one without its own."""
        kinds = {name: _Kind(0.0, k.guessed, k.measured) for name, k in self._kinds.items()}
        for cell, passed in running:
            share = self.told(cell.id)
            whole = passed / share if share > 0 else (1 + _OVERDUE) * passed
            kind = kinds.setdefault(cell.function, _Kind())
            if share > 0 or whole > cell.seconds * max(1.0, kind.pace()):
                kind.measure(cell.seconds, whole)
        guessed = self._prior + sum(kind.guessed for kind in kinds.values())
        overall = (self._prior + sum(kind.measured for kind in kinds.values())) / guessed

        def pace(name: str) -> float:
            kind = kinds.get(name)
            return kind.pace(overall, self._prior) if kind is not None else overall

        return pace

    def _kind(self, cell: "Cell") -> "_Kind":
        return self._kinds.setdefault(cell.function, _Kind())


@dataclass
class _Kind:
    """Cells of one function: guessed seconds to come, and guessed and measured ones of the past."""

    left: float = 0.0
    guessed: float = 0.0
    measured: float = 0.0

    def measure(self, guessed: float, measured: float) -> None:
        """One more cell that took so long."""
        self.guessed += guessed
        self.measured += measured

    def pace(self, otherwise: float = 1.0, prior: float = 1e-9) -> float:
        """Measured over guessed, as if so many guessed seconds had gone as `otherwise` has it."""
        return (prior * otherwise + self.measured) / (prior + self.guessed)


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

    def plan(
        self,
        todo: "Iterable[Cell]",
        done: "Iterable[tuple[Cell, Record]]",
        told: Callable[[str], float],
        again: int = 0,
    ) -> None:
        """What is to come, what was measured before, and how to ask a cell how far it is.

        `again` of those to come were measured before by another version of the code.
        """
        if again:
            cells = "1 cell is" if again == 1 else f"{again} cells are"
            self.console.print(f"{cells} measured again, since the code has changed.")
        self.forecast.told = told
        self.forecast.expect(todo)
        for cell, record in done:
            self.forecast.recall(cell, record.seconds)

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

    def cell_failed(self, cell: "Cell", reason: str) -> None:
        """Say that a cell, or one that it needs, has failed, and go on with the others."""
        self._running.pop(cell.id, None)
        self._past += cell.seconds
        self.forecast.dropped(cell)
        self.console.print(f"{cell.name} ({cell.id}): {reason}", markup=False, soft_wrap=True)

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
