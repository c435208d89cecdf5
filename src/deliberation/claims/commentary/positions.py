"""Where a decider stands, in two coordinates: how far search, and how far learning, carry it."""

from typing import Any

import numpy as np

from ...runs import Cell, Panel, Row, Series
from ...stats import Position, bootstrap, position
from ..measuring import cells as shared
from ..measuring import students
from ..measuring.about import climbed_only
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown
from ..measuring.rows import check, claimed, told
from ..rows.exchange_rate import rungs

SMALLEST = 0.1
CLAIM = {
    "name": "positions",
    "aspect": "commentary",
    "side": "both",
    "title": "A spectrum: both parts of a hybrid carry it",
    "statement": "A network that searches loses at least 0.1 of the way from random play to the "
    "optimum when its search is switched off, and as much when what it learned is.",
    "estimand": "What either part adds to the other, in parts of the way from random play to the "
    "optimum. Beside it, as coordinates, the two Shapley gains over the four scores with each part "
    "switched off.",
    "unit": "runs of expert iteration, and positions",
    "smallest": "0.1 of the way",
    "refuted_if": "Either loss lies short of 0.1 of the way, as for a decider at random, for "
    "parts each of which would do alone, or for one that does nothing.",
}

PLANTED = {
    "null": {
        "everything at random": {"guided": (0.0, 0.0, 0.0), "blind": (0.0, 0.0)},
        "parts each of which does alone": {"guided": (0.9, 0.0, 0.0), "blind": (0.9, 0.0)},
        "a search that adds nothing": {"guided": (0.6, 0.0, 0.0), "blind": (0.0, 0.0)},
    },
    "effect": {"twice the smallest": {"guided": (0.5, 0.0, 0.0632), "blind": (0.5, 0.0)}},
}
applies = climbed_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Guided search with either part switched off in turn, search alone, and a network."""
    return [
        shared.random_score(task, e),
        shared.planner_score(task, e),
        *students.scored(task, e, students.most(task, e)),
        *_guided(task, e),
        _blind(task, e),
    ]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Shapley gains from the 2x2 of parts switched off, and what they do only together."""
    random = results.table(shared.random_score(task, e))[0]
    network = students.best_scores(task, e, results)
    guided, blind = results.tables(_guided(task, e)), results.table(_blind(task, e))
    at = len(e.dial) // 2
    middle, top = e.budgets[len(e.budgets) // 2], e.dial[at]
    unguided = results.table(shared.planner_score(task, e))[len(e.budgets) // 2]
    nowhere = np.broadcast_to(random, network.shape)
    places = {
        f"search ({middle})": position(random, unguided, random, unguided),
        "network": position(nowhere, nowhere, network, network),
        f"guided search ({top})": position(random, blind[at], guided[:, 0], guided[:, at + 1]),
    }
    *_, hybrid = places.values()
    low = results.low(_blind(task, e))
    spread = (low - 1, 1 - low)
    lost = {
        "search": bootstrap(guided[:, at + 1] - guided[:, 0], bounds=spread),
        "learning": bootstrap(guided[:, at + 1] - blind[at], bounds=spread),
    }
    rows = [
        *(r for who, place in places.items() for r in _rows(task, who, place)),
        *(
            claimed(
                CLAIM, task, f"guided search ({top})", f"lost without {part}", loss,
                above=SMALLEST, unit="of the way",
            )
            for part, loss in lost.items()
        ),
    ]  # fmt: skip
    sentence = (
        f"On {task} search carries guided search with {top} simulations "
        f"{hybrid.search.estimate:.2f} of the way to the optimum, and learning "
        f"{hybrid.learning.estimate:.2f}; together they reach {hybrid.total.estimate:.2f}."
    )
    return Shown(rows, [_panel(task, places)], sentence)


def _guided(task: str, e: Effort) -> list[Cell]:
    """Search guided by the last network of each expert iteration."""
    return [rungs(task, e, seed)[-1] for seed in range(e.ladders)]


def _blind(task: str, e: Effort) -> Cell:
    """The same search with every learned part off: uniform prior, zero value."""
    return shared.score(task, e, f"{shared.SUBJECTS}:blind", e.dial, timed=False)


def _rows(task: str, who: str, place: Position) -> list[Row]:
    way: dict[str, Any] = {"unit": "of the way"}
    if who.startswith("guided"):
        return [
            told(CLAIM, task, who, "carried by search", place.search, **way),
            told(CLAIM, task, who, "carried by learning", place.learning, **way),
            told(CLAIM, task, who, "only together", place.interaction, **way),
            told(CLAIM, task, who, "reached", place.total, **way),
        ]
    lacks, none = ("learning", place.learning) if who.startswith("search") else (
        "search", place.search,
    )  # fmt: skip
    note = f"by construction: it has no part for {lacks} to switch off"
    return [
        check(CLAIM, task, who, f"carried by {lacks}", none, within=(0, 0), note=note, **way),
        told(CLAIM, task, who, "reached", place.total, **way),
    ]


def _panel(task: str, places: dict[str, Position]) -> Panel:
    return Panel(
        title=task,
        x_label="carried by search",
        y_label="carried by learning",
        series=[
            Series(
                label=who,
                x=[place.search.estimate],
                y=[place.learning.estimate],
                low=[place.learning.low],
                high=[place.learning.high],
                kind="points",
            )
            for who, place in places.items()
        ],
    )
