"""Workers: processes of this machine (joblib's loky), or wherever a pool or joblib sends cells."""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

from .provenance import cores
from .worker import THREADS, Call, Reply, enter, run_cell

Next = Callable[[], Call | None]
"""Hands out the next cell that can run, or None while there is none."""


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
    when this process is killed; where one dies, all of them have, which raises `WorkerDied`. Of a
    worker that dies on a cluster the reply says so.
    """
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        if pool is not None:
            yield from _answers(following, jobs, pool.submit, pool.died)
        else:
            yield from _local(following, jobs) if _is_local() else _elsewhere(following, jobs)
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
    from joblib.externals.loky import ProcessPoolExecutor

    env = dict.fromkeys(THREADS, "1")
    pool: Any = ProcessPoolExecutor(jobs, env=env, initializer=enter, initargs=(os.getpid(),))
    try:
        yield from _answers(following, jobs, lambda call: pool.submit(run_cell, call))
    finally:
        with contextlib.suppress(ProcessLookupError):
            pool.shutdown(kill_workers=True)


def _answers(
    following: Next,
    jobs: int,
    submit: "Callable[[Call], Future[Reply]]",
    died: tuple[type[BaseException], ...] = (),
) -> Iterator[Reply]:
    """The replies of cells, so many of which are with the workers at once."""
    running: dict[Future[Reply], Call] = {}
    try:
        while True:
            while len(running) < jobs and (call := following()) is not None:
                running[submit(call)] = call
            if not running:
                return
            ended = wait(running, return_when=FIRST_COMPLETED).done
            # What came back in time is not lost where another worker died meanwhile.
            for future in sorted(ended, key=lambda f: f.exception() is not None):
                call = running.pop(future)
                lost = isinstance(future.exception(), died)
                yield Reply(call.cell.id, died=True) if lost else future.result()
    finally:
        for future in running:
            future.cancel()


def _elsewhere(following: Next, jobs: int) -> Iterator[Reply]:
    """By the joblib backend that the caller chose, in waves: a wave ends when no cell can run."""
    from joblib import Parallel, delayed

    how: dict[str, Any] = {"batch_size": 1, "pre_dispatch": "n_jobs"}
    while (first := following()) is not None:
        calls = (delayed(run_cell)(call) for call in _chain(first, following))
        found: Any = Parallel(n_jobs=jobs, return_as="generator_unordered", **how)(calls)
        yield from found


def _chain(first: Call, following: Next) -> Iterator[Call]:
    yield first
    yield from iter(following, None)
