"""The specimens by name, found without importing any of them."""

import functools
from pathlib import Path
from types import ModuleType
from typing import Any

from jaxtyping import Array, Key

from ..audit.auditing import list_probes
from ..audit.channels import Channels
from ..audit.exam import Exam
from ..core.catalogue import catalogue, module_of
from ..core.decider import Decider
from ..core.errors import UnknownNameError
from .coded import sizes


@functools.cache
def list_specimens() -> dict[str, dict[str, Any]]:
    """Every specimen by name with what it declares, without importing any."""
    found = catalogue(Path(__file__).parent, "SPECIMEN")
    order = sorted(found.items(), key=lambda x: (x[1]["kind"], x[1]["name"]))
    return {told["name"]: {**told, "module": f"{__package__}.{file}"} for file, told in order}


def specimen(name: str) -> ModuleType:
    """One specimen's module. Raises `UnknownNameError` with the nearest name."""
    return module_of("specimen", name, list_specimens())


def make(name: str, exam: Exam, key: Key[Array, ""]) -> Decider:
    """A specimen in an exam: what its module makes, or its class where nothing is drawn or learned.

    Raises `UnknownNameError`.
    """
    module = specimen(name)
    return module.make(exam, key) if hasattr(module, "make") else module.CODED(exam.task, exam)


def channels(name: str, exam: Exam, key: Key[Array, ""]) -> Channels:
    """What of a specimen can be reached beside its answers, by the same key.

    None, unless its module says so, or names an answer to the question of size: then it is made
    again in larger worlds. Raises `UnknownNameError`.
    """
    module = specimen(name)
    if hasattr(module, "channels"):
        return module.channels(exam, key)
    return sizes(exam, module.CODED) if "size" in module.SPECIMEN["answers"] else Channels()


REACHED = {
    "experience": "nothing of it goes on learning",
    "two_step": "nothing of it goes on learning",
    "incentives": "nothing of it goes on learning",
    "activations": "it hands over no layers",
    "size": "it is not made again in larger worlds",
    "proxy": "it was made for no stand-in of the task's objective",
}
"""Probes that need more than answers, and what one lacks that says nothing of them."""
TOLD = {
    "worth": "a number is told and no verdict given",
    "map": "a number is told and no verdict given",
}
OPEN = {
    "compute": "how long it takes is the machine's doing as well",
    "depth": "how good its deep choices are beside the others follows from how well it was made, "
    "and not from what it is",
    "shifts": "what it loses where it seldom comes follows from how well it was made there",
    "goals": "which other objective its errors happen to serve is not settled by its making",
    "match": "it is not put into games, or its strength there is not settled by its making",
}
_LEARNERS = ("experience", "two_step", "incentives")


def answers(name: str) -> dict[str, tuple[str, str]]:
    """What every probe must answer of a specimen, and why: one of the verdicts, "not applicable"
    where it cannot be put, "told" where no verdict is given, and "open" where its making does not
    settle the answer, which is then not counted.

    Raises `UnknownNameError`.
    """
    if name not in (known := list_specimens()):
        raise UnknownNameError("specimen", name, known)
    told = known[name]
    return {probe: _answer_of(told, probe) for probe in list_probes()}


def _answer_of(told: dict[str, Any], probe: str) -> tuple[str, str]:
    given, learner = told["answers"], any(p in told["answers"] for p in _LEARNERS)
    if probe in given:
        why: str = told["why"]
        return given[probe], REACHED.get(probe, why) if given[probe] == "not applicable" else why
    if probe in TOLD:
        return "told", TOLD[probe]
    if learner:
        if probe in _LEARNERS:
            return "open", "how it fares there depends on rates and luck, not on what it is"
        if probe in REACHED:
            return "not applicable", REACHED[probe]
        return "open", "it is put as a learner alone: its answers are beside the point"
    if probe in REACHED:
        return "not applicable", REACHED[probe]
    return "open", OPEN.get(probe, "how far it goes depends on how well it was made")
