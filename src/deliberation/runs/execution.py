"""Run the cells that are not recorded yet, in worker processes, and record what they find.

Workers compute; only this process writes records. By default workers are local processes
(joblib's loky), each keeping its compiled programs from cell to cell; `backends.open_pool` gives
those of a cluster.
"""

import contextlib
import functools
import os
import shutil
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .artefacts import home_of
from .cells import Cell, planned, urgency
from .errors import CellError
from .failed import keep_failures
from .pool import Pool, WorkerDied, replies, workers
from .progress import Progress, RichProgress, Silent
from .provenance import code, source, versions
from .queue import Queue, once
from .records import Record, RecordFile, current
from .results import Run
from .storage import FULL, storage_error
from .stores import store_at
from .worker import SHARES, Call, Needed, Reply, share_done


def execute(
    cells: Sequence[Cell],
    folder: Path | str,
    *,
    manifest: dict[str, Any],
    jobs: int | None = None,
    progress: Progress | None = None,
    keep_going: bool = False,
    pool: Pool | None = None,
    artefacts: str | None = None,
) -> Run:
    """The records of all cells by id, running those that the folder does not hold yet.

    `manifest` says which run this is; a folder with another is refused. `jobs` worker processes,
    by default one a core, or so many cells at once of a `pool` (`backends.open_pool`), or of the
    joblib backend that `joblib.parallel_config` names. Killed at any moment, the same call goes on
    at the first missing cell.

    Cells that were recorded by another version of the code, or that need such a cell, are measured
    again: a run's records come from one version once it has ended.

    When a cell fails, those already running end and are recorded, then `CellError` is raised. With
    `keep_going` all others run that do not need it, and `failures` of what is returned says why it
    and those that need it have no record; a cell whose worker process dies is tried once more by
    itself before it counts as failed. No failure is among the records: the same call tries again
    (why they failed is kept beside them, see `read_failures`).

    Cells keep their files in the folder, or at an address that fsspec understands (`artefacts`);
    workers on other machines then need not see the folder.

    Also raises `OutputFolderError`, `FolderBusyError`, `RecordError`, `StorageError`.
    """
    unique = list({cell.id: cell for cell in cells}.values())
    shown = progress or Silent()
    with RecordFile(folder, manifest, artefacts) as file:
        _sweep(file)
        ready = current(file.records, code())
        by_id = {cell.id: cell for cell in unique}
        chains = urgency(unique, ready)
        todo = [by_id[cell_id] for cell_id in chains]
        done = [cell for cell in unique if cell.id in ready]
        count = min(workers(jobs, pool), len(todo)) if todo else 1
        shown.start(len(unique), len(done), planned(unique), planned(done), count)
        if isinstance(shown, RichProgress):
            known = [(cell, file.records[cell.id]) for cell in done]
            again = sum(cell.id in file.records for cell in todo)
            shown.plan(todo, known, functools.partial(share_done, file.folder), again)
        queue = Queue(todo, ready, keep_going, chains)
        try:
            if todo:
                _Running(queue, file, shown, pool).run(count)
        finally:
            shown.stop()
            _sweep(file)
        keep_failures(file.folder, queue.failures)
        found = {c.id: file.records[c.id] for c in unique if c.id not in queue.failures}
        return Run(found, queue.failures)


