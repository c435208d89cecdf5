"""Expert iteration: search teaches the network, and the network guides the search.

Anthony, Tian and Barber (2017, "ExIt") and Silver et al. (2017, "AlphaZero"), with the improved
policy of Gumbel search as target (Danihelka et al. 2022).
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from jaxtyping import Array, Float, Key

from ...amortised.files.policies import MANIFEST, load_network, save_network
from ...amortised.imitation.data import Dataset, random_positions
from ...amortised.imitation.fitting import check_losses, train_steps, training_cost
from ...amortised.networks.feed_forward import Network
from ...amortised.training.optimisers import (
    cosine_schedule,
    init_optimiser,
    make_optimiser,
    rise_schedule,
)
from ...core.errors import NonFiniteError, OutputFolderError
from ...core.ledger import Ledger
from ...core.task import State, Task
from ...direct.tree_search.decider import TreeSearch
from ...runs.provenance import cores
from ...runs.storage import lock, storage_error
from ...tasks import make_task
from ..guided.guided_search import guided_search
from .checkpoint import Checkpoints, Training
from .games import Games, self_play
from .replay import COLUMNS, Replay
from .settings import Settings

SNAPSHOTS = "snapshots"
_LOCK = ".training.lock"
_LANES, _OPENINGS, _PLAY, _FIT = range(4)

Report = Callable[[float, str], Any]


@dataclass(frozen=True)
class Trained:
    """What training gave: the decider to use, its network, what was spent, and where it lies."""

    decider: TreeSearch
    network: Network
    ledger: Ledger
    folder: Path


@dataclass(frozen=True)
class Course:
    """One training: what is learned, how, for how long, and into which folder."""

    task: Task
    name: str
    options: dict[str, Any]
    seed: int
    settings: Settings
    minutes: float | int | None
    iterations: int | None
    workers: int
    snapshots: int
    folder: Path

    @property
    def identity(self) -> dict[str, Any]:
        """What must agree for a folder's content to be this training's; plain JSON."""
        return msgspec.json.decode(
            msgspec.json.encode(
                {
                    "task": self.name,
                    "options": self.options,
                    "seed": self.seed,
                    "settings": self.settings.as_dict(),
                    "minutes": self.minutes,
                    "iterations": self.iterations,
                    "workers": self.workers,
                    "snapshots": self.snapshots,
                }
            )
        )

    @property
    def search(self) -> dict[str, Any]:
        """How the saved policy is to be searched with."""
        return {"rollouts": self.settings.rollouts, "symmetries": self.settings.symmetries}

    def key(self, purpose: int, iteration: int = 0, worker: int = 0) -> Key[Array, ""]:
        """The key for one purpose of one worker in one iteration: nothing else carries chance."""
        key = jax.random.key(self.seed)
        for number in (purpose, iteration, worker):
            key = jax.random.fold_in(key, number)
        return key

    def share(self, training: Training) -> float:
        """How much of the training is done, from 0 to 1."""
        if self.iterations is not None:
            return training.iteration / self.iterations
        return training.seconds / (60 * self.minutes)  # type: ignore[operator]

    def due(self, share: float) -> int:
        """How many snapshots belong to this share: the last at the end, each before at half."""
        return sum(share >= 0.5**i for i in range(self.snapshots))


def train(
    task: str,
    *,
    out: Path | str,
    options: dict[str, Any] | None = None,
    minutes: float | int | None = None,
    iterations: int | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    workers: int | None = None,
    snapshots: int = 0,
    progress: Report | None = None,
) -> Trained:
    """Train a network on a task by expert iteration and save it as a policy in `out`.

    Give either `iterations` or `minutes` of wall time, compilation included, over all calls that
    resume; the last iteration may run over. A killed training goes on from its last checkpoint when
    the same call is made again; what came after that checkpoint is done anew and not counted. Under
    `iterations` and one number of `workers` (threads; all cores unless given), a seed gives the
    same bits on one machine, however often it was killed. When done, the policy is in `out` and the
    checkpoints are gone; the same call then returns it. `snapshots` also keeps that many networks
    on the way, at geometric shares of the training, as policies `out/snapshots/0` and up: the last
    is the final one, each before it had half of the training of the next. `progress` is called
    with the share done and a few words.

    Raises `OutputFolderError` where `out` belongs to another training (another task, seed, length
    or other settings: a finished policy is never trained on), `DivergedError` at NaN (the last
    checkpoint stays), `StorageError`, and `PolicyFileError` for a damaged checkpoint.
    """
    if (minutes is None) == (iterations is None) or not (minutes or iterations or 0) > 0:
        raise ValueError(f"Give minutes or iterations, above 0; got {minutes=}, {iterations=}.")
    course = Course(
        make_task(task, **(options or {})), task, options or {}, seed, settings or Settings(),
        minutes, iterations, workers or cores(), snapshots, Path(out),
    )  # fmt: skip
    checkpoints = Checkpoints(course.folder, course.identity)
    handle = _claim(course.folder)
    try:
        if _finished(course, checkpoints):
            checkpoints.clear()
        else:
            _run(course, checkpoints, progress or (lambda share, note: None))
        return _trained(course)
    finally:
        os.close(handle)
        (course.folder / _LOCK).unlink(missing_ok=True)


def _claim(folder: Path) -> int:
    """Keep others out of the folder for as long as we train."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(f"make {folder}", error) from error
    return lock(folder / _LOCK)


