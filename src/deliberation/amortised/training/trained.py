"""What every training gives, and what tells one training from another."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Key, PyTree

from ...core.decider import Decider
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import Task
from ..files.tensors import description, function_description

LENGTH = ("updates", "hasty")
"""Settings that a training may be gone on with in another way: how long, and how it is compiled."""


class Trained(eqx.Module):
    """The result of every `train_*` and `fit*`: what was learned, its cost, and how it went.

    `decider` is ready to use; it is None where a network was fitted to no task. `network` is the
    learned function (a table, for learners in tables). `ledger` is what training spent, `metrics`
    each metric over the updates (over the steps, for `fit`), `carry` everything that training ended
    with, to go on from, and `folder` where it is kept, if anywhere.
    """

    decider: Any
    network: Any
    ledger: Ledger
    metrics: dict[str, np.ndarray]
    carry: PyTree = None
    folder: Path | None = eqx.field(static=True, default=None)

    def __repr__(self) -> str:
        what = self.network if self.decider is None else self.decider
        name = repr(what) if isinstance(what, Decider) else type(what).__name__
        last = ", ".join(f"{k}={v[-1]:.4g}" for k, v in self.metrics.items() if len(v))
        return f"Trained({name}, last {last}, {self.ledger})"


def training_identity(
    algorithm: str,
    key: Key[Array, ""],
    *,
    task: Task | None = None,
    objective: Objective | None = None,
    settings: Any = None,
    functions: Mapping[str, Callable[..., Any] | None] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """What must agree for a checkpoint to be this training's; plain JSON.

    `functions` are those that the training was given, by what they are for.

    Neither how many updates are asked for nor how they are compiled is part of it: a training that
    has ended goes on where more updates are asked for.
    """
    told = {} if settings is None else asdict(settings)
    identity = {
        "algorithm": algorithm,
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        "settings": {name: x for name, x in told.items() if name not in LENGTH},
        **more,
    }
    given = {name: f for name, f in (functions or {}).items() if f is not None}
    identity |= {name: function_description(f) for name, f in given.items()}
    if task is not None:
        identity["task"] = description(task)
        identity["objective"] = description(task.objective if objective is None else objective)
    return identity
