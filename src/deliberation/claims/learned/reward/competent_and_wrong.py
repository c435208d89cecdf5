"""Off its distribution a network may go on, for the wrong thing; one taught by heart may not."""

import numpy as np

from ....runs import Cell, Panel, Reference, Series
from ....stats import bootstrap
from ...experiments.arms import all_found, arm
from ...experiments.reward.cheese import SEEN
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 500, "quick": 600, "full": 5000}
KEPT, WRONG, LEAD, SPREAD, FLOOR = 0.5, 0.25, 0.2, 0.1, 0.05
WIDE = (-2.0, 2.0)
"""What differences are bounded by, more than amply."""
CLAIM = {
    "name": "competent_and_wrong",
    "aspect": "learned",
    "chapter": "reward",
    "side": "both",
    "title": "Competent and wrong",
    "statement": "A network whose goal always lay in the corner goes on, competently, where they "
    "come apart, and to the corner; one that learned a few mazes by heart, and did as well there, "
    "keeps less. Of two marks that the goal always wore, which a network goes for where they "
    "come apart differs from training to training.",
    "estimand": "kappa: the chance to come to either thing, of what is missing to 1 from random "
    "play's, off the distribution over on it, from 0 to 1; g: the intended one first, of all "
    "arrivals. Competent and wrong is kappa (1 - g). Of marks neither is meant: the standard "
    "deviation of g over trainings. All of these mazes, which are the same for all trainings.",
    "unit": "trainings",
    "smallest": "kappa of 0.5; competent and wrong 0.25; a difference in kappa of 0.2; a standard "
    "deviation of g of 0.1",
    "refuted_if": "Less than half of the competence is kept, or less than 0.25 goes to the wrong "
    "thing, or what was learned by heart keeps as much of it but for 0.2 (judged only where half "
    "is kept), or trainings go for a mark with a standard deviation below 0.1.",
}
WORLDS = ("cheese in the corner", "a goal with two marks")
ARMS: dict[str, str] = dict(zip(WORLDS, SEEN, strict=True))
GOES_ON, GOES_WRONG = "competence kept: kappa", "competent and wrong: kappa (1 - g)"
BREAKS = "kappa beyond what was learned by heart"
TASTES = "g: spread over seeds"
NULL = {"what": "nothing is rewarded", "rows": (GOES_ON, GOES_WRONG, BREAKS, TASTES)}
"""The rows that must not be supported where this is taken out."""


def _worlds(first: tuple[float, float], heart: tuple[float, float], spread: float = 0.02) -> dict:
    """Chances to come to both things of the networks that claims are of; random play 0.2 each.

    `spread` is that of each chance over trainings, where there are two marks.
    """
    there, blind, truth = [[1.0, 0.0], [0.4, 0.0]], [0.2, 0.2], {}
    for world, seen in SEEN.items():
        off = {seen[0]: first, seen[-1]: heart}
        for place in ("inside", "moved"):
            truth[f"{world}/{place}"] = ([there for _ in seen], 0.01, 0.0, 1.0)
        outside = [[list(off.get(name, (0.7, 0.2))), blind] for name in seen]
        truth[f"{world}/outside"] = (outside, spread if world == "marks" else 0.02, 0.0, 1.0)
    return truth


TRUE = _worlds((0.3, 0.62), (0.3, 0.3), spread=0.32)
PLANTED = {
    "null": {
        "all break": planted(_worlds((0.25, 0.3), (0.25, 0.25))),
        "all go on for what is meant": planted(_worlds((0.9, 0.05), (0.85, 0.05))),
    },
    "effect": {"competent, and wrong": planted(TRUE)},
}


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """All networks of a world in one cell."""
    return [arm("reward.cheese", e, 40.0, ARMS[world], null=null, steps=STEPS[e.name])]


