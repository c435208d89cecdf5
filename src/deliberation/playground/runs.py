"""The folder of runs, as the page shows it: live while they run, each point led to its record."""

import asyncio
import base64
import functools
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..core.errors import DeliberationError, UnknownNameError
from .asking import Event, Fields, answering, number, real, streaming
from .doors import refusal, refused
from .folder.compared import compared
from .folder.figures import Behind, Spot, behind, figure, mover, worlds_of, zoo_figure
from .folder.records import brief, told
from .folder.shelf import AUDIT_PAGE, Shelf, Shelved, shelf_at, stamp, state
from .folder.sights import ORDERS, beneath, positions
from .folder.tables import answer_record, content, panel_json
from .hall import Hall
from .kept import Kept
from .settings import RefusedError, readable

T = TypeVar("T")
LOOK, ALIVE = 1.0, 10.0
"""Seconds from one look at the folder to the next, and after which a silent stream says a word."""
_MOST = 500
_LISTS, _TRACED, _FIGURES = Kept(8), Kept(64), Kept(64)


def routes() -> list[BaseRoute]:
    """What this part answers."""
    found: list[BaseRoute] = [
        Route(f"/api/runs{path}", answering(function), methods=["GET"])
        for path, function in (
            ("", listed), ("/one", one), ("/compared", side_by_side), ("/figure", drawn_figure),
            ("/behind", traced), ("/record", record), ("/positions", drawn_positions),
            ("/records", listed_records),
        )
    ]  # fmt: skip
    watching = Route("/api/runs/watch", streaming(watched), methods=["GET"])
    return [*found, watching, Route("/runs/page", page, methods=["GET"])]


def shelf_of(hall: Hall) -> Shelf:
    """The folder that the playground was started with, else the current one."""
    return shelf_at(hall.settings)


async def listed(hall: Hall, fields: Fields) -> dict[str, Any]:
    """All runs with how far they are."""
    del fields
    return await hall.slice(_said, shelf_of(hall), functools.partial(_all, hall))


async def watched(hall: Hall, fields: Fields) -> AsyncIterator[Event]:
    """The list again, whenever anything in the folder has changed."""
    del fields
    shelf, before, silent = shelf_of(hall), None, 0.0
    planning: set[asyncio.Future[Any]] = set()
    while True:
        now = await hall.slice(_said, shelf, functools.partial(_all, hall))
        for name in [run["name"] for run in now["runs"] if shelf.first(run)]:
            # What there is to measure takes seconds to tell: the list comes again when it is known.
            plan = asyncio.ensure_future(hall.slow(_plan, shelf, name))
            plan.add_done_callback(lambda done: done.cancelled() or done.exception())
            planning.add(plan)
        if now != before:
            before, silent = now, 0.0
            yield "runs", now
        elif silent >= ALIVE:
            silent = 0.0
            yield "alive", {}
        await asyncio.sleep(LOOK)
        silent += LOOK


def _plan(shelf: Shelf, name: str) -> None:
    try:
        shelf.planned(shelf.find(name))
    except (DeliberationError, OSError, RecursionError):
        return  # the list says what is wrong with it


def _all(hall: Hall, shelf: Shelf) -> dict[str, Any]:
    """The list; those who look at about the same time are told the same."""
    now = int(time.monotonic() / LOOK)
    return _LISTS.get((shelf.root, now), lambda: _list(hall, shelf))


def _list(hall: Hall, shelf: Shelf) -> dict[str, Any]:
    asked = hall.settings.runs
    return {
        "folder": readable(str(asked)) if asked is not None else "the current folder",
        "runs": [state(shelf, run) for run in shelf.runs()],
    }


async def one(hall: Hall, fields: Fields) -> dict[str, Any]:
    """What a run has found so far: rows with verdicts, answers of probes, or places."""

    def work(shelf: Shelf, run: Shelved) -> dict[str, Any]:
        return {**state(shelf, run), **content(shelf, run)}

    return await _of_run(hall, fields, work, hall.slow)


async def side_by_side(hall: Hall, fields: Fields) -> dict[str, Any]:
    """Two runs of one kind, row by row: what changed."""

    def work(shelf: Shelf, run: Shelved) -> dict[str, Any]:
        return compared(shelf, run, shelf.find(fields.get("with", "")))

    return await _of_run(hall, fields, work, hall.slow)


async def drawn_figure(hall: Hall, fields: Fields) -> dict[str, Any]:
    """A claim's figure, or the zoo's, as data."""

    from ..claims import list_claims

    def work(shelf: Shelf, run: Shelved) -> dict[str, Any]:
        if run.kind == "zoo":
            return {"panels": zoo_figure(shelf.records(run), shelf.planned(run) or [])}
        title = list_claims().get(fields.get("claim", ""), {}).get("title", "")
        panels = [panel_json(p, world=w) for w, p in _figure(shelf, run, fields)]
        return {"title": title, "panels": panels}

    return await _of_run(hall, fields, work, hall.slow)


