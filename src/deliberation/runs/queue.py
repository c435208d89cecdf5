"""Which cell is next: those that wait, those with the workers, and what failed."""

import threading
from collections.abc import Callable, Iterable

from .cells import Cell


class Queue:
    """Cells by urgency, each given out once what it needs is done.

    `todo` are the cells to run, the most urgent first, and `done` the ids of those that need not
    run. Where `keep_going`, a failed cell takes only those down that need it; else nothing more is
    given out once one has failed.
    """

    def __init__(self, todo: Iterable[Cell], done: set[str], keep_going: bool):
        self.todo, self.done, self.keep_going = list(todo), done, keep_going
        self.running: dict[str, Cell] = {}
        self.failures: dict[str, str] = {}
        self._stopped = False
        self._lock = threading.Lock()  # joblib's backends ask from threads of theirs

    def following(self) -> Cell | None:
        """The most urgent cell whose needs are done, which now runs; None while there is none."""
        with self._lock:
            ready = (c for c in self.todo if self.done.issuperset(c.needs))
            cell = None if self._stopped else next(ready, None)
            if cell is not None:
                self.todo.remove(cell)
                self.running[cell.id] = cell
            return cell

    def finished(self, cell: Cell) -> None:
        """A cell is recorded."""
        with self._lock:
            self.done.add(cell.id)

    def stop(self) -> None:
        """Give nothing more out."""
        self._stopped = True

    def failed(self, cell: Cell, reason: str) -> list[Cell]:
        """A cell failed; returns it and all cells that wait for it, whose reason this is too."""
        with self._lock:
            self._stopped = self._stopped or not self.keep_going
            self.failures[cell.id] = reason
            lost = [cell]
            for other in lost:  # which grows while we go through it
                for waiting in [c for c in self.todo if other.id in c.needs]:
                    self.todo.remove(waiting)
                    self.failures[waiting.id] = f"needs {other.id} ({other.name}), which failed"
                    lost.append(waiting)
            return lost


def once(cell: Cell) -> Callable[[], Cell | None]:
    """Gives out one cell, and then none."""
    waiting = [cell]
    return lambda: waiting.pop() if waiting else None
