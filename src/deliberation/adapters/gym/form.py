"""What goes into an environment and comes out of it, as arrays of fixed shapes.

Observations become a list of arrays, one for each simple space inside (`Leaf`); actions are made
what the environment's own space holds. Everything here is plain data, which a worker is told.
"""

import copy
import math
from typing import Any

import msgspec
import numpy as np

from ...core.errors import ForeignWorldError, UnknownSpaceError

Key = str | int
_SIMPLE = ("Box", "Discrete", "MultiDiscrete", "MultiBinary")
TEXT = "Text"
_SAMPLES = 64
"""Texts that are looked at where a space does not say how long they may be."""
_MOST = 1 << 20
"""Actions that are numbered, and numbers that an observation is one-hot in."""
_EXACT = float(1 << 53)
"""Whole numbers beyond this are not all there among numbers of 64 bits with a fraction."""


class Leaf(msgspec.Struct, frozen=True):
    """One simple space within a space of observations: where it is, and the array that it fills.

    `counts` are the numbers of values where they are numbered, beginning with `start`. Text is kept
    as its bytes (UTF-8), zeros after its end.
    """

    path: tuple[Key, ...]
    kind: str
    dtype: str
    shape: tuple[int, ...]
    counts: tuple[int, ...] = ()
    start: tuple[int, ...] = ()


