"""What goes into an environment and comes out of it, as arrays of fixed shapes.

Observations become a list of arrays, one for each simple space inside (`Leaf`); actions are made
what the environment's own space holds. Everything here is plain data, which a worker is told.
"""

from typing import Any

import msgspec
import numpy as np

from ...core.errors import ForeignWorldError, UnknownSpaceError

Key = str | int
_SIMPLE = ("Box", "Discrete", "MultiDiscrete", "MultiBinary")


class Leaf(msgspec.Struct, frozen=True):
    """One simple space within a space of observations: where it is, and the array that it fills.

    `counts` are the numbers of values where they are numbered, beginning with `start`.
    """

    path: tuple[Key, ...]
    kind: str
    dtype: str
    shape: tuple[int, ...]
    counts: tuple[int, ...] = ()
    start: tuple[int, ...] = ()


class ActionForm(msgspec.Struct, frozen=True):
    """Numbered actions (`count` of them from `start`), or arrays of a `shape` from `low` to `high`.

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

    def to_env(self, actions: np.ndarray) -> list[Any]:
        """A batch of a task's actions as the environment takes them."""
        if self.count:
            return list((np.clip(actions, 0, self.count - 1) + self.start).astype(self.dtype))
        low, high = (np.array(x).reshape(self.shape) for x in (self.low, self.high))
        if self.spread:
            actions = low + (actions.astype(float) + 1) * (high - low) / 2
        # A bound may lie beyond itself in 32 bits, so it is kept once more in the space's own type.
        kept = (x.astype(self.dtype) for x in (low, high))
        return list(np.clip(actions.astype(self.dtype), *kept))


