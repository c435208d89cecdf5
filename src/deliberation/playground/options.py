"""A task's options on the page: which there are, within what limits, and the name that they make.

A visitor may turn the plain options of registered tasks: numbers, words, yes or no. A name with
options is written as everywhere, `gridworld(size=7)`, in one spelling, without those that are as
usual.
"""

import functools
import inspect
from typing import Any, get_args

from ..core.catalogue import module_of
from ..core.errors import TaskOptionError
from ..tasks import list_tasks
from ..tasks.names import join_name, split_name
from ..tasks.options import unknown_option
from . import limits
from .settings import RefusedError

_KINDS = {bool: "toggle", int: "whole", float: "real", str: "text"}


@functools.lru_cache(256)
def offered(base: str) -> dict[str, dict[str, Any]]:
    """The options of a registered task by name: their kind, usual value, and whether None will do.

    Those that hold more than one value, such as a table, are left out.
    """
    known = list_tasks()
    factory = getattr(module_of("task", base, known), known[base]["factory"])
    found = {}
    for name, taken in inspect.signature(factory, eval_str=True).parameters.items():
        kinds = get_args(taken.annotation) or (taken.annotation,)
        plain = [_KINDS[kind] for kind in kinds if kind in _KINDS]
        usual = known[base]["options"].get(name, taken.default)
        if len(plain) == 1 and usual is not inspect.Parameter.empty:
            found[name] = {"kind": plain[0], "usual": usual, "none": type(None) in kinds}
    return found


def chosen(name: str) -> str:
    """A registered task with some options, in its one spelling.

    Raises `RefusedError` with the number for what is too large, and `TaskOptionError`.
    """
    remedy = "Name fewer options."
    limits.refuse_above("letters to the name of a task", len(name), limits.NAME, remedy)
    base, given = split_name(name)
    known = offered(base)
    for option, value in given.items():
        if option not in known:
            usual = {n: about["usual"] for n, about in known.items()}
            raise TaskOptionError(unknown_option(base, option, usual))
        _check_size(option, value)
    turned = {n: _as_kind(known[n]["kind"], v) for n, v in given.items()}
    return join_name(base, {n: v for n, v in turned.items() if v != known[n]["usual"]})


def _as_kind(kind: str, value: Any) -> Any:
    """A whole number as the one with a fraction that it stands for."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if kind == "real" and whole else value


def _check_size(option: str, value: Any) -> None:
    if isinstance(value, str):
        most = limits.LAYOUT
        limits.refuse_above(f"letters for {option}", len(value), most, "Write a shorter one.")
    elif isinstance(value, int | float):
        most = {"horizon": limits.HORIZON, "seed": 2**31 - 1}.get(option, limits.OPTION)
        if isinstance(value, int):
            limits.refuse_above(f"for {option}", abs(value), most, "Choose a smaller one.")
    elif value is not None:
        raise RefusedError(f"{option} takes one value, not several.")


def options_of(name: str) -> list[dict[str, Any]]:
    """What the page's form shows of a task's options; none for tasks that are not registered."""
    base, given = split_name(name)
    if base not in list_tasks():
        return []
    return [
        {"name": option, **about, "value": given.get(option, about["usual"])}
        for option, about in offered(base).items()
    ]
