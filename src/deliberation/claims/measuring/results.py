"""Reading cells back as samples, and putting rows and figures together."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ...runs import (
    Cell,
    Figure,
    Finding,
    Panel,
    Record,
    RecordError,
    Reference,
    Row,
    Series,
    read_failures,
)
from ...runs.columns import read_column
from ...stats import Estimate, bootstrap, bounded, proportion, rate, weighted_sum
from .prices import Prices

OWN_WORD = "counted by the decider itself"
"""Of every count of steps and evaluations: what a decider reports is its own word."""
CLOCK = "wall time, measured from outside"


class Missing(RecordError):
    """A cell that a claim needs is not among the records: it failed, or has not run yet."""


class Results:
    """The records of a run, asked for by cell; arrays are read from the run's folder.

    `prices` are what computing is paid for.
    """

    def __init__(
        self,
        records: Mapping[str, Record],
        folder: Path | str | None = None,
        prices: Prices | None = None,
    ):
        self._records, self._folder = records, folder
        self._failures = {} if folder is None else read_failures(folder)
        self.prices = prices or Prices()
        self._read: dict[tuple[str, str], np.ndarray] = {}

    def outcomes(self, cell: Cell) -> dict[str, Any]:
        """What a cell found."""
        return self._record(cell).outcomes

    def spent(self, cell: Cell) -> dict[str, Any]:
        """What a cell spent, as a ledger's dict."""
        return self._record(cell).spent

    def _record(self, cell: Cell) -> Record:
        if cell.id not in self._records:
            why = self._failures.get(cell.id, "")
            said = "it failed, or the run has not ended"
            if why:
                said = f"it failed ({why.strip().splitlines()[-1]})"
            raise Missing(
                f"{cell.name} ({cell.id}) is not among the records: {said}. Make the same "
                "`deliberate table` call again."
            )
        return self._records[cell.id]

    def table(self, cell: Cell, column: str = "way") -> np.ndarray:
        """A score cell's column as [budgets, items]: positions, or episodes."""
        return self.column(cell, column)

    def column(self, cell: Cell, name: str) -> np.ndarray:
        """An array that a cell found, as numbers of 64 bits."""
        record, folder = self._record(cell), self._folder
        if (cell.id, name) not in self._read:
            if name in record.columns and folder is not None:
                found = read_column(folder, record, name).values
            else:
                found = record.outcomes[name]
            self._read[cell.id, name] = np.asarray(found, float)
        return self._read[cell.id, name]

    def tables(self, cells: Iterable[Cell], column: str = "way") -> np.ndarray:
        """The same of one cell a training seed: [seeds, budgets, items]."""
        return np.stack([self.table(cell, column) for cell in cells])

    def low(self, cell: Cell) -> float:
        """The lowest share of the way that one item of a score cell can have."""
        low = self.outcomes(cell)["low"]
        return float("-inf") if low is None else float(low)


class Shown(msgspec.Struct):
    """What a claim shows of one task: rows, panels for its figure, and a sentence."""

    rows: list[Row]
    panels: list[Panel]
    sentence: str = ""


STATED = ("aspect", "side", "title", "statement", "refuted_if", "estimand", "unit", "smallest")
"""What a claim declares before anything is measured, besides its name."""


def gather(claim: Mapping[str, Any], shown: Sequence[Shown]) -> Finding:
    """One claim's finding over all tasks; panels become one figure."""
    panels = [panel for part in shown for panel in part.panels]
    sentences = [part.sentence for part in shown if part.sentence]
    figure = Figure(title=claim["title"], panels=panels, alternative=" ".join(sentences))
    stated = {field: claim[field] for field in STATED}
    return Finding(
        claim=claim["name"],
        **stated,
        rows=[row for part in shown for row in part.rows],
        figures=[figure] if panels else [],
        summary=" ".join(sentences),
    )


