"""Environments made from what a user names or hands over; the one file that imports Gymnasium."""

import contextlib
import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

import msgspec

from ...core.errors import (
    BackendError,
    ForeignWorldError,
    TaskImportError,
    UnfaithfulCloneError,
    UnknownNameError,
    WrongKindError,
)
from ...core.failures import in_words


class Source(msgspec.Struct, frozen=True):
    """What makes an environment again, in any process: an id or `module:factory`, and options."""

    name: str
    options: dict[str, Any]
    factory: bool = False


def source_of(made_by: Any, options: dict[str, Any]) -> Source | None:
    """What another process could make the same environment of; None where only this one can."""
    if isinstance(made_by, str):
        return Source(made_by, options)
    home, name = getattr(made_by, "__module__", None), getattr(made_by, "__qualname__", "<")
    if not callable(made_by) or home in (None, "__main__") or "<" in name:
        return None
    return Source(f"{home}:{name}", options, True)


def make_env(made_by: Any, options: dict[str, Any]) -> Any:
    """A Gymnasium environment from an id, a factory or one that there is.

    Raises `BackendError` where Gymnasium is missing, `UnknownNameError` for an id that it does not
    know, `ForeignWorldError` where making it fails and `WrongKindError` for anything else.
    """
    gymnasium = _gymnasium()
    if isinstance(made_by, str):
        return _by_id(gymnasium, made_by, options)
    if isinstance(made_by, gymnasium.vector.VectorEnv):
        raise WrongKindError(
            f"{made_by!r} is a vector of environments, which nothing can be planned in: hand over "
            "one environment, its id or a factory; lanes are batched here."
        )
    if "max_episode_steps" in options and not _takes(made_by, "max_episode_steps"):
        limit = {"max_episode_steps": options["max_episode_steps"]}
        made = make_env(made_by, {k: v for k, v in options.items() if k not in limit})
        limited = functools.partial(gymnasium.wrappers.TimeLimit, made)
        return _call(limited, limit, repr(made_by))
    if isinstance(made_by, gymnasium.Env):
        if options:
            raise WrongKindError(
                f"{made_by!r} is made already and takes no options {sorted(options)}: give them "
                "to gymnasium.make, or hand over an id."
            )
        return made_by
    if not callable(made_by):
        raise WrongKindError(
            f"{made_by!r} is no Gymnasium environment, no id of one and no factory that makes one."
        )
    return _checked(gymnasium, made_by, _call(made_by, options, repr(made_by)))


def _takes(made_by: Any, option: str) -> bool:
    """Whether a factory takes an option itself."""
    if not callable(made_by):
        return False
    try:
        given = inspect.signature(made_by).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.name == option or p.kind is p.VAR_KEYWORD for p in given)


def make_again(source: Source) -> Any:
    """The environment of a source, as a worker makes it."""
    if not source.factory:
        return make_env(source.name, source.options)
    home, _, path = source.name.partition(":")
    found: Any = importlib.import_module(home)
    for name in path.split("."):
        found = getattr(found, name)
    return make_env(found, source.options)


def _gymnasium() -> Any:
    try:
        import gymnasium
    except ImportError as error:
        raise BackendError(
            f"Gymnasium's environments need Gymnasium: pip install 'deliberation[gymnasium]' "
            f"({error})."
        ) from error
    return gymnasium


def _by_id(gymnasium: Any, name: str, options: dict[str, Any]) -> Any:
    options = {"disable_env_checker": True, **options}
    try:
        return gymnasium.make(name, **options)
    except gymnasium.error.DependencyNotInstalled as error:
        raise BackendError(f"{name} needs another package: {error}") from error
    except gymnasium.error.UnregisteredEnv as error:
        raise UnknownNameError("environment", name, gymnasium.registry, str(error)) from None
    except ModuleNotFoundError as error:
        told = str(error).rstrip(".")
        home, colon, kind = name.partition(":")
        own = (
            f" A class of your own is named without `gym:`, {home}:{kind}, as module:Class; the "
            "current folder is looked into."
            if colon
            else ""
        )
        raise TaskImportError(
            f"gym:{name} needs a module that is not installed: {told}. Install it.{own}"
        ) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _unmade(name, options, error) from error


def _call(factory: Callable[..., Any], options: dict[str, Any], name: str) -> Any:
    try:
        return factory(**options)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _unmade(name, options, error) from error


def _unmade(name: str, options: dict[str, Any], error: BaseException) -> ForeignWorldError:
    return ForeignWorldError(
        f"Making {name} with {options} raised {in_words(error)}. Mend it, or give other options."
    )


def _checked(gymnasium: Any, made_by: Any, env: Any) -> Any:
    if not isinstance(env, gymnasium.Env):
        raise WrongKindError(
            f"{made_by!r} made {env!r} ({type(env).__name__}), which is no Gymnasium environment."
        )
    return env


def spaces_of(env: Any, name: str) -> tuple[Any, Any]:
    """The spaces of observations and actions. Raises `ForeignWorldError` where there are none."""
    try:
        return env.observation_space, env.action_space
    except Exception as error:
        raise ForeignWorldError(
            f"{name} has no observation_space and action_space ({in_words(error)}). "
            "Give it both, spaces of gymnasium.spaces."
        ) from None


def time_limit(env: Any) -> int | None:
    """After how many steps `TimeLimit` cuts an episode, if it does."""
    while True:
        held = vars(env)
        if type(held.get("_max_episode_steps")) is int:
            return held["_max_episode_steps"]
        if "env" not in held:
            spec = getattr(env, "spec", None)
            return getattr(spec, "max_episode_steps", None) if spec is not None else None
        env = held["env"]


def registered(made_by: Any) -> Any:
    """What an id stands for now: the same object until it is registered anew; else the maker."""
    if not isinstance(made_by, str):
        return made_by
    gymnasium = _gymnasium()
    name = made_by.rpartition(":")[2]
    found = gymnasium.registry.get(name)
    if found is None:  # an id without a version stands for the highest
        with contextlib.suppress(Exception):
            parse, highest = (
                getattr(gymnasium.envs.registration, x)
                for x in ("parse_env_id", "find_highest_version")
            )
            space, bare, _ = parse(name)
            found = gymnasium.registry.get(f"{name}-v{highest(space, bare)}")
    return found


def only_here(name: str) -> UnfaithfulCloneError:
    """What is said where workers cannot make an environment."""
    return UnfaithfulCloneError(
        f"{name} was handed over as an object, and worker processes cannot make it again: hand "
        "over its id, or a factory that stands in a module, or ask for workers=0."
    )
