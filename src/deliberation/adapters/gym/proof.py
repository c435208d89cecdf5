"""Which way of keeping an environment's states is exact: each is tried, until one is.

A clone is held against the original: after snapshots were taken, after other episodes, after
drawing, twice from the same snapshot, and with two episodes in turns. What must agree, to the bit,
are observations, rewards and ends.
"""

import contextlib
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import UnfaithfulCloneError
from ...core.failures import in_words
from .attributes import Layout, Rewind
from .plain import NotPlainError
from .settings import Hooks
from .trial import Trial, explore
from .ways import (
    ORDER,
    ByALE,
    ByAttributes,
    ByDeepcopy,
    ByHooks,
    ByMuJoCo,
    ByReplay,
    UnfitError,
    Way,
    half_hooks,
    hooks_of,
    part_with,
)

_PREFIX, _STEPS, _ENOUGH = (0, 3, 9, 1, 20, 5, 2, 7, 14, 0, 4, 11), 12, 36
_PATIENCE = 0.1
"""Seconds that may go into looks at large values with each snapshot of a trial; there is one more
look at its end."""
_SLOW = 0.005
"""Seconds a step beyond which the trial is shorter."""


@dataclass(frozen=True)
class Tried:
    """One way that was tried: whether it proved exact, and what spoke against it."""

    way: str
    exact: bool
    why: str = ""

    def __str__(self) -> str:
        return f"{self.way}: {'exact' if self.exact else self.why}"


@dataclass(frozen=True)
class Fidelity:
    """How the states of an environment are kept, and what that was judged by.

    `tried` are the ways in order; `steps` how many were compared; `sources` where it draws chance
    from, of which `leaked` are shared with the whole process; `random`: one action led to different
    states under different keys. `restless` are attributes that differ after resets by one seed, a
    clock say: states of one key differ in them.
    """

    way: str
    tried: tuple[Tried, ...]
    steps: int
    sources: tuple[str, ...]
    leaked: tuple[str, ...]
    random: bool
    restless: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = "\n".join(f"  {tried}" for tried in self.tried)
        chance = ", ".join((*self.sources, *self.leaked)) or "none"
        restless = ", ".join(self.restless)
        return (
            f"States are kept by {self.way}, exact over {self.steps} steps.\n{told}\n"
            f"  sources of chance, set from the key before each step: {chance}"
            + f"\n  other after each reset, by the same seed, too: {restless}"
            * bool(restless)
        )


def prove(trial: Trial, clone: str, hooks: Hooks | None, rewind: Rewind) -> tuple[Way, Fidelity]:
    """The first way that is exact, or the one asked for by name, and the report.

    `rewind` knows what the environment was when it was handed over, should anything outlast a
    reset. Raises `UnfaithfulCloneError` where no way is exact, with what was tried.
    """
    _refuse_inner_chance(trial)
    tried, steps = [], 0
    cases = _cases(trial)
    why = _unlike_itself(trial, cases)
    if why:
        # Something outlasts a reset: a wrapper's statistics, say, which are put back as well.
        outlasting = rewind.narrowed(rewind.moved(trial.env))
        trial.chance.before_reset = outlasting
        cases = _cases(trial)
        why = _unlike_itself(trial, cases)
    if why:
        raise UnfaithfulCloneError(
            f"{trial.name} does not go the same way twice from one seed by the same actions ({why})"
            ": it keeps something, or draws chance, where it cannot be put back (a global variable,"
            " a file, a generator of its own made in `step`). Keep everything in attributes of the "
            "environment, and draw from self.np_random, which reset(seed=...) sets."
        )
    restless = _rewound(trial, cases, rewind)
    for name in ORDER if clone == "best" else (clone,):
        try:
            way = _made(name, trial, hooks)
            way.watch_all(_PATIENCE)
            why, steps = _held_against(trial, way, cases)
            way.watch_all(0.0)
        except UnfitError as error:
            why = str(error)
        except Exception as error:
            why = in_words(error)
        tried.append(Tried(name, not why, why))
        if not why:
            return way, _report(trial, way, tried, steps, cases, restless)
    told = "\n".join(f"  {one}" for one in tried)
    raise UnfaithfulCloneError(
        f"{trial.name} cannot be cloned, so nothing can be planned in it. Tried:\n{told}\n"
        "Give it methods get_state() and set_state(state) that keep everything, or pass functions "
        "get_state=lambda env: ... and set_state=lambda env, state: ..."
    )


