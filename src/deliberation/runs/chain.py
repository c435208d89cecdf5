"""Each record holds the digest of the line before it, so that no line can be changed unnoticed.

A chain alone cannot tell that its last lines are gone: `head.json` says how many lines there are
and what the last one's digest is. It is written after each line, so a killed run may leave one
line of which it does not tell yet, and never tells of a line that is not there. Whoever can write
in the folder can also make all of it anew; this guards against accidents and careless edits.
"""

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from .errors import RecordError
from .plain import canonical
from .storage import PART, atomic_write

HEAD = "head.json"
CURE = "Restore the folder from a copy, or measure into a new --out folder."
"""What to do about records that are not as they were written."""


class Head(msgspec.Struct, frozen=True):
    """How many lines there are, and the digest of the last (of `run.json` where there are none)."""

    length: int
    digest: str


def digest_of(data: bytes) -> str:
    """The sha256 in hex digits."""
    return hashlib.sha256(data).hexdigest()


def write_head(folder: Path, head: Head) -> None:
    """Replace `head.json` in one step. Raises `StorageError`."""
    atomic_write(folder / HEAD, canonical(msgspec.structs.asdict(head)) + b"\n")


def read_head(folder: Path) -> Head | None:
    """What `head.json` says, or None where there is none. Raises `RecordError`."""
    path = folder / HEAD
    try:
        return msgspec.json.decode(path.read_bytes(), type=Head)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"{path} cannot be read ({error}). {CURE}") from error


def check_heads(
    folder: Path, digests: Sequence[str], before: Head | None, after: Head | None
) -> None:
    """Compare `head.json` with the lines: nothing at their end may be missing or added.

    `digests` are those of `run.json` and of each line. Where the lines were read while a run went
    on, `before` and `after` are the heads from before and after that. Raises `RecordError`.
    """
    length, path = len(digests) - 1, folder / HEAD
    if after is None:
        if length:
            raise RecordError(
                f"{path} is missing, so nobody can tell whether the last lines of the records "
                f"are. {CURE}"
            )
        return
    before = before or Head(0, digests[0])  # a run began while its folder was read
    if before.length > length:
        raise RecordError(
            f"The records end after line {length}, but {path} tells of {before.length} lines: the "
            f"last ones are missing. {CURE}"
        )
    if before.length < 0 or digests[before.length] != before.digest or length > after.length + 1:
        raise RecordError(
            f"{path} tells of {after.length} lines and their last digest, which is not what the "
            f"{length} lines of records are: lines were added or replaced by another hand. {CURE}"
        )


def sweep_heads(folder: Path) -> None:
    """Remove what a run left that was killed while it replaced `head.json`."""
    for path in folder.glob(f".{HEAD}.*{PART}"):
        with contextlib.suppress(OSError):
            path.unlink()
