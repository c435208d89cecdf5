"""Cells as tasks of Dask: on a cluster, or on workers that are started for one run."""

import contextlib
from collections.abc import Iterator
from typing import Any

from ..optional import required
from ..pool import Pool
from ..provenance import cores
from ..worker import run_cell
from .choosing import unreachable

_SECONDS = 15
"""So long we wait for an answer of a scheduler, and for its first worker."""


@contextlib.contextmanager
def dask_pool(jobs: int | None, address: str | None) -> Iterator[Pool]:
    """Workers of the Dask cluster at an address, or of one of `jobs` workers on this machine.

    Raises `BackendError`.
    """
    dask, distributed = (required(n, "dask", "The backend dask") for n in ("dask", "distributed"))
    # A cell that takes its worker down is for us to try again, and by itself.
    once = {"distributed.scheduler.allowed-failures": 0}
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(once))
        client = stack.enter_context(_client(distributed, jobs, address, stack))
        executor = stack.enter_context(client.get_executor(pure=False, retries=0))
        yield Pool(
            submit=lambda call: executor.submit(run_cell, call),
            jobs=jobs or sum(client.ncores().values()),
            died=(distributed.KilledWorker,),
        )


def _client(
    distributed: Any, jobs: int | None, address: str | None, stack: contextlib.ExitStack
) -> Any:
    if address is None:
        cluster = distributed.LocalCluster(
            n_workers=jobs or cores(), threads_per_worker=1, dashboard_address=None,
            silence_logs="CRITICAL",
        )  # fmt: skip
        return distributed.Client(stack.enter_context(cluster), set_as_default=False)
    try:
        client = distributed.Client(address, set_as_default=False, timeout=_SECONDS)
        client.wait_for_workers(1, timeout=_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise unreachable("Dask", address, error) from error
    return client
