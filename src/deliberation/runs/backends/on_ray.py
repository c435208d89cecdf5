"""Cells as tasks of Ray: on a cluster, or on workers that are started for one run."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from ..optional import required
from ..pool import Pool
from ..provenance import cores
from ..worker import run_cell
from .choosing import unreachable


@contextlib.contextmanager
def ray_pool(jobs: int | None, address: str | None) -> Iterator[Pool]:
    """Workers of the Ray cluster at an address, or of one of `jobs` workers on this machine.

    A cluster that this process is connected to already is used as it is, and left running. Raises
    `BackendError`.
    """
    ray = required("ray", "ray", "The backend ray")
    ours = not ray.is_initialized()
    if ours:
        _begin(ray, jobs, address)
    try:
        # A cell that takes its worker down is for us to try again, and by itself.
        task = ray.remote(run_cell).options(num_cpus=1, max_retries=0)
        errors = ray.exceptions
        yield Pool(
            submit=lambda call: task.remote(call).future(),
            jobs=jobs or int(ray.cluster_resources().get("CPU", 1)),
            died=(errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError),
        )
    finally:
        if ours:
            ray.shutdown()


def _begin(ray: Any, jobs: int | None, address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        # What this process can import, its workers can; "local" is never somebody else's cluster.
        path = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}
        workers = jobs or cores()
        ray.init("local", num_cpus=workers, include_dashboard=False, runtime_env=path, **quiet)
        return
    try:
        ray.init(address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise unreachable("Ray", address, error) from error
