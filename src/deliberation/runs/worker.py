"""What happens in a worker process: its surroundings, and running one cell.

Nothing here imports JAX; the environment must be set before a cell's function does.
"""

import contextlib
import importlib
import os
import platform
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..core.errors import TooLargeError, UnsuitableTaskError
from ..core.failures import PASSING, in_words
from ..core.witness.watching import watching
from .artefacts import hashes
from .cells import Cell
from .errors import CellError
from .plain import plain, restore
from .provenance import code, machine
from .records import seen
from .stores import store_at

if TYPE_CHECKING:
    from .columns import Column

SHARES = ".shares"
"""A folder of how far running cells are; gone once nothing runs."""
_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_WATCH_SECONDS = 0.3


class Outcome(msgspec.Struct, frozen=True):
    """What a cell's function returns: outcomes (JSON values), a ledger as a dict, and arrays.

    Few numbers are outcomes; samples belong into `columns`, which are files of numbers.
    """

    outcomes: dict[str, Any]
    spent: dict[str, Any] = {}
    columns: "dict[str, Column]" = {}


class Needed(msgspec.Struct, frozen=True):
    """What a record holds that a cell which needs it may ask for."""

    outcomes: dict[str, Any]
    home: str = ""
    artefacts: dict[str, str] = {}
    columns: dict[str, Any] = {}


class Call(msgspec.Struct, frozen=True):
    """A cell on its way to a worker, with what was found by the cells it needs.

    The files that it leaves go into a folder named `home`, at the address `place` if there is one.
    """

    cell: Cell
    folder: str
    needed: dict[str, Needed]
    sender: int
    home: str = ""
    place: str = ""


class Reply(msgspec.Struct, frozen=True):
    """What came of a cell; `error` is a traceback where it failed, or why its task is refused.

    `reason` is the error in one line; `died` says that the worker ended without an answer.
    """

    cell: str
    died: bool = False
    started: str = ""
    seconds: float = 0.0
    machine: dict[str, Any] = {}
    code: str = ""
    outcome: Outcome | None = None
    where: dict[str, Any] = {}
    columns: dict[str, Any] = {}
    artefacts: dict[str, str] = {}
    error: str = ""
    reason: str = ""
    errno: int | None = None


class Context:
    """What a cell's function may use besides its settings: needed cells, and a folder to fill."""

    def __init__(self, call: Call):
        self._call = call
        self._store = store_at(Path(call.folder), call.place)
        self._partial = self._store.partial(call.cell.id)

    @property
    def folder(self) -> Path:
        """A fresh folder; what is in it becomes the cell's artefact once the function returns."""
        self._partial.mkdir(parents=True, exist_ok=True)
        return self._partial

    def artefact(self, cell: str) -> Path:
        """The folder that a needed cell left, its files compared with their recorded hashes.

        Raises `CellError` where the cell left none, and `RecordError` where they are not as they
        were written.
        """
        self._check(cell)
        needed = self._call.needed[cell]
        if not needed.artefacts:
            raise CellError(f"Cell {cell}, which cell {self._call.cell.id} needs, left no files.")
        return self._store.fetch(needed.home, needed.artefacts)

    def outcomes(self, cell: str) -> dict[str, Any]:
        """The outcomes of a needed cell."""
        self._check(cell)
        return self._call.needed[cell].outcomes

    def column(self, cell: str, name: str) -> "Column":
        """A column of a needed cell. Raises `CellError` and `RecordError` where there is none."""
        from .columns import COLUMNS, load_column

        return load_column(self.artefact(cell) / COLUMNS, self._call.needed[cell].columns, name)

    def tell(self, share: float) -> None:
        """How much of the cell is done, from 0 to 1, for whoever waits for it."""
        home = Path(self._call.folder) / SHARES
        with contextlib.suppress(OSError):  # a forecast is worth no failure
            home.mkdir(exist_ok=True)
            (home / self._call.cell.id).write_text(f"{share:.4f}", "utf-8")

    def _check(self, cell: str) -> None:
        if cell not in self._call.needed:
            raise CellError(
                f"Cell {self._call.cell.id} uses cell {cell} without needing it: "
                "add it to the cell's `needs`."
            )

    def write(self, columns: "dict[str, Column]") -> dict[str, Any]:
        """Put arrays beside the cell's other files; returns what the record says of them."""
        if not columns:
            return {}
        from .columns import write_columns

        return write_columns(self.folder, columns)

    def keep(self) -> dict[str, str]:
        """Keep the files, in the place of some that a killed run left; returns their hashes."""
        if not self._partial.exists():
            return {}
        call = self._call
        if call.sender != os.getpid() and not call.place and not seen(Path(call.folder)):
            raise CellError(
                f"The run's folder {call.folder} cannot be seen from {platform.node()}, where cell "
                f"{call.cell.id} left files: use a folder that all machines share, or --artefacts."
            )
        found = hashes(self._partial)
        self._store.keep(self._partial, self._call.home or self._call.cell.id)
        return found

    def discard(self) -> None:
        """Drop what a failed cell left."""
        shutil.rmtree(self._partial, ignore_errors=True)


