"""What requests say, read with care: fields, numbers within bounds, and answers as they come.

Routes are `answering(function)`: a function of the fields and of the playground that gives what is
written as JSON. Streams are `streaming(generator)`: what it yields goes out as Server-Sent Events,
until the page closes it.
"""

import asyncio
import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from .doors import MOST_BODY, as_json, refusal, refused
from .limits import DIGITS
from .settings import RefusedError

T = TypeVar("T")
BODY_SECONDS = 10.0
"""Within which the whole of a body has to come."""
Fields = dict[str, str]
Event = tuple[str, Any]
"""Its name and what is written as JSON."""


async def fields_of(request: Request) -> Fields:
    """The fields of a request: of its address, and of its JSON body. Raises `RefusedError`."""
    found = dict(request.query_params)
    if request.method == "POST":
        try:
            async with asyncio.timeout(BODY_SECONDS):
                found.update(as_json(await _body(request)))
        except TimeoutError:
            raise RefusedError("What was to be sent did not come in time.", 408) from None
    return found


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BODY:
            raise RefusedError(f"What was sent is larger than {MOST_BODY:,} bytes.", 413)
    return body


def number(fields: Fields, name: str, usual: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`. Raises `RefusedError` with the number."""
    text = fields.get(name, str(usual))
    plain = text.isascii() and text.removeprefix("-").isdecimal() and len(text) <= DIGITS
    if not plain or not low <= int(text) <= high:
        raise RefusedError(
            f"{name} is {text[:40]!r}: give a whole number from {low:,} to {high:,}."
        )
    return int(text)


def real(name: str, text: str, low: float, high: float) -> float:
    """A number from `low` to `high`. Raises `RefusedError`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise RefusedError(f"{name} is {text[:40]!r}: give a number from {low:g} to {high:g}.")
    return value


def answering(
    told: Callable[[Any, Fields], Awaitable[Any]],
) -> Callable[[Request], Awaitable[Response]]:
    """A route that answers by JSON, and every error by a sentence."""

    async def route(request: Request) -> Response:
        try:
            work = told(request.app.state.hall, await fields_of(request))
            return Json(await while_there(request, work))
        except ClientDisconnect:
            return refusal("Gone.", 499)
        except Exception as error:
            return refusal(*refused(error))

    return route


def streaming(
    told: Callable[[Any, Fields], AsyncIterator[Event]],
) -> Callable[[Request], Awaitable[Response]]:
    """A route that streams events: what is refused before the first one is answered as JSON.

    Who goes away cancels the generator: what it does in slices ends with the present one.
    """

    async def route(request: Request) -> Response:
        if request.method == "HEAD":
            return refusal("A stream is asked for by GET.", 405)
        try:
            events = told(request.app.state.hall, await fields_of(request))
            first = await while_there(request, anext(events, None))
        except ClientDisconnect:
            return refusal("Gone.", 499)
        except Exception as error:
            return refusal(*refused(error))

        async def sent() -> AsyncIterator[bytes]:
            try:
                if first is not None:
                    yield written(*first)
                async for event in events:
                    yield written(*event)
            except Exception as error:
                sentence, status = refused(error)
                yield written("refused", {"error": sentence, "status": status})
            finally:
                await events.aclose()  # type: ignore[attr-defined]

        return StreamingResponse(sent(), media_type="text/event-stream")

    return route


async def while_there(request: Request, work: Awaitable[T]) -> T:
    """What is worked out, unless whoever asked goes away meanwhile. Raises `ClientDisconnect`."""

    async def worked() -> T:
        return await work

    working, gone = asyncio.create_task(worked()), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if not working.done() and gone.result():
            raise ClientDisconnect
        return await working
    finally:
        working.cancel()
        gone.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _gone(request: Request) -> bool:
    """Waits until who asked goes away; False where that cannot be told."""
    for _ in range(2):  # What was not read of a body may come first.
        if (await request.receive())["type"] == "http.disconnect":
            return True
    return False


async def merged(*sources: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
    """The events of several generators as they come; with this one, those end too."""
    events: asyncio.Queue[Event | BaseException | None] = asyncio.Queue(8)

    async def drain(source: AsyncIterator[Event]) -> None:
        try:
            async for event in source:
                await events.put(event)
        except Exception as error:
            await events.put(error)
        else:
            await events.put(None)

    working = [asyncio.create_task(drain(source)) for source in sources]
    try:
        left = len(working)
        while left:
            event = await events.get()
            if isinstance(event, BaseException):
                raise event
            if event is None:
                left -= 1
            else:
                yield event
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)


def written(name: str, content: Any) -> bytes:
    """One event of a stream."""
    return f"event: {name}\ndata: {as_text(content)}\n\n".encode()


def as_text(content: Any) -> str:
    """Anything as JSON; what is not finite is null."""
    return json.dumps(_plain(content), separators=(",", ":"), allow_nan=False)


class Json(JSONResponse):
    """A JSON answer in which what is not finite is null."""

    def render(self, content: Any) -> bytes:
        """As bytes."""
        return as_text(content).encode()


def _plain(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(name): _plain(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if hasattr(content, "tolist"):
        return _plain(content.tolist())
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    return content
