"""What answers at once: a network for each task, saved, or trained on the spot and then kept.

It is fitted to the exact answers where all states can be listed, else to what a search answers in
positions of random play, for the task's own goal; afterwards it only evaluates.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from ..amortised import MLP, Dataset, Network, NetworkPolicy, collect, fit, random_positions
from ..amortised.files import load_network, save_network
from ..core.cache import cache_folder
from ..core.errors import DeliberationError, PolicyFileError
from ..core.keys import named_key
from ..core.task import State, Task
from ..core.telling import hearing
from ..direct.exact import value_iteration
from ..direct.exact.states import Reached
from ..tasks import list_tasks, portable_name
from ..tasks.names import source_digest
from ..zoo.naming import usual_search
from .exact import listing
from .handed import Handed
from .settings import RefusedError, sentence_of
from .turns import WAITING, DroppedError, Habit, Turns
from .worlds import world

VERSION = 2
"""Of the recipe below: a change of it trains anew."""
CHUNK, FEW = 256, 16
"""Positions that search is asked about at a time; of worlds of others, which may be slow, a few."""
BRISK = 0.25
"""Seconds for those few, below which so many more are asked about at a time."""
VARIED = 32
"""So many networks of tasks with changed options are held; none of them is kept on disk."""
_log = logging.getLogger("deliberation.playground")
BUNDLED = Path(__file__).parent / "habits"
"""Networks that come with the installation, made by `bundle`: a folder for each task."""


class Recipe(NamedTuple):
    """How much is learned from: positions, simulations of search in each, steps of fitting."""

    positions: int = 2048
    simulations: int = 256
    steps: int = 1500


QUICK, HIDDEN, LONG = Recipe(), Recipe(512, 64), Recipe(12_288, 1024, 6000)


class Habits:
    """The networks of all tasks: each is trained once, when it is asked for, in its turn.

    Whoever waits has to ask again and again (see `Turns`). The policies handed over are there from
    the start.
    """

    def __init__(self, policies: Sequence[Handed] = ()):
        self._known: dict[str, Habit] = {}
        self._lock = threading.Lock()
        self._turns = Turns(lambda habit: _get_ready(habit), _bundled)
        for one in policies:
            habit = Habit(one.task)
            habit.policy, habit.about, habit.kind = one.policy, one.about, one.kind
            habit.budget = None if one.named is None else one.named.budget
            self._known[habit.name] = habit

    def of(self, name: str) -> Habit:
        """The network of a task; who asks has it trained. Raises `RefusedError` after `close`."""
        with self._lock:
            found = self._known.setdefault(name, Habit(name))
            self._forget(found)
        self._turns.ask(found)
        return found

    def _forget(self, but: Habit) -> None:
        """Of tasks with options of visitors only so many networks are held. Under the lock."""
        held = [h for h in self._known.values() if h.settled and _varied(h.name) and h is not but]
        for habit in sorted(held, key=lambda habit: habit.asked)[: max(0, len(held) - VARIED)]:
            del self._known[habit.name]

    def close(self) -> None:
        """Begin no more trainings, and end those under way at their next step."""
        self._turns.close()


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
            if not _varied(habit.name):
                _keep(folder, network, task, about)
        habit.about, habit.stage, habit.share = about, "", 1.0
        habit.policy = NetworkPolicy(task, network)
    except DroppedError:
        habit.share, habit.stage = 0.0, WAITING
    except (DeliberationError, RefusedError) as error:
        habit.refused = f"No network: {sentence_of(error)}"
    except Exception as error:
        _log.error("a training ended", exc_info=error)
        habit.refused = f"No network: its training ended with {type(error).__name__}."


def _varied(name: str) -> bool:
    """Whether a visitor has changed options: of such tasks there is no end."""
    return "(" in name


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
    with hearing(lambda share: habit.go_on(waits=False)):
        listed = listing(habit.name)
    key = named_key(jax.random.key(0), "habit")
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
    habit.stage = "fitting the network"

    def heard(share: float) -> None:
        habit.go_on()
        habit.share = 0.7 + 0.3 * share

    with hearing(heard):
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
    start, size = 0, CHUNK if habit.name.split("(")[0] in list_tasks() else FEW
    while start < count:
        habit.go_on()
        habit.share = 0.1 + 0.6 * start / count
        habit.stage = f"asking search: {start:,} of {count:,} positions"
        some, began = _part(positions, start, size), time.monotonic()
        keys = jax.random.fold_in(key, start)
        parts.append(collect(teacher, some, key=keys, budget=budget, batch=size)[0])
        start += size
        if size < CHUNK and start % CHUNK == 0 and time.monotonic() - began < BRISK:
            size = CHUNK
    seen, legal, weights, values = (
        jnp.concatenate([getattr(p, f) for p in parts])
        for f in ("observations", "legal", "weights", "value")
    )
    # Of what search makes of a position its choice alone: a habit has an answer.
    best = jax.nn.one_hot(weights.argmax(1), weights.shape[1])
    taught = f"{count:,} answers of search at {budget} simulations"
    return Dataset.of(seen, legal, best, values), taught


def _part(states: State, start: int, size: int) -> State:
    return jax.tree.map(lambda x: x[start : start + size], states)
