"""Which cell is next: those that wait, those with the workers, and what failed."""

import threading
from collections.abc import Callable, Iterable, Mapping

from .cells import Cell

WARM = 15.0
"""Seconds that a worker which has run a cell of some kind is ahead of others in the next one: the
rough time to compile the programs."""


def kind(cell: Cell) -> str:
    """Cells of one kind run the same compiled programs, as far as one can tell without running."""
    return f"{cell.function} {cell.settings.get('task')}"


class Queue:
    """Cells by urgency, each given out once what it needs is done.

    `todo` are the cells to run, the most urgent first, and `done` the ids of those that need not
    run. Where `keep_going`, a failed cell takes only those down that need it; else nothing more is
    given out once one has failed. `chains` is how long a chain of work waits for each, in seconds:
    a worker that has run a cell's kind is preferred by what it need not compile.
    """

    def __init__(
        self,
        todo: Iterable[Cell],
        done: set[str],
        keep_going: bool,
        chains: Mapping[str, float] | None = None,
    ):
        self.todo, self.done, self.keep_going = list(todo), done, keep_going
        self.chains = chains or {}
        self.warm: dict[int, set[str]] = {}
        self.running: dict[str, Cell] = {}
        self.failures: dict[str, str] = {}
        self._stopped = False
        self._lock = threading.Lock()  # joblib's backends ask from threads of theirs

    def following(self, worker: int | None = None) -> Cell | None:
        """The most urgent cell whose needs are done, which now runs; None while there is none.

        For a `worker` that is known by a number, programs it has compiled count in.
        """
        with self._lock:
            ready = [c for c in self.todo if self.done.issuperset(c.needs)]
            if self._stopped or not ready:
                return None
            cell = max(ready, key=lambda c: self._worth(c, worker))
            self.todo.remove(cell)
            self.running[cell.id] = cell
            if worker is not None:
                self.warm.setdefault(worker, set()).add(kind(cell))
            return cell

    def _worth(self, cell: Cell, worker: int | None) -> float:
        chain = self.chains.get(cell.id, 0.0)
        own = self.warm.get(worker, ()) if worker is not None else ()
        # Somebody has to compile a kind's programs, but not everybody.
        elsewhere = any(kind(cell) in others for others in self.warm.values())
        return chain - WARM if worker is not None and elsewhere and kind(cell) not in own else chain

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


def once(cell: Cell) -> Callable[[int | None], Cell | None]:
    """Gives out one cell, and then none."""
    waiting = [cell]
    return lambda worker: waiting.pop() if waiting else None
