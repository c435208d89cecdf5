"""Checkpoints of expert iteration: killed at any moment, the same call goes on.

A checkpoint writes only what is new: one file of tensors (network, optimiser, lanes), one with the
rows that the replay gained, then `state.json`, which names them with their SHA-256. Renaming that
file is the one moment at which a checkpoint takes the place of the one before it.
"""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import msgspec
import numpy as np
import safetensors.numpy
from jaxtyping import PyTree

from ...amortised.files.tensors import plain, restored
from ...amortised.networks.feed_forward import Network
from ...core.errors import PolicyFileError
from ...core.ledger import Ledger
from ...core.task import State
from ...runs.storage import atomic_write, storage_error
from .replay import Replay, Rows

FOLDER = "training"
STATE = "state.json"
FORMAT = "deliberation training"
VERSION = 1


@dataclass
class Training:
    """Everything that the next iteration depends on, and what was spent so far."""

    network: Network
    opt_state: PyTree
    lanes: list[State]
    replay: Replay
    ledger: Ledger
    iteration: int = 0
    seconds: float = 0.0
    snapshots: int = 0


class TensorFile(msgspec.Struct, frozen=True):
    """A file beside `state.json`; of rows, those numbered from `first` up to `last`."""

    name: str
    sha256: str
    first: int = 0
    last: int = 0


class Manifest(msgspec.Struct, frozen=True):
    """The content of `state.json`."""

    format: str
    version: int
    identity: dict[str, Any]
    iteration: int
    seconds: float
    snapshots: int
    ledger: dict[str, Any]
    written: int
    tensors: TensorFile
    rows: list[TensorFile]


class Checkpoints:
    """Reads and writes the checkpoints of one training, told apart from others by `identity`."""

    def __init__(self, folder: Path, identity: dict[str, Any]):
        self.folder, self.identity = folder / FOLDER, identity
        self.rows: list[TensorFile] = []

    def identity_found(self) -> dict[str, Any] | None:
        """Whose checkpoint is there, if any."""
        manifest = self._manifest()
        return None if manifest is None else manifest.identity

    def write(self, training: Training) -> None:
        """Make this the checkpoint to go on from. Raises `StorageError`; the old one is intact."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(f"make {self.folder}", error) from error
        replay = training.replay
        oldest = replay.written - len(replay)
        known = [file for file in self.rows if file.last > oldest]
        first = max(known[-1].last if known else 0, oldest)
        if first < replay.written:
            name = f"rows-{first}-{replay.written}.safetensors"
            sha = self._put(name, replay.since(first))
            known.append(TensorFile(name, sha, first, replay.written))
        name = f"tensors-{training.iteration}.safetensors"
        tensors = TensorFile(name, self._put(name, _flat(training)))
        manifest = Manifest(
            FORMAT, VERSION, self.identity, training.iteration, training.seconds,
            training.snapshots, training.ledger.as_dict(), replay.written, tensors, known,
        )  # fmt: skip
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        atomic_write(self.folder / STATE, text)
        self.rows = known
        kept = {STATE, name, *(file.name for file in known)}
        for path in self.folder.glob("*.safetensors"):
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def read(self, fresh: Training) -> Training:
        """The training to go on with: the checkpoint's, or `fresh` where there is none.

        `fresh` also tells the shapes. Raises `PolicyFileError` for a damaged checkpoint.
        """
        manifest = self._manifest()
        if manifest is None:
            return fresh
        found = self._get(manifest.tensors)
        replay = Replay(fresh.replay.room)
        for file in manifest.rows:
            replay.written = file.first
            replay.add(self._get(file))
        if replay.written != manifest.written:
            raise self._damaged("its rows are incomplete")
        self.rows = manifest.rows
        network, opt_state, lanes = self._unflat(fresh, found)
        return Training(
            network, opt_state, lanes, replay, Ledger(**manifest.ledger),
            manifest.iteration, manifest.seconds, manifest.snapshots,
        )  # fmt: skip

    def clear(self) -> None:
        """Remove the checkpoints of a training that is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _manifest(self) -> Manifest | None:
        path = self.folder / STATE
        if not path.exists():
            return None
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except (msgspec.MsgspecError, OSError) as error:
            raise self._damaged(f"{STATE} cannot be read: {error}") from error
        if (manifest.format, manifest.version) != (FORMAT, VERSION):
            raise self._damaged(f"{STATE} is of another format or version")
        return manifest

    def _put(self, name: str, tensors: Rows) -> str:
        payload = safetensors.numpy.save(tensors)
        atomic_write(self.folder / name, payload)
        return hashlib.sha256(payload).hexdigest()

    def _get(self, file: TensorFile) -> Rows:
        try:
            payload = (self.folder / file.name).read_bytes()
        except OSError as error:
            raise self._damaged(f"{file.name} cannot be read: {error}") from error
        if hashlib.sha256(payload).hexdigest() != file.sha256:
            raise self._damaged(f"{file.name} is truncated or altered")
        return safetensors.numpy.load(payload)

    def _unflat(self, fresh: Training, found: Rows) -> tuple[Network, PyTree, list[State]]:
        tree = _tensors(fresh)
        leaves, structure = jax.tree.flatten(tree)
        if len(found) != len(leaves):
            raise self._damaged("its tensors are not those of this network and task")
        filled = [restored(found[str(i)], leaf) for i, leaf in enumerate(leaves)]
        arrays, opt_state, lanes = jax.tree.unflatten(structure, filled)
        rest = eqx.filter(fresh.network, eqx.is_array, inverse=True)
        return eqx.combine(arrays, rest), opt_state, lanes

    def _damaged(self, what: str) -> PolicyFileError:
        return PolicyFileError(
            f"The checkpoint in {self.folder} is damaged: {what}. Restore it, or delete that "
            "folder to train from the start."
        )


def _tensors(training: Training) -> PyTree:
    return eqx.filter(training.network, eqx.is_array), training.opt_state, training.lanes


def _flat(training: Training) -> Rows:
    leaves = jax.tree.leaves(_tensors(training))
    return {str(i): np.array(plain(leaf), order="C") for i, leaf in enumerate(leaves)}
