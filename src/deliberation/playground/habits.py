"""What answers at once: a network for each task, saved, or trained on the spot and then kept.

It is fitted to the exact answers where all states can be listed, else to what a search answers in
positions of random play, for the task's own goal; afterwards it only evaluates.
"""

import functools
import hashlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from ..amortised import MLP, Dataset, Network, NetworkPolicy, collect, fit, random_positions
from ..amortised.files import load_network, save_network
from ..core.cache import cache_folder
from ..core.decider import Decider
from ..core.errors import DeliberationError, PolicyFileError
from ..core.keys import named_key
from ..core.task import State, Task
from ..direct.exact import value_iteration
from ..direct.exact.states import Reached
from ..tasks import portable_name
from ..tasks.names import source_digest
from ..zoo.naming import usual_search
from .exact import listing
from .pool import ended
from .settings import RefusedError
from .worlds import world

VERSION = 2
"""Of the recipe below: a change of it trains anew."""
CHUNK = 256
PATIENCE = 15.0
"""Seconds after which nobody looks at what was not asked for again."""
_log = logging.getLogger("deliberation.playground")
BUNDLED = Path(__file__).parent / "habits"
"""Networks that come with the installation, made by `bundle`: a folder for each task."""


class Recipe(NamedTuple):
    """How much is learned from: positions, simulations of search in each, steps of fitting."""

    positions: int = 2048
    simulations: int = 256
    steps: int = 1500


QUICK, HIDDEN, LONG = Recipe(), Recipe(512, 64), Recipe(12_288, 1024, 6000)


class Habit:
    """The network of one task as it comes about: `policy` is None until it is there."""

    def __init__(self, name: str):
        self.name = name
        self.policy: Decider | None = None
        self.about, self.refused = "", ""
        self.share, self.stage = 0.0, "waiting for its turn"
        self.asked = 0.0
        """When it was asked for last, by `time.monotonic`."""
        self.wanted: Callable[[], bool] = lambda: True

    def go_on(self) -> None:
        """Raise `_DroppedError` where its training is wanted no more."""
        if not self.wanted():
            raise _DroppedError

    @property
    def settled(self) -> bool:
        """Whether nothing more will come of waiting."""
        return self.policy is not None or bool(self.refused)

    @property
    def told_goal(self) -> bool:
        """Whether it hears what is wanted; a network of observations alone does not."""
        return self.policy is not None and not isinstance(self.policy, NetworkPolicy)

    def told(self) -> dict[str, Any]:
        """How far it is, for the page."""
        return {
            "ready": self.policy is not None, "about": self.about, "refused": self.refused,
            "share": self.share, "stage": self.stage,
        }  # fmt: skip


class _DroppedError(Exception):
    """A training that ends unfinished."""


