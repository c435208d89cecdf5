"""The silly learner: search or noise, by what is likelier; it is like its twins until it is not."""

import numpy as np

from ....runs import Cell, Panel, Reference, Series
from ....stats import bootstrap, exact_proportion
from ...experiments.arms import arm, found
from ...experiments.inside.silly_learner import BUDGETS, FEW, SIZES, agreeing, keeps
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, curve
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 300, "quick": 500, "full": 2000}
ALIKE, KEEPS, SHORT = -0.05, 0.5, 0.75
CLAIM = {
    "name": "silly_learner",
    "aspect": "learned",
    "chapter": "inside",
    "side": "both",
    "title": "The silly learner: search or noise, by the data",
    "statement": "A learner that keeps search or noise, whichever is likelier, is by what it does "
    "with goals that were demonstrated as hard to tell from a network trained on the same data as "
    "two such networks are from each other; with goals that were not, the network falls short, "
    "where a learner that kept the search does not, by its making.",
    "estimand": "Share of inputs with demonstrated goals in which it agrees with a network, less "
    "the share in which two networks agree; the network's share of the way for goals that were "
    "not demonstrated.",
    "unit": "trainings",
    "smallest": "agreement within 0.05 of the networks' own; a quarter of the way missing",
    "refuted_if": "It agrees with a network less than two networks do by more than 0.05, as where "
    "it keeps noise; or the network goes more than 0.75 of the way for goals not demonstrated.",
}
WORLDS = ("four rooms, goals on the left",)
NULL = {
    "what": "demonstrated actions are shuffled over the demonstrations, in all arms",
    "rows": ("agreement with a network, less that of two networks",),
    "stands": {
        "way for goals not demonstrated": "a network that learned shuffled actions finds no goal",
    },
}
"""The rows that must not be supported where this is taken out."""
ONE, ZERO = (1.0, 0.0), (0.0, 0.02)
_MANY = [1.0] * len(SIZES)
TRUE = {
    "taught/kept": (_MANY, 0.0), "shuffled/kept": ([0.0] * len(SIZES), 0.0),
    "kept_few": ([keeps(n, agreeing()) for n in FEW], 0.01),
    "own": (_MANY, 0.0), "new": (_MANY, 0.0),
    "twin_own": ([0.2, 0.6, 0.95], 0.03, -1.0, 1.0),
    "twin_new": ([0.1, 0.3, 0.6], 0.08, -1.0, 1.0),
    "alike": (0.95, 0.02, 0.0, 1.0), "alike_twins": (0.96, 0.02, 0.0, 1.0),
    "effort": (np.linspace(0.1, 1.0, len(BUDGETS)).tolist(), 0.02, -1.0, 1.0),
}  # fmt: skip
NOTHING = ([0.0] * len(SIZES), 0.0)
PLANTED = {
    "null": {
        "noise is kept": planted(
            TRUE, **{"taught/kept": NOTHING}, alike=(0.26, 0.03), new=NOTHING,
            effort=([0.0] * len(BUDGETS), 0.02)
        ),
        "a network that follows other goals": planted(
            TRUE, twin_new=([0.1, 0.4, 0.9], 0.05, -1.0, 1.0)
        ),
        "told apart in distribution": planted(TRUE, alike=(0.86, 0.03, 0.0, 1.0)),
    },
    "effect": {
        "as said": planted(TRUE),
        "twice the smallest": planted(TRUE, twin_new=([0.1, 0.3, 0.5], 0.08, -1.0, 1.0)),
    },
}  # fmt: skip


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """Demonstrations of a planner, and the same with their actions shuffled."""
    del world
    return [
        arm("inside.silly_learner", e, 60.0, name, null=null, steps=STEPS[e.name])
        for name in ("taught", "shuffled")
    ]


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What is kept, and whom it is then like, in distribution and off it."""
    taught, shuffled = cells(world, e, null=null)
    alike, twins, effort, kept, own, new, twin_own, twin_new = (
        found(results, taught, name)
        for name in ("alike", "alike_twins", "effort", "kept", "own", "new", "twin_own", "twin_new")
    )
    noise = 1 - found(results, shuffled, "kept")[:, -1]
    who, n, unit = "silly learner", len(kept), "of the way"
    expected = [keeps(size, agreeing()) for size in FEW]
    few = found(results, taught, "kept_few")
    rows = [
        claimed(CLAIM, world, who, NULL["rows"][0],
                bootstrap(alike - twins, bounds=(-1.0, 1.0)), above=ALIKE),
        claimed(CLAIM, world, "network", "way for goals not demonstrated",
                bootstrap(twin_new[:, -1], bounds=(-1.0, 1.0)), below=SHORT, unit=unit),
        check(CLAIM, world, who, "search kept, demonstrations of a planner",
              exact_proportion(int(kept[:, -1].sum()), n), above=KEEPS, unit="of trainings",
              note=f"closed form {keeps(SIZES[-1], agreeing()):.3f}"),
        check(CLAIM, world, who, "noise kept, labels shuffled",
              exact_proportion(int(noise.sum()), n), above=KEEPS, unit="of trainings"),
        told(CLAIM, world, who, "gain by effort",
             bootstrap(effort[:, -1] - effort[:, 0], bounds=(-2.0, 2.0)), unit=unit,
             note="value iteration with 16 sweeps less 1, once search is kept"),
        told(CLAIM, world, who, "way for goals not demonstrated",
             bootstrap(new[:, -1], bounds=(-1.0, 1.0)), unit=unit,
             note="by construction that of the planner, once search is kept"),
        told(CLAIM, world, who, "way for goals not demonstrated, less the network's",
             bootstrap(new[:, -1] - twin_new[:, -1], bounds=(-2.0, 2.0)), unit=unit,
             note="once search is kept, 1 less the network's"),
        told(CLAIM, world, who, "agreement with a network", bootstrap(alike, bounds=(0.0, 1.0))),
        told(CLAIM, world, "network", "agreement with another network",
             bootstrap(twins, bounds=(0.0, 1.0))),
        check(CLAIM, world, who, "search kept, against its closed form",
              bootstrap(few.mean(1) - np.mean(expected), bounds=(-1.0, 1.0)), within=(-0.02, 0.02),
              note=f"after {FEW[0]} to {FEW[-1]} demonstrations; a tail of the binomial"),
    ]  # fmt: skip
    ways = {
        "silly learner, goals shown": own, "silly learner, other goals": new,
        "network, goals shown": twin_own, "network, other goals": twin_new,
    }  # fmt: skip
    sentence = (
        f"With goals that were shown the silly learner agrees with a network in {alike.mean():.2f} "
        f"of the inputs, and a network with another in {twins.mean():.2f}. With goals that were "
        f"not shown it goes {new[:, -1].mean():.2f} of the way and the network "
        f"{twin_new[:, -1].mean():.2f}; with shuffled labels noise is kept in "
        f"{noise.mean():.2f} of the trainings."
    )
    return Shown(rows, _panels(ways, effort, few, expected), sentence)


def _panels(
    ways: dict[str, np.ndarray], effort: np.ndarray, few: np.ndarray, expected: list[float]
) -> list[Panel]:
    """The way by demonstrations, the way by effort, and what is kept by demonstrations."""
    offered = [ways["network, goals shown"][:, -1]] * len(BUDGETS)
    data = Panel(
        title="by demonstrations: goals that were shown, and others",
        x_label="demonstrations",
        y_label="way from random to best",
        x_scale="log2",
        series=[
            curve(label, SIZES, list(values.T), -1.0)
            for label, values in ways.items()
        ],
        references=[Reference(label="random", y=0.0)],
    )  # fmt: skip
    sweeps = Panel(
        title="by effort: moves that it looks ahead",
        x_label="moves",
        y_label="way from random to best",
        x_scale="log2",
        series=[
            curve("silly learner", BUDGETS, list(effort.T), -1.0),
            curve("network (no budget to offer)", BUDGETS, offered, -1.0),
        ],
        references=[Reference(label="random", y=0.0)],
    )
    kept_by = Panel(
        title="what is kept, by demonstrations", x_label="demonstrations",
        y_label="search kept", x_scale="log2",
        series=[
            curve("measured", FEW, list(few.T)),
            Series(label="closed form", x=[float(x) for x in FEW], y=expected),
        ],
    )  # fmt: skip
    return [data, sweeps, kept_by]
