"""Checkpoints of trainings: safetensors and JSON, whole or absent, and told apart from others.

A checkpoint is a file with the arrays of all that training carries, where there is a replay buffer
a file with each part of its rows, and `state.json`, which names them with their SHA-256. Renaming
`state.json` into place is the one moment at which a new checkpoint follows the one before it.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import msgspec
import numpy as np
import safetensors.numpy
from jaxtyping import PyTree

from ...core.errors import OutputFolderError, PolicyFileError
from ...core.host import plain
from ...runs.storage import atomic_write, storage_error
from ..files.tensors import named_arrays, restored

FOLDER = "training"
STATE = "state.json"
FORMAT = "deliberation training"
VERSION = 2

Rows = dict[str, np.ndarray]


class TensorFile(msgspec.Struct, frozen=True):
    """A file beside `state.json`; of a buffer's rows, those numbered from `first` up to `last`."""

    name: str
    sha256: str
    first: int = 0
    last: int = 0


class Manifest(msgspec.Struct, frozen=True):
    """The content of `state.json`. `step` counts updates; `extra` is the training's own."""

    format: str
    version: int
    identity: dict[str, Any]
    step: int
    seconds: float
    metrics: dict[str, list[float]]
    extra: dict[str, Any]
    carry: TensorFile
    rows: list[TensorFile]


@runtime_checkable
class Buffer(Protocol):
    """A ring of rows, numbered in the order in which they were ever written."""

    written: int

    def __len__(self) -> int: ...

    def since(self, first: int) -> Rows:
        """Rows from number `first` to the latest."""
        ...


class Checkpoint:
    """Writes and reads the checkpoints of one training, told from others by `identity` (JSON).

    Every method raises `PolicyFileError` for a damaged checkpoint, and those that write
    `StorageError`, after which the checkpoint before is intact.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]):
        self.folder, self.identity = folder / FOLDER, identity
        self.rows: list[TensorFile] = []

    def manifest(self) -> Manifest | None:
        """What is there to go on from, if anything, whoever's it is."""
        path = self.folder / STATE
        if not path.exists():
            return None
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except (msgspec.MsgspecError, OSError) as error:
            raise self._damaged(f"{STATE} cannot be read: {error}") from error
        if (found.format, found.version) != (FORMAT, VERSION):
            raise self._damaged(f"{STATE} is of another format or version")
        return found

    def own_manifest(self) -> Manifest | None:
        """The same; raises `OutputFolderError` where it is another training's."""
        found = self.manifest()
        wanted = msgspec.json.decode(msgspec.json.encode(self.identity))
        if found is not None and found.identity != wanted:
            told = difference(found.identity, wanted)
            raise OutputFolderError(
                f"{self.folder} holds a training with other settings: {told}. Go on with those, "
                "choose another folder, or delete that one."
            )
        return found

    def write(
        self,
        carry: PyTree,
        step: int,
        seconds: float,
        metrics: dict[str, list[float]],
        *,
        extra: dict[str, Any] | None = None,
        buffer: Buffer | None = None,
    ) -> None:
        """Make this the checkpoint to go on from; of a buffer, only new rows are written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(f"make {self.folder}", error) from error
        rows = [] if buffer is None else self._write_rows(buffer)
        named = {k: np.array(plain(v), order="C") for k, v in named_arrays(carry).items()}
        file = self._put(f"carry-{step}.safetensors", named)
        manifest = Manifest(
            FORMAT, VERSION, self.identity, step, seconds, metrics, extra or {}, file, rows
        )
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        atomic_write(self.folder / STATE, text)
        self.rows = rows
        kept = {file.name, *(part.name for part in rows)}
        for path in self.folder.glob("*.safetensors"):
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def read(self, manifest: Manifest, fresh: PyTree) -> PyTree:
        """The carry of a checkpoint; `fresh` tells its form."""
        found, wanted = self._get(manifest.carry), named_arrays(fresh)
        fits = found.keys() == wanted.keys() and all(
            (found[k].shape, found[k].dtype) == (plain(v).shape, plain(v).dtype)
            for k, v in wanted.items()
        )
        if not fits:
            raise self._damaged("its tensors are not those of this training")
        arrays, rest = eqx.partition(fresh, eqx.is_array)
        leaves = [restored(found[k], v) for k, v in wanted.items()]
        return eqx.combine(jax.tree.unflatten(jax.tree.structure(arrays), leaves), rest)

    def read_rows(self, manifest: Manifest) -> Iterator[tuple[int, Rows]]:
        """The buffer's rows in parts, the oldest first: the number of the first, and the rows."""
        for file in manifest.rows:
            yield file.first, self._get(file)
        self.rows = manifest.rows

    def _write_rows(self, buffer: Buffer) -> list[TensorFile]:
        oldest = buffer.written - len(buffer)
        known = [file for file in self.rows if file.last > oldest]
        first = max(known[-1].last if known else 0, oldest)
        if first < buffer.written:
            name = f"rows-{first}-{buffer.written}.safetensors"
            known.append(self._put(name, buffer.since(first), first, buffer.written))
        return known

    def _put(self, name: str, tensors: Rows, first: int = 0, last: int = 0) -> TensorFile:
        payload = safetensors.numpy.save(tensors)
        atomic_write(self.folder / name, payload)
        return TensorFile(name, hashlib.sha256(payload).hexdigest(), first, last)

    def _get(self, file: TensorFile) -> Rows:
        try:
            payload = (self.folder / file.name).read_bytes()
        except OSError as error:
            raise self._damaged(f"{file.name} cannot be read: {error}") from error
        if hashlib.sha256(payload).hexdigest() != file.sha256:
            raise self._damaged(f"{file.name} is truncated or altered")
        return safetensors.numpy.load(payload)

    def _damaged(self, what: str) -> PolicyFileError:
        return PolicyFileError(
            f"The checkpoint in {self.folder} is damaged: {what}. Restore it, or delete that "
            "folder to train from the start."
        )


def difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """In what one training's identity differs from another's, for a refusal."""
    odd = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    return "; ".join(f"{n} was {found.get(n)!r}, asked is {wanted.get(n)!r}" for n in odd)