def share_done(folder: Path, cell: str) -> float:
    """How much of a running cell is done, as it has told; 0 where it has not."""
    try:
        return min(max(float((folder / SHARES / cell).read_text("utf-8")), 0.0), 1.0)
    except (OSError, ValueError):
        return 0.0


def run_cell(call: Call) -> Reply:
    """Run one cell and say what came of it; errors travel as text, since not all can travel."""
    if call.sender != os.getpid():
        prepare()
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    context = Context(call)

    def reply(**result: Any) -> Reply:
        seconds = time.perf_counter() - clock
        about = {"started": started, "seconds": seconds, "machine": machine(), "code": code()}
        return Reply(call.cell.id, **about, **result)

    try:
        function = load(call.cell.function)
        settings = restore(plain(call.cell.settings, "settings"))
        outcome, where = _witnessed(function, settings, context)
        if not isinstance(outcome, Outcome):
            raise CellError(f"{call.cell.function} returned {type(outcome).__name__}, not Outcome.")
        checked = Outcome(
            restore(plain(outcome.outcomes, "outcomes")), restore(plain(outcome.spent, "spent"))
        )
        columns = context.write(outcome.columns)
        artefacts = context.keep()
        return reply(outcome=checked, where=where, columns=columns, artefacts=artefacts)
    except PASSING:
        raise
    except BaseException as error:
        context.discard()
        # What cannot be done with a task is an answer, and no fault whose place one needs to see.
        refused = isinstance(error, TooLargeError | UnsuitableTaskError)
        told = f"{error}\n" if refused else traceback.format_exc()
        reason = " ".join((f"{error}" if refused else in_words(error)).split())
        return reply(error=told, reason=reason, errno=getattr(error, "errno", None))


def _witnessed(
    function: Callable[..., Any], settings: dict[str, Any], context: Context
) -> tuple[Any, dict[str, Any]]:
    """What a cell's function returns, and in which positions it measured."""
    with watching() as watch:
        outcome = function(settings, context)
    return outcome, restore(plain(watch.told(), "where"))


def load(name: str) -> Callable[..., Any]:
    """The function behind "package.module:function". Raises `CellError` where there is none."""
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ModuleNotFoundError, AttributeError) as error:
        raise CellError(f"There is no function {name}: {error}.") from error


def enter(parent: int, workers: int) -> None:
    """Begin one of so many local worker processes: its environment, and dying with its parent."""
    prepare()
    _keep_programs(workers)
    # The parent decides what an interrupt means; a worker's traceback would only be noise.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=die_with, args=(parent,), daemon=True).start()


def _keep_programs(workers: int) -> None:
    """Take compiled programs for no leak of memory.

    loky begins a process anew that has grown by 300 MB, which would compile everything again; here
    it may take half of its share of the memory. Where loky cannot tell how much that is (without
    psutil), it collects garbage after every cell instead, for the better part of a second in a
    process full of programs: as often as Python does by itself is enough.
    """
    from joblib.externals.loky import process_executor

    with contextlib.suppress(ValueError, OSError):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        most = max(memory // (2 * workers), process_executor._MAX_MEMORY_LEAK_SIZE)
        process_executor._MAX_MEMORY_LEAK_SIZE = most
    if not getattr(process_executor, "_USE_PSUTIL", True):
        process_executor._MEMORY_LEAK_CHECK_DELAY = float("inf")


def prepare() -> None:
    """Compute on one thread, so that results do not depend on cores.

    Has no effect on a JAX that is imported already.
    """
    if "jax" in sys.modules:
        return
    flags = os.environ.get("XLA_FLAGS", "")
    if _XLA not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_XLA}".strip()
    os.environ.update(dict.fromkeys(THREADS, "1"))


def die_with(parent: int) -> None:
    """End this process when its parent has: a killed parent cannot tell its workers."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)