def _refuse_inner_chance(trial: Trial) -> None:
    """Refuse an emulator that repeats actions at random, by a generator that no key reaches."""
    inner = part_with(trial.env, "ale", "ALEInterface")
    if inner is not None and inner.ale.getFloat("repeat_action_probability") > 0:
        raise UnfaithfulCloneError(
            f"{trial.name} repeats actions at random inside of its emulator, where chance cannot be"
            " set from a key, so a planner would foresee it. Pass repeat_action_probability=0.0 "
            "(and gymnasium.wrappers.StickyAction, which draws where it can be set)."
        )


@dataclass
class Case:
    """One episode: how it began, the steps before the snapshot and after, and what came of them."""

    word: int
    before: list[tuple[Any, int]]
    after: list[tuple[Any, int]]
    first: Any
    came: list[tuple]


def _cases(trial: Trial) -> list[Case]:
    """Episodes that go on for at least a step after the snapshot."""
    found, slow = [], trial.seconds > _SLOW
    for prefix in _PREFIX[: 1 if slow else None]:
        if sum(len(case.came) for case in found) >= _ENOUGH:
            break
        for attempt in range(20):
            word = trial.word()
            before = trial.path(max(prefix - attempt, 0))
            after = trial.path(4 if slow else _STEPS)
            first = trial.begin(word)
            lived = trial.play(trial.env, before)
            if len(lived) == len(before) and not (lived and any(lived[-1][2:])):
                came = trial.play(trial.env, after)
                found.append(Case(word, before, after, first, came))
                break
    return found


def _unlike_itself(trial: Trial, cases: list[Case]) -> str:
    """What differs when the same episodes are played once more, in another order; or nothing."""
    for case in cases[::-1]:
        first = trial.begin(case.word)
        if not _same(first, case.first):
            return "the first observation differs"
        trial.play(trial.env, case.before)
        why = _differs(trial.play(trial.env, case.after), case.came)
        if why:
            return why
    return ""


def _rewound(trial: Trial, cases: list[Case], rewind: Rewind) -> tuple[str, ...]:
    """Have what outlasts a reset, such as a count of episodes, put back before each; what cannot.

    It need not show in what is seen, and yet would make other states of the same key.
    """
    places: list[Any] = []
    if trial.chance.before_reset is not None:
        places = list(trial.chance.before_reset.places)
    for again in range(2):
        trial.begin(cases[0].word)
        first = Rewind(trial.env)
        trial.play(trial.env, cases[0].after)
        trial.begin(cases[-1].word)
        trial.begin(cases[0].word)
        moved = [place for place in first.moved(trial.env) if place not in places]
        if again or not moved:
            break
        trial.chance.before_reset = rewind.narrowed([*places, *moved])
    return tuple(".".join((*path, name)) for path, name in moved)


def _held_against(trial: Trial, way: Way, cases: list[Case]) -> tuple[str, int]:
    """What differs between clones and the original, if anything; and how many steps were held."""
    if way.name == "replay":
        return "", sum(len(case.came) for case in cases)
    shots, steps = [], 0
    for case in cases:
        trial.begin(case.word)
        trial.play(trial.env, case.before)
        shots.append(way.take(trial.env)[0])
        why = _differs(trial.play(trial.env, case.after), case.came)
        if why:
            return f"taking a snapshot alters the original: {why}", 0
    trial.begin(trial.word())
    trial.play(trial.env, trial.path(5))
    _drawn(trial.env)
    for again in range(2):
        for case, shot in zip(cases, shots, strict=True):
            env = way.put(trial.env, shot)
            came = trial.play(env, case.after)
            steps += len(came)
            why = _differs(came, case.came)
            if why:
                return f"a clone{' made again' * again} goes another way: {why}", steps
    return _in_turns(trial, way, cases, shots), steps


