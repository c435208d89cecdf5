"""The one loop that trains by repeated updates: it resumes, reproduces, and stops at NaN.

An algorithm is a pure function from everything it carries (parameters, optimiser, environments,
replay, key) to the same a little later. Killed at any moment, the same call goes on from the last
checkpoint, and ends with the same bits as if it had never been killed.
"""

import hashlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import safetensors.numpy
from jaxtyping import Array, Bool, PyTree

from ...core.errors import NonFiniteError, OutputFolderError, PolicyFileError
from ...runs.storage import atomic_write, storage_error
from ..files.tensors import named_arrays, plain, restored

FOLDER = "training"
STATE = "state.json"
FORMAT = "deliberation updates"
VERSION = 1

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


class Trained(eqx.Module):
    """What training ended with: the carry, each metric over the updates, and the seconds taken."""

    carry: PyTree
    metrics: dict[str, np.ndarray]
    seconds: float

    def __repr__(self) -> str:
        count = len(next(iter(self.metrics.values()), ()))
        last = ", ".join(f"{k}={v[-1]:.4g}" for k, v in self.metrics.items() if len(v))
        return f"Trained({count} updates in {self.seconds:.1f} s, last {last})"


class Manifest(msgspec.Struct, frozen=True):
    """The content of `state.json`; renaming it makes a checkpoint the one to go on from."""

    format: str
    version: int
    identity: dict[str, Any]
    step: int
    seconds: float
    metrics: dict[str, list[float]]
    tensors: str
    sha256: str


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
) -> Trained:
    """Apply `update` so many times, resuming from `folder` where an earlier call was killed.

    `update(carry)` gives the next carry and metrics (scalars by name). It is compiled here; all
    chance must come from a key inside of the carry. One update should be worth at least some
    milliseconds: put many gradient steps into one. `identity` (plain JSON: task, settings, seed)
    tells this training from others; a folder with another's checkpoint is refused. `watch(step,
    metrics)` is called after each update, for progress; training ends early where it returns True.
    `hasty` compiles in a fraction of the time, on a CPU, to a program up to twice slower: for
    trainings that last seconds. The bits differ between the two.

    With a folder, a checkpoint is written at most every `checkpoint_seconds`, after the last
    update, and before `TrainingDivergedError` is raised (then of the last finite carry). Raises
    also `OutputFolderError`, `PolicyFileError` (a damaged checkpoint) and `StorageError`.
    """
    compiled = compile_update(update, hasty)
    home = None if folder is None else Checkpoint(Path(folder), identity or {})
    carry, step, before, history = _resume(home, carry)
    started = written = time.perf_counter()

    def elapsed() -> float:
        return before + time.perf_counter() - started

    ended = step >= updates
    while not ended:
        after, metrics = compiled(carry)
        if not bool(_finite((after, metrics))):
            if home is not None:
                home.write(carry, step, elapsed(), history)
            raise _diverged(step, after, metrics, carry)
        carry, step = after, step + 1
        shown = {name: float(x) for name, x in metrics.items()}
        for name, x in shown.items():
            history.setdefault(name, []).append(x)
        ended = bool(watch and watch(step, shown)) or step >= updates
        if home is not None and (ended or time.perf_counter() - written >= checkpoint_seconds):
            home.write(carry, step, elapsed(), history)
            written = time.perf_counter()
    return Trained(carry, {k: np.array(v) for k, v in history.items()}, elapsed())


def compile_update(update: Update, hasty: bool = False) -> Update:
    """The update as `run_updates` compiles it, for loops of one's own."""
    options: dict[str, Any] = {"compiler_options": HASTY} if hasty else {}
    return eqx.filter_jit(update, **options)


def _resume(
    home: "Checkpoint | None", carry: PyTree
) -> tuple[PyTree, int, float, dict[str, list[float]]]:
    manifest = None if home is None else home.manifest()
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


@eqx.filter_jit
def _finite(tree: PyTree) -> Bool[Array, ""]:
    floats = [x for x in jax.tree.leaves(tree) if eqx.is_inexact_array(x)]
    return jnp.stack([jnp.isfinite(x).all() for x in floats] or [jnp.bool_(True)]).all()


class Checkpoint:
    """The carry of a training on disk: one file of tensors, named by `state.json`."""

    def __init__(self, folder: Path, identity: dict[str, Any]):
        self.folder, self.identity = folder / FOLDER, identity

    def manifest(self) -> Manifest | None:
        """What is there to go on from, if anything. Raises where it is another training's."""
        path = self.folder / STATE
        if not path.exists():
            return None
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except (msgspec.MsgspecError, OSError) as error:
            raise self._damaged(f"{STATE} cannot be read: {error}") from error
        if (found.format, found.version) != (FORMAT, VERSION):
            raise self._damaged(f"{STATE} is of another format or version")
        wanted = msgspec.json.decode(msgspec.json.encode(self.identity))
        if found.identity != wanted:
            raise OutputFolderError(
                f"{self.folder} holds a training with other settings ({found.identity}). Go on "
                "with those, choose another folder, or delete that one."
            )
        return found

    def write(
        self, carry: PyTree, step: int, seconds: float, metrics: dict[str, list[float]]
    ) -> None:
        """Make this the checkpoint to go on from; the one before it is intact until then."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(f"make {self.folder}", error) from error
        payload = safetensors.numpy.save(
            {k: np.array(plain(v), order="C") for k, v in named_arrays(carry).items()}
        )
        name = f"carry-{step}.safetensors"
        atomic_write(self.folder / name, payload)
        manifest = Manifest(
            FORMAT, VERSION, self.identity, step, seconds, metrics, name,
            hashlib.sha256(payload).hexdigest(),
        )  # fmt: skip
        atomic_write(self.folder / STATE, msgspec.json.encode(manifest))
        for path in self.folder.glob("carry-*.safetensors"):
            if path.name != name:
                path.unlink(missing_ok=True)

    def read(self, manifest: Manifest, fresh: PyTree) -> PyTree:
        """The carry of a checkpoint; `fresh` tells its form."""
        try:
            payload = (self.folder / manifest.tensors).read_bytes()
        except OSError as error:
            raise self._damaged(f"{manifest.tensors} cannot be read: {error}") from error
        if hashlib.sha256(payload).hexdigest() != manifest.sha256:
            raise self._damaged(f"{manifest.tensors} is truncated or altered")
        found, wanted = safetensors.numpy.load(payload), named_arrays(fresh)
        fits = found.keys() == wanted.keys() and all(
            (found[k].shape, found[k].dtype) == (plain(v).shape, plain(v).dtype)
            for k, v in wanted.items()
        )
        if not fits:
            raise self._damaged("its tensors are not those of this training")
        arrays, rest = eqx.partition(fresh, eqx.is_array)
        leaves = [restored(found[k], v) for k, v in wanted.items()]
        return eqx.combine(jax.tree.unflatten(jax.tree.structure(arrays), leaves), rest)

    def clear(self) -> None:
        """Remove the checkpoint of a training whose result is kept elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _damaged(self, what: str) -> PolicyFileError:
        return PolicyFileError(
            f"The checkpoint in {self.folder} is damaged: {what}. Restore it, or delete that "
            "folder to train from the start."
        )


def _floats(leaf: Array) -> np.ndarray:
    return np.asarray(leaf) if eqx.is_inexact_array(leaf) else np.zeros(())