class Entry(msgspec.Struct, frozen=True):
    """A number or an array of numbers in `info`, 0 where it is missing."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Form(msgspec.Struct, frozen=True):
    """Everything about the arrays that a step takes and gives; `memory` bytes keep a state.

    `wrapped`: the observation is in a structure, and not one array alone. `end_at_cut`: nothing
    comes after a truncation, because the environment resets itself or fails there.
    """

    leaves: tuple[Leaf, ...]
    action: ActionForm
    info: tuple[Entry, ...] = ()
    memory: int = 0
    history: int = 0
    wrapped: bool = False
    end_at_cut: bool = False

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


def leaves_of(space: Any, name: str, path: tuple[Key, ...] = ()) -> tuple[Leaf, ...]:
    """The simple spaces in a space of observations. Raises `UnknownSpaceError`."""
    kind = kind_of(space)
    if kind == "Dict":
        parts = list(space.spaces.items())
    elif kind == "Tuple":
        parts = list(enumerate(space.spaces))
    elif kind in _SIMPLE:
        return (_leaf(space, kind, path),)
    else:
        raise UnknownSpaceError(
            f"{name} is observed in a {kind} space ({space!r}); a task's observations have one "
            "shape: Box, Discrete, MultiDiscrete and MultiBinary, or a Tuple or Dict of these. Wrap"
            " it (gymnasium.wrappers.TransformObservation) so that it is one of them."
        )
    return tuple(leaf for key, part in parts for leaf in leaves_of(part, name, (*path, key)))


def _leaf(space: Any, kind: str, path: tuple[Key, ...]) -> Leaf:
    if kind == "Discrete":
        return Leaf(path, kind, "<i4", (), (int(space.n),), (int(space.start),))
    if kind == "MultiDiscrete":
        counts = tuple(np.ravel(space.nvec).tolist())
        start = np.ravel(getattr(space, "start", np.zeros(len(counts), int)))
        return Leaf(path, kind, "<i4", tuple(space.shape), counts, tuple(start.tolist()))
    if kind == "MultiBinary":
        return Leaf(path, kind, "|i1", tuple(space.shape))
    small = space.dtype.itemsize == 1
    whole = np.issubdtype(space.dtype, np.integer)
    dtype = space.dtype.str if small else "<i4" if whole else "<f4"
    return Leaf(path, kind, dtype, tuple(space.shape))


def action_form(space: Any, name: str) -> ActionForm:
    """How a task's actions become the environment's. Raises `UnknownSpaceError`."""
    kind = kind_of(space)
    if kind == "Discrete":
        return ActionForm(space.dtype.str, count=int(space.n), start=int(space.start))
    if kind != "Box":
        raise UnknownSpaceError(
            f"{name} takes actions of a {kind} space ({space!r}); planners take Discrete or Box. "
            "Wrap it (gymnasium.wrappers.TransformAction) so that it takes one of them."
        )
    low, high = space.low.astype(float), space.high.astype(float)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise UnknownSpaceError(
            f"{name} takes actions without bounds ({space!r}), and planners draw between bounds. "
            "Wrap it in gymnasium.wrappers.RescaleAction or TransformAction with finite ones."
        )
    spread = np.ptp(low) > 0 or np.ptp(high) > 0
    bounds = tuple(low.ravel().tolist()), tuple(high.ravel().tolist())
    return ActionForm(space.dtype.str, 0, 0, tuple(space.shape), *bounds, bool(spread))


def write_observation(
    leaves: tuple[Leaf, ...], rows: list[np.ndarray], row: int, seen: Any, name: str
) -> None:
    """Copy one observation into its row; `rows` holds an array for each leaf."""
    for leaf, out in zip(leaves, rows, strict=True):
        part = seen
        try:
            for key in leaf.path:
                part = part[key]
            if type(part) is not np.ndarray:
                # A number is one where it can be put into a place for one; else look closer.
                part = part if type(part) in (int, np.int64) else np.asarray(part)
            if (part.shape if type(part) is np.ndarray else ()) != leaf.shape:
                raise ValueError(f"its shape is {np.shape(part)}")
            out[row] = part
        except (TypeError, ValueError, KeyError, IndexError) as error:
            where = "".join(f"[{key!r}]" for key in leaf.path)
            raise ForeignWorldError(
                f"{name} gave an observation{where} that is not in its space, a {leaf.kind} of "
                f"shape {leaf.shape}: {error}. Mend its observation_space or what it returns "
                "(gymnasium.utils.env_checker.check_env shows more)."
            ) from None


def write_info(entries: tuple[Entry, ...], rows: list[np.ndarray], row: int, info: Any) -> None:
    """Copy what `info` has of the entries; what it lacks, or has in another form, stays 0."""
    for entry, out in zip(entries, rows, strict=True):
        value = info.get(entry.name)
        single = type(value) is float and not entry.shape
        if single or (value is not None and np.shape(value) == entry.shape):
            out[row] = value


def entries_of(infos: list[dict[str, Any]], wanted: tuple[str, ...] | None) -> tuple[Entry, ...]:
    """The entries of `info` that are numbers of one shape wherever they occur, the `wanted` or all.

    At most 64 numbers each, of 16 entries.
    """
    found: dict[str, Entry | None] = {}
    for info in infos:
        for name, value in info.items():
            entry = _entry(name, value) if isinstance(name, str) else None
            same = found.get(name, entry)
            found[name] = entry if entry == same else None
    kept = [entry for entry in found.values() if entry is not None]
    if wanted is not None:
        kept = [entry for entry in kept if entry.name in wanted]
        missing = sorted(set(wanted) - {entry.name for entry in kept})
        if missing:
            raise ForeignWorldError(
                f"`info` has no numbers of one shape by the names {missing}; it has "
                f"{sorted(map(str, found))}."
            )
    return tuple(kept[:16])


def _entry(name: str, value: Any) -> Entry | None:
    if not isinstance(value, bool | int | float | np.number | np.bool_ | np.ndarray):
        return None
    array = np.asarray(value)
    if array.dtype.kind not in "bifu" or array.size > 64:
        return None
    dtype = {"b": "|b1", "f": "<f4"}.get(array.dtype.kind, "<i4")
    return Entry(name, dtype, array.shape)
