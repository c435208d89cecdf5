"""Where the files of cells are kept: in the run's folder, or at an address on the network."""

import abc
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .artefacts import ARTEFACTS, check_files
from .records import place_of
from .storage import sync_folder

if TYPE_CHECKING:
    from .records import Record

PARTIAL = ".partial-"


class Store(abc.ABC):
    """Keeps a folder of files for each record, by the name in its `home`."""

    @abc.abstractmethod
    def partial(self, cell: str) -> Path:
        """A local folder, not made yet, in which a cell can leave files."""

    @abc.abstractmethod
    def keep(self, partial: Path, name: str) -> None:
        """Take over what a cell left, in the place of what a killed run may have left there."""

    @abc.abstractmethod
    def fetch(self, name: str, recorded: Mapping[str, str]) -> Path:
        """A local folder with these files, compared with their recorded hashes.

        Raises `RecordError` where files are missing or altered.
        """

    @abc.abstractmethod
    def sweep(self, names: Collection[str]) -> None:
        """Remove what cells left under any other name, or did not finish."""


class FolderStore(Store):
    """In the run's folder, which all workers see."""

    def __init__(self, folder: Path):
        self.path = folder / ARTEFACTS

    def partial(self, cell: str) -> Path:
        """In the same file system, so that taking it over is one step."""
        return self.path / f"{PARTIAL}{cell}-{os.getpid()}"

    def keep(self, partial: Path, name: str) -> None:
        """Rename it."""
        move(partial, self.path / name)

    def fetch(self, name: str, recorded: Mapping[str, str]) -> Path:
        """The folder itself."""
        check_files(self.path / name, recorded)
        return self.path / name

    def sweep(self, names: Collection[str]) -> None:
        """Remove all other folders."""
        for path in self.path.glob("*"):
            if path.name not in names:
                shutil.rmtree(path, ignore_errors=True)


def store_at(folder: Path, place: str) -> Store:
    """The store of a run: at an address, or in its folder where that is empty."""
    if not place:
        return FolderStore(folder)
    from .remote import RemoteStore

    return RemoteStore(place)


def artefact_folder(folder: Path | str, record: "Record") -> Path:
    """A local folder with the files of a record, after comparing them with their hashes.

    Raises `OutputFolderError` where there is no run, and `RecordError` where files are missing or
    altered.
    """
    folder = Path(folder)
    return store_at(folder, place_of(folder)).fetch(record.home or record.cell, record.artefacts)


def move(partial: Path, final: Path) -> None:
    """Put a finished folder in the place of an unfinished one."""
    if final.exists():
        shutil.rmtree(final)
    os.replace(partial, final)
    sync_folder(final.parent)
