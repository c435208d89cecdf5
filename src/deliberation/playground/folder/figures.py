"""A claim's figure as data, and which records each of its points rests on.

That is found out, not declared: the claim is worked out again with the numbers of one record moved
a little, for each record that it read. A point that moves rests on that record.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from ...claims.measuring.prices import Prices
from ...claims.measuring.results import Results
from ...core.errors import DeliberationError, OutputFolderError, UnknownNameError
from ...runs import Panel, Record, read_column
from ...runs.stores import place_of
from .shelf import Shelf, Shelved

NUDGE, MOVED = 1e-3, 1e-7
"""So much, of itself, is a number moved; and so much has a point to move, of itself, by that."""
SECONDS = 20.0
"""So long it is tried; what was not tried by then may lie behind any point."""
Spot = tuple[int, int, int]
"""A point of a figure: the number of its panel, of the series in that, and of the point."""


class World(NamedTuple):
    """A claim asked of one task, or of a world of its own: how to work it out from records."""

    name: str
    panels: Callable[[Mapping[str, Record]], list[Panel]]


class Behind(NamedTuple):
    """What a point rests on: records by cell, and whether others were seen not to lie behind it."""

    cells: tuple[str, ...]
    exact: bool


class Watched(Mapping[str, Record]):
    """Records that note which of them are read; one of them may hold other numbers."""

    def __init__(self, records: Mapping[str, Record], moved: Mapping[str, Record] | None = None):
        self.records, self.moved = records, moved or {}
        self.read: dict[str, None] = {}

    def __getitem__(self, cell: str) -> Record:
        record = self.records[cell]
        self.read[cell] = None
        return self.moved.get(cell, record)

    def __iter__(self) -> Iterator[str]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __contains__(self, cell: object) -> bool:
        return cell in self.records


def worlds_of(shelf: Shelf, run: Shelved, claim: str) -> list[World]:
    """Where a table's claim is asked. Raises `UnknownNameError` and `OutputFolderError`."""
    from ... import claims
    from ...claims.measuring.effort import effort_of

    manifest = shelf.manifest(run)
    asked = manifest.get("claims", [])
    if claim not in asked:
        raise UnknownNameError("claim of this run", claim[:80], asked)
    tasks = manifest.get("tasks", [])
    if not all(shelf.known(task) for task in tasks):
        raise OutputFolderError(_OWN.format(", ".join(tasks)))
    if place_of(run.path):
        raise OutputFolderError(AWAY)
    module, level = claims.claim(claim), effort_of(manifest["effort"])

    def panels(world: str) -> Callable[[Mapping[str, Record]], list[Panel]]:
        def worked_out(records: Mapping[str, Record]) -> list[Panel]:
            results = Results(records, run.path, Prices.read(manifest))
            return list(module.analyse(world, level, results).panels)

        return worked_out

    return [World(name, panels(name)) for name in claims.worlds(module, tasks, level)]


_OWN = (
    "This run is of {}, a task of somebody's own, which is not imported here: start the playground "
    "with that task named, or see `deliberate report`."
)
AWAY = "The files of this run are kept at an address elsewhere: they are not fetched from here."


def figure(records: Mapping[str, Record], worlds: Sequence[World]) -> list[tuple[str, Panel]]:
    """The panels of a claim with the world that each is of; none where cells are missing."""
    found = []
    for world in worlds:
        try:
            found += [(world.name, panel) for panel in world.panels(records)]
        except Exception:  # as in the report: one that cannot be worked out has no picture
            continue
    return found


def behind(
    records: Mapping[str, Record],
    worlds: Sequence[World],
    moved: Callable[[Record], list[Record]],
    seconds: float = SECONDS,
) -> dict[Spot, Behind]:
    """For each point of a claim's figure, the records that it rests on."""
    found: dict[Spot, Behind] = {}
    first, end = 0, time.monotonic() + seconds
    for world in worlds:
        seen = Watched(records)
        try:
            panels = world.panels(seen)
        except Exception:
            continue
        moving, told = _moving(panels, world, records, tuple(seen.read), moved, end)
        for (panel, series, point), cells in moving.items():
            exact = bool(cells) and told
            rest = tuple(cells) if cells else tuple(seen.read)
            found[first + panel, series, point] = Behind(rest, exact)
        first += len(panels)
    return found


