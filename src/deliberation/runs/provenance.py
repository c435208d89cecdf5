"""On what something was measured: the code, versions, source commit, machine."""

import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = ("deliberation", "jax", "jaxlib", "equinox", "numpy", "scipy", "pgx")
_SECONDS = 5.0
_SOURCES = {".py", ".cpp", ".h", ".txt"}
_SHOWING = {"cli", "report"}
"""Wings that nothing which measures can import: they show what was measured."""


@functools.cache
def versions() -> dict[str, str | None]:
    """Python's and the packages' versions, read without importing them; null if absent."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


@functools.cache
def machine() -> dict[str, Any]:
    """Cores this process may use, operating system and processor."""
    return {"cores": cores(), "platform": platform.platform(), "processor": _processor()}


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def code(package: Path | None = None) -> str:
    """16 hex digits of the sha256 of all source that can bear on a measurement.

    These are the package's Python and C++ files and its tasks' data, by path and content; not the
    command line and the report, which only show what was measured. Where git knows a commit, this
    tells uncommitted changes apart too.
    """
    folder = package or Path(__file__).resolve().parents[1]
    found = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in _SOURCES and p.is_file()):
        name = path.relative_to(folder)
        if name.parts[0] not in _SHOWING:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            found.update(f"{name.as_posix()} {content}\n".encode())
    return found.hexdigest()[:16]


def source(package: Path | None = None) -> tuple[str | None, bool | None]:
    """(commit, whether the package differs from it) of a source checkout, else (None, None).

    An installed package that merely lies inside of somebody's repository is no checkout.
    """
    folder = package or Path(__file__).resolve().parents[1]
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None, None
    commit, status = _git(folder, "rev-parse", "HEAD"), _git(folder, "status", "--porcelain", ".")
    return commit, None if status is None else bool(status)


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers, or None where it has no answer. Takes no locks in the repository."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def content(*things: Any) -> str:
    """A digest of what some values are: by their `repr`, and by the arrays that they hold, which
    `repr`s leave out. The same in every process.
    """
    import jax
    import numpy as np

    from ..core.failures import text_of
    from ..core.keys import is_key

    told = hashlib.sha256()
    for thing in things:
        told.update(text_of(thing).encode())
        for leaf in jax.tree.leaves(thing):
            if isinstance(leaf, jax.Array | np.ndarray):
                keys = isinstance(leaf, jax.Array) and is_key(leaf)
                array = np.ascontiguousarray(jax.random.key_data(leaf) if keys else leaf)
                told.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return told.hexdigest()
