"""The entries of the zoo by name, found without importing any of them."""

import functools
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from ..core.catalogue import catalogue
from ..core.errors import UnknownNameError

KINDS = ("direct", "amortised", "hybrid")


@functools.cache
def list_zoo() -> dict[str, dict[str, Any]]:
    """Every entry by name, direct ones first, without importing any."""
    found = catalogue(Path(__file__).parent, "ZOO")
    order = sorted(found.items(), key=lambda e: (KINDS.index(e[1]["kind"]), e[1]["name"]))
    return {entry["name"]: {**entry, "module": f"{__package__}.{file}"} for file, entry in order}


def entry(name: str) -> ModuleType:
    """One entry's module. Raises `UnknownNameError` with the nearest name."""
    known = list_zoo()
    if name not in known:
        raise UnknownNameError("entry of the zoo", name, known)
    return importlib.import_module(known[name]["module"])
