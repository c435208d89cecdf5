"""Choose where cells run, by name; what a backend needs is imported once it is asked for."""

import contextlib
from collections.abc import Iterator

from ...core.errors import BackendError, UnknownNameError
from ..pool import Pool

BACKENDS = ("local", "ray", "dask")


@contextlib.contextmanager
def open_pool(
    backend: str = "local", *, jobs: int | None = None, address: str | None = None
) -> Iterator[Pool | None]:
    """Workers for `execute(..., pool=)`, given back on leaving; None for this machine's processes.

    `address` is a running cluster's, as Ray and Dask spell it; without one, a cluster of `jobs`
    workers (by default one a core) is started on this machine and ended on leaving. On a cluster,
    `jobs` cells run at once, by default as many as it has cores. Its machines need the same version
    of deliberation, and to see the run's folder under the same path. Raises `BackendError` where
    the package is missing or nothing answers at the address, and `UnknownNameError`.
    """
    if backend not in BACKENDS:
        raise UnknownNameError("backend", backend, BACKENDS)
    if backend == "local":
        if address is not None:
            raise BackendError(
                f"The backend 'local' has no cluster to find at {address!r}: choose ray or dask, "
                "or leave the address out."
            )
        yield None
        return
    if backend == "ray":
        from .on_ray import ray_pool as opened
    else:
        from .on_dask import dask_pool as opened
    with opened(jobs, address) as pool:
        yield pool


def unreachable(kind: str, address: str, error: Exception) -> BackendError:
    """The error of a cluster that does not answer."""
    return BackendError(
        f"No {kind} cluster answers at {address!r} ({error}): check the address and that the "
        "cluster runs, or leave the address out to start one on this machine."
    )
