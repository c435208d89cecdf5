"""Expert iteration: search teaches the network, and the network guides the search.

Anthony, Tian and Barber (2017, "ExIt") and Silver et al. (2017, "AlphaZero"), with the improved
policy of Gumbel search as target (Danihelka et al. 2022).
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ...amortised.files.policies import (
    MANIFEST,
    load_network,
    read_manifest,
    save_network,
    saved_name,
)
from ...amortised.imitation.data import Dataset, random_positions
from ...amortised.imitation.fitting import check_losses, train_steps, training_cost
from ...amortised.networks.feed_forward import Network
from ...amortised.training.checkpoints import Checkpoint, difference
from ...amortised.training.optimisers import (
    cosine_schedule,
    init_optimiser,
    make_optimiser,
    rise_schedule,
)
from ...amortised.training.trained import Trained
from ...amortised.training.updates import Watch
from ...amortised.trial_and_error.experience import check_opposed
from ...core.errors import NonFiniteError, OutputFolderError
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import State, Task
from ...core.telling import tell
from ...direct.tree_search.decider import TreeSearch
from ...runs.provenance import cores
from ...runs.storage import lock, storage_error
from ...tasks import make_task
from ...tasks.names import split_name
from ..guided.guided_search import guided_search
from .course import FIT, LANES, OPENINGS, PLAY, Course, Training, resume, write_checkpoint
from .games import Games, self_play
from .replay import COLUMNS, Replay
from .settings import Settings

SNAPSHOTS = "snapshots"
_LOCK = ".training.lock"


def train(
    task: str | Task,
    *,
    settings: Settings | None = None,
    objective: Objective | None = None,
    key: Key[Array, ""] | None = None,
    seed: int = 0,
    minutes: float | int | None = None,
    iterations: int | None = None,
    folder: Path | str | None = None,
    watch: Watch | None = None,
    options: dict[str, Any] | None = None,
    workers: int | None = None,
    snapshots: int = 0,
) -> Trained:
    """Train a network by expert iteration on a task, or one of that name with these `options`.

    Names are those of `make_task`: a registered one, or `package.module:factory`.

    Give either `iterations` or `minutes` of wall time, compilation included, over all calls that
    resume; the last iteration may run over. Chance comes from `seed`, or from a `key` instead.
    Under `iterations` and one number of `workers` (threads; all cores unless given), equal seeds
    give the same bits on one machine, however often training was killed.

    With a `folder`, a killed training goes on from its last checkpoint when the same call is made
    again; what came after that checkpoint is done anew and not counted. When done, the policy is in
    the folder, and the same call returns it; the call with more minutes or iterations trains it on
    from where it ended, with the learning rate of that share of the new length. The last checkpoint
    stays for that in `folder/training`: without it the policy is whole, but cannot be trained on.
    Where as much as is asked, or more, was done before, nothing is done. `snapshots` also keeps
    that many networks on the way, at geometric shares of the training, as policies
    `folder/snapshots/0` and up: the last is the final one, each before it had half of the training
    of the next. `watch(iteration, metrics)` sees the "share" done, the "positions" searched and the
    losses "policy" and "value"; training ends early where it returns True, with a checkpoint.

    Raises `OutputFolderError` where `folder` belongs to another training (another task, seed or
    other settings; with snapshots, another length), `DivergedError` at NaN (the last checkpoint
    stays), `StorageError`, and `PolicyFileError` for a damaged checkpoint.
    """
    if (minutes is None) == (iterations is None) or not (minutes or iterations or 0) > 0:
        raise ValueError(f"Give minutes or iterations, above 0; got {minutes=}, {iterations=}.")
    if snapshots and folder is None:
        raise ValueError("Snapshots are kept in a folder: give one.")
    if isinstance(task, str):
        name, written = split_name(task)
        options = {**written, **(options or {})}
        played = make_task(name, **options)
    else:
        (name, options), played = saved_name(task), task
    if key is not None:
        seed = int(np.asarray(jax.random.bits(key, dtype=np.uint32)) >> 1)
    TreeSearch(played)  # refuses a task that cannot be searched, before anything is written
    check_opposed(played, "expert iteration", objective)
    course = Course(
        played, name, options, objective, seed, settings or Settings(), minutes, iterations,
        workers or cores(), snapshots, None if folder is None else Path(folder),
    )  # fmt: skip
    if course.folder is None:
        return _run(course, None, watch)
    checkpoints = Checkpoint(course.folder, course.identity)
    handle = _claim(course.folder)
    try:
        if _finished(course, course.folder, checkpoints):
            return _kept(course, course.folder)
        return _run(course, checkpoints, watch)
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


def _finished(course: Course, folder: Path, checkpoints: Checkpoint) -> bool:
    """Whether the folder holds this training's policy; refuses what belongs to another."""
    checkpoint = checkpoints.manifest()
    if checkpoint is not None:
        _refuse_other(course, checkpoint.identity, "holds the checkpoint of a training")
    if not (folder / MANIFEST).exists():
        return False
    manifest = read_manifest(folder / MANIFEST)
    found = manifest.extra.get("training") or {"task": manifest.task.name}
    _refuse_other(course, found, "holds a finished policy")
    seconds = float(manifest.ledger.get("seconds") or 0)
    if course.share(manifest.extra["iteration"], seconds) >= 1:
        return True
    if checkpoint is None:
        raise OutputFolderError(
            f"{folder} holds a finished policy whose last checkpoint ({checkpoints.folder}) is "
            "gone, so that it cannot be trained on. Choose another folder, or delete this one to "
            "train anew."
        )
    return False


