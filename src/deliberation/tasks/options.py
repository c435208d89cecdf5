"""Options of registered tasks: which there are, and what is said of one that cannot be.

A wrong option is refused by one kind of error, `TaskOptionError`, before anything is built from it.
"""

import difflib
import inspect
import math
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from ..core.errors import DeliberationError, TaskOptionError

if TYPE_CHECKING:
    from ..core.task import Task

_KINDS = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a string",
    type(None): "None",
}


def make_registered(
    name: str, factory: Callable[..., "Task"], usual: Mapping[str, Any], given: Mapping[str, Any]
) -> "Task":
    """The task of a registered name: its factory, called with the usual options and those given.

    Raises `TaskOptionError` for an option that there is not, for a value of another kind than the
    factory's annotation says, for NaN and infinity, and for what the factory refuses by
    `ValueError` (or fails at for sheer size).
    """
    taken = inspect.signature(factory, eval_str=True).parameters
    offered = {**usual, **{k: p.default for k, p in taken.items() if k not in usual}}
    for option, value in given.items():
        _check_option(name, option, value, offered, taken)
    try:
        read = {option: _read(value, _kinds(option, taken)) for option, value in given.items()}
        made = factory(**{**usual, **read})
        if any(isinstance(value, float) for value in read.values()):
            _check_returns(made)
    except (ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, DeliberationError) and not isinstance(error, TaskOptionError):
            raise
        told = str(error) or f"{type(error).__name__}: it is too large."
        raise TaskOptionError(f"{name}({_told(given)}): {told} {_offer(offered)}") from error
    for option, value in given.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise _refused(name, option, value, "a finite number", offered)
    return made


def _check_returns(task: "Task") -> None:
    """Refuse rewards that add up to more than 32-bit numbers hold, where their bounds are told."""
    import numpy as np

    low, high = task.objective.bounds
    most = float(np.finfo(np.float32).max)
    for told in (low, high):
        if most < abs(told) < math.inf:
            raise ValueError(
                f"returns would come to {told:.3g}, and 32-bit numbers hold no more than "
                f"{most:.2g}: choose smaller rewards."
            )


def _check_option(
    name: str,
    option: str,
    value: Any,
    offered: Mapping[str, Any],
    taken: Mapping[str, inspect.Parameter],
) -> None:
    if option not in offered:
        raise TaskOptionError(unknown_option(name, option, offered))
    kinds = _kinds(option, taken)
    if kinds and not any(_is_of(kind, value) for kind in kinds):
        wanted = " or ".join(_KINDS[kind] for kind in kinds)
        raise _refused(name, option, value, wanted, offered)


def unknown_option(name: str, option: str, offered: Mapping[str, Any]) -> str:
    """What is said of an option that there is not: the nearest, and all with their defaults."""
    near = difflib.get_close_matches(option, offered, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{name} has no option {option!r}.{hint} {_offer(offered)}"


def offered_by(factory: Callable[..., Any]) -> dict[str, Any] | None:
    """The options of a factory with their defaults; None where it does not say, or takes any."""
    try:
        taken = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind in (p.VAR_KEYWORD, p.POSITIONAL_ONLY) for p in taken):
        return None
    return {p.name: p.default for p in taken if p.kind is not p.VAR_POSITIONAL}


def _kinds(option: str, taken: Mapping[str, inspect.Parameter]) -> tuple[type, ...]:
    """The plain kinds of value that an option's annotation allows; none where it says more."""
    annotation: Any = taken[option].annotation if option in taken else Any
    union = get_origin(annotation) in (Union, types.UnionType)
    kinds = get_args(annotation) if union else (annotation,)
    return kinds if all(kind in _KINDS for kind in kinds) else ()


def _is_of(kind: type, value: Any) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _read(value: Any, kinds: tuple[type, ...]) -> Any:
    """A whole number as the float that it stands for, where a float is asked for."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and float in kinds and int not in kinds else value


def _refused(
    name: str, option: str, value: Any, wanted: str, offered: Mapping[str, Any]
) -> TaskOptionError:
    return TaskOptionError(
        f"{name}: {option} is {wanted}; got {_shortened(value)}. {_offer(offered)}"
    )


def _offer(offered: Mapping[str, Any]) -> str:
    """Which options there are, and what each is unless given."""
    if not offered:
        return "It has no options."
    usual = {k: v for k, v in offered.items() if v is not inspect.Parameter.empty}
    return f"Options: {', '.join(offered)} (unless given, {_told(usual)})."


def _told(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={_shortened(value)}" for key, value in options.items())


def _shortened(value: Any) -> str:
    """A value as it is written, long ones (a map, a number of a thousand digits) cut short."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    told = f"{value:.6g}" if isinstance(value, float) else repr(value)
    return told if len(told) <= 40 else f"{told[:36]}…{told[-1]}"
