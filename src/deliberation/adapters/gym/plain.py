"""Plain values as bytes and back: what the attributes of an environment are kept as.

Numbers, strings, None, NumPy arrays and scalars, and tuples, lists, deques, sets and dictionaries
of these come back as what they were, types included. Nothing that is read can run code.
"""

import struct
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

_INT, _FLOAT, _SIZE = struct.Struct("<q"), struct.Struct("<d"), struct.Struct("<I")
_MANY: dict[type, bytes] = {tuple: b"t", list: b"l", set: b"s", frozenset: b"z", deque: b"q"}
_MAKERS: dict[bytes, Callable[..., Any]] = {tag: kind for kind, tag in _MANY.items()}


_WHOLE, _REAL = struct.Struct("<Bq"), struct.Struct("<Bd")
WIDTH = _WHOLE.size
"""Bytes of a single number or None."""
_CODES: dict[type, tuple[int, struct.Struct]] = {
    type(None): (0, _WHOLE), bool: (1, _WHOLE), int: (2, _WHOLE), np.bool_: (3, _WHOLE),
    np.int8: (4, _WHOLE), np.int16: (5, _WHOLE), np.int32: (6, _WHOLE), np.int64: (7, _WHOLE),
    np.uint8: (8, _WHOLE), np.uint16: (9, _WHOLE), np.uint32: (10, _WHOLE),
    float: (16, _REAL), np.float32: (17, _REAL), np.float64: (18, _REAL),
}  # fmt: skip
_OF_CODE: dict[int, Any] = {code: kind for kind, (code, _) in _CODES.items()}
SCALARS = frozenset(_CODES)
"""The types of single numbers, and of None."""


def write_scalar(value: Any) -> bytes:
    """`WIDTH` bytes of a number or None. Raises `KeyError` and `struct.error` for all else."""
    code, form = _CODES[type(value)]
    return form.pack(code, value) if code else form.pack(0, 0)


def read_scalar(data: bytes, at: int) -> Any:
    """What `write_scalar` wrote at a place, of the same type."""
    code = data[at]
    if code == 2:
        return _WHOLE.unpack_from(data, at)[1]
    if code == 0:
        return None
    return _OF_CODE[code]((_REAL if code >= 16 else _WHOLE).unpack_from(data, at)[1])


class NotPlainError(TypeError):
    """A value of which no bytes are made here."""


def dump(value: Any) -> bytes:
    """The bytes of a plain value. Raises `NotPlainError` for what is not plain."""
    out: list[bytes] = []
    _dump(value, out)
    return b"".join(out)


def load(data: bytes | memoryview, at: int = 0) -> Any:
    """The value that `dump` made bytes of, from a place on."""
    return _load(data, at)[0]


def weight(value: Any) -> int | None:
    """About how many bytes a plain value takes; None for what is not plain."""
    if isinstance(value, np.ndarray | np.generic):
        return None if value.dtype.hasobject or value.dtype.names else value.nbytes
    if isinstance(value, str | bytes):
        return len(value)
    if type(value) is dict:
        value = [*value.keys(), *value.values()]
    if isinstance(value, tuple | list | set | frozenset) or type(value).__name__ == "deque":
        if type(value).__name__ not in ("tuple", "list", "set", "frozenset", "deque"):
            return None
        sizes = [weight(part) for part in value]
        return None if None in sizes else 8 + sum(filter(None, sizes))
    return 8 if value is None or isinstance(value, bool | int | float) else None


def _sized(tag: bytes, data: bytes) -> bytes:
    return tag + _SIZE.pack(len(data)) + data


def _dump(value: Any, out: list[bytes]) -> None:
    kind = type(value)
    if value is None:
        out.append(b"N")
    elif kind is bool:
        out.append(b"T" if value else b"F")
    elif kind is int and -(1 << 63) <= value < 1 << 63:
        out.append(b"i" + _INT.pack(value))
    elif kind is int:
        out.append(_sized(b"I", str(value).encode()))
    elif kind is float:
        out.append(b"f" + _FLOAT.pack(value))
    elif kind is str:
        out.append(_sized(b"S", value.encode()))
    elif kind is bytes:
        out.append(_sized(b"B", value))
    elif isinstance(value, np.ndarray | np.generic):
        _dump_array(value, out)
    elif kind in _MANY:
        out.append(_MANY[kind] + _SIZE.pack(len(value)))
        if kind is deque:
            _dump(value.maxlen, out)
        for part in sorted(value, key=repr) if kind in (set, frozenset) else value:
            _dump(part, out)
    elif kind is dict:
        out.append(b"d" + _SIZE.pack(len(value)))
        for key, part in value.items():
            _dump(key, out)
            _dump(part, out)
    else:
        raise NotPlainError(f"{kind.__module__}.{kind.__qualname__}")


def _dump_array(value: np.ndarray | np.generic, out: list[bytes]) -> None:
    if value.dtype.hasobject or value.dtype.names:
        raise NotPlainError(f"an array of {value.dtype}")
    array = isinstance(value, np.ndarray)
    out.append(_sized(b"a" if array else b"g", value.dtype.str.encode()))
    if array:
        out.append(bytes([value.ndim]) + b"".join(map(_INT.pack, value.shape)))
    out.append(value.tobytes())


def _load(data: bytes | memoryview, at: int) -> tuple[Any, int]:
    tag = bytes(data[at : at + 1])
    at += 1
    if tag in b"NTF":
        return {b"N": None, b"T": True, b"F": False}[tag], at
    if tag == b"i":
        return _INT.unpack_from(data, at)[0], at + 8
    if tag == b"f":
        return _FLOAT.unpack_from(data, at)[0], at + 8
    count, at = _SIZE.unpack_from(data, at)[0], at + 4
    if tag in b"ISB":
        text = bytes(data[at : at + count])
        return (text if tag == b"B" else int(text) if tag == b"I" else text.decode()), at + count
    if tag in b"ag":
        return _load_array(data, at, count, tag == b"a")
    if tag == b"d":
        found = {}
        for _ in range(count):
            key, at = _load(data, at)
            found[key], at = _load(data, at)
        return found, at
    longest, parts = None, []
    if tag == b"q":
        longest, at = _load(data, at)
    for _ in range(count):
        part, at = _load(data, at)
        parts.append(part)
    return (deque(parts, longest) if tag == b"q" else _MAKERS[tag](parts)), at


def _load_array(data: bytes | memoryview, at: int, count: int, array: bool) -> tuple[Any, int]:
    dtype, at = np.dtype(bytes(data[at : at + count]).decode()), at + count
    shape: tuple[int, ...] = ()
    if array:
        ndim, at = data[at], at + 1
        shape = tuple(_INT.unpack_from(data, at + 8 * i)[0] for i in range(ndim))
        at += 8 * ndim
    size = int(np.prod(shape, dtype=int)) * dtype.itemsize
    flat = np.frombuffer(bytes(data[at : at + size]), dtype)
    return (flat.reshape(shape).copy() if array else flat[0]), at + size
