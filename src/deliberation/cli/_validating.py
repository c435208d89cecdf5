"""`deliberate audit --validate`: probes put to specimens, kept world by world, so that it goes on
where it was.
"""

import collections
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from ..audit.profile import Found
from ..runs.records import LOCK
from ..runs.storage import append_line, lock, made_folder
from ._progress import Clock

if TYPE_CHECKING:
    from ..specimens import Validated

FILE = "validation.jsonl"
"""One line for each specimen in each world."""


class Verdicts(msgspec.Struct, frozen=True):
    """What probes said of one specimen in the world of one seed, by one version of the code."""

    code: str
    specimen: str
    kind: str
    seed: int
    found: dict[str, Found]


class Work(NamedTuple):
    """A specimen in one kind of world, and the probes that it is put to."""

    specimen: str
    kind: str
    probes: list[str]


def validated(
    probes: Sequence[str] | None, names: Sequence[str] | None, repeats: int, out: Path
) -> Iterator["Validated"]:
    """Each line of the confusion matrix once it is complete. Worlds that the folder holds of the
    same code are not asked again; how far it is, and the time left, goes to standard error.

    Raises `UnknownNameError`, `StorageError`, and `FolderBusyError` where another one goes on
    there.
    """
    from ..runs.memory import Level
    from ..runs.provenance import code
    from ..specimens import Validated, list_specimens, validate

    work, version = _work(probes, names), code()
    path = made_folder(out) / FILE
    with _alone(path) as file:
        known = _known(path, version)
        progress, level = _Told(work, known, repeats), Level()
        for one in work:
            for seed in range(repeats):
                had = known.setdefault((one.specimen, one.kind, seed), {})
                missing = [p for p in one.probes if p not in had]
                if not missing:
                    continue
                told = validate(
                    missing, [one.specimen], repeats=1, first=seed, kinds=[one.kind]
                )  # fmt: skip
                said = {line.probe: next(iter(line.found)) for line in told}
                new = msgspec.convert(said, dict[str, Found])
                record = Verdicts(version, one.specimen, one.kind, seed, new)
                append_line(file, msgspec.json.encode(record) + b"\n", path)
                had |= new
                level.hold()
                progress.done(one, seed, len(new))
            truth = list_specimens()[one.specimen]["answers"]
            for p in one.probes:
                found = [known[one.specimen, one.kind, seed][p] for seed in range(repeats)]
                counts = dict(collections.Counter(found))
                yield Validated(p, one.specimen, truth[p], counts, repeats, one.kind)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[int]:
    """A file to append lines to, in a folder that nobody else measures in meanwhile."""
    held = lock(path.parent / LOCK)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _whole(file)
            yield file
        finally:
            os.close(file)
    finally:
        os.close(held)


def _work(probes: Sequence[str] | None, names: Sequence[str] | None) -> list[Work]:
    from ..audit import chosen_probes
    from ..specimens import list_specimens, specimen
    from ..specimens.validation import asked_of

    every = list(list_specimens()) if names is None else list(dict.fromkeys(names))
    for name in every:
        specimen(name)  # refused, if there is none
    asked = chosen_probes(probes)
    return [Work(name, *kind) for name in every for kind in asked_of(name, asked).items()]


def _known(path: Path, version: str) -> dict[tuple[str, str, int], dict[str, str]]:
    """What a file holds of this version of the code; lines that were cut off are left out."""
    known: dict[tuple[str, str, int], dict[str, str]] = {}
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            one = msgspec.json.decode(line, type=Verdicts)
        except (ValueError, RecursionError, msgspec.MsgspecError):  # cut off, or damaged
            continue
        if one.code == version:
            known.setdefault((one.specimen, one.kind, one.seed), {}).update(one.found)
    return known


def _whole(file: int) -> None:
    """End a line that a kill cut off, so that the next one stands alone."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        os.write(file, b"\n")


class _Told:
    """A line on standard error for each world, with the time that is left at this pace."""

    def __init__(self, work: list[Work], known: dict, repeats: int):
        places = [(one, seed) for one in work for seed in range(repeats)]
        self.all = sum(len(one.probes) for one, _ in places)
        self.answered = sum(
            p in known.get((one.specimen, one.kind, seed), {})
            for one, seed in places
            for p in one.probes
        )
        self.began, self.clock, self.repeats = time.monotonic(), Clock(), repeats
        self.clock.left(self.began, self.answered / max(self.all, 1))
        kept = f", {self.answered} of them kept from before" * bool(self.answered)
        click.echo(f"{self.all} answers of specimens to probes{kept}.", err=True)

    def done(self, one: Work, seed: int, answers: int) -> None:
        """One more world."""
        self.answered += answers
        now = time.monotonic()
        left = self.clock.left(now, self.answered / self.all)
        told = f"{now - self.began:.0f} s so far" + (f", about {left}" if left else "")
        where = "" if one.kind == "listed" else f", {one.kind}"
        click.echo(
            f"[{self.answered}/{self.all}] {one.specimen}{where}, world {seed + 1} of "
            f"{self.repeats} ({told})",
            err=True,
        )
