"""Connections, so that those which ask for nothing do not keep others out."""

import asyncio

import h11
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .doors import CARRIED

MOST = 512
"""Connections at a time; whoever asks beyond is told so."""
PATIENCE = 10.0
"""Seconds in which a request has to begin and its headers to come."""
_FULL = "Too many connections are open: ask again in a while."


async def full(scope: Scope, receive: Receive, send: Send) -> None:
    """What is answered to everything where there are too many connections."""
    headers = {**CARRIED, "connection": "close"}
    await JSONResponse({"error": _FULL}, 503, headers)(scope, receive, send)


class Patient(H11Protocol):
    """HTTP as uvicorn speaks it, for so many at a time, and for so long with those who say nothing.

    Where there is no more room, who has been silent longest makes it.
    """

    silent: asyncio.TimerHandle | None = None
    """Closes the connection unless a request begins before; None while one is answered."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > MOST:
            self._make_room()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes; it may be a part of a request's headers still."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._wait()
        else:
            self._wait_no_more()

    def handle_events(self) -> None:
        """Answer what has come, or refuse it where there are too many."""
        self.app = full if len(self.connections) > MOST else self.config.loaded_app
        super().handle_events()

    def _wait(self) -> None:
        if self.silent is None:  # not anew with every byte
            self.silent = self.loop.call_later(PATIENCE, self._drop)

    def _wait_no_more(self) -> None:
        if self.silent is not None:
            self.silent.cancel()
            self.silent = None

    def _drop(self) -> None:
        self._wait_no_more()
        self.connections.discard(self)
        self.transport.abort()

    def _make_room(self) -> None:
        waiting = {
            one.silent.when(): one
            for one in self.connections
            if isinstance(one, Patient) and one.silent is not None
        }
        if waiting:
            waiting[min(waiting)]._drop()
