"""The one loop that trains by repeated updates: it resumes, reproduces, and stops at NaN.

An algorithm is a pure function from everything it carries (parameters, optimiser, environments,
replay, key) to the same a little later. Killed at any moment, the same call goes on from the last
checkpoint, and ends with the same bits as if it had never been killed.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, PyTree

from ...core.errors import NonFiniteError, StorageError
from ...core.failures import as_raised
from ...core.rows import as_kinds
from ...core.telling import tell
from ..files.tensors import named_arrays
from .checkpoints import Checkpoint

HASTY = {
    "xla_cpu_use_fusion_emitters": False,
    "xla_backend_optimization_level": 0,
    "xla_cpu_parallel_codegen_split_count": 2,
}
"""Without these, most of a short training is spent on optimising small kernels, in many parts."""

Metrics = dict[str, Array]
Update = Callable[[PyTree], tuple[PyTree, Metrics]]
Watch = Callable[[int, dict[str, float]], bool | None]


class TrainingDivergedError(NonFiniteError):
    """An update gave NaN or infinity; `carry` is what it started from, the last that was finite.

    `step` is the update's number (from 0) and `tensor` the first name that was not finite.
    """

    def __init__(self, message: str, step: int, tensor: str, carry: PyTree):
        super().__init__(message)
        self.step, self.tensor, self.carry = step, tensor, carry


class UnsavedTrainingError(StorageError):
    """Training ended, but its checkpoint could not be written; `run` is what it ended with."""

    def __init__(self, message: str, run: "Run"):
        super().__init__(message)
        self.run = run


class Run(eqx.Module):
    """What a run of updates ended with: the carry, each metric over the updates, the seconds."""

    carry: PyTree
    metrics: dict[str, np.ndarray]
    seconds: float

    def __repr__(self) -> str:
        count = len(next(iter(self.metrics.values()), ()))
        last = ", ".join(f"{k}={v[-1]:.4g}" for k, v in self.metrics.items() if len(v))
        return f"Run({count} updates in {self.seconds:.1f} s, last {last})"


@as_raised
def run_updates(
    update: Update,
    carry: PyTree,
    *,
    updates: int,
    folder: Path | str | None = None,
    identity: dict[str, Any] | None = None,
    checkpoint_seconds: float = 15.0,
    watch: Watch | None = None,
    hasty: bool = False,
) -> Run:
    """Apply `update` so many times, resuming from `folder` where an earlier call was killed.

    `update(carry)` gives the next carry and metrics (scalars by name). It is compiled here; all
    chance must come from a key inside of the carry. One update should be worth at least some
    milliseconds: put many gradient steps into one. `identity` (plain JSON: task, settings, seed)
    tells this training from others; a folder with another's checkpoint is refused. `watch(step,
    metrics)` is called after each update; training ends early where it returns True. What share of
    the updates is done is told to whoever listens (`core.telling`).
    `hasty` compiles in a fraction of the time, on a CPU, to a program up to twice slower: for
    trainings that last seconds. The bits differ between the two.

    With a folder, a checkpoint is written before the first update (raising `StorageError` where
    that fails), at most every `checkpoint_seconds`, after the last update, and before
    `TrainingDivergedError` is raised (then of the last finite carry). Where the disk fills up
    meanwhile, training goes on, and `UnsavedTrainingError` hands over its result if the last
    checkpoint could not be written either. A training that has ended goes on from there if more
    `updates` are asked for. Raises also `OutputFolderError` and `PolicyFileError` (a damaged
    checkpoint).
    """
    compiled = compile_update(eqx.Partial(_judged, update), hasty)
    home = None if folder is None else Checkpoint(Path(folder), identity or {})
    carry, step, before, history = _resume(home, carry)
    started = written = time.perf_counter()

    def elapsed() -> float:
        return before + time.perf_counter() - started

    ended, unsaved = step >= updates, None
    if home is not None and step == 0:
        home.write(carry, step, 0.0, history)
    while not ended:
        after, metrics, sound = compiled(carry)
        if not sound:
            if home is not None:
                home.write(carry, step, elapsed(), history)
            raise _diverged(step, after, metrics, carry)
        carry, step = after, step + 1
        shown = {name: float(x) for name, x in metrics.items()}
        for name, x in shown.items():
            history.setdefault(name, []).append(x)
        ended = bool(watch and watch(step, shown)) or step >= updates
        tell(step / updates)
        if home is not None and (ended or time.perf_counter() - written >= checkpoint_seconds):
            unsaved = _try_to_write(home, carry, step, elapsed(), history)
            written = time.perf_counter()
    run = Run(carry, {k: np.array(v) for k, v in history.items()}, elapsed())
    if unsaved is not None:
        raise UnsavedTrainingError(
            f"Training has ended after {step} updates, but could not be kept: {unsaved} Nothing is "
            "lost yet: `error.run.carry` is what was learned.",
            run,
        ) from unsaved
    return run


def _try_to_write(
    home: Checkpoint, carry: PyTree, step: int, seconds: float, history: dict[str, list[float]]
) -> StorageError | None:
    """Write a checkpoint, or give the reason why not."""
    try:
        home.write(carry, step, seconds, history)
    except StorageError as error:
        return error
    return None


def compile_update(update: Callable[[PyTree], Any], hasty: bool = False) -> Any:
    """The update as `run_updates` compiles it, for loops of one's own."""
    options: dict[str, Any] = {"compiler_options": HASTY} if hasty else {}
    return eqx.filter_jit(update, **options)


def _resume(
    home: Checkpoint | None, carry: PyTree
) -> tuple[PyTree, int, float, dict[str, list[float]]]:
    manifest = None if home is None else home.own_manifest()
    if home is None or manifest is None:
        return carry, 0, 0.0, {}
    found = home.read(manifest, carry)
    return found, manifest.step, manifest.seconds, {k: list(v) for k, v in manifest.metrics.items()}


def _diverged(step: int, after: PyTree, metrics: Metrics, carry: PyTree) -> TrainingDivergedError:
    named = {**{f"metric {k}": v for k, v in metrics.items()}, **named_arrays(after)}
    tensor = next(k for k, v in named.items() if not np.isfinite(_floats(v)).all())
    return TrainingDivergedError(
        f"Update {step} (from 0) gave NaN or infinity, first in {tensor}. Lower the learning rate, "
        "or check the rewards and targets; what it started from is `error.carry`, and in the "
        "folder's checkpoint where there is one.",
        step,
        tensor,
        carry,
    )


def _judged(update: Update, carry: PyTree) -> tuple[PyTree, Metrics, Bool[Array, ""]]:
    """One update, which keeps the dtypes of its carry, and whether all that it made is finite."""
    after, metrics = update(carry)
    after = as_kinds(after, carry)
    floats = [x for x in jax.tree.leaves((after, metrics)) if eqx.is_inexact_array(x)]
    sound = jnp.stack([jnp.isfinite(x).all() for x in floats] or [jnp.bool_(True)]).all()
    return after, metrics, sound


def _floats(leaf: Array) -> np.ndarray:
    return np.asarray(leaf) if eqx.is_inexact_array(leaf) else np.zeros(())
