"""Packages that only some runs need: imported once they are asked for."""

from importlib import import_module
from typing import Any

from ..core.errors import BackendError


def required(module: str, extra: str, what: str) -> Any:
    """A module that `what` needs. Raises `BackendError`, which says how to install it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise BackendError(
            f"{what} needs a package that is not installed ({error}): "
            f'pip install "deliberation[{extra}]"'
        ) from error