class Habits:
    """The networks of all tasks; each is trained once, one after the other, in a thread apart.

    The one that was asked for last comes first. One that nobody has asked for in a while is dropped
    for others, until it is asked for again: whoever waits has to ask again and again.
    """

    def __init__(self, policies: tuple[Path, ...] = ()):
        self._known: dict[str, Habit] = {}
        self._turn = threading.Condition()
        self._waiting: dict[str, Habit] = {}
        self._taught: Habit | None = None
        self._open = self._closed = False
        for folder in policies:
            task, network, _ = load_network(folder)
            habit = Habit(portable_name(task))
            habit.policy, habit.about = NetworkPolicy(task, network), f"saved in {folder.name}"
            self._known[habit.name] = habit

    @property
    def given(self) -> tuple[str, ...]:
        """The tasks of the policies that were handed over."""
        return tuple(self._known)

    def of(self, name: str) -> Habit:
        """The network of a task; who asks has it trained. Raises `RefusedError` after `close`."""
        with self._turn:
            if self._closed:
                raise ended()
            found = self._known.setdefault(name, Habit(name))
            found.asked = time.monotonic()
            if not found.settled and found is not self._taught:
                self._waiting[name] = found
                self._turn.notify()
                if not self._open:
                    self._open = True
                    threading.Thread(target=self._teach, name="school", daemon=True).start()
            return found

    def close(self) -> None:
        """Begin no more trainings, and end the present one at its next step."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()

    def _teach(self) -> None:
        while (habit := self._next()) is not None:
            habit.wanted = functools.partial(self._wanted, habit)
            _get_ready(habit)

    def _next(self) -> Habit | None:
        with self._turn:
            self._taught = None
            while not self._closed:
                late = [h for h in self._waiting.values() if _forgotten(h) and not _bundled(h.name)]
                for habit in late:
                    del self._waiting[habit.name]
                if self._waiting:
                    last = max(self._waiting.values(), key=lambda habit: habit.asked)
                    self._taught = self._waiting.pop(last.name)
                    return self._taught
                self._turn.wait()
            return None

    def _wanted(self, habit: Habit) -> bool:
        """Whether a training is to go on: somebody looks at it, or at no other."""
        with self._turn:
            others = not all(_forgotten(other) for other in self._waiting.values())
            return not self._closed and not (others and _forgotten(habit))


def _forgotten(habit: Habit) -> bool:
    return time.monotonic() - habit.asked > PATIENCE


def _get_ready(habit: Habit) -> None:
    """Load the network that was kept, or train one and keep it."""
    try:
        task = world(habit.name)
        folder = _folder(habit.name)
        try:
            _, network, info = load_network(folder, task=task)
            about = str(info.extra.get("about", ""))
        except (PolicyFileError, RecursionError):
            recipe = QUICK if task.traits.fully_observable else HIDDEN
            began = time.perf_counter()
            network, taught = _trained(task, habit, recipe)
            about = f"trained here in {time.perf_counter() - began:.0f} s on {taught}"
            _keep(folder, network, task, about)
        habit.about, habit.stage, habit.share = about, "", 1.0
        habit.policy = NetworkPolicy(task, network)
    except _DroppedError:
        habit.share, habit.stage = 0.0, "waiting for its turn"
    except (DeliberationError, RefusedError) as error:
        habit.refused = f"No network: {str(error).splitlines()[0]}"
    except Exception as error:
        _log.error("a training ended", exc_info=error)
        habit.refused = f"No network: its training ended with {type(error).__name__}."


def _keep(folder: Path, network: Network, task: Task, about: str) -> None:
    try:
        save_network(folder, network, task, extra={"about": about})
    except (DeliberationError, ValueError):
        return  # It serves all the same, and is trained again next time.


def bundle(name: str) -> None:
    """Train a network for longer, and put it where those are that come with the installation.

    `python -c "from deliberation.playground.habits import bundle; bundle('connect_four')"`
    """
    task = world(name)
    network, taught = _trained(task, Habit(name), LONG)
    save_network(BUNDLED / name, network, task, extra={"about": f"trained on {taught}"})


def _bundled(name: str) -> bool:
    return name.isidentifier() and (BUNDLED / name).is_dir()


def _folder(name: str) -> Path:
    if _bundled(name):
        return BUNDLED / name
    mark = f"{VERSION} {portable_name(name)} {source_digest(name)}"
    return cache_folder() / "playground" / hashlib.sha256(mark.encode()).hexdigest()[:20]


def _trained(task: Task, habit: Habit, recipe: Recipe) -> tuple[Network, str]:
    habit.stage = "listing all states"
    listed, key = listing(habit.name), named_key(jax.random.key(0), "habit")
    first, then, last = jax.random.split(key, 3)
    if isinstance(listed, Reached):
        data, taught = _from_table(listed, 4 * recipe.positions)
    else:
        data, taught = _from_search(task, habit, recipe, first)
    low, high = task.objective.bounds
    network = MLP(
        data.observations.shape[1:], task.traits.actions, 128, 2, key=then,
        value_range=(low, high) if np.isfinite([low, high]).all() else None,
    )  # fmt: skip
    habit.go_on()
    habit.share, habit.stage = 0.7, "fitting the network"
    fitted = fit(task, network, data, steps=recipe.steps, key=last)
    return fitted.network, taught


def _from_table(listed: Reached, most: int) -> tuple[Dataset, str]:
    """The best actions and values of all states, or of many."""
    table = value_iteration(listed)
    live = np.flatnonzero(~listed.terminal)
    rows = np.random.default_rng(0).permutation(live)[:most]
    states = jax.tree.map(lambda x: jnp.asarray(x)[rows], listed.states)
    seen = jax.jit(jax.vmap(listed.task.observe))(states)
    legal = jax.jit(jax.vmap(listed.task.legal))(states)
    weights = table.policy[rows].astype(np.float32)
    data = Dataset.of(seen, legal, weights, table.values[rows].astype(np.float32))
    return data, f"the exact answers in {len(rows):,} states"


def _from_search(
    task: Task, habit: Habit, recipe: Recipe, key: Key[Array, ""]
) -> tuple[Dataset, str]:
    """What search prefers in positions of random play."""
    count, budget = recipe.positions, recipe.simulations
    habit.share, habit.stage = 0.05, "playing at random"
    positions = random_positions(task, count, key)
    teacher, parts = usual_search(task), []
    for start in range(0, count, CHUNK):
        habit.go_on()
        habit.share = 0.1 + 0.6 * start / count
        habit.stage = f"asking search: {start:,} of {count:,} positions"
        some = _part(positions, start)
        keys = jax.random.fold_in(key, start)
        parts.append(collect(teacher, some, key=keys, budget=budget, batch=CHUNK)[0])
    seen, legal, weights, values = (
        jnp.concatenate([getattr(p, f) for p in parts])
        for f in ("observations", "legal", "weights", "value")
    )
    # Of what search makes of a position its choice alone: a habit has an answer.
    best = jax.nn.one_hot(weights.argmax(1), weights.shape[1])
    taught = f"{count:,} answers of search at {budget} simulations"
    return Dataset.of(seen, legal, best, values), taught


def _part(states: State, start: int) -> State:
    return jax.tree.map(lambda x: x[start : start + CHUNK], states)
