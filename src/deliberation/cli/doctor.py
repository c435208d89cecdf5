"""`deliberate doctor`: what this machine has, without starting anything heavy."""

import importlib.metadata
import importlib.util
import os
import platform
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click

from .. import __version__
from ..core.cache import LARGEST, PROGRAMS, own_folder
from ..direct.kernels.build import VARIABLE, compiler, library
from ..runs.provenance import cores, source
from ._caches import caches, folder_size

PACKAGES = (
    "jax",
    "jaxlib",
    "equinox",
    "jaxtyping",
    "optax",
    "safetensors",
    "msgspec",
    "numpy",
    "scipy",
    "pgx",
    "matplotlib",
    "joblib",
)
GPU_PLUGINS = ("jax-cuda12-plugin", "jax-cuda13-plugin", "jax-rocm7-plugin", "jax-metal")


@click.command(
    short_help="Show versions, backend, cores and caches.",
    epilog="\b\nExamples:\n  deliberate doctor\n  deliberate doctor --probe",
)
@click.option("--probe", is_flag=True, help="Start JAX and time one compilation (seconds).")
def doctor(probe: bool) -> None:
    """Show what this machine has: what to attach to a report of a problem."""
    for title, lines in _sections():
        click.secho(title, bold=True)
        for name, value in lines:
            click.echo(f"  {name:<14}{value}")
    if probe:
        click.secho("Probe", bold=True)
        for name, value in _probe():
            click.echo(f"  {name:<14}{value}")


def _sections() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    yield (
        "Versions",
        [
            ("deliberation", f"{__version__}{_commit()}"),
            ("python", platform.python_version()),
            *((name, _version(name)) for name in PACKAGES),
        ],
    )
    yield (
        "Machine",
        [
            ("system", f"{platform.system()} {platform.release()} {platform.machine()}"),
            ("cores", f"{cores()} usable of {os.cpu_count()}"),
            ("memory", _memory()),
            ("backend", _backend()),
            ("compiler", shlex.join(compiler()) or "none found (g++ or clang++)"),
            ("tree search", _search()),
        ],
    )
    yield "Caches", _cache_lines()


def _commit() -> str:
    """The commit, where this runs from a source checkout."""
    commit, dirty = source()
    return f" at {commit[:12]}{' with uncommitted changes' if dirty else ''}" if commit else ""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing: install again with `pip install deliberation`"


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # not a POSIX system
        return "unknown"
    return f"{total / 2**30:.1f} GiB"


def _backend() -> str:
    """Which backend JAX would choose, judged from what is installed and asked for."""
    asked = os.environ.get("JAX_PLATFORMS")
    if asked:
        return f"{asked} (JAX_PLATFORMS)"
    plugins = [name for name in GPU_PLUGINS if _installed(name)]
    return f"{plugins[0]} where its device answers, else cpu" if plugins else "cpu"


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _search() -> str:
    """Which back end walks the search trees, judged without building anything."""
    asked = os.environ.get(VARIABLE, "auto")
    if asked == "jax":
        return f"jax ({VARIABLE})"
    command = compiler()
    if not command:
        return "jax: no C++ compiler was found" + f" ({VARIABLE}={asked})" * (asked == "native")
    if _backend() != "cpu":
        return "native if JAX computes on the CPU, else jax"
    try:
        built = library(command).exists()
    except (OSError, subprocess.SubprocessError):
        return f"jax, unless {shlex.join(command)} can be made to work"
    return "native" if built else "native: its kernels are built on first use (try --probe)"


def _cache_lines() -> list[tuple[str, str]]:
    """Where each cache is and how large, and how the programs' one is cleared or switched off."""
    found = caches()
    lines = [(name, _cache_line(path)) for name, path in found.items()]
    programs = found["compiled"]
    if programs is None:
        return lines
    most = "" if programs != own_folder() else f"; it is kept below {LARGEST / 2**30:g} GiB"
    lines.insert(1, ("", f"to clear: rm -r {shlex.quote(str(programs))}{most}"))
    lines.insert(2, ("", f"to switch off: {PROGRAMS}=off"))
    return lines


def _cache_line(path: Path | None) -> str:
    if path is None:
        return f"off ({PROGRAMS} or JAX_ENABLE_COMPILATION_CACHE)"
    if not path.exists():
        return f"{path} (empty)"
    if not os.access(path, os.W_OK):
        return f"{path} (cannot be written to: nothing is kept)"
    files, size = folder_size(path)
    return f"{path} ({files} files, {size / 2**20:.1f} MiB)"


def _probe() -> list[tuple[str, str]]:
    """Start JAX and compile something small."""
    import time

    start = time.perf_counter()
    import jax
    import jax.numpy as jnp

    devices = ", ".join(str(device) for device in jax.devices())
    started = time.perf_counter()
    jax.jit(lambda x: (x @ x).sum())(jnp.ones((64, 64))).block_until_ready()
    compiled = time.perf_counter()
    from ..direct.tree_search.backends.choice import backend_name, why_not_native

    why = why_not_native()
    walks = backend_name() if not why else f"{backend_name()}: {why}"
    return [
        ("devices", devices),
        ("tree search", f"{walks} ({time.perf_counter() - compiled:.2f} s)"),
        ("start", f"{started - start:.2f} s"),
        ("compile", f"{compiled - started:.2f} s"),
    ]
