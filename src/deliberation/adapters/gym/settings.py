"""What a user may say of how an environment is adapted, and what is accepted of it."""

import math
from collections.abc import Callable
from typing import Any

import msgspec

from ...core.errors import WrongKindError
from ...tasks.bases import LONGEST
from .ways import ORDER

Hooks = tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]
"""`get_state(env)` and `set_state(env, state)` of the user's."""
_MOST_WORKERS = 1024


class Settings(msgspec.Struct, frozen=True):
    """What a user may say of how an environment is adapted; see `from_gymnasium`."""

    clone: str = "best"
    workers: int = 0
    cache_megabytes: float = 256.0
    horizon: int | None = None
    info: tuple[str, ...] | None = None


def settings_of(
    clone: Any, workers: Any, cache_megabytes: Any, horizon: Any, info: Any
) -> Settings:
    """The settings asked for. Raises `WrongKindError`, which names the option and what it takes."""
    if clone not in ("best", *ORDER):
        raise WrongKindError(
            f"clone={clone!r} is no way of copying: choose 'best' or one of {ORDER}."
        )
    if not _whole(workers, 0, _MOST_WORKERS):
        raise _refused("workers", workers, f"a whole number of processes, 0 to {_MOST_WORKERS}")
    if not _positive(cache_megabytes):
        raise _refused("cache_megabytes", cache_megabytes, "a finite number more than 0")
    if horizon is not None and not _whole(horizon, 1, LONGEST):
        what = f"a whole number of actions, at least 1 and at most {LONGEST:,}, or None"
        raise _refused("horizon", horizon, what)
    return Settings(clone, workers, cache_megabytes, horizon, _names(info))


def hooks_given(get_state: Any, set_state: Any) -> Hooks | None:
    """The user's own hooks, both or none. Raises `WrongKindError`."""
    for name, hook in (("get_state", get_state), ("set_state", set_state)):
        if hook is not None and not callable(hook):
            raise _refused(name, hook, "a function, or None")
    if (get_state is None) != (set_state is None):
        given, missing = ("get", "set") if set_state is None else ("set", "get")
        raise WrongKindError(
            f"{given}_state was given without {missing}_state: a state that is kept must be put "
            "back, too. Give both, get_state=lambda env: ... and set_state=lambda env, state: ..., "
            "or neither."
        )
    return None if get_state is None else (get_state, set_state)


def horizon_of(limit: int | None, settings: Settings) -> int:
    """The most actions of an episode: the user's word, the time limit's, or 1000."""
    return settings.horizon or limit or 1000


def _whole(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _positive(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and value > 0 and math.isfinite(value)


def _names(info: Any) -> tuple[str, ...] | None:
    if info is None:
        return None
    if not isinstance(info, list | tuple) or not all(isinstance(name, str) for name in info):
        raise _refused("info", info, "a list of names, info=['score'], or None for all")
    return tuple(info)


def _refused(name: str, value: Any, what: str) -> WrongKindError:
    return WrongKindError(
        f"{name}={value!r} ({type(value).__name__}) is not accepted: {name} is {what}."
    )
