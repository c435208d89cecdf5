"""Item 25: the plane of training compute by decision compute, and its isolines (Jones 2021)."""

import numpy as np

from ..runs import Cell, Heat, Panel
from ..stats import Plane, Verdict, judge
from ..stats import exchange_rate as fit_plane
from . import _cells
from ._effort import Effort
from ._results import Results, Shown, row

CLAIM = {
    "name": "exchange_rate",
    "item": 25,
    "title": "Training compute against decision compute",
    "statement": "Training compute buys back decision compute at a steady rate: along lines of "
    "equal score, log10 of decision FLOPs falls as log10 of training FLOPs rises (about -1.2 a "
    "decade on Hex in Jones 2021).",
    "refuted_if": "The slope of the isolines lies at or above 0, or it is known and more decision "
    "compute lowers the score.",
}

REFERENCE = -1.2
UNSATURATED = (0.05, 0.98)


def cells(task: str, e: Effort) -> list[Cell]:
    """Networks from several moments of expert iteration, each at every budget."""
    return [cell for seed in range(e.ladders) for cell in rungs(task, e, seed)]


def rungs(task: str, e: Effort, seed: int) -> list[Cell]:
    """Guided search with each network that one expert iteration kept, budget 0 first."""
    source, dial = _cells.ladder(task, e, seed), (0, *e.dial)
    kind = {"kind": "guided"}
    return [_cells.score(task, e, kind, dial, policy=source, rung=rung) for rung in range(e.rungs)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """A plane of logit scores over log10 of both kinds of FLOPs, and the slope of its isolines."""
    scores, train, decide = [], [], []
    for seed in range(e.ladders):
        tables = [results.table(cell) for cell in rungs(task, e, seed)]
        costs = [results.table(cell, "flops").mean(1) for cell in rungs(task, e, seed)]
        ladder = results.outcomes(_cells.ladder(task, e, seed))["ladder"]
        scores.append(np.stack(tables))
        decide.append(np.stack(costs))
        train.append([step["flops"] for step in ladder])
    table, spent = np.stack(scores), np.mean(train, axis=0)
    each = np.mean(decide, axis=0)
    across = np.broadcast_to(spent[:, None], each.shape).reshape(-1)
    flat = table.reshape(len(table), -1, table.shape[-1])
    plane = fit_plane(across, each.reshape(-1), flat, unsaturated=UNSATURATED)
    rate = plane.exchange
    note = f"Jones 2021 found {REFERENCE} on Hex; {plane.cells} cells"
    rows = [
        row(
            CLAIM, task, "expert iteration + search", "slope of isolines", rate,
            _verdict(plane), note=note,
        )
    ]  # fmt: skip
    return Shown(rows, [_panel(task, spent, each, table)], _sentence(task, plane))


def _verdict(plane: Plane) -> Verdict:
    """Where both kinds of compute do harm, isolines fall too, but nothing is bought back."""
    found = judge(plane.exchange, below=0)
    return "refuted" if found == "supported" and plane.decision < 0 else found


def _panel(task: str, train: np.ndarray, decide: np.ndarray, table: np.ndarray) -> Panel:
    surface = table.mean((0, 3))
    between = np.linspace(surface.min(), surface.max(), 7)[1:-1].round(3)
    return Panel(
        title=task,
        x_label="training FLOPs",
        y_label="FLOPs a decision",
        x_scale="log10",
        y_scale="log10",
        heat=Heat(
            x=train.tolist(),
            y=decide.mean(0).tolist(),
            z=surface.T.tolist(),
            isolines=np.unique(between).tolist() if np.ptp(between) else [],
        ),
    )


def _sentence(task: str, plane: Plane) -> str:
    rate = plane.exchange
    if not np.isfinite([rate.estimate, rate.low, rate.high]).all():
        return f"On {task} decision compute bought too little to give a rate of exchange."
    does = "saves" if rate.estimate < 0 else "costs"
    return (
        f"On {task} ten times the training compute {does} {abs(rate.estimate):.2f} decades of "
        f"decision compute at the same score (slope {rate.estimate:.2f} [{rate.low:.2f}, "
        f"{rate.high:.2f}])."
    )
