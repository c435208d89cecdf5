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

from jaxtyping import install_import_hook  # noqa: E402

install_import_hook("deliberation", "beartype.beartype")
