"""Where caches lie. Compiled programs are kept between runs, which saves most of the start."""

import contextlib
import os
from pathlib import Path

from ..core.cache import cache_folder

MIN_COMPILE_SECONDS = "0.3"
"""Programs that compile faster than this are not worth a file."""


def caches() -> dict[str, Path]:
    """Each cache by name; all are safe to delete at any time."""
    compiled = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    return {
        "compiled": Path(compiled) if compiled else cache_folder() / "jax",
        "kernels": cache_folder() / "native",
        "artefacts": cache_folder() / "artefacts",
    }


def keep_compiled_programs() -> None:
    """Let JAX keep compiled programs on disk; what the user has set stays.

    By environment variables, before JAX is imported, so that worker processes inherit it.
    """
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(caches()["compiled"]))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", MIN_COMPILE_SECONDS)


def folder_size(folder: Path) -> tuple[int, int]:
    """How many files lie in a folder, and how many bytes they hold."""
    sizes = []
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # another process may tidy up meanwhile
                sizes.append(os.stat(os.path.join(base, name)).st_size)
    return len(sizes), sum(sizes)
