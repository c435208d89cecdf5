"""Random play in an environment: where it draws chance, and which attributes move."""

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .asking import begin, move
from .attributes import Survey
from .chance import Chance, mixed
from .form import Form
from .hidden import Hidden
from .shared import Watch


@dataclass
class Trial:
    """Random play in an environment: what the ways are chosen and judged by."""

    env: Any
    name: str
    form: Form
    chance: Chance
    infos: list[Mapping[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    """What a step took, without what was looked at around it."""
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
        found: list[tuple] = []
        for action, word in path:
            seen, reward, over, cut, info = move(env, self.chance, word, action, self.name)
            found.append((copy.deepcopy(seen), copy.deepcopy(reward), over, cut))
            self.infos.append(copy.copy(info))
            if over or cut:
                break
        return found


def explore(trial: Trial, handled: tuple[str, ...], stop: Any) -> list[Survey]:
    """Look at an environment while it is played at random, as deeply at the ends as can be."""
    surveys, started, spent, count = [], time.thread_time(), 0.0, 0
    known: dict[int, tuple[Any, int]] = {}
    hidden = Hidden(trial.name, trial.chance)
    watch = Watch(trial.env, trial.name, trial.chance)
    for episode in range(6):
        trial.infos.append(begin(trial.env, trial.chance, trial.word(), trial.name)[1])
        surveys.append(Survey(trial.env, handled, stop, episode in (0, 5), known))
        for ply in range(24 if episode < 5 else 200):
            ((action, word),) = trial.path(1)
            hidden.look(trial.env, again=ply < 4)
            asked = time.perf_counter()
            _, _, over, cut, info = watch.move(trial.env, word, action)
            spent += time.perf_counter() - asked
            hidden.check()
            trial.infos.append(copy.copy(info))
            count += 1
            if ply < 12 or over or cut:
                deep = episode == 5 and ply == 11
                surveys.append(Survey(trial.env, handled, stop, deep, known))
            # Time that others take from this process says nothing of the environment.
            slow = max(spent, time.thread_time() - started) > 2.0 and ply > 3
            if over or cut or slow:
                break
    trial.seconds = spent / max(count, 1)
    return surveys
