"""The attributes of an environment that did not move in the trial, held against what they were."""

import contextlib
import marshal
import struct
import time
import zlib
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np

from ...core.errors import UnfaithfulCloneError
from .chance import follow
from .plain import NotPlainError, dump, load, weight

Path = tuple[str, ...]
SMALL = 4096
"""Bytes up to which a value that can change in place is looked at with every row."""
_SOON = 8
"""Rows from one look to the next at larger ones of which bytes are quickly made."""
_AUDIT = 64
"""Rows from one look at larger ones to the next, at least."""
_LARGE = 1 << 16
"""Bytes beyond which a value is looked at once at the end of a trial, and not with each row."""
_COST = 1e-6
"""Seconds a row that these looks may take."""
SPARE = 128
"""Bytes of a row for what moves after all."""
_SIZE = struct.Struct("<I")
_UNALTERED = (str, bytes, int, float, np.generic, frozenset, type(None))
"""What cannot change in place."""


def changed(what: str, why: Any) -> str:
    """What is said of an attribute that moves for the first time."""
    return (
        f"Attribute {what} of the environment changed in a way that it did not in the trial "
        f"({why}). Choose another way of copying, clone='deepcopy' or clone='replay', or give the "
        "environment methods get_state() and set_state(state)."
    )


def _quick(value: Any) -> bytes:
    """Bytes that are the same as long as a value is; empty where there are none so quickly made.

    Others do not tell that it has changed: that is for `dump` to say, which takes longer.
    """
    try:
        return marshal.dumps(value, 2)  # the last version without references between parts
    except ValueError:
        return b""


class Resting:
    """What does not move: held against what it was, and written by name where it moves still.

    Values of more than `SMALL` bytes that can change in place are looked at with every `_SOON`th
    row, up to `_LARGE` and where `_quick` tells; others with every `_AUDIT`th, or less often where
    a look takes long; in a trial those of up to `_LARGE` bytes with each row, as long as there is
    `patience`: seconds that this may take.
    """

    def __init__(self, env: Any, survey: Any, moving: set[tuple[Path, str]]):
        by_owner: dict[Path, list[str]] = {}
        for path, name in survey.entries:
            if (path, name) not in moving:
                by_owner.setdefault(path, []).append(name)
        self._looks: list[tuple[Callable[..., Any], Any, dict[str, Any], list[str]]] = []
        self._owners: list[dict[str, Any]] = []
        for path, names in by_owner.items():
            held = vars(follow(env, path))
            # Two names at least, so that `itemgetter` gives a tuple.
            take = itemgetter(*names, names[0])
            self._looks.append((take, take(held), held, names))
            self._owners.append(held)
        self._inside = [
            (held, name, told[0])
            for (path, name), (kind, told) in survey.entries.items()
            if kind == "plain" and (path, name) not in moving
            for held in [vars(follow(env, path))]
            if not isinstance(held[name], _UNALTERED)
        ]
        sizes = {key: told[2] for key, (kind, told) in survey.entries.items() if kind == "plain"}
        large = {(id(vars(follow(env, p))), n) for (p, n), size in sizes.items() if size > _LARGE}
        self._middling = [x for x in self._inside if (id(x[0]), x[1]) not in large]
        self._small = [
            (*x, _quick(x[0].get(x[1])))
            for x in self._inside
            if (weight(x[0].get(x[1])) or SMALL) < SMALL
        ]
        self._larger = [
            (*x, quick)
            for x in self._inside
            for quick in [_quick(x[0].get(x[1]))]
            if quick and SMALL <= (weight(x[0].get(x[1])) or 0) < _LARGE
        ]
        paths = {path for path, _ in (*survey.entries, *moving)}
        self._names = [(held, set(held)) for held in (vars(follow(env, path)) for path in paths)]
        for path, name in moving:  # which may come and go
            next(n for h, n in self._names if h is vars(follow(env, path))).add(name)
        self._rooms = [(held, len(names)) for held, names in self._names]
        self._dirty: dict[tuple[int, str], Any] = {}
        self._count, self._due, self.patience = 0, _AUDIT, 0.0

    def regain(self) -> None:
        """Set everything to what it was."""
        for _, base, held, names in self._looks:
            held.update(zip(names, base, strict=False))
        for held, names in self._names:
            for late in held.keys() - names:
                del held[late]
        self._dirty.clear()

    def written(self) -> bytes:
        """What moved after all, as the spare bytes of a row. Raises `UnfaithfulCloneError`."""
        moved = []
        for number, (take, base, held, names) in enumerate(self._looks):
            same = False
            with contextlib.suppress(KeyError, ValueError):
                same = take(held) == base
            if not same:
                moved += [
                    (number, name, held.get(name))
                    for name, was in zip(names, base, strict=False)
                    if held.get(name) is not was
                ]
                for name, was in zip(names, base, strict=False):
                    if held.get(name) is not was:
                        self._dirty[number, name] = was
        self._count += 1
        if self.patience > 0:
            self.patience -= self._timed(self._middling)
        elif self._count >= self._due:
            self._due = self._count + max(_AUDIT, int(self._timed(self._inside) / _COST))
        else:
            found = self._suspects(self._small)
            if self._count % _SOON == 0:
                found += self._suspects(self._larger)
            # New names that took the places of others are met by the next look at all of them.
            if found or any(len(held) > most for held, most in self._rooms):
                self._audit(found)
        return self._spare(moved) if moved else b"\0" * SPARE

    def _suspects(self, small: list[Any]) -> list[tuple[dict[str, Any], str, int]]:
        """Small values that may have changed; most are told apart from those in a moment."""
        found = []
        for held, name, token, quick in small:
            try:
                same = quick and marshal.dumps(held[name], 2) == quick
            except (KeyError, ValueError):
                same = False
            if not same:
                found.append((held, name, token))
        return found

    def check_all(self) -> None:
        """Look at all values that can change in place. Raises `UnfaithfulCloneError`."""
        self._audit(self._inside)

    def _timed(self, inside: list[tuple[dict[str, Any], str, int]]) -> float:
        """The seconds that a look took."""
        started = time.perf_counter()
        self._audit(inside)
        return time.perf_counter() - started

    def _spare(self, moved: list[tuple[int, str, Any]]) -> bytes:
        names = ", ".join(name for _, name, _ in moved)
        try:
            data = dump(moved)
        except NotPlainError as error:
            raise UnfaithfulCloneError(changed(names, f"it is {error} now")) from None
        if len(data) + 4 > SPARE:
            raise UnfaithfulCloneError(changed(names, "these had not moved before"))
        return (_SIZE.pack(len(data)) + data).ljust(SPARE, b"\0")

    def read(self, row: bytes, at: int) -> None:
        """Set what a row says has moved, and all else to what it was."""
        for (number, name), was in self._dirty.items():
            self._owners[number][name] = was
        self._dirty.clear()
        if _SIZE.unpack_from(row, at)[0]:
            for number, name, value in load(row, at + 4):
                self._dirty[number, name] = self._owners[number].get(name)
                self._owners[number][name] = value

    def _audit(self, inside: list[tuple[dict[str, Any], str, int]]) -> None:
        for held, names in self._names:
            if len(held) > len(names) or not held.keys() <= names:
                late = ", ".join(sorted(held.keys() - names))
                raise UnfaithfulCloneError(changed(late, "it was not there"))
        for held, name, token in inside:
            value = held.get(name)
            if weight(value) is None or zlib.crc32(dump(value)) != token:
                raise UnfaithfulCloneError(changed(name, "it was altered in place"))