def _in_turns(trial: Trial, way: Way, cases: list[Case], shots: list[Any]) -> str:
    """All episodes a step each, as a search does, with a snapshot after every step."""
    held = list(shots)
    for ply in range(max(len(case.came) for case in cases)):
        for number, case in enumerate(cases):
            if ply >= len(case.came):
                continue
            env = way.put(trial.env, held[number])
            came = trial.play(env, case.after[ply : ply + 1])
            why = _differs(came, case.came[ply : ply + 1])
            if why:
                return f"episodes in turns get into each other's way: {why} (step {ply})"
            held[number] = way.keep(env)[0]
    return ""


def _drawn(env: Any) -> None:
    """Draw it, as a user may: that must not move anything. Whether it can be drawn is no matter."""
    if getattr(env, "render_mode", None):
        with warnings.catch_warnings(), contextlib.suppress(Exception, SystemExit):
            warnings.simplefilter("ignore")
            env.render()


def _differs(came: list[tuple], expected: list[tuple]) -> str:
    for ply, (one, other) in enumerate(zip(came, expected, strict=False)):
        for name, a, b in zip(("observation", "reward", "end", "cut"), one, other, strict=True):
            if not _same(a, b):
                return f"the {name} of step {ply + 1} differs"
    return "" if len(came) == len(expected) else "an episode ends earlier"


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(_same, a, b))
    a, b = np.asarray(a), np.asarray(b)
    floating = a.dtype.kind in "fc"
    return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=floating))


def _made(name: str, trial: Trial, hooks: Hooks | None) -> Way:
    """The way by that name; raises `UnfitError` where the environment does not offer it."""
    env = trial.env
    if name == "hooks":
        return _hooked(trial, hooks)
    if name == "mj_copyData":
        inner = part_with(env, "data", "MjData")
        if inner is None:
            raise UnfitError("it is not simulated by MuJoCo")
        return ByMuJoCo(env, explore(trial, ByMuJoCo.handled, None), inner)
    if name == "clone_state":
        inner = part_with(env, "ale", "ALEInterface")
        if inner is None:
            raise UnfitError("it is no game of the Arcade Learning Environment")
        return ByALE(env, explore(trial, ByALE.handled, None), inner)
    if name == "attributes":
        try:
            return ByAttributes(env, Layout.found(explore(trial, (), None)))
        except NotPlainError as error:
            raise UnfitError(f"{error}, and is no plain value") from None
    return ByDeepcopy(env) if name == "deepcopy" else ByReplay()


def _hooked(trial: Trial, hooks: Hooks | None) -> Way:
    env = trial.env
    if hooks is not None:
        (get, put), inner = hooks, env.unwrapped
        given = (lambda: get(env)), (lambda state: put(env, state))
        if inner is not env:
            # What wrappers count is hardly thought of: it is kept beside what the hooks keep.
            with contextlib.suppress(UnfitError):
                return ByHooks(env, explore(trial, (), inner), inner, *given)
        return ByHooks(env, [], env, *given)
    found = hooks_of(env)
    if found is None:
        raise UnfitError(f"it has {half_hooks(env)}")
    part, get_own, put_own = found
    surveys = [] if part is env else explore(trial, (), part)
    return ByHooks(env, surveys, part, get_own, put_own)


def _report(
    trial: Trial,
    way: Way,
    tried: list[Tried],
    steps: int,
    cases: list[Case],
    restless: tuple[str, ...],
) -> Fidelity:
    sources = tuple(".".join(path[-2:]) for path in trial.chance.paths)
    return Fidelity(
        way.name, tuple(tried), steps, sources, trial.chance.leaked, _chancy(trial, cases), restless
    )


def _chancy(trial: Trial, cases: list[Case]) -> bool:
    """Whether other keys lead elsewhere by the same actions: played anew, some hundred steps."""
    for case in cases:
        for _ in range(1 if trial.seconds > _SLOW else 8):
            trial.begin(case.word)
            trial.play(trial.env, case.before)
            other = [(action, trial.word()) for action, _ in case.after]
            if _differs(trial.play(trial.env, other), case.came):
                return True
    return False
