"""Whether a learner necessarily needs very many examples: what symmetries save."""

import numpy as np

from ...runs import Cell, Panel
from ...stats import bootstrap
from ..measuring import cells as shared
from ..measuring import students
from ..measuring.about import About, games_only
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, curve
from ..measuring.rows import claimed

SMALLEST = 0.1
CLAIM = {
    "name": "fewer_examples",
    "aspect": "commentary",
    "side": "amortised",
    "title": "Are very many examples necessary?",
    "statement": "They are not: told the game's symmetries, a network comes at least 0.1 of the "
    "way nearer to the optimum from the same few examples.",
    "estimand": "Share of the way with symmetries less without, for networks fitted to the second "
    "smallest number of examples, in positions that no example shows, nor an image of one.",
    "unit": "trainings and positions",
    "smallest": "0.1 of the way",
    "refuted_if": "The gain lies short of 0.1 of the way.",
}
PLANTED = {
    "null": {"symmetries that say nothing": {"more": {"symmetric": 0.0}}},
    "effect": {"twice the smallest": {"more": {"symmetric": 0.2}}},
}


def applies(it: About, e: Effort) -> str:
    """Games whose symmetries are known, and enough positions to be taught."""
    return games_only(it, e) or students.data_only(it, e)


def cells(task: str, e: Effort) -> list[Cell]:
    """Networks told of the symmetries and not, over sizes of data."""
    plain = (cell for count in _sizes(task, e) for cell in _plain(task, e, count))
    return [*students.all_scored(task, e), *plain]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """The gain at few examples, paired over trainings and positions; both curves."""
    told_of = students.by_size(task, e, results)
    sizes = _sizes(task, e)
    plain = [results.tables(_plain(task, e, count))[:, 0] for count in sizes]
    low = results.low(_plain(task, e, sizes[0])[0])
    gain = bootstrap(told_of[1] - plain[1], bounds=(low - 1, 1 - low))
    row = claimed(
        CLAIM, task, f"network ({sizes[1]:,} examples)", "way gained by symmetries", gain,
        above=SMALLEST, unit="of the way",
    )  # fmt: skip
    panel = Panel(
        title=task,
        x_label="examples",
        y_label="way from random to optimum",
        x_scale="log2",
        series=[
            curve("told of symmetries", sizes, told_of, low),
            curve("not told", sizes, plain, low),
        ],
    )
    most = np.mean(plain[-1])
    sentence = (
        f"On {task} {sizes[1]:,} examples take a network {told_of[1].mean():.2f} of the way "
        f"with symmetries and {plain[1].mean():.2f} without, which reaches {most:.2f} with "
        f"{sizes[-1]:,}."
    )
    return Shown([row], [panel], sentence)


def _sizes(task: str, e: Effort) -> tuple[int, ...]:
    return students.sizes(task, e)


def _plain(task: str, e: Effort, count: int) -> list[Cell]:
    lesson, who = shared.lesson(task, e), f"{shared.SUBJECTS}:network"
    fitted = [shared.fit(task, e, lesson, count, s, symmetric=False) for s in range(e.seeds)]
    return [shared.score(task, e, who, (0,), policy=policy) for policy in fitted]
