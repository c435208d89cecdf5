"""Files that survive being killed: atomic writes, appends that are whole or absent, a lock."""

import contextlib
import errno
import os
from pathlib import Path

from ..core.errors import StorageError
from .errors import FolderBusyError

PART = ".part"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def atomic_write(path: Path | str, data: bytes) -> None:
    """Replace a file by another in one step: readers see the old or the new, never a part.

    Raises `StorageError`; the old file is intact then.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise storage_error(f"write {path}", error) from error


def sweep_parts(folder: Path) -> None:
    """Remove what killed processes left of files that they were writing there."""
    for part in folder.glob(f".*{PART}"):
        writer = part.name.removesuffix(PART).rpartition(".")[2]
        if writer.isdigit() and not _lives(int(writer)):
            with contextlib.suppress(OSError):
                part.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def made_folder(path: Path) -> Path:
    """A folder that is there, made where it was not. Raises `StorageError`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(f"make the folder {path}", error) from error
    return path


def append_line(file: int, line: bytes, path: Path) -> None:
    """Append to an open file so that the line is there as a whole or not at all.

    Raises `StorageError`; what the file held before is intact.
    """
    size = os.fstat(file).st_size
    try:
        rest = memoryview(line)
        while rest:  # a short write is followed by the error that cut it short
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.ftruncate(file, size)
        raise storage_error(f"append to {path}", error) from error


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def lock(path: Path) -> int:
    """Take a folder's lock for as long as the returned file stays open (or we live).

    Raises `FolderBusyError` where another process holds it.
    """
    import fcntl

    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise storage_error(f"write in {path.parent}", error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise storage_error(f"lock {path}", error) from error
        raise FolderBusyError(
            f"Another run is writing into {path.parent}: wait until it has ended, "
            "or choose another --out."
        ) from error
    return handle


def storage_error(what: str, error: OSError) -> StorageError:
    """The error to raise: what could not be done, why, and what to do."""
    cure = (
        "Make room (or choose another --out) and run the same command again"
        if error.errno in FULL
        else "Check the folder's permissions, or choose another --out"
    )
    found = StorageError(
        f"Could not {what}: {error.strerror or error}. {cure}; what was written before is intact."
    )
    found.errno = error.errno
    return found
