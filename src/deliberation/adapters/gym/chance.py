"""The sources of chance in an environment: found by looking, and set from the planner's key.

An environment draws from generators that it keeps. A clone that kept their state as well would know
what chance is going to do, and a planner in it would be clairvoyant: before every step each source
is set from the key of that step instead.
"""

import random
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

GLOBAL = ("numpy.random", "random")
"""Generators that a process has one of; seeded, and put back, where an environment draws there."""


def is_source(value: Any) -> bool:
    """Whether an attribute is a generator of random numbers."""
    return isinstance(value, np.random.Generator | np.random.RandomState | random.Random)


def mixed(keys: np.ndarray) -> list[int]:
    """A number of 128 bits for each key of two words; nearby keys give unlike numbers.

    The mixing is that of splitmix64 (Steele, Lea and Flood 2014).
    """
    words = keys.astype(np.uint64)
    word = (words[:, 0] << np.uint64(32)) | words[:, 1]
    halves = []
    for step in (0x9E3779B97F4A7C15, 0x3C6EF372FE94F82A):
        z = word + np.uint64(step)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        halves.append((z ^ (z >> np.uint64(31))).tolist())
    return [(high << 64) | low for high, low in zip(*halves, strict=True)]


_PCG: dict[str, Any] = {
    "bit_generator": "PCG64",
    "state": {"state": 0, "inc": 0x5851F42D4C957F2D14057B7EF767814F},
    "has_uint32": 0,
    "uinteger": 0,
}


def set_source(source: Any, word: int) -> None:
    """Set one source from a number of 128 bits."""
    if type(source) is np.random.Generator:
        bits = source.bit_generator
        if type(bits) is np.random.PCG64:
            _PCG["state"]["state"] = word
            bits.state = _PCG  # type: ignore[assignment]
        else:
            bits.state = type(bits)(word).state
    elif isinstance(source, np.random.RandomState):
        source.seed([(word >> shift) & 0xFFFFFFFF for shift in (0, 32, 64, 96)])
    elif is_source(source):
        source.seed(word)


def state_of(source: Any) -> str:
    """What tells whether a source was drawn from."""
    if isinstance(source, np.random.Generator):
        return repr(source.bit_generator.state)
    if isinstance(source, np.random.RandomState):
        return repr([x.tolist() if isinstance(x, np.ndarray) else x for x in source.get_state()])
    return repr(source.getstate())


def global_source(name: str) -> Any:
    """The generator of this process by that name."""
    return np.random.mtrand._rand if name == "numpy.random" else random._inst  # type: ignore[attr-defined]


class Chance:
    """Sets all sources of chance of one environment.

    `paths` lead to sources by names of attributes, from the environment on. `leaked` are the global
    ones that it draws from.
    """

    def __init__(self, paths: Sequence[Sequence[str]], leaked: Iterable[str] = ()):
        self.paths = [tuple(path) for path in paths]
        self.leaked = tuple(leaked)
        self.before_reset: Any = None
        """What else is put back before an episode begins: an `attributes.Rewind`, or None."""
        self._bound: tuple[Any, list[tuple[dict[str, Any], str]]] = (None, [])

    def sources(self, env: Any) -> list[Any]:
        """The sources that there are now; an environment may replace its own when it is reset."""
        if env is not self._bound[0]:
            owners = [(getattr(follow(env, p[:-1]), "__dict__", {}), p[-1]) for p in self.paths]
            self._bound = (env, owners)
        found = [held.get(name) for held, name in self._bound[1]]
        return [*found, *map(global_source, self.leaked)] if self.leaked else found

    def look_again(self) -> None:
        """Find the sources anew: what kept them may have been replaced."""
        self._bound = (None, [])

    def seed(self, env: Any, word: int) -> None:
        """Set every source, each differently."""
        for source in self.sources(env):
            set_source(source, word)
            word = (word + 0x9E3779B97F4A7C15F39CC0605CEDC835) & ((1 << 128) - 1)

    def kept(self) -> list[tuple[str, Any]]:
        """The states of the global sources, for `put_back`."""
        return [(name, _full_state(global_source(name))) for name in self.leaked]

    def put_back(self, kept: list[tuple[str, Any]]) -> None:
        """Leave the global sources as they were."""
        for name, state in kept:
            source = global_source(name)
            source.set_state(state) if name == "numpy.random" else source.setstate(state)


def _full_state(source: Any) -> Any:
    return source.get_state() if isinstance(source, np.random.RandomState) else source.getstate()


def follow(env: Any, path: Sequence[str]) -> Any:
    """What a path of attributes leads to, or None."""
    for name in path:
        held = getattr(env, "__dict__", {})
        if name not in held:
            return None
        env = held[name]
    return env
