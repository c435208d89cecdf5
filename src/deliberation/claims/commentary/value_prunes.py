"""An amortised value prunes subtrees that are unlikely to pay: what it saves, and what it costs."""

from typing import NamedTuple

import numpy as np

from ...runs import Cell, Panel, Reference, Row
from ...stats import Estimate, bootstrap, bootstrap_means
from ..measuring import students
from ..measuring.about import About, games_only
from ..measuring.effort import Effort
from ..measuring.pruning import AHEAD, MARGIN, NOISE, WIDE, cases, pruned
from ..measuring.results import OWN_WORD, Results, Shown, mean, series_of
from ..measuring.rows import claimed, told

SAVED, LOST = 1 / 3, 0.05
CLAIM = {
    "name": "value_prunes",
    "aspect": "commentary",
    "side": "both",
    "title": "A learned value prunes subtrees that are unlikely to pay",
    "statement": "Alpha-beta that leaves out children which a learned value puts well below their "
    "best sibling saves at least a third of the rules' steps, and loses less than 0.05 of the way.",
    "estimand": "Steps of the rules over all positions that the search which prunes saves of those "
    "of the same search, in the same order, without pruning; and the way that it loses. 4 plies "
    "ahead; left out is what the value puts lower by more than a quarter of what parts a draw from "
    "a win. Beside it the same where the value is worse: fitted to the least data, or with noise.",
    "unit": "trainings and positions",
    "smallest": "a third of the steps; 0.05 of the way",
    "refuted_if": "Less than a third of the steps is saved, or 0.05 of the way or more is lost.",
}
PLANTED = {
    "null": {
        "a value that saves nothing": {"more": {"pruned": (0.0, 0.0)}},
        "a value that prunes what pays": {"more": {"pruned": (2 / 3, 0.1)}},
    },
    "effect": {"twice the smallest": {"more": {"pruned": (2 / 3, 0.0)}}},
}


def applies(it: About, e: Effort) -> str:
    """Games of two without chance, on as many as the effort climbs: each takes many searches."""
    if games_only(it, e) or it.name in e.climbed:
        return games_only(it, e)
    return f"at this effort pruning is measured on {', '.join(e.climbed)} only"


class _Pruned(NamedTuple):
    """One way of pruning, [seeds, positions] each."""

    way: np.ndarray
    full: np.ndarray
    steps: np.ndarray
    full_steps: np.ndarray
    error: np.ndarray


def sizes(task: str, e: Effort) -> tuple[int, int]:
    """Examples behind the values: the fewest and the most."""
    tried = students.sizes(task, e)
    return tried[0], tried[-1]


def cells(task: str, e: Effort) -> list[Cell]:
    """Search with and without pruning, by values of the fewest and of the most examples."""
    return [pruned(task, e, count) for count in sizes(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Steps saved and way lost, by the networks of the most data and by worse values."""
    least, largest = sizes(task, e)
    low = results.low(pruned(task, e, largest))
    few, most = (_read(task, e, results, count) for count in sizes(task, e))
    own, wide, noisy = most
    values = {
        f"value of {largest} examples": own,
        f"value of {largest} examples, margin {WIDE:g}": wide,
        f"value of {largest} examples, noise {NOISE:g}": noisy,
        f"value of {least} examples": few[0],
    }
    saved = [_saved(each) for each in values.values()]
    lost = [_lost(each, low) for each in values.values()]
    who, *others = (f"alpha-beta pruned by a {name}" for name in values)
    note = f"margin {MARGIN:g}, {AHEAD} plies"
    rows = [
        claimed(CLAIM, task, who, "steps of the rules saved", saved[0], above=SAVED, unit="share",
                note=f"{note}; {OWN_WORD}"),
        claimed(CLAIM, task, who, "way lost by pruning", lost[0], below=LOST, unit="of the way",
                note=note),
        *_beside(task, others, saved[1:], lost[1:]),
        _more(task, others[1], noisy, own, low),
        told(CLAIM, task, "the same search without pruning", "way reached", mean(own.full, low),
             unit="of the way"),
        *(
            told(CLAIM, task, name, "error of the value", bootstrap(each.error), unit="return",
                 note="mean distance from the exact value")
            for name, each in zip((who, others[1], others[2]), (own, noisy, few[0]), strict=True)
        ),
    ]  # fmt: skip
    sentence = (
        f"On {task} pruning by a learned value saves {saved[0].estimate:.0%} of the steps and "
        f"loses {lost[0].estimate:.2f} of the way; by a value with noise "
        f"{saved[2].estimate:.0%} and {lost[2].estimate:.2f}, by one of {least} examples "
        f"{saved[3].estimate:.0%} and {lost[3].estimate:.2f}."
    )
    return Shown(rows, [_panel(task, values, saved, lost)], sentence)


def _read(task: str, e: Effort, results: Results, count: int) -> list[_Pruned]:
    """By the networks of `count` examples, in each of its cases."""
    cell, ways = pruned(task, e, count), len(cases(task, e, count))

    def column(name: str) -> np.ndarray:
        found = results.column(cell, name)
        return found.reshape(-1, ways, found.shape[-1])

    table = {name: column(name) for name in _Pruned._fields}
    return [_Pruned(**{name: x[:, i] for name, x in table.items()}) for i in range(ways)]


def _saved(each: _Pruned) -> Estimate:
    """The share of all steps that pruning saves, over trainings and positions."""

    def share(means: np.ndarray) -> np.ndarray:
        return 1 - means[:, 0] / np.maximum(means[:, 1], 1e-9)

    return bootstrap_means(share, each.steps, each.full_steps)[0]


def _lost(each: _Pruned, low: float) -> Estimate:
    return bootstrap(each.full - each.way, bounds=(low - 1, 1 - low))


def _beside(task: str, who: list[str], saved: list[Estimate], lost: list[Estimate]) -> list[Row]:
    """What other values and margins save and lose."""
    pairs = zip(who, saved, lost, strict=True)
    return [
        row
        for name, less, worse in pairs
        for row in (
            told(CLAIM, task, name, "steps of the rules saved", less, unit="share"),
            told(CLAIM, task, name, "way lost by pruning", worse, unit="of the way"),
        )
    ]


def _more(task: str, who: str, noisy: _Pruned, own: _Pruned, low: float) -> Row:
    """How much more is lost where the value is wrong."""
    more = (noisy.full - noisy.way) - (own.full - own.way)
    gap = bootstrap(more, bounds=(2 * (low - 1), 2 * (1 - low)))
    return told(CLAIM, task, who, "more way lost than without noise", gap, unit="of the way")


def _panel(
    task: str, values: dict[str, _Pruned], saved: list[Estimate], lost: list[Estimate]
) -> Panel:
    pairs = zip(values, saved, lost, strict=True)
    return Panel(
        title=task,
        x_label="steps of the rules saved",
        y_label="way lost by pruning",
        series=[series_of(name, [x.estimate], [y], kind="points") for name, x, y in pairs],
        references=[Reference(label="most that may be lost", y=LOST)],
    )
