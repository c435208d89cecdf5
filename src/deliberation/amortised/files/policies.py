"""Policies on disk: one JSON file that says what it is, and safetensors. Nothing can run code.

`policy.json` names its tensor files and their SHA-256. Tensor files are named by their content and
written first; renaming `policy.json` is the one moment at which a new policy takes the place of an
old one, so a crash or a full disk at any other moment leaves the old policy whole.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, overload

import equinox as eqx
import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import safetensors.numpy
from jaxtyping import Array

from ...core.decider import check_finite
from ...core.errors import DeliberationError, OutputFolderError, PolicyFileError, StorageError
from ...core.ledger import Ledger
from ...core.task import Task
from ...tasks import make_task, name_of_task
from ...tasks.names import is_own, make_declared, split_name
from ...tasks.schemes import scheme_of
from ..networks.feed_forward import Buildable, Network, Of, network_from_config
from ..networks.gaussian import GaussianNetwork
from ..policies.answer import check_answers
from ..policies.gaussian import check_gaussian
from ..policies.network import check_fits
from .tensors import named_arrays

FORMAT = "deliberation policy"
VERSION = 1
MANIFEST = "policy.json"
WEIGHTS = "weights"
_STEM = re.compile(r"[a-z0-9_]{1,40}")
_FILE = re.compile(r"[a-z0-9_]{1,40}-[0-9a-f]{16}\.safetensors")
_LEFT_OVER = re.compile(_FILE.pattern + r"|\.(policy\.json|.*\.safetensors)\..*\.partial")

_UNNAMED = "(...)"

Tensors = Mapping[str, Array | np.ndarray]


class TensorFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of tensors beside the manifest, and the SHA-256 of its bytes."""

    name: str
    sha256: str


class TaskName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `make_task` needs."""

    name: str
    options: dict[str, Any]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `policy.json`: `files` holds at least the weights, `sha256` signs the rest."""

    format: str
    version: int
    task: TaskName
    network: dict[str, Any]
    ledger: dict[str, Any]
    extra: dict[str, Any]
    files: dict[str, TensorFile]
    sha256: str


class PolicyInfo(eqx.Module):
    """What a policy file tells besides the network: what training spent, notes, extra tensors."""

    task_name: str = eqx.field(static=True)
    task_options: dict[str, Any]
    ledger: Ledger
    extra: dict[str, Any]
    tensors: dict[str, dict[str, np.ndarray]]


def save_network(
    folder: Path | str,
    network: Buildable,
    task_name: str | Task,
    task_options: Mapping[str, Any] | None = None,
    *,
    ledger: Ledger | None = None,
    extra: Mapping[str, Any] | None = None,
    files: Mapping[str, Tensors] | None = None,
) -> Path:
    """Write a policy to `folder`, replacing one that is there only when the new one is complete.

    The task is told by a name and options, as `make_task` takes them, or handed over itself; one
    that no name makes again has to be handed to `load`. `ledger` is what training spent, `extra`
    anything JSON, `files` further tensors by a short name (an optimiser's state). Returns the path
    of `policy.json`. Raises `StorageError` if writing fails (the old policy is intact),
    `OutputFolderError` if the folder holds another's `policy.json`, `ValueError` for what JSON or
    safetensors cannot hold, and `NonFiniteError` for weights that hold NaN or infinity.
    """
    folder = Path(folder)
    if isinstance(task_name, Task):
        task_name, task_options = saved_name(task_name)
    weights = named_arrays(network)
    for name, array in weights.items():
        check_finite(f"The network to be saved in {folder}", **{name: jnp.atleast_1d(array)})
    tensors = {WEIGHTS: weights, **(files or {})}
    payloads = {stem: _pack(stem, named) for stem, named in tensors.items()}
    names = {stem: _describe(stem, payload) for stem, payload in payloads.items()}
    spent = (ledger or Ledger()).as_dict()
    manifest = Manifest(
        FORMAT, VERSION, TaskName(task_name, dict(task_options or {})), network.config, spent,
        dict(extra or {}), names, "",
    )  # fmt: skip
    text = _encode(manifest)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = _superseded(folder)
        for stem, payload in payloads.items():
            _write(folder / names[stem].name, payload)
        _write(folder / MANIFEST, text)
        for name in before - {file.name for file in names.values()}:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"Writing a policy to {folder} failed: {error}. A policy that was there before is "
            "intact; make room or choose another folder, and save again."
        ) from error
    return folder / MANIFEST


