"""The tree's two steps as C++ kernels for the CPU, called through XLA's foreign functions.

They are compiled on first use by the C++ compiler at hand, for this machine and the installed
jaxlib, and kept in the user's cache; without a compiler the pure back end serves.
"""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

from ...core.task import State
from ..lanes import Inserted, Leaf, Widths
from ..model import Step
from ..rules import Rule
from ..tree import NODE_SLOTS, Tree

SOURCE = Path(__file__).with_name("search.cpp")
FLAGS = (
    "-std=c++17", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fPIC",
    "-shared", "-w",
)  # fmt: skip
"""No contraction to fused multiply-adds: both back ends round alike."""
_HANDLERS = ("descend", "insert")


@functools.cache
def load() -> str:
    """Compile if need be and register the kernels; returns "" or why they are not to be had."""
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return "no C++ compiler was found (g++ or clang++, or the one that CXX names)"
    try:
        library = ctypes.CDLL(str(_compiled(compiler)))
    except (OSError, subprocess.SubprocessError) as error:
        return f"{compiler} could not build them: {_reason(error)}"
    for name in _HANDLERS:
        handler = jax.ffi.pycapsule(getattr(library, f"deliberation_{name}"))
        jax.ffi.register_ffi_target(f"deliberation_{name}", handler, platform="cpu")
    return ""


def _reason(error: Exception) -> str:
    said = getattr(error, "stderr", None) or str(error)
    lines = [line for line in said.splitlines() if "error" in line.lower()] or said.splitlines()
    return lines[0].strip() if lines else type(error).__name__


def _compiled(compiler: str) -> Path:
    """The library for this source, jaxlib, compiler and processor, built unless it is there."""
    says = subprocess.run(
        [compiler, "--version"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    parts = (SOURCE.read_text(), version("jaxlib"), compiler, says, _processor(), *FLAGS)
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    folder = cache_folder()
    target = folder / f"search-{digest}.so"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=folder, suffix=".part")
    os.close(handle)
    try:
        subprocess.run(
            [compiler, *FLAGS, f"-I{jax.ffi.include_dir()}", str(SOURCE), "-o", part],
            capture_output=True, text=True, check=True, timeout=300,
        )  # fmt: skip
        # Several processes may build at once; whoever comes last replaces like by like.
        os.replace(part, target)
    finally:
        Path(part).unlink(missing_ok=True)
    return target


def cache_folder() -> Path:
    """Where compiled kernels are kept: `$XDG_CACHE_HOME/deliberation`, ~/.cache by default."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "deliberation" / "native"


def _processor() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    wanted = ("model name", "flags", "Features")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def descend(
    tree: Tree,
    rule: Rule,
    forced: Int[Array, "batch width"],
    noise: UInt32[Array, "batch width 2"],
    widths: Widths,
    depth: int,
) -> tuple[Leaf, State]:
    """As `portable.descend`, for rules that have a kernel."""
    kernel = rule.kernel(tree.edges.shape[1] + 1)
    assert kernel is not None
    lanes = forced.size
    lane = jax.ShapeDtypeStruct(forced.shape, jnp.int32)
    leaves = [jax.ShapeDtypeStruct((lanes, *shape), dtype) for shape, dtype in tree.form.leaves]
    node, action, child, *state = jax.ffi.ffi_call(
        "deliberation_descend", [lane, lane, lane, *leaves]
    )(
        tree.edges, tree.nodes, tree.states, forced, noise, kernel.params, kernel.table,
        jnp.zeros(0, jnp.int32) if widths is None else widths,
        kind=np.int32(kernel.kind), prove=np.int32(tree.prove), depth=np.int32(depth),
    )  # fmt: skip
    return Leaf(node, action, child), jax.tree.unflatten(tree.form.structure, state)


def insert(
    tree: Tree,
    leaf: Leaf,
    active: Bool[Array, "batch width"],
    step: Step,
    ceilings: Float[Array, "2"],
) -> Inserted:
    """As `portable.insert`."""
    shape = lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype)  # noqa: E731
    kept = (tree.edges, tree.nodes, tree.states, tree.size)
    results = [
        *map(shape, kept),
        jax.ShapeDtypeStruct(tree.size.shape, jnp.bool_),
        jax.ShapeDtypeStruct(active.shape, jnp.float32),
    ]
    call = jax.ffi.ffi_call(
        "deliberation_insert", results, input_output_aliases={i: i for i in range(4)}
    )
    edges, nodes, states, size, done, gain = call(
        *kept, leaf.node, leaf.action, leaf.child, active, step.reward, step.discount, step.value,
        step.sign, step.logits, step.over, step.chance, ceilings, *jax.tree.leaves(step.state),
        prove=np.int32(tree.prove),
    )  # fmt: skip
    return Inserted(Tree(edges, nodes, states, size, tree.form, tree.prove), done, gain)


assert NODE_SLOTS == 9, "search.cpp numbers the slots of a node by itself"