def _finished(course: Course, checkpoints: Checkpoints) -> bool:
    """Whether the folder holds this training's policy; refuses what belongs to another."""
    path = course.folder / MANIFEST
    if path.exists():
        *_, info = load_network(course.folder)
        found = info.extra.get("training") or {"task": info.task_name}
        _refuse_other(course, found, "holds a finished policy")
        return True
    found = checkpoints.identity_found()
    if found is not None:
        _refuse_other(course, found, "holds the checkpoint of a training")
    return False


def _refuse_other(course: Course, found: dict[str, Any], what: str) -> None:
    wanted = course.identity
    odd = [name for name in wanted if found.get(name) != wanted[name]]
    if odd:
        told = "; ".join(f"{n} was {found.get(n)!r}, asked is {wanted[n]!r}" for n in odd)
        raise OutputFolderError(
            f"{course.folder} {what} that differs from what is asked: {told}. Choose another "
            "folder, or delete this one to train anew."
        )


def _trained(course: Course) -> Trained:
    task, network, info = load_network(course.folder)
    decider = guided_search(task, network, **course.search)
    return Trained(decider, network, info.ledger, course.folder)


def _run(course: Course, checkpoints: Checkpoints, report: Report) -> None:
    """Iterate until the end, with a checkpoint now and then."""
    started = time.monotonic()
    training = checkpoints.read(_fresh(course))
    before = training.seconds
    saved = time.monotonic()
    with ThreadPoolExecutor(course.workers + 1) as pool:
        while (share := course.share(training)) < 1:
            note = _iterate(course, training, share, pool)
            training.seconds = before + time.monotonic() - started
            share = course.share(training)
            _keep_snapshots(course, training, share)
            report(min(share, 1.0), note)
            if share < 1 and time.monotonic() - saved >= course.settings.checkpoint_seconds:
                checkpoints.write(training)
                saved = time.monotonic()
    _save(course, course.folder, training)
    checkpoints.clear()


def _fresh(course: Course) -> Training:
    """A training that has not begun."""
    network = course.settings.make_network(course.task, jax.random.key(course.seed))
    lanes = [
        random_positions(
            course.task, course.settings.lanes, course.key(_LANES, 0, worker), distinct=False
        )
        for worker in range(course.workers)
    ]
    opt_state = init_optimiser(make_optimiser(course.settings.weight_decay), network)
    played = course.workers * course.settings.lanes * course.task.traits.horizon
    room = Replay(course.settings.buffer)
    return Training(network, opt_state, lanes, room, Ledger(model_steps=played))


def _iterate(course: Course, training: Training, share: float, pool: ThreadPoolExecutor) -> str:
    """Play with the network so far while it learns from what was played before.

    Both go on side by side, so that all cores have work; nothing depends on which is faster.
    """
    settings, number = course.settings, training.iteration
    fitting = pool.submit(_fit, course, training, share) if len(training.replay) else None
    playing = [pool.submit(_play, course, training, share, w) for w in range(course.workers)]
    games = [future.result() for future in playing]
    told = ""
    if fitting is not None:
        network, opt_state, told = fitting.result()
        steps = settings.steps(_positions(course))
        spent = training_cost(network, steps, settings.batch_size)
        training.network, training.opt_state = network, opt_state
        training.ledger = training.ledger + spent
    for worker, found in enumerate(games):
        _check_sound(found, number)
        training.lanes[worker] = found.lanes
        training.replay.add({n: np.asarray(getattr(found.examples, n)) for n in COLUMNS})
        training.ledger = training.ledger + _cost(course, found)
    training.iteration = number + 1
    return f"iteration {number + 1}, {training.replay.written:,} positions{told}"


