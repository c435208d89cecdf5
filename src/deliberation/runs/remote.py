"""Files of cells at an address that fsspec understands (s3://, gs://, ssh://, file://, ...)."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..core.cache import cache_folder
from ..core.errors import BackendError, StorageError
from .artefacts import ARTEFACTS, check_files
from .errors import RecordError
from .optional import required
from .stores import PARTIAL, Store, move


class RemoteStore(Store):
    """A folder at an address, with a copy on each machine of what was used there.

    Copies are in the user's cache, one folder for each address, and compared with the recorded
    hashes whenever they are opened. Raises `BackendError` where fsspec or what it needs for this
    kind of address is not installed, and `StorageError` for an address that it does not know.
    """

    def __init__(self, place: str):
        fsspec = required("fsspec", "remote", f"Keeping files at {place}")
        try:
            self.files, self.root = fsspec.url_to_fs(place)
        except ImportError as error:
            raise BackendError(
                f"Files cannot be kept at {place}: {error}, as by `pip install`."
            ) from error
        except (ValueError, OSError) as error:
            raise StorageError(
                f"Cannot keep files at {place}: {error}. Check --artefacts."
            ) from error
        self.place = place
        name = hashlib.sha256(place.encode()).hexdigest()[:16]
        self.copies = cache_folder() / ARTEFACTS / name

    def partial(self, cell: str) -> Path:
        """Among the copies, so that a kept folder is one."""
        return self.copies / f"{PARTIAL}{cell}-{os.getpid()}"

    def keep(self, partial: Path, name: str) -> None:
        """Upload the files, and keep them as a copy."""
        there = f"{self.root}/{name}"
        with contextlib.suppress(FileNotFoundError):
            self.files.rm(there, recursive=True)
        for path in sorted(p for p in partial.rglob("*") if p.is_file()):
            target = f"{there}/{path.relative_to(partial).as_posix()}"
            self.files.makedirs(target.rpartition("/")[0], exist_ok=True)
            self.files.put_file(str(path), target)
        move(partial, self.copies / name)

    def fetch(self, name: str, recorded: Mapping[str, str]) -> Path:
        """The copy, downloaded where there is none as it should be."""
        copy = self.copies / name
        with contextlib.suppress(RecordError):
            check_files(copy, recorded)
            return copy
        fresh = self.copies / f"{PARTIAL}copy-{name}-{os.getpid()}"
        try:
            for file in recorded:
                target = fresh / file
                target.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(FileNotFoundError):
                    self.files.get_file(f"{self.root}/{name}/{file}", str(target))
            check_files(fresh, recorded, f"{self.place}/{name}")
            _settle(fresh, copy, recorded)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return copy

    def sweep(self, names: Collection[str]) -> None:
        """Remove all other folders there, and unfinished ones here."""
        with contextlib.suppress(FileNotFoundError):
            found: list[Any] = self.files.ls(self.root, detail=False)
            for path in found:
                if path.rstrip("/").rpartition("/")[2] not in names:
                    self.files.rm(path, recursive=True)
        for path in self.copies.glob("*"):
            if path.name not in names:
                shutil.rmtree(path, ignore_errors=True)


def _settle(fresh: Path, copy: Path, recorded: Mapping[str, str]) -> None:
    """Make a download the copy, unless another process was faster, which may read its own now."""
    with contextlib.suppress(OSError):
        os.rename(fresh, copy)
        return
    try:
        check_files(copy, recorded)
    except RecordError:
        move(fresh, copy)