def _figure(shelf: Shelf, run: Shelved, fields: Fields) -> list[Any]:
    claim = fields.get("claim", "")
    worlds = worlds_of(shelf, run, claim)
    name = (str(run.path), stamp(run), claim)
    return _FIGURES.get(name, lambda: figure(shelf.records(run), worlds))


async def traced(hall: Hall, fields: Fields) -> dict[str, Any]:
    """The records that a point of a claim's figure rests on."""
    spot = _spot(fields.get("point", ""))

    def work(shelf: Shelf, run: Shelved) -> dict[str, Any]:
        records, claim = shelf.records(run), fields.get("claim", "")
        worlds, name = worlds_of(shelf, run, claim), (str(run.path), stamp(run), claim)
        found: dict[Spot, Behind] = _TRACED.get(name, lambda: behind(records, worlds, mover(run)))
        if spot not in found:
            raise RefusedError("There is no such point in this figure (any more).", 404)
        i, j, k = spot
        world, panel = _figure(shelf, run, fields)[i]
        series, here = panel.series[j], found[spot]
        shown = [brief(records[cell]) for cell in here.cells]
        return {
            "records": shown, "exact": here.exact, "world": world, "series": series.label,
            "x": series.x[k], "y": series.y[k], "x_label": panel.x_label,
            "y_label": panel.y_label, "title": panel.title,
            "x_name": panel.x_names[int(series.x[k])] if panel.x_names else "",
        }  # fmt: skip

    return await _of_run(hall, fields, work, hall.slow)


def _spot(text: str) -> Spot:
    parts = text.split(".")
    if len(parts) != 3 or not all(p.isascii() and p.isdigit() and len(p) < 6 for p in parts):
        raise RefusedError(f"{text[:40]!r} names no point: give panel.series.point, as in 0.1.2.")
    i, j, k = map(int, parts)
    return i, j, k


async def record(hall: Hall, fields: Fields) -> dict[str, Any]:
    """A record, readably."""

    def work(shelf: Shelf, run: Shelved) -> dict[str, Any]:
        if run.kind == "audit":
            return answer_record(shelf, run, fields.get("record", ""))
        records, cell = shelf.records(run), fields.get("record", "")
        return told(run, records, cell) | beneath(run, records, cell)

    return await _of_run(hall, fields, work, hall.slice)


async def listed_records(hall: Hall, fields: Fields) -> dict[str, Any]:
    """The records of a run in a line each, the last ones first."""

    def work(shelf: Shelf, run: Shelved) -> dict[str, Any]:
        found = list(shelf.records(run).values())
        return {"of": len(found), "records": [brief(one) for one in found[::-1][:_MOST]]}

    return await _of_run(hall, fields, work, hall.slice)


async def drawn_positions(hall: Hall, fields: Fields) -> dict[str, Any]:
    """Positions behind a record, some at a time."""
    start, order = number(fields, "start", 0, 0, 10_000_000), fields.get("order", ORDERS[0])
    at = real("at", fields["at"], 0.0, 1e12) if fields.get("at") else None
    if order not in ORDERS:
        raise RefusedError(f"order is {order[:40]!r}: give {' or '.join(ORDERS)}.")

    def work(shelf: Shelf, run: Shelved) -> dict[str, Any]:
        cell = fields.get("record", "")
        return positions(shelf, run, shelf.records(run), cell, at, start, order)

    return await _of_run(hall, fields, work, hall.slow)


async def page(request: Request) -> Response:
    """The report that a run's command wrote, as it is: read only, and kept from this page."""
    hall = request.app.state.hall

    def read(shelf: Shelf) -> bytes:
        run = shelf.find(request.query_params.get("run", ""))
        name = AUDIT_PAGE if run.kind == "audit" else "report.html"
        return shelf.file(run, name).read_bytes()

    try:
        text = await hall.slice(_said, shelf_of(hall), read)
    except Exception as error:
        return refusal(*refused(error))
    headers = {"content-security-policy": report_policy()}
    return Response(text, media_type="text/html; charset=utf-8", headers=headers)


@functools.cache
def report_policy() -> str:
    """What a report may do: draw, and run the one script that reports have."""
    from ..report.html import SCRIPT

    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    return (
        f"sandbox allow-scripts; default-src 'none'; script-src 'sha256-{digest}'; "
        "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


async def _of_run(
    hall: Hall, fields: Fields, work: Callable[[Shelf, Shelved], T], queue: Callable[..., Any]
) -> T:
    """Work on the run that is asked for, where it may take its time."""

    def whole(shelf: Shelf) -> T:
        return work(shelf, shelf.find(fields.get("run", "")))

    return await queue(_said, shelf_of(hall), whole)


def _said(shelf: Shelf, work: Callable[[Shelf], T]) -> T:
    """Work, whose refusals are told without where on the disk the folder is."""
    try:
        return work(shelf)
    except UnknownNameError as error:
        raise RefusedError(str(error), 404) from error
    except DeliberationError as error:
        raise RefusedError(shelf.told(error), 422) from error
    except OSError as error:
        raise RefusedError(f"The run cannot be read now: {error.strerror}.", 422) from error