def _positions(course: Course) -> int:
    """New positions in an iteration."""
    return course.workers * course.settings.lanes * course.settings.plies


def _play(course: Course, training: Training, share: float, worker: int) -> Games:
    settings, task, number = course.settings, course.task, training.iteration
    first = share < settings.warmup_share
    expert = (
        settings.first_expert(task) if first else settings.guided_expert(task, training.network)
    )
    simulations = settings.warmup_simulations if first else settings.simulations
    openings = _openings(course, course.key(_OPENINGS, number, worker))
    games = self_play(
        expert, training.lanes[worker], openings, course.key(_PLAY, number, worker),
        jnp.int32(simulations), jnp.float32(settings.restart), jnp.float32(settings.trace),
        capacity=simulations,
    )  # fmt: skip
    return jax.block_until_ready(games)


def _openings(course: Course, key: Key[Array, ""]) -> State:
    """Positions of random play, one for each ply of each lane."""
    plies, lanes = course.settings.plies, course.settings.lanes
    drawn = random_positions(course.task, plies * lanes, key, distinct=False)
    return jax.tree.map(lambda x: x.reshape(plies, lanes, *x.shape[1:]), drawn)


def _fit(course: Course, training: Training, share: float) -> tuple[Network, Any, str]:
    """Some gradient steps on the replay; (network, optimiser's state, what to tell)."""
    settings, replay = course.settings, training.replay
    data: Dataset = replay.dataset()
    before = int(training.ledger.fits or 0)  # type: ignore[arg-type]
    network, opt_state, losses = train_steps(
        training.network, training.opt_state, make_optimiser(settings.weight_decay), data,
        course.key(_FIT, training.iteration),
        _rates(settings, share, before, settings.steps(_positions(course))),
        batch_size=settings.batch_size, size=len(replay),
        task=course.task if settings.symmetries else None, value_weight=settings.value_weight,
    )  # fmt: skip
    check_losses(losses, network, before)
    policy, value = (float(np.mean(x)) for x in (losses.policy, losses.value))
    return network, opt_state, f", losses {policy:.2f} and {value:.3f}"


def _rates(
    settings: Settings, share: float, before: int, steps: int
) -> Float[np.ndarray, " steps"]:
    """Rising linearly over the first steps, then a cosine down to zero at the end."""
    fall = cosine_schedule(settings.learning_rate, 1)(share)
    rise = rise_schedule(settings.rate_warmup)(before + np.arange(steps))
    return np.asarray(fall * rise, np.float32)


def _check_sound(games: Games, iteration: int) -> None:
    if not bool(games.sound):
        raise NonFiniteError(
            f"In iteration {iteration} (from 0) self-play met NaN, infinity or a state without a "
            "legal action. Check the objective and the rules (`core.check_task`), or lower the "
            "learning rate; the last checkpoint is kept."
        )


def _cost(course: Course, games: Games) -> Ledger:
    """What self-play spent, as exact numbers, and the positions that are new data."""
    spent = games.spent
    opened = _positions(course) // course.workers * course.task.traits.horizon
    return Ledger(
        model_steps=int(np.asarray(spent.model_steps, np.int64).sum()) + opened,
        network_evaluations=int(np.asarray(spent.network_evaluations, np.int64).sum()),
        data=len(games.examples),
        flops=float(np.asarray(spent.flops, np.float64).sum()),
    )


def _keep_snapshots(course: Course, training: Training, share: float) -> None:
    due = course.due(share)
    for number in range(training.snapshots, due):
        _save(course, course.folder / SNAPSHOTS / str(number), training)
    training.snapshots = max(training.snapshots, due)


def _save(course: Course, folder: Path, training: Training) -> None:
    spent = training.ledger + Ledger(seconds=training.seconds)
    extra = {
        "training": course.identity,
        "search": course.search,
        "iteration": training.iteration,
        "share": round(min(1.0, course.share(training)), 6),
    }
    save_network(folder, training.network, course.name, course.options, ledger=spent, extra=extra)
