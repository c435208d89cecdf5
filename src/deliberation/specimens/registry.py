"""The specimens by name, found without importing any of them."""

import functools
from pathlib import Path
from types import ModuleType
from typing import Any

from jaxtyping import Array, Key

from ..audit.channels import Channels
from ..audit.exam import Exam
from ..core.catalogue import catalogue, module_of
from ..core.decider import Decider
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
