"""A cell: one piece of work, named by what it computes, so that it is computed once."""

import functools
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from .errors import CellError
from .plain import canonical, plain

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class Cell(msgspec.Struct, frozen=True, dict=True):
    """A function by name ("package.module:function") and its settings (JSON values).

    `needs` are the ids of cells whose outcomes and artefacts it uses. `seconds`, a rough cost, and
    `label` serve scheduling and progress; they are no part of the cell's identity. Neither is the
    version of the code: a later version finds the records of an earlier one by the same ids, and
    can build a report from them. Each record says which code measured it, and `execute` measures
    again what another code did.
    """

    function: str
    settings: dict[str, Any] = {}
    needs: tuple[str, ...] = ()
    seconds: float = 1.0
    label: str = ""

    def __post_init__(self) -> None:
        if not _FUNCTION.fullmatch(self.function):
            raise CellError(
                f"A cell's function reads 'package.module:function'; got {self.function!r}."
            )
        plain(self.settings, f"settings of {self.function}", finite=True)

    @functools.cached_property
    def id(self) -> str:
        """16 hex digits of the sha256 of the canonical JSON of function, settings and needs."""
        settings = plain(self.settings, "settings", finite=True)
        content = {"function": self.function, "settings": settings, "needs": list(self.needs)}
        return hashlib.sha256(canonical(content)).hexdigest()[:16]

    @property
    def name(self) -> str:
        """The label, or failing that the function's name."""
        return self.label or self.function.rpartition(":")[2]


def urgency(cells: Iterable[Cell], done: Iterable[str]) -> dict[str, float]:
    """How long a chain of work waits for each cell that is not done yet, in rough seconds.

    By cell, the most urgent first; the cell's own work is a part of it. A cell's id depends on the
    ids it needs, so cells cannot need each other in a circle. Raises `CellError` where a needed
    cell is neither listed nor done.
    """
    recorded = set(done)
    todo = {cell.id: cell for cell in cells if cell.id not in recorded}
    waiting: dict[str, list[Cell]] = {}
    for cell in todo.values():
        missing = [need for need in cell.needs if need not in todo and need not in recorded]
        if missing:
            raise CellError(
                f"Cell {cell.id} ({cell.name}) needs {', '.join(missing)}, which is neither "
                "among the cells to run nor recorded by this version of the code: pass the cells "
                "it needs as well."
            )
        for need in cell.needs:
            waiting.setdefault(need, []).append(cell)

    @functools.cache
    def chain(cell_id: str) -> float:
        after = (chain(cell.id) for cell in waiting.get(cell_id, []))
        return todo[cell_id].seconds + max(after, default=0.0)

    chains = {cell_id: chain(cell_id) for cell_id in todo}
    return dict(sorted(chains.items(), key=lambda entry: -entry[1]))


def planned(cells: Sequence[Cell]) -> float:
    """The rough cost of some cells together, in seconds of one worker."""
    return float(sum(cell.seconds for cell in cells))