def _moving(
    panels: list[Panel], world: World, records: Mapping[str, Record], read: tuple[str, ...],
    moved: Callable[[Record], list[Record]], end: float,
) -> tuple[dict[Spot, list[str]], bool]:  # fmt: skip
    """By point, the cells whose numbers move it; and whether all that were read were tried."""
    before, whole = _spots(panels), True
    found: dict[Spot, list[str]] = {spot: [] for spot in before}
    for cell in read:
        if time.monotonic() > end:
            return found, False
        tried = False
        for other in moved(records[cell]):
            try:
                after = _spots(world.panels(Watched(records, {cell: other})))
            except Exception:  # numbers that cannot be: another way of moving may do
                continue
            if after.keys() == before.keys():
                tried = True
                hit = [spot for spot in before if not _same(before[spot], after[spot])]
                for spot in hit:
                    found[spot].append(cell)
                if hit:
                    break
        whole = whole and tried
    return found, whole


def _spots(panels: list[Panel]) -> dict[Spot, tuple[float, float]]:
    """Where each point of some panels is."""
    return {
        (i, j, k): (x, y)
        for i, panel in enumerate(panels)
        for j, series in enumerate(panel.series)
        for k, (x, y) in enumerate(zip(series.x, series.y, strict=True))
    }


def _same(before: tuple[float, float], after: tuple[float, float]) -> bool:
    """Whether a point has stayed where it was, but for the rounding of what is summed."""
    return bool(np.allclose(before, after, rtol=MOVED, atol=1e-12, equal_nan=True))


def mover(run: Shelved) -> Callable[[Record], list[Record]]:
    """What moves a record's numbers: all that are no counts; and, if that shows nothing, counts."""

    def moved(record: Record) -> list[Record]:
        arrays = {}
        for name in record.columns:
            arrays[name] = read_column(run.path, record, name).values
        return [_with(record, arrays, counts) for counts in (False, True)]

    return moved


def _with(record: Record, arrays: Mapping[str, np.ndarray], counts: bool) -> Record:
    """The record with its numbers moved; its arrays stand among its outcomes, where they serve."""
    columns = {name: _array(values, counts) for name, values in arrays.items()}
    return msgspec.structs.replace(
        record,
        outcomes={**_value(record.outcomes, counts), **columns},
        spent=_value(record.spent, counts),
        columns={},
    )


def _array(values: np.ndarray, counts: bool) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.where(values == 0, NUDGE, values * (1 - NUDGE)).astype(values.dtype)
    if values.dtype.kind in "biu" and counts and values.ndim:
        return np.roll(values, 1, axis=-1)  # still what such an array may hold
    return values


def _value(value: Any, counts: bool) -> Any:
    if isinstance(value, dict):
        return {key: _value(x, counts) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [_value(x, counts) for x in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int):
        return value + 1 if counts else value
    return value * (1 - NUDGE) if value else NUDGE


def zoo_figure(records: Mapping[str, Record], cells: Sequence[Any]) -> list[dict[str, Any]]:
    """Where the deciders of a zoo stand and what they cost; each point names its record."""
    from ... import zoo

    there = [cell for cell in cells if cell.id in records]
    spots = []
    for cell in there:
        try:
            spots += [(cell.id, one) for one in zoo.analyse(records, [cell])]
        except DeliberationError:
            continue
    return [
        _panel(
            "Position", "carried by search", "carried by learning", "linear", spots,
            lambda one: (one.search_gain, one.learning_gain),
        ),
        _panel(
            "What a decision costs", "milliseconds a decision", "reached (1: the optimum)",
            "log10", spots, lambda one: (one.milliseconds, one.reached),
        ),
    ]  # fmt: skip


def _panel(
    title: str, x_label: str, y_label: str, x_scale: str, spots: Sequence[tuple[str, Any]],
    at: Callable[[Any], tuple[Any, Any]],
) -> dict[str, Any]:  # fmt: skip
    """A panel of clouds, a kind of decider each."""
    from ...zoo import KINDS

    series = []
    for kind in KINDS:
        points = []
        for cell, one in spots:
            x, y = at(one)
            x = getattr(x, "estimate", x)
            if one.kind == kind and x is not None and np.isfinite(x + y.estimate):
                points.append((x, y, cell, f"{one.title} on {one.task}"))
        if points:
            series.append(
                {
                    "label": kind, "kind": "points",
                    "x": [p[0] for p in points], "y": [p[1].estimate for p in points],
                    "low": [p[1].shown.low for p in points],
                    "high": [p[1].shown.high for p in points],
                    "records": [p[2] for p in points], "names": [p[3] for p in points],
                }
            )  # fmt: skip
    return {
        "title": title, "x_label": x_label, "y_label": y_label, "x_names": [],
        "x_scale": x_scale, "y_scale": "linear", "series": series, "references": [],
    }  # fmt: skip
