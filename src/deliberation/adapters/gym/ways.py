"""Ways of keeping a state of an environment: hooks, MuJoCo's, ALE's, attributes, copies, replay.

A way takes a snapshot and puts it back. Which one is exact differs from environment to environment,
and some are silently wrong: `proof` tries them.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from ...core.failures import in_words
from .attributes import Attributes, Layout, Survey
from .plain import NotPlainError


class UnfitError(Exception):
    """A way that an environment does not offer; the message says why."""


class Way:
    """Takes snapshots of an environment and puts them back."""

    name: ClassVar[str]
    inline: ClassVar[bool] = False
    """Whether a snapshot is a row of bytes, all of one size, that can be part of a state."""

    def take(self, env: Any) -> tuple[Any, int]:
        """A snapshot, and about how many bytes it takes."""
        raise NotImplementedError

    def keep(self, env: Any) -> tuple[Any, int]:
        """As `take`, of what `put` returned and nobody steps again."""
        return self.take(env)

    def put(self, env: Any, snapshot: Any) -> Any:
        """The environment as it was when the snapshot was taken: the same object, or another."""
        raise NotImplementedError

    def dropped(self, snapshot: Any) -> None:
        """A snapshot that nobody will ask for again."""

    def regain(self) -> None:
        """Set what no snapshot holds to what it was: a step has failed, or others moved it."""

    def watch_all(self, seconds: float) -> None:
        """Look at more of what is to rest, for so long with each snapshot; 0: at all, once."""


class Rowed(Way):
    """A way that writes attributes into rows: by `kept`."""

    kept: Attributes

    def regain(self) -> None:
        """Attributes that no row holds."""
        self.kept.regain()

    def watch_all(self, seconds: float) -> None:
        """Large values, too."""
        self.kept.watch_all(seconds)


class ByAttributes(Rowed):
    """Attributes written into a row; sources of chance are set anew in any case."""

    name: ClassVar[str] = "attributes"
    inline: ClassVar[bool] = True

    def __init__(self, env: Any, layout: Layout):
        self.layout, self.kept = layout, Attributes(env, layout)

    def take(self, env: Any) -> tuple[bytes, int]:
        """A row."""
        return self.kept.write(), self.kept.size

    def put(self, env: Any, snapshot: bytes) -> Any:
        """Set attributes from a row."""
        self.kept.read(snapshot)
        return env


class Beside(Rowed):
    """A way that keeps the innermost part of an environment, beside the attributes around it."""

    def __init__(self, env: Any, surveys: Sequence[Survey], handled: Sequence[str], stop: Any):
        try:
            layout = Layout.found(surveys, strict=False)
        except NotPlainError as error:
            raise UnfitError(f"{error}") from None
        self.kept = Attributes(env, layout, handled, stop)


class ByHooks(Beside):
    """The environment's own `get_state()` and `set_state(state)`, or functions of the user's.

    With no `surveys` the hooks keep everything, wrappers included.
    """

    name: ClassVar[str] = "hooks"

    def __init__(
        self,
        env: Any,
        surveys: Sequence[Survey],
        stop: Any,
        get: Callable[[], Any],
        put: Callable[[Any], Any],
    ):
        self._wrapped = bool(surveys)
        if surveys:
            super().__init__(env, surveys, (), stop)
        self._get, self._put = get, put

    def regain(self) -> None:
        """Attributes of the wrappers that no row holds."""
        if self._wrapped:
            super().regain()

    def watch_all(self, seconds: float) -> None:
        """Large values of the wrappers, too."""
        if self._wrapped:
            super().watch_all(seconds)

    def take(self, env: Any) -> tuple[Any, int]:
        """What the hook gives, copied, and the attributes of the wrappers."""
        state = copy.deepcopy(self._get())
        around = self.kept.write() if self._wrapped else b""
        return (state, around), len(around) + len(repr(state))

    def put(self, env: Any, snapshot: Any) -> Any:
        """Hand it back."""
        self._put(copy.deepcopy(snapshot[0]))
        if self._wrapped:
            self.kept.read(snapshot[1])
        return env


class ByMuJoCo(Beside):
    """`mj_copyData`: all of the simulator's data, which positions and speeds alone are not."""

    name: ClassVar[str] = "mj_copyData"
    handled: ClassVar[tuple[str, ...]] = ("MjModel", "MjData", "MujocoRenderer")

    def __init__(self, env: Any, surveys: Sequence[Survey], inner: Any):
        import mujoco

        super().__init__(env, surveys, self.handled, None)
        self._mujoco, self._inner, self._free = mujoco, inner, []

    def take(self, env: Any) -> tuple[Any, int]:
        """A copy of the data, in memory that is used again."""
        data, model = self._inner.data, self._inner.model
        copied = self._free.pop() if self._free else self._mujoco.MjData(model)
        self._mujoco.mj_copyData(copied, model, data)
        used = int(data.nbuffer) + int(data.maxuse_arena) + 4096
        return (copied, self.kept.write()), used + self.kept.size

    def put(self, env: Any, snapshot: Any) -> Any:
        """Copy it back."""
        self._mujoco.mj_copyData(self._inner.data, self._inner.model, snapshot[0])
        self.kept.read(snapshot[1])
        return env

    def dropped(self, snapshot: Any) -> None:
        """Its memory serves the next."""
        if len(self._free) < 64:
            self._free.append(snapshot[0])


