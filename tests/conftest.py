"""Set up every test run: annotations checked at run time, compiled programs kept between runs.

The environment is set before JAX is imported: under pytest-xdist each worker computes on one
thread, so that the workers do not fight over the cores.
"""

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    _ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_ONE_THREAD}".strip()
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deliberation" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES", "none")

import gc  # noqa: E402

# Tracing makes millions of small objects that live on: looking through them again and again took
# a tenth of the time of a test run.
gc.set_threshold(100_000, 50, 100)

import jax  # noqa: E402
import pytest  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402

install_import_hook("deliberation", "beartype.beartype")

import random_bits  # noqa: E402

random_bits.compile_faster()

_MANY = 20_000
"""Linux ends a process at 65,530 mappings of memory, and each compiled program holds several."""


@pytest.fixture(autouse=True, scope="module")
def _forgotten_programs():
    """Programs of the modules before, forgotten once they are many; the disk still has them."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > _MANY:
        jax.clear_caches()
        gc.collect()
