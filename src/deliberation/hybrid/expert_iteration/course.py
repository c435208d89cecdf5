"""One course of expert iteration: what is learned and for how long, how far it is, what is kept."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import msgspec
from jaxtyping import Array, Key, PyTree

from ...amortised.files.tensors import description
from ...amortised.networks.feed_forward import Network
from ...amortised.training.checkpoints import Checkpoint
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import State, Task
from .replay import Replay
from .settings import Settings

LANES, OPENINGS, PLAY, FIT = range(4)


@dataclass
class Training:
    """Everything that the next iteration depends on, and what was spent so far."""

    network: Network
    opt_state: PyTree
    lanes: list[State]
    replay: Replay
    ledger: Ledger
    iteration: int = 0
    seconds: float = 0.0
    snapshots: int = 0
    guided: bool = False
    """Whether the network guides the search; it stays so where a training is made longer."""
    metrics: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Course:
    """One training: what is learned, how, for how long, and into which folder."""

    task: Task
    name: str
    options: dict[str, Any]
    objective: Objective | None
    seed: int
    settings: Settings
    minutes: float | int | None
    iterations: int | None
    workers: int
    snapshots: int
    folder: Path | None

    @property
    def identity(self) -> dict[str, Any]:
        """What must agree for a folder's content to be this training's; plain JSON.

        The length is no part of it, so that a training can be made longer, unless snapshots are
        taken, which are shares of the length.
        """
        scored = {} if self.objective is None else {"objective": description(self.objective)}
        length = {"minutes": self.minutes, "iterations": self.iterations}
        return msgspec.json.decode(
            msgspec.json.encode(
                {
                    "task": self.name,
                    "options": self.options,
                    "seed": self.seed,
                    "settings": self.settings.as_dict(),
                    "workers": self.workers,
                    "snapshots": self.snapshots,
                    **(length if self.snapshots else {}),
                    **scored,
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

    def share(self, iteration: int, seconds: float) -> float:
        """How much of the training these are; 1 and more at its end."""
        if self.iterations is not None:
            return iteration / self.iterations
        return seconds / (60 * self.minutes)  # type: ignore[operator]

    def due(self, share: float) -> int:
        """How many snapshots belong to this share: the last at the end, each before at half."""
        return sum(share >= 0.5**i for i in range(self.snapshots))


def write_checkpoint(checkpoints: Checkpoint, training: Training) -> None:
    """Make this the checkpoint to go on from."""
    checkpoints.write(
        (training.network, training.opt_state, training.lanes), training.iteration,
        training.seconds, training.metrics, buffer=training.replay,
        extra={
            "ledger": training.ledger.as_dict(),
            "snapshots": training.snapshots,
            "guided": training.guided,
        },
    )  # fmt: skip


def resume(training: Training, checkpoints: Checkpoint | None) -> Training:
    """The training to go on with: the checkpoint's, or the fresh one where there is none."""
    manifest = None if checkpoints is None else checkpoints.own_manifest()
    if checkpoints is None or manifest is None:
        return training
    for first, rows in checkpoints.read_rows(manifest):
        training.replay.written = first
        training.replay.add(rows)
    carry = (training.network, training.opt_state, training.lanes)
    network, opt_state, lanes = checkpoints.read(manifest, carry)
    return Training(
        network, opt_state, lanes, training.replay, Ledger(**manifest.extra["ledger"]),
        manifest.step, manifest.seconds, manifest.extra["snapshots"],
        manifest.extra.get("guided", False),
        manifest.metrics,
    )  # fmt: skip
