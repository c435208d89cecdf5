"""What several share: the generators of a process, and an environment of which tasks were made.

Tasks that are made of one object take turns in it (`Seat`).
"""

import random
import threading
import weakref
from typing import Any

import numpy as np

from ...core.errors import UnfaithfulCloneError
from .asking import reset, step
from .chance import GLOBAL, Chance


def global_states() -> tuple[Any, Any]:
    """What tells whether NumPy's and Python's global generators were drawn from, as in `GLOBAL`."""
    numbers = np.random.get_state()
    return (numbers[1].tobytes(), numbers[2:]), random.getstate()  # type: ignore[index, union-attr]


def drawn(before: tuple[Any, Any], after: tuple[Any, Any]) -> set[str]:
    """The names of those that moved."""
    return {name for name, a, b in zip(GLOBAL, before, after, strict=True) if a != b}


def leaks(trial: Any) -> tuple[str, ...]:
    """The generators of the whole process that an environment draws from in a first episode.

    Looked at right before and after its own calls, since others draw from them too. Later steps are
    watched by `Watch`, which refuses an environment that begins to draw from one then.
    """
    kept = Chance((), GLOBAL).kept()
    found: set[str] = set()
    trial.chance.seed(trial.env, trial.word())
    try:
        for action, word in [(None, 0), *trial.path(16)]:
            trial.chance.seed(trial.env, word)
            before, ended = global_states(), False
            if action is None:
                reset(trial.env, 1, trial.name)
            else:
                _, _, over, cut, _ = step(trial.env, action, trial.name)
                ended = bool(over or cut)
            found |= drawn(before, global_states())
            if ended:
                break
    finally:
        Chance(()).put_back(kept)
    return tuple(name for name in GLOBAL if name in found)


class Watch:
    """Looks around single steps of one environment: at global generators, and at its actions.

    In the trial around all of them, later around some.
    """

    def __init__(self, env: Any, name: str, chance: Chance):
        self._name, self._chance = name, chance
        self._space = env.action_space

    def move(self, env: Any, word: int, action: Any) -> tuple:
        """As `asking.move`. Raises `UnfaithfulCloneError` for what moved that should not."""
        self._chance.seed(env, word)
        before = global_states()
        came = step(env, action, self._name)
        late = drawn(before, global_states()) - set(self._chance.leaked)
        if late:
            raise UnfaithfulCloneError(
                f"{self._name} draws chance from the generator of the whole process "
                f"({', '.join(sorted(late))}), and did not in its first steps: a planner could "
                "not set it from its key. Draw from self.np_random, which reset(seed=...) sets."
            )
        space = env.action_space
        if space is not self._space and space != self._space:
            raise UnfaithfulCloneError(
                f"The actions of {self._name} changed during play, from {self._space!r} to "
                f"{space!r}; a task offers the same ones in all states. Offer all that there ever "
                "are, and let those do nothing that are not to be taken."
            )
        return came


class Seat:
    """A lock for one environment, and a mark of who used it last."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._holder: weakref.ref[Any] | None = None

    def taken(self, by: Any) -> bool:
        """Whether somebody else has used the environment since; the seat is `by`'s from now on."""
        other = self._holder is None or self._holder() is not by
        self._holder = weakref.ref(by)
        return other


_SEATS: dict[int, tuple[weakref.ref[Any], Seat]] = {}
"""By the identity of the innermost environment; wrappers around one share its seat."""


def seat_of(env: Any) -> Seat:
    """The seat of an environment, the same for all that wrap it."""
    inner = env.unwrapped
    known = _SEATS.get(id(inner))
    if known is None or known[0]() is not inner:
        for key in [key for key, (there, _) in _SEATS.items() if there() is None]:
            del _SEATS[key]
        known = _SEATS[id(inner)] = weakref.ref(inner), Seat()
    return known[1]