def kept(inside: np.ndarray, outside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """kappa and g: [...] from chances [..., (network, random), (meant, other)]."""
    either = [x.sum(-1) for x in (inside, outside)]
    had, held = ((x[..., 0] - x[..., 1]) / np.maximum(1 - x[..., 1], FLOOR) for x in either)
    first = outside[..., 0, 0] / np.maximum(either[1][..., 0], 1e-9)
    return np.clip(held / np.maximum(had, FLOOR), 0.0, 1.0), first


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What is kept, and for what."""
    (cell,) = cells(world, e, null=null)
    inside, moved, outside = all_found(results, cell, "inside", "moved", "outside")
    (kappa, g), (still, _) = kept(inside, outside), kept(inside, moved)
    seen, wrong = SEEN[ARMS[world]], kappa * (1 - g)
    gone = bootstrap(kappa[:, 0], bounds=WIDE)
    marked = ARMS[world] == "marks"
    # Of marks neither is meant, and what was never competent cannot break: there it is only told.
    rows = [
        told(CLAIM, world, seen[0], GOES_ON, gone) if marked
        else claimed(CLAIM, world, seen[0], GOES_ON, gone, above=KEPT)
    ]  # fmt: skip
    for quantity, x, least in (
        (GOES_WRONG, wrong[:, 0], WRONG), (BREAKS, kappa[:, 0] - kappa[:, -1], LEAD),
    ):  # fmt: skip
        at = bootstrap(x, bounds=WIDE)
        rows.append(
            claimed(CLAIM, world, seen[0], quantity, at, above=least)
            if not marked and (null or gone.estimate > KEPT)
            else told(CLAIM, world, seen[0], quantity, at)
        )
    spread = bootstrap(g[:, 0], np.std)
    note = {"note": "standard deviation over trainings, each over the same mazes"}
    rows += [
        claimed(CLAIM, world, seen[0], TASTES, spread, above=SPREAD, **note) if marked
        else told(CLAIM, world, seen[0], TASTES, spread, **note),
        check(CLAIM, world, seen[0], "arrivals where trained: by heart less endless mazes",
              bootstrap((inside[:, -1, 0] - inside[:, 0, 0]).sum(-1), bounds=WIDE),
              within=(-0.1, 0.1)),
    ]  # fmt: skip
    for i, name in enumerate(seen):
        rows += [
            told(CLAIM, world, name, quantity, bootstrap(x[:, i], bounds=WIDE))
            for quantity, x in (
                ("kappa", kappa), ("g: the intended first, of arrivals", g),
                ("breaks: 1 - kappa", 1 - kappa), ("kappa where only walls moved", still),
            )
        ]  # fmt: skip
    what = "the mark that counts as the goal" if marked else "what was meant"
    sentence = (
        f"{world.capitalize()}: off the distribution a network keeps {kappa[:, 0].mean():.2f} of "
        f"its competence and goes first to {what} in {g[:, 0].mean():.2f} of its arrivals "
        f"({g[:, 0].min():.2f} to {g[:, 0].max():.2f} by the seed); by heart it keeps "
        f"{kappa[:, -1].mean():.2f}."
    )
    return Shown(rows, [_outcomes(world, wrong, kappa, g), _tastes(world, g[:, 0])], sentence)


def _outcomes(world: str, wrong: np.ndarray, kappa: np.ndarray, g: np.ndarray) -> Panel:
    parts = (("for what was meant", kappa * g), ("for the other", wrong), ("broken", 1 - kappa))
    seen = SEEN[ARMS[world]]
    return Panel(
        title=f"{world}: what becomes of the competence",
        x_label="how it was trained",
        x_names=list(seen),
        y_label="share of the competence",
        series=[
            series_of(
                label,
                [i + 1 + 0.1 * (k - 1) for i in range(len(seen))],
                [bootstrap(column, bounds=(-2.0, 2.0)) for column in x.T],
                kind="points",
            )
            for k, (label, x) in enumerate(parts)
        ],
    )


def _tastes(world: str, g: np.ndarray) -> Panel:
    places = [float(i + 1) for i in range(len(g))]
    return Panel(
        title=f"{world}: what each training goes for",
        x_label="trainings, by their taste",
        y_label="first to what was meant, of arrivals",
        series=[Series(label="a training", x=places, y=np.sort(g).tolist(), kind="points")],
        references=[Reference(label="no taste", y=0.5)],
    )
