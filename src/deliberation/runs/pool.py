"""Workers: processes of this machine (joblib's loky), or wherever a pool or joblib sends cells."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

from .provenance import cores
from .worker import THREADS, Call, Reply, enter, run_cell

Next = Callable[[int | None], Call | None]
"""Hands out the next cell that can run, or None while there is none, to a worker by its number;
None where it is not known which will run it."""
Submit = Callable[[Call], "Future[Reply]"]


class WorkerDied(RuntimeError):
    """A worker process ended without an answer."""


@dataclass(frozen=True)
class Pool:
    """Workers on a cluster: `submit` sends a cell there and gives what will be its reply.

    `jobs` cells run at once. `died` are the errors of a reply whose worker ended without one; the
    other workers go on.
    """

    submit: Callable[[Call], "Future[Reply]"]
    jobs: int
    died: tuple[type[BaseException], ...]


def workers(jobs: int | None, pool: Pool | None = None) -> int:
    """How many workers to use: as asked, or one a core, or what the chosen backend offers."""
    if jobs is not None:
        return max(1, jobs)
    if pool is not None:
        return pool.jobs
    from joblib import effective_n_jobs

    return cores() if _is_local() else effective_n_jobs(-1)


def replies(following: Next, jobs: int, pool: Pool | None = None) -> Iterator[Reply]:
    """What comes back from the workers, in the order in which cells end, until all have.

    `following` is asked whenever a worker is free. Local workers end with this generator, and
    when this process is killed. Of a worker that dies the reply says so, and the others go on; of
    those of a joblib backend all die together, which raises `WorkerDied`.
    """
    from joblib.externals.loky.process_executor import BrokenProcessPool

    if pool is not None:
        yield from _answers(following, [(None, pool.submit)] * jobs, pool.died)
    elif _is_local():
        yield from _local(following, jobs)
    else:
        try:
            yield from _elsewhere(following, jobs)
        except BrokenProcessPool as error:
            raise WorkerDied(str(error)) from error


def _is_local() -> bool:
    from joblib._parallel_backends import LokyBackend
    from joblib.parallel import get_active_backend

    return isinstance(get_active_backend()[0], LokyBackend)


def _local(following: Next, jobs: int) -> Iterator[Reply]:
    """Processes of our own, one too: the JAX of this process may be set up otherwise.

    joblib's shared pool is left alone, since its workers may have imported JAX already.
    """
    from joblib.externals.loky.process_executor import BrokenProcessPool

    died = (BrokenProcessPool,)
    lanes = [Lane(jobs) for _ in range(jobs)]
    try:
        submits = [(number, lane.submit) for number, lane in enumerate(lanes)]
        yield from _answers(following, submits, died)
    finally:
        for lane in lanes:
            lane.close()


class Lane:
    """One worker process, so that it is known which one runs a cell; begun anew where it died."""

    def __init__(self, lanes: int):
        self._lanes = lanes
        self._pool = self._open()

    def _open(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        env = dict.fromkeys(THREADS, "1")
        args = (os.getpid(), self._lanes)
        return ProcessPoolExecutor(1, env=env, initializer=enter, initargs=args)

    def submit(self, call: Call) -> "Future[Reply]":
        """What will be the reply of a cell."""
        from joblib.externals.loky.process_executor import BrokenProcessPool

        try:
            return self._pool.submit(run_cell, call)
        except BrokenProcessPool:  # by the cell before
            self.close()
            self._pool = self._open()
            return self._pool.submit(run_cell, call)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(ProcessLookupError):
            self._pool.shutdown(kill_workers=True)


def _answers(
    following: Next,
    workers: Sequence[tuple[int | None, Submit]],
    died: tuple[type[BaseException], ...],
) -> Iterator[Reply]:
    """The replies of cells, one of which is with each worker at a time."""
    free = list(workers)
    running: dict[Future[Reply], tuple[Call, tuple[int | None, Submit]]] = {}
    try:
        while True:
            while free and (call := following(free[0][0])) is not None:
                worker = free.pop(0)
                running[worker[1](call)] = call, worker
            if not running:
                return
            ended = wait(running, return_when=FIRST_COMPLETED).done
            # What came back in time is not lost where another worker died meanwhile.
            for future in sorted(ended, key=lambda f: f.exception() is not None):
                call, worker = running.pop(future)
                free.append(worker)
                lost = isinstance(future.exception(), died)
                yield Reply(call.cell.id, died=True) if lost else future.result()
    finally:
        for future in running:
            future.cancel()


def _elsewhere(following: Next, jobs: int) -> Iterator[Reply]:
    """By the joblib backend that the caller chose, in waves: a wave ends when no cell can run."""
    from joblib import Parallel, delayed

    how: dict[str, Any] = {"batch_size": 1, "pre_dispatch": "n_jobs"}
    while (first := following(None)) is not None:
        calls = (delayed(run_cell)(call) for call in _chain(first, following))
        found: Any = Parallel(n_jobs=jobs, return_as="generator_unordered", **how)(calls)
        yield from found


def _chain(first: Call, following: Next) -> Iterator[Call]:
    yield first
    yield from iter(lambda: following(None), None)