class ActionForm(msgspec.Struct, frozen=True):
    """Numbered actions (`count` of them from `start`), or arrays of a `shape` from `low` to `high`.

    In a space of whole numbers arrays are handed over as such, within the bounds.
    Where the bounds differ from place to place, `spread` says so: a task's actions go from -1 to 1
    there, and are rescaled.
    """

    dtype: str
    count: int = 0
    start: int = 0
    shape: tuple[int, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    spread: bool = False

    @property
    def words(self) -> int:
        """Words of 32 bits that an action takes."""
        return max(math.prod(self.shape), 1)

    def first(self, count: int) -> np.ndarray:
        """The first action, or the lowest, so many times, as a task has it."""
        if self.count:
            return np.zeros(count, np.int32)
        low = -1.0 if self.spread or not self.low else self.low[0]
        return np.full((count, *self.shape), low, np.float32)

    def to_env(self, actions: np.ndarray) -> list[Any]:
        """A batch of a task's actions as the environment takes them."""
        if self.count:
            numbers = np.clip(actions, 0, self.count - 1).astype(np.int64) + self.start
            return list(numbers.astype(self.dtype))
        low, high = (np.array(x).reshape(self.shape) for x in (self.low, self.high))
        if np.dtype(self.dtype).kind in "iub":
            return self._whole(actions.astype(float), low, high)
        if self.spread:
            actions = low + (actions.astype(float) + 1) * (high - low) / 2
        # A bound may lie beyond itself in 32 bits, so it is kept once more in the space's own type.
        kept = (x.astype(self.dtype) for x in (low, high))
        return list(np.clip(actions.astype(self.dtype), *kept))

    def _whole(self, actions: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[Any]:
        """Whole numbers from `low` to `high`, each of which an equal part of the range stands for.

        A whole number within the bounds stands for itself.
        """
        part = (actions + 1) / 2 if self.spread else (actions - low) / np.maximum(high - low, 1)
        numbers = low + np.floor(np.clip(part, 0, 1) * (high - low + 1))
        return list(np.clip(numbers, low, high).astype(np.int64).astype(self.dtype))


class Entry(msgspec.Struct, frozen=True):
    """A number or an array of numbers in `info`, 0 where it is missing."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Form(msgspec.Struct, frozen=True):
    """Everything about the arrays that a step takes and gives; `memory` bytes keep a state.

    `wrapped`: the observation is in a structure, and not one array alone.
    """

    leaves: tuple[Leaf, ...]
    action: ActionForm
    info: tuple[Entry, ...] = ()
    memory: int = 0
    history: int = 0
    wrapped: bool = False

    def rows(self, count: int) -> list[np.ndarray]:
        """Room for what a batch of steps gives: `memory`, leaves, reward, info, over and cut."""
        return [
            np.zeros((count, self.memory), np.uint8),
            *(np.zeros((count, *leaf.shape), leaf.dtype) for leaf in self.leaves),
            np.zeros(count, np.float32),
            *(np.zeros((count, *entry.shape), entry.dtype) for entry in self.info),
            np.zeros(count, bool),
            np.zeros(count, bool),
        ]


def kind_of(space: Any) -> str:
    """The name of the kind of a space, as Gymnasium calls it."""
    for kind in type(space).__mro__:
        if kind.__module__.startswith("gymnasium.spaces"):
            return kind.__name__
    return type(space).__name__


def leaves_of(space: Any, name: str, wide: bool = False) -> tuple[Leaf, ...]:
    """The simple spaces in a space of observations. Raises `UnknownSpaceError`.

    `wide`: whole numbers are kept in 64 bits where their space has as many, else in 32.
    """
    leaves = _leaves(space, name, (), wide)
    hot = sum(sum(leaf.counts) for leaf in leaves)
    if not leaves or hot > _MOST:
        raise UnknownSpaceError(
            f"{name} is observed in {space!r}, "
            + (
                f"{hot:,} numbers once each is one-hot, and a planner is shown at most {_MOST:,}. "
                "Wrap it (gymnasium.wrappers.TransformObservation) so that it is a Box."
                if leaves
                else "in which there is nothing to see. Give it at least one simple space."
            )
        )
    return leaves


def _leaves(space: Any, name: str, path: tuple[Key, ...], wide: bool) -> tuple[Leaf, ...]:
    kind = kind_of(space)
    if kind == "Dict":
        parts = list(space.spaces.items())
    elif kind == "Tuple":
        parts = list(enumerate(space.spaces))
    elif kind in _SIMPLE:
        return (_leaf(space, kind, path, wide),)
    elif room := _text_room(space):
        return (Leaf(path, TEXT, "|u1", (room,)),)
    else:
        raise UnknownSpaceError(
            f"{name} is observed in a {kind} space ({space!r}); a task's observations have one "
            "shape: Box, Discrete, MultiDiscrete, MultiBinary and Text, or a Tuple or Dict of "
            "these. Wrap it (gymnasium.wrappers.TransformObservation) so that it is one of them."
        )
    return tuple(leaf for key, part in parts for leaf in _leaves(part, name, (*path, key), wide))


def _text_room(space: Any) -> int:
    """Bytes that the texts of a space take; 0 where it is no space of texts.

    MiniGrid's missions, for one, are texts in a space of its own that does not say how long they
    are: then twice the longest of some samples, drawn from a copy, which moves no chance of the
    environment's.
    """
    if kind_of(space) == TEXT:
        plain = all(ord(letter) < 128 for letter in space.characters)
        return int(space.max_length) * (1 if plain else 4)
    try:
        apart = copy.deepcopy(space)
        apart.seed(0)
        texts = [apart.sample() for _ in range(_SAMPLES)]
    except Exception:  # whatever a stranger's space does, it is none that we know
        return 0
    if not all(isinstance(text, str) for text in texts):
        return 0
    return 2 * max(len(text.encode()) for text in texts)


def _leaf(space: Any, kind: str, path: tuple[Key, ...], wide: bool) -> Leaf:
    number = "<i8" if wide and space.dtype.itemsize >= 4 else "<i4"
    if kind == "Discrete":
        return Leaf(path, kind, number, (), (int(space.n),), (int(space.start),))
    if kind == "MultiDiscrete":
        counts = tuple(np.ravel(space.nvec).tolist())
        start = np.ravel(getattr(space, "start", np.zeros(len(counts), int)))
        return Leaf(path, kind, number, tuple(space.shape), counts, tuple(start.tolist()))
    if kind == "MultiBinary":
        return Leaf(path, kind, "|i1", tuple(space.shape))
    small = space.dtype.itemsize == 1
    whole = np.issubdtype(space.dtype, np.integer)
    dtype = space.dtype.str if small else number if whole else "<f4"
    return Leaf(path, kind, dtype, tuple(space.shape))


def action_form(space: Any, name: str) -> ActionForm:
    """How a task's actions become the environment's. Raises `UnknownSpaceError`."""
    kind = kind_of(space)
    if kind == "Discrete":
        if space.n > _MOST:
            raise UnknownSpaceError(
                f"{name} takes one of {space.n:,} numbered actions, and a planner looks at each: "
                f"at most {_MOST:,}. Wrap it so that fewer are offered, or make it a Box."
            )
        return ActionForm(space.dtype.str, count=int(space.n), start=int(space.start))
    if kind != "Box":
        raise UnknownSpaceError(
            f"{name} takes actions of a {kind} space ({space!r}); planners take Discrete or Box. "
            "Wrap it (gymnasium.wrappers.TransformAction) so that it takes one of them."
        )
    low, high = space.low.astype(float), space.high.astype(float)
    endless = _EXACT if space.dtype.kind in "iu" else float(np.finfo(np.float32).max)
    if not (np.abs(low) < endless).all() or not (np.abs(high) < endless).all():
        raise UnknownSpaceError(
            f"{name} takes actions without bounds ({space!r}), and planners draw between bounds. "
            "Wrap it in gymnasium.wrappers.RescaleAction or TransformAction with finite ones."
        )
    spread = np.ptp(low) > 0 or np.ptp(high) > 0
    bounds = tuple(low.ravel().tolist()), tuple(high.ravel().tolist())
    return ActionForm(space.dtype.str, 0, 0, tuple(space.shape), *bounds, bool(spread))


def entries_of(
    infos: list[Any], wanted: tuple[str, ...] | None, wide: bool = False
) -> tuple[Entry, ...]:
    """The entries of `info` that are numbers of one shape wherever they occur, the `wanted` or all.

    At most 64 numbers each, of 16 entries. Whole numbers are of 32 bits, or (`wide`) of 64.
    """
    found: dict[str, Entry | None] = {}
    for info in infos:
        for name, value in info.items():
            entry = _entry(name, value, wide) if isinstance(name, str) else None
            same = found.get(name, entry)
            found[name] = entry if entry == same else None
    kept = [entry for entry in found.values() if entry is not None]
    if wanted is not None:
        kept = [entry for entry in kept if entry.name in wanted]
        missing = sorted(set(wanted) - {entry.name for entry in kept})
        if missing:
            raise ForeignWorldError(
                f"`info` has no numbers of one shape by the names {missing}, that fit in "
                f"{64 if wide else 32} bits wherever they occur; it has {sorted(map(str, found))}."
            )
    return tuple(kept[:16])


def _entry(name: str, value: Any, wide: bool) -> Entry | None:
    if not isinstance(value, bool | int | float | np.number | np.bool_ | np.ndarray):
        return None
    array = np.asarray(value)
    if array.dtype.kind not in "bifu" or array.size > 64:
        return None
    dtype = {"b": "|b1", "f": "<f4"}.get(array.dtype.kind, "<i8" if wide else "<i4")
    if dtype[1] == "i" and array.size and not fits(array, dtype):
        return None
    return Entry(name, dtype, array.shape)


def fits(numbers: np.ndarray, dtype: Any) -> bool:
    """Whether whole numbers are all there among those of a type."""
    bounds = np.iinfo(dtype)
    return bounds.min <= int(numbers.min()) and int(numbers.max()) <= bounds.max
