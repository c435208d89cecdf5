"""Items 11 and 57: where each decider stands between search and learning, in two coordinates."""

import numpy as np

from ..runs import Cell, Panel, Series
from ..stats import Position, judge, position
from . import _cells, _students
from ._effort import Effort
from ._results import Results, Shown, row
from .exchange_rate import rungs

CLAIM = {
    "name": "positions",
    "item": 11,
    "title": "Positions in two coordinates",
    "statement": "Pure search stands at (1, 0), a network at (0, 1), and a network that searches "
    "between them: both of its parts contribute to its score above random.",
    "refuted_if": "The search share or the learning share of the guided search lies at or below 0, "
    "or at or above 1.",
}


def cells(task: str, e: Effort) -> list[Cell]:
    """Guided search with either part switched off in turn, unguided search, and a network."""
    return [
        _cells.random_score(task, e),
        _cells.uct_score(task, e),
        *_students.scored(task, e, max(e.lessons)),
        *_guided(task, e),
        _blind(task, e),
    ]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Shapley shares of the score above random, from the 2x2 of parts switched off."""
    random = results.table(_cells.random_score(task, e))[0]
    network = _students.best_scores(task, e, results)
    guided, blind = results.tables(_guided(task, e)), results.table(_blind(task, e))
    at = len(e.dial) // 2
    middle, top = e.budgets[len(e.budgets) // 2], e.dial[at]
    unguided = results.table(_cells.uct_score(task, e))[len(e.budgets) // 2]
    nowhere = np.broadcast_to(random, network.shape)
    places = {
        f"search ({middle})": position(random, unguided, random, unguided),
        "network": position(nowhere, nowhere, network, network),
        f"guided search ({top})": position(random, blind[at], guided[:, 0], guided[:, at + 1]),
    }
    rows = [r for who, place in places.items() for r in _rows(task, who, place)]
    hybrid = list(places.values())[-1]
    return Shown(rows, [_panel(task, places)], _sentence(task, top, hybrid))


def _sentence(task: str, top: int, hybrid: Position) -> str:
    search, learning = hybrid.search_share.estimate, hybrid.learning_share.estimate
    if np.isnan(search):
        return f"On {task} guided search is not clearly apart from random: it has no position."
    return (
        f"On {task} guided search with {top} simulations owes {search:.2f} of its score above "
        f"random to search and {learning:.2f} to learning."
    )


def _guided(task: str, e: Effort) -> list[Cell]:
    """Search guided by the last network of each expert iteration."""
    return [rungs(task, e, seed)[-1] for seed in range(e.ladders)]


def _blind(task: str, e: Effort) -> Cell:
    """The same search with every learned part off: uniform prior, zero value."""
    return _cells.score(task, e, {"kind": "blind"}, e.dial)


def _rows(task: str, who: str, place: Position) -> list:
    between = who.startswith("guided")
    verdict = judge(place.search_share, within=(1e-9, 1 - 1e-9)) if between else None
    lacks = "learned" if who.startswith("search") else "searching"
    note = "" if between else f"by construction: it has no {lacks} part to switch off"
    return [
        row(CLAIM, task, who, "search share", place.search_share, verdict, note=note),
        row(CLAIM, task, who, "learning share", place.learning_share, verdict, note=note),
        row(CLAIM, task, who, "score above random", place.total),
    ]


def _panel(task: str, places: dict[str, Position]) -> Panel:
    return Panel(
        title=task,
        x_label="search share",
        y_label="learning share",
        series=[
            Series(
                label=who,
                x=[place.search_share.estimate],
                y=[place.learning_share.estimate],
                low=[place.learning_share.low],
                high=[place.learning_share.high],
                kind="points",
            )
            for who, place in places.items()
        ],
    )
