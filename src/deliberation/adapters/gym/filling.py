"""What an environment shows and tells, written into rows of arrays; or refused, never altered.

A number is kept as it is, up to rounding where it has a fraction: what does not fit into the bits
that there are, or is none of the numbers that its space counts, raises `ForeignWorldError`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.errors import ForeignWorldError
from .asking import told
from .form import TEXT, Entry, Leaf

_WHOLE = frozenset((int, np.int64, np.int32))
_WIDER = "set JAX_ENABLE_X64=1 before JAX is imported, so that 64 are kept"


def write_observation(
    leaves: tuple[Leaf, ...], rows: list[np.ndarray], row: int, seen: Any, name: str
) -> None:
    """Copy one observation into its row; `rows` holds an array for each leaf."""
    for leaf, out in zip(leaves, rows, strict=True):
        part = seen
        try:
            for key in leaf.path:
                part = part[key]
            if leaf.kind == TEXT:
                _write_text(out, row, part)
            elif leaf.shape == () and type(part) in _WHOLE:
                _write_number(leaf, out, row, int(part))
            else:
                _write_array(leaf, out, row, part)
        except (TypeError, ValueError, LookupError, OverflowError) as error:
            where = "".join(f"[{key!r}]" for key in leaf.path)
            raise ForeignWorldError(
                f"{name} gave an observation{where} that is not in its space, a {leaf.kind} of "
                f"shape {leaf.shape}: {error}. Mend its observation_space or what it returns "
                "(gymnasium.utils.env_checker.check_env shows more)."
            ) from None


def _write_number(leaf: Leaf, out: np.ndarray, row: int, part: int) -> None:
    if leaf.counts and not 0 <= part - leaf.start[0] < leaf.counts[0]:
        raise ValueError(f"{part} is none of {leaf.counts[0]} numbers from {leaf.start[0]}")
    try:
        out[row] = part
    except OverflowError:
        raise _too_large(out, part) from None
    if out.dtype.kind != "f" and out[row] != part:
        raise _altered(out, part)


def _write_text(out: np.ndarray, row: int, part: Any) -> None:
    if not isinstance(part, str):
        raise TypeError(f"{told(part)} is no text")
    letters, room = part.encode(), out.shape[1]
    if len(letters) > room:
        raise ValueError(f"a text of {len(letters)} bytes, where its space promises {room} at most")
    out[row] = 0
    out[row, : len(letters)] = np.frombuffer(letters, np.uint8)


def _write_array(leaf: Leaf, out: np.ndarray, row: int, part: Any) -> None:
    if type(part) is not np.ndarray:
        part = np.asarray(part)
    if part.shape != leaf.shape:
        raise ValueError(f"its shape is {part.shape}")
    if part.dtype != out.dtype:
        kind = part.dtype.kind
        if kind not in "biuf":
            raise TypeError(f"{told(part)} is of type {part.dtype}, and no number")
        if out.dtype.kind != "f":
            _check_whole(part, out)
    if leaf.counts or leaf.kind == "MultiBinary":
        _check_counted(leaf, part)
    out[row] = part


def _check_whole(part: np.ndarray, out: np.ndarray) -> None:
    """Refuse what would not come out of `out` as it went in."""
    with np.errstate(invalid="ignore"):
        kept = part.astype(out.dtype)
    same = kept == part
    if not same.all():
        odd = part[~same].flat[0]
        raise _too_large(out, odd) if odd == np.floor(odd) else _altered(out, odd)


def _check_counted(leaf: Leaf, part: np.ndarray) -> None:
    least = np.reshape(leaf.start, leaf.shape) if leaf.counts else 0
    counts = np.reshape(leaf.counts, leaf.shape) if leaf.counts else 2
    bad = (part < least) | (part >= least + counts)
    if bad.any():
        raise ValueError(f"{told(part)} has {part[bad].flat[0]}, which is not counted there")


def _too_large(out: np.ndarray, part: Any) -> ValueError:
    bits = 8 * out.dtype.itemsize
    return ValueError(f"{part} does not fit in {bits} bits" + (f"; {_WIDER}" if bits == 32 else ""))


def _altered(out: np.ndarray, part: Any) -> ValueError:
    return ValueError(f"{part} is no {'truth value' if out.dtype.kind == 'b' else 'whole number'}")


def write_info(
    entries: tuple[Entry, ...],
    rows: list[np.ndarray],
    row: int,
    info: Mapping[str, Any],
    name: str,
) -> None:
    """Copy what `info` has of the entries; what it lacks, or has in another form, stays 0.

    Raises `ForeignWorldError` for a number that cannot be kept as it is.
    """
    for entry, out in zip(entries, rows, strict=True):
        value = info.get(entry.name)
        if value is None:
            continue
        if type(value) is float and not entry.shape and out.dtype.kind == "f":
            out[row] = value
            continue
        try:
            found = np.asarray(value)
            if found.shape != entry.shape or found.dtype.kind not in "biuf":
                continue
            if found.dtype != out.dtype and out.dtype.kind != "f":
                _check_whole(found, out)
            out[row] = found
        except (TypeError, ValueError, OverflowError) as error:
            raise ForeignWorldError(
                f"{name} told {told(value)} as info[{entry.name!r}], which held numbers of type "
                f"{out.dtype} in the trial: {error}. Name the entries to keep and leave this one "
                f"out, info=[...], or mend it."
            ) from None
