"""A learner with a table and a search in it, and which of them it comes to use as data grow."""

import numpy as np

from ....runs import Panel
from ....stats import Estimate, bootstrap
from ...experiments.arms import found, lines, one_arm, share
from ...experiments.simplicity.search_or_table import SIZES
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import claimed, told

STEPS = {"smoke": 600, "quick": 1000, "full": 3000}
SLOPE, TURNED, LEANS = 0.05, 0.05, 0.25
NAMES = ("whole", "no_table", "no_search", "by_list", "by_number", "fresh", "gate")
FEW, MANY = SIZES[0], SIZES[-1]
CLAIM = {
    "name": "search_or_table",
    "aspect": "learned",
    "chapter": "simplicity",
    "side": "both",
    "title": "A table or a search, as data grow",
    "statement": "A learner that can keep its answers in a table or find them by going through the "
    "input comes to rest on the search the more, the more different inputs it is trained on: by "
    "what is lost when either path is cut, and by which answer it gives where the two disagree.",
    "estimand": "Accuracy lost by cutting the search (it says what it would of other inputs) less "
    "that lost by cutting the table, and its slope over the logarithm of the inputs; where an "
    "input of training comes with another list, how often the answer follows the list less how "
    "often it is the one that was learned.",
    "unit": "trainings",
    "smallest": "0.05 for each doubling of the inputs; a quarter of the answers with the most",
    "refuted_if": "A slope lies below 0.05 for each doubling, or with the most inputs cutting the "
    "search does not cost a quarter more than cutting the table: as where the answers of the "
    "inputs are those of others.",
}
WORLDS = ("the largest of 5 numbers",)
cells = one_arm("simplicity.search_or_table", 60.0, steps=STEPS)
"""One arm, which trains at every number of inputs."""
NULL = {
    "what": "answers are drawn without the lists: going through a list finds nothing",
    "rows": (
        "leaning on the search, for each doubling",
        "following the list, for each doubling",
        f"leaning on the search, {MANY} inputs",
    ),
}
"""The rows that must not be supported where this is taken out."""
ONES = [1.0] * len(SIZES)
RISING, FALLING = [0.25, 0.4, 0.7, 0.9, 0.95], [0.75, 0.5, 0.25, 0.05, 0.02]
TRUE = {
    "whole": (ONES, 0.01, 0.0, 1.0),
    "no_table": ([0.3, 0.5, 0.8, 0.97, 0.99], 0.05, 0.0, 1.0),
    "no_search": ([0.95, 0.8, 0.6, 0.3, 0.2], 0.05, 0.0, 1.0),
    "by_list": (RISING, 0.05, 0.0, 1.0),
    "by_number": (FALLING, 0.05, 0.0, 1.0),
    "fresh": (RISING, 0.05, 0.0, 1.0),
    "gate": (RISING, 0.05, 0.0, 1.0),
}
DRIFT = [0.485, 0.38, 0.30, 0.24, 0.21]
"""How often the commonest answer of so many inputs is right, to which a search cut down to its mean
over the inputs falls."""
LEVEL = 0.6
"""Planted where nothing turns."""
PLANTED = {
    "null": {
        "the table at every size": planted(
            TRUE, no_table=([0.3] * 5, 0.05, 0.0, 1.0), no_search=([0.95] * 5, 0.05, 0.0, 1.0)
        ),
        "the search at every size": planted(
            TRUE, no_table=(ONES, 0.02, 0.0, 1.0), no_search=([0.3] * 5, 0.05, 0.0, 1.0)
        ),
        "the search at every size, chance falls": planted(
            TRUE, no_table=(ONES, 0.02, 0.0, 1.0), no_search=(DRIFT, 0.05, 0.0, 1.0)
        ),
        "a path by heart": planted(
            TRUE, by_list=([LEVEL] * 5, 0.05, 0.0, 1.0), by_number=([LEVEL / 2] * 5, 0.05, 0.0, 1.0)
        ),
    },
    "effect": {"from the table to the search": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What rests on which path, against the number of inputs."""
    (cell,) = cells(world, e, null=null)
    data = {name: found(results, cell, name) for name in NAMES}
    who = "a table and a search with a gate"
    leaning = data["no_table"] - data["no_search"]
    follows = data["by_list"] - data["by_number"]
    rows = [
        claimed(CLAIM, world, who, "leaning on the search, for each doubling", _slope(leaning),
                above=SLOPE),
        claimed(CLAIM, world, who, "following the list, for each doubling", _slope(follows),
                above=TURNED),
        claimed(CLAIM, world, who, f"leaning on the search, {MANY} inputs",
                bootstrap(leaning[:, -1], bounds=(-1.0, 1.0)), above=LEANS),
        *(
            told(CLAIM, world, who, quantity, share(data[name][:, at]))
            for quantity, name, at in (
                (f"right without the table, {FEW} inputs", "no_table", 0),
                (f"right without the search, {FEW} inputs", "no_search", 0),
                (f"right without the table, {MANY} inputs", "no_table", -1),
                (f"right without the search, {MANY} inputs", "no_search", -1),
                (f"right on new lists by the search, {FEW} inputs", "fresh", 0),
                (f"right on new lists by the search, {MANY} inputs", "fresh", -1),
                (f"the gate's share of the search, {FEW} inputs", "gate", 0),
                (f"the gate's share of the search, {MANY} inputs", "gate", -1),
            )
        ),
    ]  # fmt: skip
    panels = [
        _panel("what is left when a path is cut", data, {
            "whole": "nothing cut", "no_table": "table cut", "no_search": "search cut"}),
        _panel("a known input with a new list", data, {
            "by_list": "answer of the list", "by_number": "answer that was learned"}),
    ]  # fmt: skip
    sentence = (
        f"From {FEW} to {MANY} inputs the answers without the table go from "
        f"{data['no_table'][:, 0].mean():.2f} to {data['no_table'][:, -1].mean():.2f} right, and "
        f"without the search from {data['no_search'][:, 0].mean():.2f} to "
        f"{data['no_search'][:, -1].mean():.2f}; known inputs with new lists are answered by the "
        f"list in {data['by_list'][:, 0].mean():.2f} and {data['by_list'][:, -1].mean():.2f}."
    )
    return Shown(rows, panels, sentence)


def _slope(values: np.ndarray) -> Estimate:
    """Of each training the least-squares slope over the binary logarithm of the inputs."""
    at = np.log2(SIZES)
    weights = (at - at.mean()) / ((at - at.mean()) ** 2).sum()
    return bootstrap(values @ weights, bounds=(-1.0, 1.0))


def _panel(title: str, data: dict[str, np.ndarray], shown: dict[str, str]) -> Panel:
    return Panel(
        title=title,
        x_label="different inputs in training",
        y_label="share of the inputs",
        x_scale="log2",
        series=lines(SIZES, {label: data[name] for name, label in shown.items()}),
    )
