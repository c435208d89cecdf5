"""The attributes of an environment as a row of bytes of one size: a snapshot without a copy.

Random play shows which attributes move (`Layout.found`); those are written into each row, and set
again from it. All others rest: that they still do is looked at with every row, and one that moves
after all is written into a small spare part of the row, by its name.
"""

import enum
import functools
import logging
import re
import struct
import types
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from ...core.errors import UnfaithfulCloneError
from .chance import follow, is_source
from .plain import SCALARS, WIDTH, NotPlainError, dump, load, read_scalar, weight, write_scalar
from .resting import SMALL, SPARE, Resting, changed

Path = tuple[str, ...]
_MOST = 1 << 16
"""Bytes beyond which no row is made."""
SCALAR = "number"
_SEED = "_np_random_seed"
"""Where Gymnasium notes the last seed, which has no effect."""
_SIZE = struct.Struct("<I")
_FIXED = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, type,
    enum.Enum, np.dtype, np.ufunc, re.Pattern, logging.Logger, functools.partial, property,
)  # fmt: skip


class Slot(msgspec.Struct, frozen=True):
    """One attribute that moves: whose, its name, how it is written, and in how many bytes.

    `kind` is `SCALAR` for single numbers and None, the dtype for an array of one `shape` (`inside`:
    written into the array that there is), or `*` for anything plain.
    """

    owner: Path
    name: str
    kind: str
    size: int
    shape: tuple[int, ...] = ()
    inside: bool = False


class Survey:
    """All that is found in an environment, from attribute to attribute.

    `handled` are names of types, and `stop` an object, that somebody else takes care of. Large
    values are read only where it is `deep`; `known` remembers how large they are between looks.
    """

    def __init__(
        self,
        env: Any,
        handled: Sequence[str] = (),
        stop: Any = None,
        deep: bool = True,
        known: dict[int, tuple[Any, int]] | None = None,
    ):
        self._known = {} if known is None else known
        self.entries: dict[tuple[Path, str], tuple[Any, Any]] = {}
        self.sources: list[Path] = []
        self.trouble: list[str] = []
        self.deep, self._handled, self._stop = deep, tuple(handled), stop
        self._seen: set[int] = set()
        self._walk(env, ())

    def _walk(self, thing: Any, path: Path) -> None:
        self._seen.add(id(thing))
        for name, value in vars(thing).items():
            self._enter(path, name, value)

    def _enter(self, path: Path, name: str, value: Any) -> None:
        here = (*path, name)
        if is_source(value):
            self.sources.append(here)
        elif self._passed_over(name, value):
            return
        elif _is_space(value):
            if is_source(vars(value).get("_np_random")):
                self.sources.append((*here, "_np_random"))
        elif isinstance(value, _FIXED) or type(value).__name__ == "EnvSpec":
            self.entries[path, name] = ("object", id(value))
        elif (size := self._size(value)) is not None:
            token = zlib.crc32(dump(value)) if size <= SMALL or self.deep else None
            self.entries[path, name] = ("plain", (token, value if size <= SMALL else None, size))
        elif not hasattr(value, "__dict__"):
            self.trouble.append(f"{'.'.join(here)} is a {_kind(value)}, which keeps itself hidden")
        else:
            self.entries[path, name] = ("object", id(value))
            if id(value) not in self._seen:
                self._walk(value, here)

    def _passed_over(self, name: str, value: Any) -> bool:
        stop = self._stop is not None and value is self._stop
        return stop or name == _SEED or type(value).__name__ in self._handled

    def _size(self, value: Any) -> int | None:
        if id(value) in self._known:
            return self._known[id(value)][1]
        size = weight(value)
        if size is not None and size > SMALL:
            self._known[id(value)] = (value, size)
        return size


def _is_space(value: Any) -> bool:
    return any(k.__module__.startswith("gymnasium.spaces") for k in type(value).__mro__)


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


class Rewind:
    """Sets attributes that outlast a reset, such as a wrapper's running means, to first values.

    `places` are owners and names; by default all plain attributes that there are.
    """

    def __init__(self, env: Any, places: Sequence[tuple[Path, str]] | None = None):
        entries = Survey(env, deep=False).entries
        held = {key: told for key, (kind, told) in entries.items() if kind == "plain"}
        kept = list(held) if places is None else [_place(place) for place in places]
        self._large = {key for key in held if held[key][2] > _MOST}
        self._values: dict[tuple[Path, str], bytes | None] = {
            (path, name): dump(vars(follow(env, path))[name]) if (path, name) in held else None
            for path, name in kept
            if (path, name) not in self._large
        }

    def __call__(self, env: Any) -> None:
        """Set them; those that were not there at first are taken away."""
        for (path, name), value in self._values.items():
            inner = vars(follow(env, path))
            if value is None:
                inner.pop(name, None)
            else:
                inner[name] = load(value)

    def moved(self, env: Any) -> list[tuple[Path, str]]:
        """Which are not what they were."""
        looks = {key: vars(follow(env, key[0])).get(key[1]) for key in self._values}
        return [
            key
            for key, value in self._values.items()
            if weight(looks[key]) is None or dump(looks[key]) != value
        ]

    def narrowed(self, places: Sequence[tuple[Path, str]]) -> "Rewind":
        """The same for some of them, and for others that were not there."""
        other = Rewind.__new__(Rewind)
        other._values = {key: self._values.get(key) for key in places if key not in self._large}
        other._large = self._large
        return other

    @property
    def places(self) -> tuple[tuple[Path, str], ...]:
        """Owners and names of what is set."""
        return tuple(self._values)


def _place(place: Any) -> tuple[Path, str]:
    return tuple(place[0]), place[1]