def mean(values: np.ndarray, low: float = 0.0) -> Estimate:
    """The mean of [n] or [seeds, n] scores.

    Where none is above 1 or below `low`, it is taken of what is missing to 1, in parts of the most
    that can be missing: the interval allows for losses that were not seen, greater than any that
    were, as often as zero occurrences in n do (deviations are added as squares). An episode in a
    world of chance may end better than the best play does on average; then it is the plain mean.
    """
    most = 1.0 - low
    lost = (1.0 - values) / most
    if not np.isfinite(most) or lost.min() < -1e-6 or lost.max() > 1 + 1e-6:
        return bootstrap(values)
    lost = np.clip(lost, 0.0, 1.0)  # of rounding alone
    at = rate(lost) if np.isin(lost, (0.0, 1.0)).all() else bootstrap(lost, bounds=(0.0, 1.0))
    high = at.high
    if np.ptp(lost) > 0:  # where all are the same, what is unseen is counted already
        unseen = proportion(0, lost.shape[-1]).high * (1 - float(lost.max()))
        high = at.estimate + float(np.hypot(at.high - at.estimate, unseen))
    way = Estimate(1 - most * at.estimate, 1 - most * high, 1 - most * at.low, at.n, at.freedom)
    return bounded(way, low, 1.0)


def in_logs(quantity: Estimate) -> Estimate:
    """The natural logarithm of a positive quantity, and of its interval's ends."""
    with np.errstate(divide="ignore", invalid="ignore"):
        at = np.log(np.maximum([quantity.estimate, quantity.low, quantity.high], 0.0))
    return Estimate(float(at[0]), float(at[1]), float(at[2]), quantity.n, quantity.freedom)


def quotient(one: Estimate, other: Estimate) -> Estimate:
    """One of two independent positive quantities over the other (Zou and Donner 2008, in logs)."""
    apart = weighted_sum([in_logs(one), in_logs(other)], [1.0, -1.0])
    middle, low, high = np.exp([apart.estimate, apart.low, apart.high]).tolist()
    bound = one.censored or other.censored
    return Estimate(middle, low, high, apart.n, apart.freedom, bound)


def series_of(
    label: str, x: Sequence[float | int], points: Sequence[Estimate], **more: Any
) -> Series:
    """A line, or points, of estimates with their intervals; `more` are fields of `Series`."""
    return Series(
        label=label,
        x=[float(v) for v in x],
        y=[p.estimate for p in points],
        low=[p.shown.low for p in points],
        high=[p.shown.high for p in points],
        **more,
    )


def clouds(labels: Iterable[str], x: np.ndarray, y: np.ndarray) -> list[Series]:
    """A point for each training (a row), a cloud for each label (a column)."""
    return [
        Series(label=label, x=x[:, i].tolist(), y=y[:, i].tolist(), kind="points")
        for i, label in enumerate(labels)
    ]


def way_panel(
    title: str, x_label: str, series: list[Series], y_label: str = "", **more: Any
) -> Panel:
    """Axes for shares of the way, with random play and the optimum drawn in."""
    return Panel(
        title=title,
        x_label=x_label,
        y_label=y_label or "way from random to optimum",
        series=series,
        references=[Reference(label="random", y=0.0), Reference(label="optimum", y=1.0)],
        **more,
    )


def curve(
    label: str, x: Sequence[float | int], samples: Sequence[np.ndarray], low: float = 0.0
) -> Series:
    """A line of means with their intervals; one sample [n] or [seeds, n] for each x."""
    return series_of(label, x, [mean(sample, low) for sample in samples])


def timed(times: Any) -> Estimate:
    """The median of times and a 95 % interval of it, by order statistics (the sign test's).

    With fewer than six times there is none.
    """
    apart = np.sort(np.asarray(times, float).ravel())
    return Estimate(float(np.median(apart)), *_around_median(apart), len(apart))


def _around_median(ordered: np.ndarray) -> tuple[float, float]:
    from scipy.stats import binom

    n = len(ordered)
    if n < 6:
        return float("-inf"), float("inf")
    rank = int(binom.ppf(0.025, n, 0.5))  # so many at each end are surely outside
    return float(ordered[rank - 1]), float(ordered[n - rank])


def percent(estimate: Estimate) -> str:
    """A share in words, with its interval."""
    low, high = 100 * estimate.shown.low, 100 * estimate.shown.high
    return f"{100 * estimate.estimate:.0f} % [{low:.0f}, {high:.0f}]"
