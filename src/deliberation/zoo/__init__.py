"""The zoo: every named kind of decision system, on tasks it is meant for; one file each.

A module here declares a literal `ZOO = {"name", "title", "kind", "items", "tasks", "source"}`, so
that it can be listed without being imported, and a function `build(task, effort, key)`, which
makes (trains, where there is something to learn) the decider and says which parts it has; see
`Made`. Modules with an underscore are what the entries share.
"""

import functools
import importlib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..core.errors import UnknownNameError
from ..core.lazy import attach, catalogue

if TYPE_CHECKING:
    from ._entry import Made
    from ._plan import plan
    from ._results import Placed, analyse

KINDS = ("direct", "amortised", "hybrid")


@functools.cache
def list_zoo() -> dict[str, dict[str, Any]]:
    """Every entry by name, direct ones first, without importing any."""
    found = catalogue(Path(__file__).parent, "ZOO")
    order = sorted(found.items(), key=lambda e: (KINDS.index(e[1]["kind"]), e[1]["name"]))
    return {entry["name"]: {**entry, "module": f"{__name__}.{file}"} for file, entry in order}


def entry(name: str) -> ModuleType:
    """One entry's module. Raises `UnknownNameError` with the nearest name."""
    known = list_zoo()
    if name not in known:
        raise UnknownNameError("entry of the zoo", name, known)
    return importlib.import_module(known[name]["module"])


_HOMES = {"Made": "_entry", "Placed": "_results", "analyse": "_results", "plan": "_plan"}

__getattr__, _lazy = attach(__name__, {k: f"{__name__}.{v}" for k, v in _HOMES.items()})
__all__ = ["KINDS", "Made", "Placed", "analyse", "entry", "list_zoo", "plan"]