def saved_name(task: Task) -> tuple[str, dict[str, Any]]:
    """The name under which a task is saved: one that makes it again, where there is one.

    Of any other task the class is kept for the reader alone: its name ends in "(...)", and the
    task has to be handed to `load`.
    """
    kind = type(task)
    return name_of_task(task) or (f"{kind.__module__}:{kind.__qualname__}{_UNNAMED}", {})


@overload
def load_network(
    folder: Path | str, *, task: Task | None = None
) -> tuple[Task, Network, PolicyInfo]: ...
@overload
def load_network(
    folder: Path | str, of: type[Of], *, task: Task | None = None
) -> tuple[Task, Of, PolicyInfo]: ...
def load_network(
    folder: Path | str, of: type[Buildable] = Network, *, task: Task | None = None
) -> tuple[Task, Buildable, PolicyInfo]:
    """Read a policy written by `save_network`: its task, its network and what else was saved.

    `of` is the class expected: `Network` is all with logits or answers and a value; for another,
    such as `GaussianMLP`, name it, or `Buildable` for any. A task of one's own is made by the name
    that the file tells, `package.module:factory`, where that module is imported already or
    installed, and declares what is named as a task (see `tasks.names.make_declared`); with `task`
    given, nothing is imported.

    Raises `PolicyFileError`, naming the file, for anything missing, truncated, altered, of another
    class, version or shape, not finite, or of a task that cannot be made. Only JSON and tensors
    are read; of code, nothing but the module of such a task is ever executed.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    manifest = read_manifest(path)
    tensors = {stem: _read_tensors(folder, file) for stem, file in manifest.files.items()}
    if WEIGHTS not in tensors:
        raise _bad(path, "names no file of weights", "Train again, or restore the file.")
    try:
        if task is None:
            task = _named_task(path, manifest.task)
        empty = eqx.filter_eval_shape(network_from_config, manifest.network, jax.random.key(0), of)
        _check(task, empty)
    except PolicyFileError:
        raise
    except (DeliberationError, TypeError, ValueError) as error:
        raise _bad(path, f"describes no task and network: {error}", "Restore it.") from error
    weights = tensors.pop(WEIGHTS)
    network = _fill(empty, weights, folder / manifest.files[WEIGHTS].name)
    ledger = _read_ledger(path, manifest.ledger)
    info = PolicyInfo(manifest.task.name, manifest.task.options, ledger, manifest.extra, tensors)
    return task, network, info


def _named_task(path: Path, named: TaskName) -> Task:
    """The task that a file names. What a stranger's file can have called are tasks, no more."""
    if named.name.endswith(_UNNAMED):
        told = "which no name makes again"
    else:
        base, written = split_name(named.name)
        if scheme_of(base) is not None and base.count(":") > 1:
            # Gymnasium imports what stands before the second colon.
            told = "whose environment lies in a module that a file cannot have imported"
        elif not is_own(base):
            return make_task(named.name, **named.options)
        else:
            try:
                return make_declared(base, {**written, **named.options})
            except DeliberationError as error:
                told = f"which cannot be made here: {str(error).rstrip('.')}"
    raise _bad(
        path,
        f"is a policy for a task of one's own, {named.name}, {told}",
        "Hand that task over: load(folder, task=...).",
    )


def _check(task: Task, network: Buildable) -> None:
    """Refuse a network that cannot decide on its task."""
    if isinstance(network, GaussianNetwork):
        check_gaussian(task, network)
    elif isinstance(network, Network):
        (check_fits if task.traits.discrete else check_answers)(task, network)


def _bad(path: Path, what: str, remedy: str) -> PolicyFileError:
    return PolicyFileError(f"{path} {what}. {remedy}")


def _pack(stem: str, named: Tensors) -> bytes:
    if not _STEM.fullmatch(stem):
        raise ValueError(f"A tensor file needs a name of a-z, 0-9 and _; got {stem!r}.")
    return safetensors.numpy.save({k: np.asarray(v, order="C") for k, v in named.items()})


def _describe(stem: str, payload: bytes) -> TensorFile:
    digest = hashlib.sha256(payload).hexdigest()
    return TensorFile(f"{stem}-{digest[:16]}.safetensors", digest)


def _encode(manifest: Manifest) -> bytes:
    """Readable JSON, signed with the SHA-256 of its own content."""
    try:
        content = msgspec.json.decode(msgspec.json.encode(manifest))
    except (TypeError, msgspec.MsgspecError) as error:
        raise ValueError(f"`task_options` and `extra` must be plain JSON: {error}.") from error
    content["sha256"] = _digest(content)
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _digest(content: dict[str, Any]) -> str:
    rest = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(msgspec.json.encode(rest, order="sorted")).hexdigest()


