"""Set up every test run: annotations checked at run time, compiled programs kept between runs.

The environment is set before JAX is imported: under pytest-xdist each worker computes on one
thread, so that the workers do not fight over the cores.
"""

import os
from pathlib import Path

# Most programs here run once, so that compiling them is what takes time: a third less of it.
_FLAGS = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
if "PYTEST_XDIST_WORKER" in os.environ:
    # Of NumPy's and PyTorch's threads, too, and in the processes that tests start.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _FLAGS += " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["XLA_FLAGS"] = f"{_FLAGS} {os.environ.get('XLA_FLAGS', '')}".strip()
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deliberation" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES", "none")

import gc  # noqa: E402

# Tracing makes millions of small objects that live on: looking through them again and again took
# a tenth of the time of a test run.
gc.set_threshold(100_000, 50, 100)

import checked_types  # noqa: E402
import pytest  # noqa: E402

checked_types.install()

import random_bits  # noqa: E402

from deliberation.runs import memory  # noqa: E402

random_bits.compile_faster()

_MANY = 20_000
"""Linux ends a process at 65,530 mappings of memory, and each compiled program holds several."""
_LARGE, _MORE = 3 << 30, 1 << 30
"""Bytes of memory at which they are forgotten, too, and how many more from then on: traces grow."""
_level = [0]


@pytest.fixture(autouse=True, scope="module")
def _forgotten_programs():
    """Programs of the modules before, forgotten once they are many; the disk still has them."""
    yield
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return
    many = maps.read_bytes().count(b"\n") > _MANY
    if many or (memory.resident() or 0) > max(_LARGE, _level[0] + _MORE):
        memory.forget_programs()
        _level[0] = memory.resident() or 0
