"""The plane of training compute by decision compute, and its isolines (Jones 2021)."""

import numpy as np

from ...runs import Cell, Heat, Panel
from ...stats import Plane, curvature
from ...stats import exchange_rate as fit_plane
from ..measuring import cells as shared
from ..measuring.about import climbed_only
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown
from ..measuring.rows import claimed, told

SMALLEST, GAINED, REFERENCE = 0.1, 0.05, -1.2
UNSATURATED = (0.02, 0.98)
CLAIM = {
    "name": "exchange_rate",
    "aspect": "scalability",
    "side": "both",
    "title": "Training compute against decision compute",
    "statement": "Training compute buys back decision compute: along lines of equal score, log10 "
    "of a decision's operations falls by at least 0.1 as log10 of training's rises by 1.",
    "estimand": "Slope of the isolines of a plane of scores over log10 of the operations of "
    "training and of a decision; the rules' own steps are counted in both, priced as the "
    "compiler counts them.",
    "unit": "runs of expert iteration, and positions",
    "smallest": "0.1 decades a decade; 0.05 of the way a decade of decision compute",
    "refuted_if": "The slope lies above -0.1, or ten times the decision compute gains less than "
    "0.05 of the way: then there is nothing to exchange.",
}

PLANTED = {
    "null": {
        "training that buys nothing": {"guided": (0.3, 0.0, 0.05)},
        "decision compute that harms": {"guided": (0.8, 0.02, -0.05)},
    },
    "effect": {"twice the smallest": {"guided": (0.2, 0.053, 0.08)}},
}
applies = climbed_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Networks from several moments of expert iteration, each at every budget."""
    return [
        shared.price(task),
        *(cell for seed in range(e.ladders) for cell in rungs(task, e, seed)),
    ]


def rungs(task: str, e: Effort, seed: int) -> list[Cell]:
    """Guided search with each network that one expert iteration kept, budget 0 first."""
    source, dial = shared.ladder(task, e, seed), (0, *e.dial)
    who = f"{shared.SUBJECTS}:guided"
    return [
        shared.score(task, e, who, dial, policy=source, rung=rung, key=100 + seed, timed=False)
        for rung in range(e.rungs)
    ]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """A plane of scores over log10 of both kinds of compute, and the slope of its isolines."""
    price = results.outcomes(shared.price(task))["flops"]
    scores, train, decide = [], [], []
    for seed in range(e.ladders):
        cells = rungs(task, e, seed)
        scores.append(np.stack([results.table(cell) for cell in cells]))
        steps = [results.table(cell, "model_steps").mean(1) * price for cell in cells]
        flops = [results.table(cell, "flops").mean(1) for cell in cells]
        decide.append(np.stack(steps) + np.stack(flops))
        ladder = results.outcomes(shared.ladder(task, e, seed))["ladder"]
        train.append([step["flops"] + step["model_steps"] * price for step in ladder])
    table, spent, each = np.stack(scores), np.mean(train, axis=0), np.mean(decide, axis=0)
    across = np.broadcast_to(spent[:, None], each.shape).reshape(-1)
    flat = table.reshape(len(table), -1, table.shape[-1])
    how = {"link": "identity", "unsaturated": UNSATURATED}
    plane = fit_plane(across, each.reshape(-1), flat, **how)
    bent = curvature(across, each.reshape(-1), flat, unsaturated=UNSATURATED)
    note = f"Jones 2021 found {REFERENCE} on Hex; {plane.cells} cells, {e.ladders} runs"
    who, quantity = "expert iteration + search", "slope of lines of equal score"
    unit = "decades a decade"
    # Where both kinds of compute do harm, isolines fall too, but nothing is bought back.
    bought = [
        claimed(CLAIM, task, who, quantity, plane.exchange, below=-SMALLEST, unit=unit, note=note),
        claimed(CLAIM, task, who, "gained by decision compute", plane.gain, above=GAINED,
                unit="of the way a decade"),
    ]  # fmt: skip
    straight = told(
        CLAIM, task, who, "curvature in decision compute", bent, unit="of the way a decade²",
        note="0 if the trade-off is a straight line",
    )  # fmt: skip
    return Shown([*bought, straight], [_panel(task, spent, each, table)], _sentence(task, plane))


def _panel(task: str, train: np.ndarray, decide: np.ndarray, table: np.ndarray) -> Panel:
    surface = table.mean((0, 3))
    between = np.linspace(surface.min(), surface.max(), 7)[1:-1].round(3)
    return Panel(
        title=task,
        x_label="training operations",
        y_label="operations a decision",
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
