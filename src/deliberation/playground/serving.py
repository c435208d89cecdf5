"""Running the playground: the server, and the browser that is opened on it."""

import socket
import threading
import webbrowser

import click
import uvicorn

from ..core.errors import StorageError
from .app import make_app
from .settings import Settings


def serve(settings: Settings, *, open_page: bool = True) -> None:
    """Listen until interrupted. Raises `StorageError` where the port is taken."""
    check_free(settings)
    click.echo(f"The playground is at {settings.address}  (Ctrl-C ends it)")
    if open_page:
        threading.Timer(0.7, webbrowser.open, (settings.address,)).start()
    config = uvicorn.Config(
        make_app(settings, ready=True), host=settings.host, port=settings.port, log_level="warning",
        timeout_graceful_shutdown=1, h11_max_incomplete_event_size=32768, server_header=False,
    )  # fmt: skip
    uvicorn.Server(config).run()


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