class Layout(msgspec.Struct, frozen=True):
    """Which attributes are written into a row, and where the sources of chance are."""

    slots: tuple[Slot, ...]
    sources: tuple[Path, ...]

    @staticmethod
    def found(surveys: Sequence[Survey], strict: bool = True) -> "Layout":
        """From looks at an environment in random play. Raises `NotPlainError` where it cannot be.

        Looks that are not deep say nothing of large values. Unless `strict`, somebody else takes
        care of what cannot be looked into.
        """
        for survey in surveys:
            if strict and survey.trouble:
                raise NotPlainError(survey.trouble[0])
        everything = dict.fromkeys(key for survey in surveys for key in survey.entries)
        slots = [_slot(key, [survey.entries.get(key) for survey in surveys]) for key in everything]
        sources = dict.fromkeys(path for survey in surveys for path in survey.sources)
        moving = tuple(slot for slot in slots if slot is not None)
        if sum(slot.size for slot in moving) > _MOST:
            raise NotPlainError(f"attributes of {sum(s.size for s in moving):,} bytes move")
        return Layout(moving, tuple(sources))

    @property
    def size(self) -> int:
        """Bytes of a row."""
        return sum(slot.size for slot in self.slots) + SPARE


def _slot(key: tuple[Path, str], looks: list[Any]) -> Slot | None:
    """How an attribute is written, given what was seen of it; None: it rests."""
    path, name = key
    there = [look for look in looks if look is not None]
    kinds = {kind for kind, _ in there}
    if kinds == {"object"}:
        if len({token for _, token in there}) > 1:
            raise NotPlainError(f"{'.'.join((*path, name))} becomes another object")
        return None
    if "object" in kinds:
        raise NotPlainError(f"{'.'.join((*path, name))} is an object at times")
    told = [detail for _, detail in there]
    tokens = {token for token, _, _ in told if token is not None}
    if len(tokens) < 2 and len(there) == len(looks):
        return None
    values, widest = [value for _, value, _ in told], max(size for *_, size in told)
    types_ = {type(value) for value in values}
    if types_ <= SCALARS and len(there) == len(looks):
        return Slot(path, name, SCALAR, WIDTH)
    forms = {(x.dtype.str, x.shape) for x in values if isinstance(x, np.ndarray)}
    if types_ == {np.ndarray} and len(forms) == 1 and len(there) == len(looks):
        ((dtype, shape),) = forms
        inside = len({id(x) for x in values}) == 1
        return Slot(path, name, dtype, values[0].nbytes, shape, inside)
    return Slot(path, name, "*", 4 + 2 * widest + 44)


class Attributes:
    """Writes the attributes of one environment into rows, and sets them from rows."""

    def __init__(self, env: Any, layout: Layout, handled: Sequence[str] = (), stop: Any = None):
        self.layout, self.size = layout, layout.size
        owners = {slot.owner: vars(follow(env, slot.owner)) for slot in layout.slots}
        scalars = [slot for slot in layout.slots if slot.kind == SCALAR]
        self._scalars = [(owners[s.owner], s.name) for s in scalars]
        others = [slot for slot in layout.slots if slot.kind != SCALAR]
        self._others = [(owners[s.owner], s, _dtype(s)) for s in others]
        moving = {(slot.owner, slot.name) for slot in layout.slots}
        self._resting = Resting(env, Survey(env, handled, stop), moving)

    def write(self) -> bytes:
        """One row."""
        try:
            parts = [write_scalar(held[name]) for held, name in self._scalars]
        except (struct.error, KeyError, TypeError) as error:
            raise UnfaithfulCloneError(changed("a number", error)) from None
        for held, slot, dtype in self._others:
            parts.append(_written(held, slot, dtype))
        parts.append(self._resting.written())
        return b"".join(parts)

    def watch_all(self, seconds: float) -> None:
        """Look at larger values that rest for so long with each row; 0: at all, now, and seldom."""
        self._resting.patience = seconds
        if not seconds:
            self._resting.check_all()

    def regain(self) -> None:
        """Set what rests to what it was, after a step that failed, or another task's."""
        self._resting.regain()

    def read(self, row: bytes, at: int = 0) -> None:
        """Set all that moves from the row that begins at a place."""
        for held, name in self._scalars:
            held[name] = read_scalar(row, at)
            at += WIDTH
        for held, slot, dtype in self._others:
            _set(held, slot, dtype, row, at)
            at += slot.size
        self._resting.read(row, at)


def _dtype(slot: Slot) -> np.dtype | None:
    return None if slot.kind == "*" else np.dtype(slot.kind)


def _written(held: dict[str, Any], slot: Slot, dtype: np.dtype | None) -> bytes:
    value = held.get(slot.name, ...)
    if dtype is not None:
        if type(value) is not np.ndarray or value.shape != slot.shape or value.dtype != dtype:
            raise UnfaithfulCloneError(changed(slot.name, f"it is {value!r}"))
        return value.tobytes()
    data = b"M" if value is ... else dump(value)
    if len(data) + 4 > slot.size:
        raise UnfaithfulCloneError(changed(slot.name, f"it grew to {len(data)} bytes"))
    return _SIZE.pack(len(data)) + data.ljust(slot.size - 4, b"\0")


def _set(held: dict[str, Any], slot: Slot, dtype: np.dtype | None, row: bytes, at: int) -> None:
    if dtype is None:
        if row[at + 4 : at + 5] == b"M":
            held.pop(slot.name, None)
        else:
            held[slot.name] = load(row, at + 4)
        return
    value = np.ndarray(slot.shape, dtype, row, at)
    here = held.get(slot.name)
    if slot.inside and type(here) is np.ndarray and here.shape == slot.shape:
        here[...] = value
    else:
        held[slot.name] = value.copy()