def _share(course: Course, training: Training) -> float:
    return course.share(training.iteration, training.seconds)


def _refuse_other(course: Course, found: dict[str, Any], what: str) -> None:
    if told := difference(found, course.identity):
        raise OutputFolderError(
            f"{course.folder} {what} that differs from what is asked: {told}. Choose another "
            "folder, or delete this one to train anew."
        )


def _kept(course: Course, folder: Path) -> Trained:
    """What an earlier call has trained, as it lies in the folder."""
    _, network, info = load_network(folder, task=course.task)
    metrics = {name: np.array(x) for name, x in info.extra.get("metrics", {}).items()}
    return _trained(course, network, info.ledger, metrics)


def _trained(
    course: Course, network: Network, ledger: Ledger, metrics: dict[str, np.ndarray]
) -> Trained:
    decider = guided_search(course.task, network, **course.search)
    return Trained(decider, network, ledger, metrics, folder=course.folder)


def _run(course: Course, checkpoints: Checkpoint | None, watch: Watch | None) -> Trained:
    """Iterate until the end, with a checkpoint now and then."""
    started = time.monotonic()
    training = resume(_fresh(course), checkpoints)
    before = training.seconds
    saved = time.monotonic()
    ended = False
    with ThreadPoolExecutor(course.workers + 1) as pool:
        while not ended and (share := _share(course, training)) < 1:
            shown = _iterate(course, training, share, pool)
            training.seconds = before + time.monotonic() - started
            share = _share(course, training)
            _keep_snapshots(course, training, share)
            ended = bool(watch and watch(training.iteration, {"share": min(share, 1.0), **shown}))
            tell(share)
            every = course.settings.checkpoint_seconds
            due = ended or share >= 1 or time.monotonic() - saved >= every
            if checkpoints is not None and due:
                write_checkpoint(checkpoints, training)
                saved = time.monotonic()
    if course.folder is not None and _share(course, training) >= 1:
        _save(course, course.folder, training)
    metrics = {name: np.array(x) for name, x in training.metrics.items()}
    return _trained(course, training.network, _spent(training), metrics)


