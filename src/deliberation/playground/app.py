"""The application: the page, and what its parts ask for."""

import contextlib
from collections.abc import AsyncIterator
from importlib import resources

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..tasks import list_tasks
from . import board, matches, runs, thinking
from .doors import Doors, refusal, refused
from .hall import Hall
from .settings import Settings

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def make_app(settings: Settings | None = None) -> Starlette:
    """The playground as an ASGI application."""
    settings = Settings() if settings is None else settings
    list_tasks()  # Kept from here on: Python's parser does not serve several threads at once.
    hall = Hall(settings)

    @contextlib.asynccontextmanager
    async def open_hall(app: Starlette) -> AsyncIterator[None]:
        yield
        hall.close()

    parts: list[BaseRoute] = [
        *board.routes(),
        *thinking.routes(),
        *matches.routes(),
        *runs.routes(),
    ]
    app = Starlette(
        routes=[*parts, *_files()],
        middleware=[Middleware(Doors, settings=settings)],
        exception_handlers={HTTPException: _plain_refusal, Exception: _unforeseen},
        lifespan=open_hall,
    )
    app.state.hall = hall
    return app


def _files() -> list[BaseRoute]:
    """The page's own files: those that are there when the server starts, and no others."""
    folder = resources.files(__package__ or "") / "static"
    found: list[BaseRoute] = []
    for file in folder.iterdir():
        kind = KINDS.get(file.name[file.name.rfind(".") :])
        if kind is not None:
            path = "/" if file.name == "index.html" else f"/static/{file.name}"
            found.append(Route(path, _file(file, kind), methods=["GET"]))
    return found


def _file(file, kind: str):  # type: ignore[no-untyped-def]
    async def answer(request: Request) -> Response:
        return Response(file.read_bytes(), media_type=kind)

    return answer


async def _plain_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = {404: "There is nothing here.", 405: "Ask by GET or POST."}
    return refusal(told.get(error.status_code, str(error.detail)), error.status_code)


async def _unforeseen(request: Request, error: Exception) -> Response:
    return refusal(*refused(error))
