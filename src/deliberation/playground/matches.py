"""Two systems against each other."""

from starlette.routing import BaseRoute


def routes() -> list[BaseRoute]:
    """What this part answers."""
    return []
