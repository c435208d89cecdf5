"""What every training gives, and what tells one training from another."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Key, PyTree

from ...core.decider import Decider
from ...core.display.html import Column, curve, fragment, paragraph, table
from ...core.display.ledgers import UNITS as SPENT
from ...core.display.ledgers import spent_table
from ...core.display.numbers import MISSING, number
from ...core.display.panels import Panel, Series
from ...core.errors import MissingFigureError
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import Task
from ..files.tensors import description, function_description

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LENGTH = ("updates", "hasty")
"""Settings that a training may be gone on with in another way: how long, and how it is compiled."""
UNITS = {
    "return": "return (reward an episode)",
    "score": "score (reward an episode)",
    "loss": "loss (as trained on)",
    "held_out": "held-out loss (nats a token)",
    "states": "states met (count)",
    "places": "states met (count)",
    "positions": "positions searched (count)",
    **{name: f"{unit} (an update)" for name, unit in SPENT.items()},
}
"""What metrics are called in tables and on axes."""


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

    def _repr_html_(self) -> str | None:
        """For a notebook: how each metric went, and what training cost."""
        spent = self.ledger.as_dict()
        columns = [Column("metric"), Column("first", numbers=True), Column("last", numbers=True),
                   Column("greatest", numbers=True), Column("over the updates")]  # fmt: skip
        rows = [_course(name, np.asarray(x, float)) for name, x in self.metrics.items() if len(x)]
        learned = self.network if self.decider is None else self.decider
        title = f"Trained: {type(learned).__name__}"
        return fragment(
            table(title, columns, rows), spent_table(spent, "What training spent"),
            paragraph(f"Kept in {self.folder.name}." if self.folder else "", quiet=True),
        )  # fmt: skip

    def plot(self) -> "Figure":
        """A figure: each metric over the updates. Raises `MissingFigureError` without any."""
        from ...core.display.figures import figure_of

        panels = [_panel(name, np.asarray(x, float)) for name, x in self.metrics.items() if len(x)]
        if not panels:
            raise MissingFigureError(
                "This training kept no metric to draw: one that ended before its first update, "
                "perhaps, or a policy that was loaded. Train it, with `watch` to follow it."
            )
        return figure_of(panels)


def _course(name: str, values: np.ndarray) -> list[str]:
    """A metric's first, last and greatest number, and its curve; what is not known is left out."""
    known = values[np.isfinite(values)]
    if not len(known):
        return [_named(name), MISSING, MISSING, MISSING, "never known"]
    first, last, most = (number(float(x)) for x in (known[0], known[-1], known.max()))
    said = f"{name} from {first} to {last}, at most {most}, over {len(values)} updates"
    return [_named(name), first, last, most, curve(values, said)]


def _panel(name: str, values: np.ndarray) -> Panel:
    known = np.isfinite(values)
    line = Series(
        label="", x=[float(i + 1) for i in np.flatnonzero(known)],
        y=[float(x) for x in values[known]],
    )  # fmt: skip
    return Panel(title=name, x_label="updates", y_label=_named(name), series=[line])


def _named(metric: str) -> str:
    """A metric with its unit, where every training means the same by it."""
    return UNITS.get(metric, metric.replace("_", " "))


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
