"""How far an audit is, in lines of text: what was answered, and how long the rest may take."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..profile import Answer


class Progress:
    """A line for each answer, with the time that the others are likely to take.

    Who cannot be asked answers at once, and what a folder keeps is there already: neither says how
    long the others take.
    """

    def __init__(self, count: int, say: Callable[[str], None], folder: Path | None = None):
        self.count, self.done, self.began = count, 0, time.monotonic()
        self.folder, self.opened = folder, time.time()
        self.asked, self.ready, self.say = 0, 0.0, say

    def begin(self, states: str) -> None:
        """What all probes share is made: it does not count where the rest is guessed."""
        self.ready = time.monotonic() - self.began
        self.say(f"Ready after {self.ready:.0f} s; {states} are asked about.")

    def answered(self, answer: "Answer") -> None:
        """One more."""
        self.say(self.line(answer, time.monotonic() - self.began))

    def line(self, answer: "Answer", passed: float | int) -> str:
        """What is told of an answer so many seconds after the beginning."""
        self.done += 1
        kept = self._kept(answer)
        self.asked += not kept and answer.found != "not applicable" and answer.seconds <= passed
        more = self.count - self.done
        told = f"{'kept' if kept else f'{answer.seconds:.0f} s'}; {passed:.0f} s so far"
        if self.asked and more:
            told += f", up to {(passed - self.ready) / self.asked * more:.0f} s left at this pace"
        return f"[{self.done}/{self.count}] {answer.probe}: {answer.named} ({told})"

    def _kept(self, answer: "Answer") -> bool:
        """Whether the folder held an answer before: it was not written since."""
        if self.folder is None or answer.found == "failed":  # what failed is not kept
            return False
        path = self.folder / f"{answer.probe}.json"
        return path.exists() and path.stat().st_mtime < self.opened


def progress_of(count: int, shown: bool | None, folder: Path | str | None = None) -> Progress:
    """Lines on standard error, or none; unless told, where somebody reads them. What the folder
    held before is told as kept.
    """
    say = _say if (somebody_reads() and shown is None) or shown else _hush
    return Progress(count, say, None if folder is None else Path(folder))


def somebody_reads() -> bool:
    """Whether standard error is a terminal, or this runs in a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return sys.stderr.isatty() or hasattr(shell, "kernel")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _hush(line: str) -> None:
    del line