def _superseded(folder: Path) -> set[str]:
    """Files of the policy that is there now, and those that saves killed before it left behind.

    What is newer than that policy may belong to a save that is under way elsewhere, and stays.
    """
    path = folder / MANIFEST
    if not path.exists():
        return set()
    try:
        found = msgspec.json.decode(path.read_bytes())
        ours = isinstance(found, dict) and found.get("format") == FORMAT
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        ours = False
    if not ours:
        raise OutputFolderError(
            f"{path} is no policy of this library, or a damaged one, and would be lost. Move it "
            "away or choose another folder."
        )
    files = found.get("files")
    entries = files.values() if isinstance(files, dict) else []
    named = {str(entry.get("name")) for entry in entries if isinstance(entry, dict)}
    return {
        file.name
        for file in folder.iterdir()
        if (_FILE.fullmatch(file.name) and file.name in named)
        or (_LEFT_OVER.fullmatch(file.name) and file.stat().st_mtime < path.stat().st_mtime)
    }


def _write(path: Path, content: bytes) -> None:
    """Write beside the target, flush to the disk, then take the target's place in one step."""
    handle, temporary = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=".partial", dir=path.parent
    )
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Without this the rename itself may be lost in a power cut; not every system allows it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _bad(
            path, "is missing", "Give the folder of a saved policy (`deliberate train ... --out`)."
        ) from None
    except OSError as error:
        raise _bad(path, f"cannot be read: {error}", "Check its permissions.") from error


def read_manifest(path: Path) -> Manifest:
    """What a `policy.json` says; raises `PolicyFileError` for one that is missing or damaged."""
    text = _read(path)
    remedy = "It is truncated or altered: restore it from a copy, or train again."
    try:
        head = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(path, f"is not JSON: {error}", remedy) from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise _bad(path, "is not a policy of this library", "Check the folder's name.")
    if head.get("version") != VERSION:
        raise _bad(
            path,
            f"has format version {head.get('version')!r}; this release reads version {VERSION}",
            "Install the release that wrote it, or train again.",
        )
    if head.get("sha256") != _digest(head):
        raise _bad(path, "was altered: its content is not what its SHA-256 says", remedy)
    try:
        return msgspec.convert(head, Manifest)
    except msgspec.ValidationError as error:
        raise _bad(path, f"does not hold what it should: {error}", remedy) from error


def _read_tensors(folder: Path, file: TensorFile) -> dict[str, np.ndarray]:
    if not _FILE.fullmatch(file.name):
        raise _bad(
            folder / MANIFEST, f"names an impossible file {file.name!r}", "It was altered: restore."
        )
    path = folder / file.name
    payload = _read(path)
    if hashlib.sha256(payload).hexdigest() != file.sha256:
        raise _bad(
            path,
            f"is truncated or altered: its SHA-256 is not the one in {MANIFEST}",
            "Restore both from one copy, or train again.",
        )
    try:
        return safetensors.numpy.load(payload)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise _bad(path, f"is not safetensors: {error}", "Restore it, or train again.") from error


def _fill(empty: Buildable, weights: dict[str, np.ndarray], path: Path) -> Buildable:
    """Put weights into a network of shapes, each checked."""
    wanted = _named_shapes(empty)
    remedy = "The files are not of one policy: restore both from one copy, or train again."
    if odd := set(wanted) ^ set(weights):
        where = "lacks" if sorted(odd)[0] in wanted else "has an unexpected"
        raise _bad(path, f"{where} tensor {sorted(odd)[0]!r}", remedy)
    for name, spec in wanted.items():
        got = weights[name]
        if (got.shape, got.dtype) != (spec.shape, spec.dtype):
            raise _bad(
                path,
                f"holds {name} as {got.dtype}{list(got.shape)}, the network needs "
                f"{spec.dtype}{list(spec.shape)}",
                remedy,
            )
        if not np.isfinite(got).all():
            raise _bad(path, f"has NaN or infinity in {name}", "Training diverged: train again.")
    structure = jax.tree.structure(empty)
    return jax.tree.unflatten(structure, [jnp.asarray(weights[name]) for name in wanted])


def _named_shapes(empty: Buildable) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(empty)
    return {jax.tree_util.keystr(path, simple=True, separator="."): x for path, x in leaves}


def _read_ledger(path: Path, amounts: dict[str, Any]) -> Ledger:
    try:
        return Ledger(**amounts)
    except TypeError as error:
        raise _bad(path, f"has an unknown kind of spending: {error}", "Restore it.") from error