class _Running:
    """Hands cells to workers, and records what they found."""

    def __init__(self, queue: Queue, file: RecordFile, shown: Progress, pool: Pool | None):
        self.queue, self.file, self.shown, self.pool = queue, file, shown, pool
        self.commit, self.dirty = source()
        self.homes: dict[str, str] = {}

    def run(self, jobs: int) -> None:
        """Run all cells of the queue; those whose worker died once more, one by one."""
        running = self.queue.running
        while True:
            try:
                self._work(self.queue.following, jobs)
            except WorkerDied as error:
                if not self.queue.keep_going:
                    raise _died(list(running.values())) from error
            if not running:
                return
            for cell in list(running.values()):
                with contextlib.suppress(WorkerDied):
                    self._work(once(cell), 1)
                if cell.id in running:
                    self._failed(running.pop(cell.id), _DIED_TWICE)

    def _work(self, cells: Callable[[int | None], Cell | None], jobs: int) -> None:
        """Run some cells; those whose worker died, and may be tried again, count as running."""
        failure: Exception | None = None
        with _closing(replies(lambda worker: self._call(cells(worker)), jobs, self.pool)) as found:
            for reply in found:
                if reply.died and self.queue.keep_going:
                    continue
                cell = self.queue.running.pop(reply.cell)
                if reply.outcome is not None:
                    record = self.file.append(self._record(cell, reply))
                    self.queue.finished(cell)
                    self.shown.cell_done(cell, record)
                    continue
                if not self.queue.keep_going or reply.errno in FULL:
                    failure = failure or (_died([cell]) if reply.died else _failure(cell, reply))
                    self.queue.stop()
                self._failed(cell, reply.reason)
        if failure is not None:
            raise failure

    def _call(self, cell: Cell | None) -> Call | None:
        if cell is None:
            return None
        self.shown.cell_started(cell)
        needed = {need: _needed(self.file.records[need]) for need in cell.needs}
        attempt = "" if self.pool is None else uuid.uuid4().hex[:8]
        self.homes[cell.id] = home = home_of(cell.id, code(), attempt)
        folder = str(self.file.folder.resolve())
        return Call(cell, folder, needed, os.getpid(), home, self.file.place)

    def _failed(self, cell: Cell, reason: str) -> None:
        for lost in self.queue.failed(cell, reason):
            if isinstance(self.shown, RichProgress):
                self.shown.cell_failed(lost, self.queue.failures[lost.id])

    def _record(self, cell: Cell, reply: Reply) -> Record:
        assert reply.outcome is not None
        if reply.code != code():
            raise CellError(
                f"Cell {cell.id} ({cell.name}) was measured by other source files ({reply.code}) "
                f"than this process has ({code()}): were files edited during the run, or does the "
                "cluster have another version? Run the same command again with one."
            )
        return Record(
            cell=cell.id,
            function=cell.function,
            settings=cell.settings,
            needs=cell.needs,
            outcomes=reply.outcome.outcomes,
            spent=reply.outcome.spent,
            code=reply.code,
            home=self.homes[cell.id],
            columns=reply.columns,
            where=reply.where,
            artefacts=reply.artefacts,
            seconds=reply.seconds,
            started=reply.started,
            versions=versions(),
            machine=reply.machine,
            commit=self.commit,
            dirty=self.dirty,
        )


@contextlib.contextmanager
def _closing(found: Iterator[Reply]) -> Iterator[Iterator[Reply]]:
    """End the workers when we leave early; joblib's warning about that says nothing new."""
    try:
        yield found
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.close()  # type: ignore[attr-defined]


def _needed(record: Record) -> Needed:
    return Needed(record.outcomes, record.home, record.artefacts, record.columns)


_DIED_TWICE = "its worker process died twice, as when memory runs out; try fewer --jobs"


def _died(running: list[Cell]) -> CellError:
    names = "; ".join(f"{cell.name} {cell.settings}" for cell in running)
    return CellError(
        f"A worker process died, as when memory runs out, during one of: {names}. "
        "Run the same command again, with fewer --jobs if memory is short."
    )


def _failure(cell: Cell, reply: Reply) -> Exception:
    where = f"cell {cell.id} ({cell.function}, settings {cell.settings})"
    if reply.errno in FULL:
        return storage_error(f"write what {where} computed", OSError(reply.errno, "no room left"))
    return CellError(
        f"{where[0].upper()}{where[1:]} failed; the other cells' records are kept, and the same "
        f"command goes on from there.\n{reply.error}"
    )


def _sweep(file: RecordFile) -> None:
    """Remove files that no record tells of: of killed workers, and of cells measured again."""
    recorded = {record.home for record in file.records.values()}
    store_at(file.folder, file.place).sweep(recorded)
    shutil.rmtree(file.folder / SHARES, ignore_errors=True)
