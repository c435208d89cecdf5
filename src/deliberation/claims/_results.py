"""Reading cells back as samples, and putting rows and figures together."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from ..runs import Cell, Figure, Finding, Panel, Record, RecordError, Row, Series
from ..stats import Estimate, bootstrap, rate

OWN_WORD = "counted by the decider itself"
"""Of every count of steps and evaluations: what a decider reports is its own word."""
CLOCK = "wall time, measured from outside"


class Results:
    """The records of a run, asked for by cell."""

    def __init__(self, records: Mapping[str, Record]):
        self._records = records

    def outcomes(self, cell: Cell) -> dict[str, Any]:
        """What a cell found."""
        return self._record(cell).outcomes

    def spent(self, cell: Cell) -> dict[str, Any]:
        """What a cell spent, as a ledger's dict."""
        return self._record(cell).spent

    def _record(self, cell: Cell) -> Record:
        if cell.id not in self._records:
            raise RecordError(
                f"Cell {cell.id} ({cell.name}) is not among the records: the run is not finished, "
                "or was made by another version. Make the same `deliberate table` call again."
            )
        return self._records[cell.id]

    def table(self, cell: Cell, column: str = "keeps") -> np.ndarray:
        """A score cell's column as [budgets, positions]."""
        return np.asarray(self.outcomes(cell)[column], float)

    def tables(self, cells: Iterable[Cell], column: str = "keeps") -> np.ndarray:
        """The same of one cell a training seed: [seeds, budgets, positions]."""
        return np.stack([self.table(cell, column) for cell in cells])


class Shown(msgspec.Struct):
    """What a claim shows of one task: rows, panels for its figure, and a sentence."""

    rows: list[Row]
    panels: list[Panel]
    sentence: str = ""


def gather(claim: Mapping[str, Any], shown: Sequence[Shown]) -> Finding:
    """One claim's finding over all tasks; panels become one figure."""
    panels = [panel for part in shown for panel in part.panels]
    sentences = [part.sentence for part in shown if part.sentence]
    figure = Figure(title=claim["title"], panels=panels, alternative=" ".join(sentences))
    return Finding(
        claim=claim["name"],
        item=claim["item"],
        title=claim["title"],
        statement=claim["statement"],
        refuted_if=claim["refuted_if"],
        rows=[row for part in shown for row in part.rows],
        figures=[figure] if panels else [],
        summary=" ".join(sentences),
    )


def row(
    claim: Mapping[str, Any],
    task: str,
    decider: str,
    quantity: str,
    estimate: Estimate,
    verdict: str | None = None,
    **more: Any,
) -> Row:
    """One row of the table from an estimate."""
    return Row(
        claim=claim["name"],
        item=claim["item"],
        task=task,
        decider=decider,
        quantity=quantity,
        estimate=estimate.estimate,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
        verdict=verdict,
        **more,
    )


def mean(values: np.ndarray) -> Estimate:
    """The mean of [n] or [seeds, n] scores between 0 and 1, as a rate where they are 0 or 1."""
    if np.isin(values, (0.0, 1.0)).all():
        return rate(values)
    return bootstrap(values, bounds=(0.0, 1.0))


def curve(label: str, x: Sequence[float | int], samples: Sequence[np.ndarray]) -> Series:
    """A line of means with their intervals; one sample [n] or [seeds, n] for each x."""
    points = [mean(sample) for sample in samples]
    return Series(
        label=label,
        x=[float(v) for v in x],
        y=[p.estimate for p in points],
        low=[p.low for p in points],
        high=[p.high for p in points],
    )


def timed(times: np.ndarray) -> Estimate:
    """The mean of times with their range: rows of one batch share its time, so few are apart."""
    apart = np.unique(times)
    middle = float(np.clip(times.mean(), apart[0], apart[-1]))  # equal ones need not sum exactly
    return Estimate(middle, float(apart[0]), float(apart[-1]), len(apart))


def percent(estimate: Estimate) -> str:
    """A share in words, with its interval."""
    low, high = 100 * estimate.low, 100 * estimate.high
    return f"{100 * estimate.estimate:.0f} % [{low:.0f}, {high:.0f}]"