def _fresh(course: Course) -> Training:
    """A training that has not begun."""
    network = course.settings.make_network(
        course.task, jax.random.key(course.seed), course.objective
    )
    lanes = [
        random_positions(
            course.task, course.settings.lanes, course.key(LANES, 0, worker), distinct=False
        )
        for worker in range(course.workers)
    ]
    opt_state = init_optimiser(make_optimiser(course.settings.weight_decay), network)
    played = course.workers * course.settings.lanes * course.task.traits.horizon
    room = Replay(course.settings.buffer)
    return Training(network, opt_state, lanes, room, Ledger(model_steps=played))


def _iterate(
    course: Course, training: Training, share: float, pool: ThreadPoolExecutor
) -> dict[str, float]:
    """Play with the network so far while it learns from what was played before.

    Both go on side by side, so that all cores have work; nothing depends on which is faster.
    """
    settings, number = course.settings, training.iteration
    training.guided = training.guided or share >= settings.warmup_share
    fitting = pool.submit(_fit, course, training, share) if len(training.replay) else None
    playing = [pool.submit(_play, course, training, w) for w in range(course.workers)]
    games = [future.result() for future in playing]
    shown: dict[str, float] = {}
    if fitting is not None:
        network, opt_state, shown = fitting.result()
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
    shown = {"positions": float(training.replay.written), **shown}
    for name, x in shown.items():
        training.metrics.setdefault(name, []).append(x)
    return shown


def _positions(course: Course) -> int:
    """New positions in an iteration."""
    return course.workers * course.settings.lanes * course.settings.plies


def _play(course: Course, training: Training, worker: int) -> Games:
    settings, task, number = course.settings, course.task, training.iteration
    if training.guided:
        expert, simulations = settings.guided_expert(task, training.network), settings.simulations
    else:
        expert, simulations = settings.first_expert(task), settings.warmup_simulations
    openings = _openings(course, course.key(OPENINGS, number, worker))
    games = self_play(
        expert, training.lanes[worker], openings, course.key(PLAY, number, worker),
        jnp.int32(simulations), jnp.float32(settings.restart), jnp.float32(settings.trace),
        capacity=simulations, objective=course.objective,
    )  # fmt: skip
    return jax.block_until_ready(games)


def _openings(course: Course, key: Key[Array, ""]) -> State:
    """Positions of random play, one for each ply of each lane."""
    plies, lanes = course.settings.plies, course.settings.lanes
    drawn = random_positions(course.task, plies * lanes, key, distinct=False)
    return jax.tree.map(lambda x: x.reshape(plies, lanes, *x.shape[1:]), drawn)


def _fit(course: Course, training: Training, share: float) -> tuple[Network, Any, dict[str, float]]:
    """Some gradient steps on the replay; (network, optimiser's state, mean losses)."""
    settings, replay = course.settings, training.replay
    data: Dataset = replay.dataset()
    before = int(training.ledger.fits or 0)  # type: ignore[arg-type]
    network, opt_state, losses = train_steps(
        training.network, training.opt_state, make_optimiser(settings.weight_decay), data,
        course.key(FIT, training.iteration),
        _rates(settings, share, before, settings.steps(_positions(course))),
        batch_size=settings.batch_size, size=len(replay),
        task=course.task if settings.symmetries else None, value_weight=settings.value_weight,
    )  # fmt: skip
    check_losses(losses, network, before)
    shown = {name: float(np.mean(getattr(losses, name))) for name in ("policy", "value")}
    return network, opt_state, shown


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
    if course.folder is None:
        return
    due = course.due(share)
    for number in range(training.snapshots, due):
        _save(course, course.folder / SNAPSHOTS / str(number), training)
    training.snapshots = max(training.snapshots, due)


def _spent(training: Training) -> Ledger:
    return training.ledger + Ledger(seconds=training.seconds)


def _save(course: Course, folder: Path, training: Training) -> None:
    extra = {
        "training": course.identity,
        "search": course.search,
        "iteration": training.iteration,
        "share": round(min(1.0, _share(course, training)), 6),
        "metrics": training.metrics,
    }
    save_network(
        folder, training.network, course.name, course.options, ledger=_spent(training), extra=extra
    )
