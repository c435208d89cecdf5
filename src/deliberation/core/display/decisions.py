"""How a decision shows itself: its rows in a notebook, and one of them as a figure.

A decision does not know its task: actions are numbers unless their names are handed over.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import BatchMismatchError
from .html import ROWS, Column, Markup, bar, bars, fragment, left_out, paragraph, table
from .ledgers import spent_words
from .numbers import MISSING, number
from .panels import Panel, Reference, Series

ACTIONS, DRAWN = 8, 16
"""So many actions stand in a table, and in a figure."""
EXPECTED = "value (expected return)"


def decision_html(decision: Any, names: Sequence[str] = ()) -> str:
    """A core `Decision` for a notebook: of one row its actions, of several a line for each."""
    batch, actions = decision.weights.shape
    if batch == 1:
        return _one(decision, names)
    searched = decision.root is not None
    columns = [
        Column("row", numbers=True), Column("action"), Column("value", numbers=True),
        Column(f"weights of {actions} {_nouns(decision)}s"),
        *([Column("visits"), Column("values of the most visited")] if searched else []),
    ]  # fmt: skip
    rows = [_row(decision, i, names) for i in range(min(batch, ROWS))]
    return fragment(
        table(f"Decision for {batch} states", columns, rows),
        paragraph(left_out(batch - ROWS, "row"), quiet=True),
        paragraph(spent_words(decision.spent.as_dict(), batch), quiet=True),
    )


def decision_panels(decision: Any, row: int = 0, names: Sequence[str] = ()) -> list[Panel]:
    """One row's weights, and where it searched its visits and values; those that matter most.

    Raises `BatchMismatchError` for a row that is not there.
    """
    batch, actions = decision.weights.shape
    if not 0 <= row < batch:
        raise BatchMismatchError(f"There is no row {row} in a decision of {batch} rows, from 0.")
    root, weights = decision.root, np.asarray(decision.weights[row], float)
    order = _ranked(decision, row)[:DRAWN]
    shown = np.sort(order)
    noun = _nouns(decision)
    more = f" ({len(shown)} of {actions})" if len(shown) < actions else ""
    about: dict[str, Any] = {
        "x_label": noun + more, "x_names": [_named(int(a), names) for a in shown],
    }  # fmt: skip
    x = [float(i) for i in range(len(shown))]
    panels = [_bars("What it chooses", "weight (probability)", x, weights[shown], **about)]
    if root is None:
        return panels
    visits, values = (np.asarray(part[row], float) for part in (root.visits, root.values))
    panels.append(_bars("What it tried", "visits (simulations)", x, visits[shown], **about))
    tried = [i for i, action in enumerate(shown) if visits[action] > 0]
    if tried:
        told = {**about, "x_names": [about["x_names"][i] for i in tried]}
        y = [float(values[shown[i]]) for i in tried]
        points = Series(label="", kind="points", x=x[: len(tried)], y=y)
        level = Reference(label="value of the state", y=float(decision.value[row]))
        panels.append(
            Panel(
                title="What it found", y_label=EXPECTED, series=[points], references=[level], **told
            )
        )
    return panels


def _bars(title: str, unit: str, x: list[float], y: np.ndarray, **about: Any) -> Panel:
    series = Series(label="", kind="bars", x=x, y=[float(v) for v in y])
    return Panel(title=title, y_label=unit, series=[series], **about)


def _one(decision: Any, names: Sequence[str]) -> str:
    """A row for each action, those first that most is made of."""
    root, weights = decision.root, np.asarray(decision.weights[0], float)
    order = _ranked(decision, 0)
    columns, cells = [Column(_nouns(decision)), Column("weight")], []
    searched = [] if root is None else [("visits", root.visits), (EXPECTED, root.values)]
    if root is not None and root.prior is not None:
        searched.append(("prior", root.prior))
    columns += [Column(title, numbers=True) for title, _ in searched]
    for action in order[:ACTIONS]:
        tried = root is None or float(root.visits[0, action]) > 0
        found = [
            number(float(part[0, action])) if tried or title != EXPECTED else MISSING
            for title, part in searched
        ]
        cells.append([_candidate(decision, 0, action, names), bar(float(weights[action])), *found])
    left = len(weights) - len(cells)
    chosen = _chosen(decision, 0, names)
    title = f"Decision: {chosen}, value {number(float(decision.value[0]))}"
    return fragment(
        table(title, columns, cells),
        paragraph(left_out(left, _nouns(decision)), quiet=True),
        paragraph(_line(decision, names), quiet=True),
        paragraph(spent_words(decision.spent.as_dict()), quiet=True),
    )


def _row(decision: Any, row: int, names: Sequence[str]) -> list[str]:
    weights = np.asarray(decision.weights[row], float)
    cells = [
        str(row), _chosen(decision, row, names), number(float(decision.value[row])),
        bars(weights, _said("weight", weights, decision, row, names)),
    ]  # fmt: skip
    if decision.root is None:
        return cells
    visits, values = (
        np.asarray(x[row], float) for x in (decision.root.visits, decision.root.values)
    )
    best = [a for a in np.argsort(-visits, kind="stable")[:2] if visits[a] > 0]
    told = ", ".join(f"{_named(int(a), names)}: {number(float(values[a]))}" for a in best)
    return [*cells, bars(visits, _said("visits", visits, decision, row, names)), told or MISSING]


def _said(what: str, amounts: np.ndarray, decision: Any, row: int, names: Sequence[str]) -> str:
    """The three greatest in words, for whoever hears them."""
    order = [int(a) for a in np.argsort(-amounts, kind="stable")[:3] if amounts[a] > 0]
    told = [f"{_candidate(decision, row, a, names)}: {number(float(amounts[a]))}" for a in order]
    return f"{what} of {', '.join(told)}" if told else f"no {what}"


def _ranked(decision: Any, row: int) -> list[int]:
    """Actions, those first that have the greatest weight, and then the most visits."""
    weights = np.asarray(decision.weights[row], float)
    visits = np.zeros_like(weights) if decision.root is None else decision.root.visits[row]
    return [int(a) for a in np.lexsort((-np.asarray(visits, float), -weights))]


def _nouns(decision: Any) -> str:
    return "action" if decision.candidates is None else "candidate"


def _candidate(decision: Any, row: int, index: int, names: Sequence[str]) -> str:
    """What a weight is of: an action, or one of the candidates where actions are continuous."""
    if decision.candidates is None:
        return _named(index, names)
    return _vector(decision.candidates[row, index])


def _chosen(decision: Any, row: int, names: Sequence[str]) -> str:
    """The answer of a row in words; of one that has ended there is none."""
    action = np.asarray(decision.action[row])
    if action.ndim or np.issubdtype(action.dtype, np.floating):
        return _vector(action)
    return "none (ended)" if action < 0 else f"action {_named(int(action), names)}"


def _vector(action: Any) -> str:
    parts = np.asarray(action, float).ravel()
    more = ", …" if len(parts) > 4 else ""
    return f"({', '.join(number(float(x)) for x in parts[:4])}{more})"


def _named(action: int, names: Sequence[str]) -> str:
    return names[action] if 0 <= action < len(names) else str(action)


def _line(decision: Any, names: Sequence[str]) -> Markup | str:
    """The principal variation, where it was asked for."""
    if decision.root is None:
        return ""
    line = [int(a) for a in np.asarray(decision.root.line[0]) if a >= 0]
    return f"Principal variation: {', '.join(_named(a, names) for a in line)}." if line else ""
