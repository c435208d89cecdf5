"""Building and loading the C++ kernels; importing this starts nothing heavy.

They are compiled on first use by the C++ compiler at hand, for this machine and the installed
jaxlib, and kept in the user's cache; without a compiler the pure back end serves.
"""

import ctypes
import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

from ...core.cache import cache_folder, processor

VARIABLE = "DELIBERATION_BACKEND"
"""auto, native or jax."""
FOLDER = Path(__file__).parent
SOURCE = FOLDER / "search.cpp"
HANDLERS = ("deliberation_round", "deliberation_keys")
AIXI = FOLDER / "aixi.cpp"
AIXI_HANDLERS = ("deliberation_aixi",)
HISTORIES = FOLDER / "histories.cpp"
HISTORIES_HANDLERS = ("deliberation_move", "deliberation_turn")
FLAGS = (
    "-std=c++17",
    "-O3",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fPIC",
    "-shared",
    "-w",
)
"""No contraction to fused multiply-adds: both back ends round alike."""
TUNED = ("-march=native",)
"""Left out for compilers that do not know it."""


@functools.cache
def load(source: Path = SOURCE, handlers: tuple[str, ...] = HANDLERS) -> str:
    """Compile if need be and register the kernels; returns "" or why they are not to be had."""
    import jax

    command = compiler()
    if not command:
        return "no C++ compiler was found (g++ or clang++, or the one that CXX names)"
    try:
        library = ctypes.CDLL(str(built(command, source)))
    except (OSError, subprocess.SubprocessError) as error:
        return f"{shlex.join(command)} could not build them: {_reason(error)}"
    for name in handlers:
        handler = jax.ffi.pycapsule(getattr(library, name))
        jax.ffi.register_ffi_target(name, handler, platform="cpu")
    return ""


def compiler() -> list[str]:
    """The command of the C++ compiler, `CXX` before others; empty if there is none."""
    asked = shlex.split(os.environ.get("CXX", ""))
    if asked:
        return asked if shutil.which(asked[0]) else []
    found = next((path for name in ("g++", "clang++", "c++") if (path := shutil.which(name))), None)
    return [found] if found else []


def library(command: list[str], source: Path = SOURCE) -> Path:
    """Where the kernels of this source, jaxlib, compiler and processor are kept once built."""
    says = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    sources = [*sorted(FOLDER.glob("*.h")), source]
    texts = (path.read_text() for path in sources)
    parts = (*texts, version("jaxlib"), *command, says, processor(), *FLAGS, *TUNED)
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    return cache_folder() / "native" / f"{source.stem}-{digest}.so"


def built(command: list[str], source: Path = SOURCE) -> Path:
    """The kernels, compiled by this command unless they are there; raises what went wrong."""
    target = library(command, source)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _compile([*command, *FLAGS, *TUNED], target, source)
    except subprocess.CalledProcessError:
        _compile([*command, *FLAGS], target, source)
    return target


def _compile(command: list[str], target: Path, source: Path) -> None:
    import jax

    handle, part = tempfile.mkstemp(dir=target.parent, suffix=".part")
    os.close(handle)
    try:
        subprocess.run(
            [*command, f"-I{jax.ffi.include_dir()}", str(source), "-o", part],
            capture_output=True, text=True, check=True, timeout=300,
        )  # fmt: skip
        # Several processes may build at once; whoever comes last replaces like by like.
        os.replace(part, target)
    finally:
        Path(part).unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    said = getattr(error, "stderr", None) or str(error)
    lines = [line for line in said.splitlines() if "error" in line.lower()] or said.splitlines()
    return lines[0].strip() if lines else type(error).__name__


if __name__ == "__main__":  # an installation builds them once, so that no measurement waits
    for kernels, names in (
        (SOURCE, HANDLERS), (AIXI, AIXI_HANDLERS), (HISTORIES, HISTORIES_HANDLERS),
    ):  # fmt: skip
        print(load(kernels, names) or f"{kernels.name}: built")
