"""The folder of runs, as the page shows it."""

from starlette.routing import BaseRoute


def routes() -> list[BaseRoute]:
    """What this part answers."""
    return []
