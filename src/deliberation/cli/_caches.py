"""Where caches lie. Compiled programs are kept between runs, which saves most of the start."""

import os
from pathlib import Path

MIN_COMPILE_SECONDS = "0.3"
"""Programs that compile faster than this are not worth a file."""


def cache_folder() -> Path:
    """The folder of all of this library's caches; safe to delete at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "deliberation"


def caches() -> dict[str, Path]:
    """Each cache by name."""
    compiled = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    return {"compiled": Path(compiled) if compiled else cache_folder() / "jax"}


def keep_compiled_programs() -> None:
    """Let JAX keep compiled programs on disk; what the user has set stays.

    By environment variables, before JAX is imported, so that worker processes inherit it.
    """
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(caches()["compiled"]))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", MIN_COMPILE_SECONDS)


def folder_size(folder: Path) -> tuple[int, int]:
    """How many files lie in a folder, and how many bytes they hold."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)
