"""Searching inwardly and acting on the world come apart in trained networks: all four exist."""

import numpy as np

from ....runs import Panel, Series
from ....stats import bootstrap
from ...experiments.arms import all_arms, found
from ...experiments.inside.inward import KINDS, NEAR, PURPOSES, THOUGHTS
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import claimed, told

STEPS = {"smoke": 400, "quick": 1000, "full": 4000}
ARMS = tuple(f"{kind} {purpose}" for kind in KINDS for purpose in PURPOSES)
MORE, MOVES, ALIKE = 0.05, 0.3, 0.1
LAST = max(THOUGHTS)
WIDE = (-1.0, 1.0)
"""What differences are bounded by, more than amply."""
CLAIM = {
    "name": "mesa_control_and_search",
    "aspect": "learned",
    "chapter": "inside",
    "side": "both",
    "title": "Mesa-search and mesa-control",
    "statement": "Networks learn to search inwardly whether they are trained to answer or by "
    "reward to act: 12 steps of thought instead of 3 make more of their choices best from "
    "starts farther off than the 3 moves of any that were trained. Influence on the world is "
    "another thing: a reactive network trained to act has it without steps of thought, and a "
    "network that answers has as much as one that acts as soon as its answers are followed.",
    "estimand": "Agreement with the best actions from far starts after 12 steps of thought less "
    "after 3; the chance to come to the goal with the channel from answer to world "
    "open less with it cut; both in these mazes, the same for all trainings.",
    "unit": "trainings",
    "smallest": "0.05 of the choices; 0.3 of the episodes; as much: within 0.1",
    "refuted_if": "More steps of thought add less than 0.05, an acting network moves the world by "
    "less than 0.3, or being trained to act makes a difference of more than 0.1 to what follows "
    "from equal channels.",
}
WORLDS = ("mazes to think about",)
MORE_STEPS = f"best choices far off: {LAST} steps of thought less {NEAR}"
INFLUENCE = "comes to the goal: channel open less cut"
FOLLOWED = "answers that are followed less acts"
cells = all_arms("inside.inward", 30.0, ARMS, steps=STEPS)
"""Thinkers and reactive networks, to answer and to act."""
NULL = {
    "what": "cells hear nothing of one another, and reward is for another maze's goal",
    "rows": (MORE_STEPS, INFLUENCE),
    "stands": {FOLLOWED: "what is alike in being useless is alike"},
}
"""The rows that must not be supported where this is taken out."""
RISING = [0.5, 0.6, 0.7, 0.75, 0.8, 0.8]
KNOWN = [0.6, 0.8, 0.95, 0.95, 0.95, 0.95]
TRUE = {
    "open": (0.95, 0.02, 0.0, 1.0), "cut": (0.35, 0.01, 0.0, 1.0),
    "agreement": (RISING, 0.02, 0.0, 1.0), "known": (KNOWN, 0.02, 0.0, 1.0),
}  # fmt: skip
FLAT = ([0.7] * 6, 0.02, 0.0, 1.0)
PLANTED = {
    "null": {
        "steps of thought add nothing": planted(TRUE, agreement=FLAT),
        "nothing moves the world": planted(TRUE, open=(0.37, 0.02, 0.0, 1.0)),
        "who answers moves less, though followed": planted(
            {**TRUE, "thinker answers/open": (0.7, 0.02, 0.0, 1.0)}
        ),
    },
    "effect": {"search and control apart": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What steps of thought add, and what comes of the answers in the world."""
    plan = cells(world, e, null=null)

    def of(what: str) -> dict[str, np.ndarray]:
        return {name: found(results, at, what) for name, at in zip(ARMS, plan, strict=True)}

    best, known, opened, cut = map(of, ("agreement", "known", "open", "cut"))
    before, after = THOUGHTS.index(NEAR), THOUGHTS.index(LAST)
    more = {name: x[:, after] - x[:, before] for name, x in best.items()}
    moves = {name: opened[name] - cut[name] for name in ARMS}
    rows = [
        claimed(CLAIM, world, name, MORE_STEPS, bootstrap(more[name], bounds=WIDE), above=MORE)
        for name in ARMS if name.startswith("thinker")
    ]  # fmt: skip
    rows += [
        claimed(CLAIM, world, "reactive acts", INFLUENCE,
                bootstrap(moves["reactive acts"], bounds=WIDE), above=MOVES),
        claimed(CLAIM, world, "thinkers", FOLLOWED,
                bootstrap(opened["thinker answers"] - opened["thinker acts"], bounds=WIDE),
                within=(-ALIKE, ALIKE)),
    ]  # fmt: skip
    for name in ARMS:
        rows += [
            told(CLAIM, world, name, "comes to the goal, channel open less cut",
                 bootstrap(moves[name], bounds=WIDE)),
            told(CLAIM, world, name, "best choices where trained",
                 bootstrap(known[name][:, THOUGHTS.index(8)], bounds=(0.0, 1.0))),
            told(CLAIM, world, name, f"best choices far off, {NEAR} steps of thought",
                 bootstrap(best[name][:, before], bounds=(0.0, 1.0))),
        ]  # fmt: skip
    added = {name: more[f"thinker {name}"].mean() for name in PURPOSES}
    sentence = (
        f"From far starts {LAST} steps of thought instead of {NEAR} make "
        f"{added['answers']:+.2f} more of the choices best of a thinker that answers, "
        f"{added['acts']:+.2f} of one that acts. A reactive network that acts moves the world by "
        f"{moves['reactive acts'].mean():.2f}; one with steps of thought that answers by "
        f"{moves['thinker answers'].mean():.2f} when its answers are followed."
    )
    return Shown(rows, [_thinking(best), _placed(more, moves)], sentence)


def _thinking(best: dict[str, np.ndarray]) -> Panel:
    return Panel(
        title=f"starts far off; trained at most {NEAR} moves off",
        x_label="steps of thought (of reactive networks all alike)",
        y_label="best choices",
        series=[
            series_of(name, THOUGHTS, [bootstrap(x, bounds=(0.0, 1.0)) for x in best[name].T])
            for name in ARMS
        ],
    )


def _placed(more: dict[str, np.ndarray], moves: dict[str, np.ndarray]) -> Panel:
    """Each training where its answers are followed."""
    places = [
        Series(
            label=name + ", followed" * name.endswith("answers"),
            x=moves[name].tolist(), y=more[name].tolist(), kind="points",
        )
        for name in ARMS
    ]  # fmt: skip
    return Panel(
        title="search and control, each training",
        x_label="influence: comes to the goal, channel open less cut",
        y_label=f"search: best choices, {LAST} steps less {NEAR}",
        series=places,
    )
