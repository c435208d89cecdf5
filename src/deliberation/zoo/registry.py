"""The entries of the zoo by name, found without importing any of them."""

import functools
from pathlib import Path
from types import ModuleType
from typing import Any

from ..core.catalogue import catalogue, module_of

KINDS = ("direct", "amortised", "hybrid")


@functools.cache
def list_zoo() -> dict[str, dict[str, Any]]:
    """Every entry by name, direct ones first, without importing any."""
    found = catalogue(Path(__file__).parent, "ZOO")
    order = sorted(found.items(), key=lambda e: (KINDS.index(e[1]["kind"]), e[1]["name"]))
    return {entry["name"]: {**entry, "module": f"{__package__}.{file}"} for file, entry in order}


def entry(name: str) -> ModuleType:
    """One entry's module. Raises `UnknownNameError` with the nearest name."""
    return module_of("entry of the zoo", name, list_zoo())
