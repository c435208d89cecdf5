"""Random play in an environment: where it draws chance, and which attributes move."""

import copy
import random
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .attributes import Survey
from .chance import GLOBAL, Chance, mixed
from .form import Form
from .hidden import Hidden
from .stepper import begin, failed, move


@dataclass
class Trial:
    """Random play in an environment: what the ways are chosen and judged by."""

    env: Any
    name: str
    form: Form
    chance: Chance
    infos: list[dict[str, Any]] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    longest: int = 0
    fails_past_cut: bool = False
    seconds: float = 0.0
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def action(self) -> Any:
        """A random action of a task."""
        form = self.form.action
        if form.count:
            return np.array([self.rng.integers(form.count)], np.int32)
        low, high = (-1.0, 1.0) if form.spread else (min(form.low), max(form.high))
        return self.rng.uniform(low, high, (1, *form.shape)).astype(np.float32)

    def word(self) -> int:
        """Chance for one step."""
        return mixed(self.rng.integers(0, 1 << 32, (1, 2), dtype=np.uint64))[0]

    def path(self, steps: int) -> list[tuple[Any, int]]:
        """Actions as the environment takes them, and chance, for so many steps."""
        return [(self.form.action.to_env(self.action())[0], self.word()) for _ in range(steps)]

    def begin(self, word: int) -> Any:
        """What is seen first."""
        return copy.deepcopy(begin(self.env, self.chance, word, self.name)[0])

    def play(self, env: Any, path: list[tuple[Any, int]]) -> list[tuple]:
        """What comes of each step, up to the end of an episode."""
        found = []
        for action, word in path:
            seen, reward, over, cut, info = move(env, self.chance, word, action, self.name)
            found.append((copy.deepcopy(seen), copy.deepcopy(reward), over, cut))
            self.infos.append(info)
            if over or (cut and self.form.end_at_cut):
                break
        return found


def explore(trial: Trial, handled: tuple[str, ...], stop: Any) -> list[Survey]:
    """Look at an environment while it is played at random, as deeply at the ends as can be."""
    surveys, started, count = [], time.perf_counter(), 0
    known: dict[int, tuple[Any, int]] = {}
    hidden = Hidden(trial.name, trial.chance)
    for episode in range(6):
        trial.infos.append(begin(trial.env, trial.chance, trial.word(), trial.name)[1])
        surveys.append(Survey(trial.env, handled, stop, episode in (0, 5), known))
        for ply in range(24 if episode < 5 else 200):
            ((action, word),) = trial.path(1)
            hidden.look(trial.env, again=ply < 4)
            _, _, over, cut, info = move(trial.env, trial.chance, word, action, trial.name)
            hidden.check()
            trial.infos.append(info)
            count += 1
            if ply < 12 or over or cut:
                deep = episode == 5 and ply == 11
                surveys.append(Survey(trial.env, handled, stop, deep, known))
            slow = time.perf_counter() - started > 2.0 and ply > 3
            if over or cut or slow:
                break
    trial.seconds = (time.perf_counter() - started) / max(count, 1)
    return surveys


def leaks(trial: Trial) -> tuple[str, ...]:
    """The generators of the whole process that an environment draws from.

    Looked at right before and after its own calls, since others draw from them too.
    """
    legacy, plain = np.random.get_state, random.getstate
    first, found = (legacy(), plain()), set()
    trial.chance.seed(trial.env, trial.word())
    path = trial.path(16)
    for action, word in [(None, 0), *path]:
        trial.chance.seed(trial.env, word)
        before = legacy()[1].tobytes(), legacy()[2], plain()  # type: ignore[union-attr, index]
        try:
            came = trial.env.reset(seed=1) if action is None else trial.env.step(action)
        except Exception as error:
            raise failed(trial.name, "its first steps", error) from error
        after = legacy()[1].tobytes(), legacy()[2], plain()  # type: ignore[union-attr, index]
        found |= {"numpy.random"} if before[:2] != after[:2] else set()
        found |= {"random"} if before[2] != after[2] else set()
        if action is not None and (came[2] or came[3]):
            break
    np.random.set_state(first[0])
    random.setstate(first[1])
    return tuple(name for name in GLOBAL if name in found)
