"""Arrays that a cell found, with named axes and a unit: kept as `columns.npz` beside its record."""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from .chain import CURE
from .errors import ColumnError, RecordError
from .storage import atomic_write
from .stores import artefact_folder

if TYPE_CHECKING:
    from .records import Record

COLUMNS = "columns.npz"
_NAME = re.compile(r"\w[\w.-]*")
_KINDS = "biufcSU"
"""Flags, whole, real and complex numbers, and text: what a file holds without pickle."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold; no clock may enter the bytes."""


class Column(msgspec.Struct, frozen=True, eq=False):
    """An array which says what its axes are and in which unit its numbers are.

    `values` may also be a JAX array; numpy's are kept. `unit` is "1" for pure numbers. Raises
    `ColumnError` where the axes are not one distinct name for each dimension, where the unit is
    missing, or where the values are objects that could only be pickled.
    """

    values: np.ndarray
    axes: tuple[str, ...]
    unit: str

    def __post_init__(self) -> None:
        values, axes = np.asarray(self.values), tuple(self.axes)
        if values.dtype.kind not in _KINDS:
            raise ColumnError(
                f"A column's values are numbers, flags or text; got dtype {values.dtype}: convert "
                "them first, as by `.astype(np.float32)`."
            )
        named = all(isinstance(axis, str) and axis for axis in axes)
        if len(axes) != values.ndim or len(set(axes)) != len(axes) or not named:
            raise ColumnError(
                f"A column of shape {values.shape} needs {values.ndim} distinct names of axes; "
                f"got {axes!r}."
            )
        if not isinstance(self.unit, str) or not self.unit:
            raise ColumnError(
                f"A column says in which unit it is; got {self.unit!r}: write '1' for pure numbers."
            )
        little = values.astype(values.dtype.newbyteorder("<"), order="C", copy=False)
        msgspec.structs.force_setattr(self, "values", little)
        msgspec.structs.force_setattr(self, "axes", axes)

    def described(self) -> dict[str, Any]:
        """What a record keeps of it: axes, unit, shape and dtype."""
        return {
            "axes": list(self.axes),
            "unit": self.unit,
            "shape": list(self.values.shape),
            "dtype": self.values.dtype.str,
        }


def write_columns(folder: Path, columns: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Write `columns.npz` into a folder; returns what the record says of each column.

    Equal columns make equal bytes, so that two runs can be compared by the hashes of their files.
    Raises `ColumnError` and `StorageError`.
    """
    for name, column in columns.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ColumnError(
                f"A column's name is made of letters, digits, '_', '.' and '-'; got {name!r}."
            )
        if not isinstance(column, Column):
            raise ColumnError(f"Column {name!r} is a {type(column).__name__}, no Column.")
    if (folder / COLUMNS).exists():
        raise ColumnError(f"The cell wrote a file {COLUMNS}, where its columns go: rename it.")
    atomic_write(folder / COLUMNS, _npz(columns))
    return {name: column.described() for name, column in columns.items()}


def read_column(folder: Path | str, record: "Record", name: str) -> Column:
    """A column of a record in a run's folder.

    Raises `RecordError` where the record has no such column, or where its file is missing or is
    not what the record says.
    """
    _known(record.columns, name, f"cell {record.cell}")
    return load_column(artefact_folder(folder, record) / COLUMNS, record.columns, name)


def load_column(path: Path, described: Mapping[str, Any], name: str) -> Column:
    """A column from its file, checked against what the record says of it. Raises `RecordError`."""
    said = _known(described, name, f"{path.parent}")
    try:
        with np.load(path, allow_pickle=False) as file:
            found = Column(file[name], tuple(said["axes"]), said["unit"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, ColumnError) as error:
        raise _altered(path, name, str(error)) from error
    if found.described() != dict(said):
        raise _altered(path, name, f"it is {found.described()}, and was recorded as {dict(said)}")
    return found


def _known(described: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    if name not in described:
        there = ", ".join(described) or "none"
        raise RecordError(f"There is no column {name!r} in {where}; it has {there}.")
    return described[name]


def _altered(path: Path, name: str, why: str) -> RecordError:
    return RecordError(f"Column {name!r} of {path} is missing or was altered ({why}). {CURE}")


def _npz(columns: Mapping[str, Column]) -> bytes:
    """What `np.savez` would write, with no time in it and the columns sorted by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(columns):
            member = io.BytesIO()
            np.lib.format.write_array(member, columns[name].values, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), member.getvalue())
    return buffer.getvalue()
