"""Generators that no path of attributes leads to: in lists, dictionaries, or objects in these.

They are not set from the planner's key, so a clone foresees what they draw; an environment that
draws from one is refused.
"""

import gc
import types
from typing import Any

import numpy as np

from ...core.errors import UnfaithfulCloneError
from .chance import Chance, is_source, state_of

_MOST = 50_000
"""Objects that are looked at; large environments are looked at in part."""
_CLOSED = (
    type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType,
    str, bytes, int, float, complex, type(None),
)  # fmt: skip


def _bits(source: Any) -> Any:
    """What holds the state: two generators may share one."""
    if isinstance(source, np.random.Generator):
        return source.bit_generator
    return source._bit_generator if isinstance(source, np.random.RandomState) else source


def reachable(env: Any) -> list[tuple[str, Any]]:
    """All generators that an environment holds, each with the attribute that leads to it."""
    found, seen, left = [], {id(env)}, [("", env)]
    while left and len(seen) < _MOST:
        place, thing = left.pop()
        if is_source(thing):
            found.append((place, thing))
            continue
        named = vars(thing).items() if hasattr(thing, "__dict__") else ()
        inner = [(f"{place}.{name}" if place else str(name), part) for name, part in named]
        known = {id(part) for _, part in inner} | {id(getattr(thing, "__dict__", None))}
        inner += [(place, part) for part in _parts(thing) if id(part) not in known]
        for where, part in inner:
            if id(part) not in seen and not isinstance(part, _CLOSED):
                seen.add(id(part))
                left.append((where, part))
    return found


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, np.ndarray):
        return list(thing.flat) if thing.dtype.hasobject else []
    return gc.get_referents(thing)


class Hidden:
    """Watches the generators of one environment that `chance` does not set, step by step."""

    def __init__(self, name: str, chance: Chance):
        self._name, self._chance = name, chance
        self._watched: list[tuple[str, Any, str]] = []

    def look(self, env: Any, again: bool) -> None:
        """Before a step: note their states; look for them `again` where they may be others."""
        found = [(place, source) for place, source, _ in self._watched]
        if again:
            self._chance.look_again()
            set_ = {id(_bits(x)) for x in self._chance.sources(env) if x is not None}
            found = [(p, source) for p, source in reachable(env) if id(_bits(source)) not in set_]
        self._watched = [(place, source, state_of(source)) for place, source in found]

    def check(self) -> None:
        """After it: raises `UnfaithfulCloneError` where one has moved."""
        for place, source, before in self._watched:
            if state_of(source) != before:
                raise UnfaithfulCloneError(
                    f"{self._name} draws chance from a {type(source).__name__} inside `{place}`, "
                    "which cannot be set from the planner's key: a planner would foresee it. Keep "
                    "each generator as an attribute of the environment, or of an object that is "
                    "one (self.coin = ..., not in a list, tuple or dictionary), or draw from "
                    "self.np_random."
                )
