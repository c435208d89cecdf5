"""Running the playground: the server, the browser that is opened on it, and what is got ready."""

import contextlib
import os
import socket
import sys
import threading
import webbrowser

import click
import uvicorn

from ..core.errors import DeliberationError, StorageError
from .app import make_app
from .connections import Patient
from .exact import exact
from .hall import Hall
from .searching import SMALL, Growing, most_simulations
from .settings import RefusedError, Settings
from .thinking import Asked, said_by
from .worlds import FIRST, OPENING, Spot, board_form, described, first_of, play

_NOTE = "Getting ready: compiling, which takes longest at the first start"


def serve(settings: Settings, *, open_page: bool = True) -> None:
    """Listen until interrupted. Raises `StorageError` where the port is taken."""
    check_free(settings)
    app = make_app(settings)
    click.echo(f"The playground is at {settings.address}  (Ctrl-C ends it)")
    if open_page:
        threading.Timer(0.7, webbrowser.open, (settings.address,)).start()
    app.state.hall.notes["warm"] = _NOTE
    threading.Thread(target=warm, args=(app.state.hall,), daemon=True).start()
    # A click waits no longer than this for a thread that is computing.
    sys.setswitchinterval(0.001)
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, log_level="warning",
        timeout_graceful_shutdown=1, h11_max_incomplete_event_size=32768, server_header=False,
        proxy_headers=False, http=Patient,
    )  # fmt: skip
    with contextlib.suppress(KeyboardInterrupt):  # It is how it is meant to end.
        _Server(config, app.state.hall).run()
    sys.stdout.flush()
    sys.stderr.flush()
    # What compiles or trains in some thread cannot be stopped, and nobody waits for it any more.
    os._exit(0)


class _Server(uvicorn.Server):
    """The server, which at its end tells whoever waits that it ends."""

    def __init__(self, config: uvicorn.Config, hall: Hall):
        super().__init__(config)
        self._hall = hall

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more work, then end as servers do."""
        self._hall.close()
        await super().shutdown(sockets)


def check_free(settings: Settings) -> None:
    """Refuse a place where another program listens, or that is not this machine's."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise StorageError(
                f"{settings.host}:{settings.port} cannot be listened at ({error}): choose another "
                "by --port or --host."
            ) from error


def warm(hall: Hall) -> None:
    """Compile what the first visitor would wait for; meanwhile the page says so."""
    name = first_of(hall.settings)
    usual = name == FIRST
    spot = Spot(name, moves=OPENING if usual else ())
    try:
        game = play(spot)
        for fields in ({"first": "1"}, {"moves": "3"}, {}) if usual else ({"task": name},):
            hall.warmed(board_form(fields), described, game, spot)
        for budget in (SMALL, most_simulations(game.task)):
            growing = Growing(game.task, game.objective, game.state, budget, spot.seed)
            hall.warmed((growing.form, "begin"), growing.begin)
            hall.warmed((growing.form, "grow"), growing.grow, 1)
            hall.warmed((growing.form, "told"), growing.told)
            hall.warmed((growing.form, "at once"), growing.told)
        if not usual:
            return  # a network has to be trained, and exact values may take long: who asks waits
        habit = hall.habits.of(FIRST)
        if habit.policy is not None:
            hall.warmed(("habit", FIRST), said_by, habit, Asked(spot, game, 1))
        exact(spot, game.state)
    except (DeliberationError, RefusedError):
        return  # The page says so itself, to whoever asks.
    finally:
        hall.notes.pop("warm", None)