class ByALE(Beside):
    """The arcade emulator's `clone_state` with its random state, and the attributes around it."""

    name: ClassVar[str] = "clone_state"
    handled: ClassVar[tuple[str, ...]] = ("ALEInterface",)

    def __init__(self, env: Any, surveys: Sequence[Survey], inner: Any):
        super().__init__(env, surveys, self.handled, None)
        self._inner = inner

    def take(self, env: Any) -> tuple[Any, int]:
        """The emulator's state."""
        state = self._inner.clone_state(include_rng=True)
        return (state, self.kept.write()), self.kept.size + 20_000

    def put(self, env: Any, snapshot: Any) -> Any:
        """Hand it back."""
        self._inner.restore_state(snapshot[0])
        self.kept.read(snapshot[1])
        return env


class ByDeepcopy(Way):
    """`copy.deepcopy`."""

    name: ClassVar[str] = "deepcopy"

    def __init__(self, env: Any):
        self._count = 0
        try:
            copy.deepcopy(env)
        except Exception as error:
            raise UnfitError(f"copy.deepcopy raised {in_words(error)}") from None

    def take(self, env: Any) -> tuple[Any, int]:
        """A copy, which is never stepped."""
        return self.keep(copy.deepcopy(env))

    def keep(self, env: Any) -> tuple[Any, int]:
        """The environment itself; how large it is, is looked at now and then."""
        if self._count % 256 == 0:
            self._bytes = _weight(env)
        self._count += 1
        return env, self._bytes

    def put(self, env: Any, snapshot: Any) -> Any:
        """A copy of the copy."""
        return copy.deepcopy(snapshot)


def _weight(env: Any) -> int:
    """Bytes of a copy; large values are shared between copies by few environments, and counted."""
    survey = Survey(env, deep=False)
    return sum(64 + (told[2] if kind == "plain" else 512) for kind, told in survey.entries.values())


class ByReplay(Way):
    """Nothing is kept: the episode is played again from its seed, by its actions and keys."""

    name: ClassVar[str] = "replay"

    def take(self, env: Any) -> tuple[Any, int]:
        """Nothing: a history is all that is needed."""
        return None, 0


ORDER = ("hooks", "mj_copyData", "clone_state", "attributes", "deepcopy", "replay")
"""From what the environment says of itself to what serves everywhere and costs the most."""


def chain(env: Any) -> list[Any]:
    """An environment and all that it wraps, from the outside in."""
    found = [env]
    while "env" in vars(found[-1]) and len(found) < 64:
        found.append(vars(found[-1])["env"])
    return found


def hooks_of(env: Any) -> tuple[Any, Callable[[], Any], Callable[[Any], Any]] | None:
    """The outermost part of an environment that has both hooks, and these."""
    for part in chain(env):
        if all(_has(part, hook) for hook in _HOOKS):
            return part, part.get_state, part.set_state
    return None


_HOOKS = ("get_state", "set_state")


def _has(part: Any, hook: str) -> bool:
    return callable(getattr(type(part), hook, None))


def half_hooks(env: Any) -> str:
    """What an environment without both hooks has of them, in words."""
    for part in chain(env):
        for one, other in (_HOOKS, _HOOKS[::-1]):
            if _has(part, one):
                return f"{one}() in {type(part).__name__} and no {other}() beside it"
    return "no get_state() and set_state(state)"


def part_with(env: Any, name: str, kind: str) -> Any:
    """The part of an environment whose attribute `name` is of a kind, by its name; or None."""
    for part in chain(env):
        if type(vars(part).get(name)).__name__ == kind:
            return part
    return None
