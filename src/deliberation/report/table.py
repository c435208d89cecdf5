"""The table of a run as an object: printed, shown in a notebook, drawn, and asked for its rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..claims import CHAPTERS
from ..claims.measuring.prices import Prices
from ..core.display.html import Column, Markup, fragment, paragraph, table
from ..core.display.numbers import MISSING
from ..core.errors import MissingFigureError, UnknownNameError
from ..runs.findings import Finding, Row
from .comparison import Side, compare, family_sentence
from .folder import build, findings, notes, provenance
from .headline import foremost, headlines
from .pages.stories import by_chapter, stories_of, titles
from .terminal import UNSEEN, markdown, show, told_lines
from .verdicts import SYMBOLS, counted, overall, tally

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Table:
    """What a run's records say of the claims: `print` it, or let a notebook show it.

    `findings` are all claims with their rows and figures, `notes` what one has to know first (that
    cells failed, say), `provenance` where the numbers come from.
    """

    folder: Path
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls, folder: Path | str, *, partial: bool = False, prices: Prices | None = None
    ) -> "Table":
        """The table of a run's folder, from its records alone; nothing is measured.

        With `partial`, what is not measured yet says so. Raises as `findings` does.
        """
        found = findings(folder, partial=partial, prices=prices)
        return cls(Path(folder), tuple(found), tuple(notes(folder, found)), provenance(folder))

    @property
    def rows(self) -> list[Row]:
        """Every row: what was claimed, checked, told, and not measured."""
        return [row for finding in self.findings for row in finding.rows]

    @property
    def verdicts(self) -> dict[str, str | None]:
        """Each claim's verdict over its tasks; None where it has none."""
        return {
            f.claim: overall(row for row in f.rows if row.kind == "claim") for f in self.findings
        }

    def __getitem__(self, claim: str) -> Finding:
        """One claim: its rows, figures and summary. Raises `UnknownNameError`."""
        for finding in self.findings:
            if finding.claim == claim:
                return finding
        raise UnknownNameError("claim", claim, [finding.claim for finding in self.findings])

    def markdown(self) -> str:
        """The same as Markdown."""
        return markdown(self.findings)

    def save(self) -> Path:
        """Write report.html, table.csv and table.json into the folder; returns the page's path."""
        return build(self.folder, self.findings)

    def plot(self, claim: str | None = None) -> "Figure":
        """A figure: score and cost over the budget of a decision, or all pictures of one claim.

        Raises `UnknownNameError`, and `MissingFigureError` where nothing was drawn.
        """
        from ..core.display.figures import figure_of

        panels = list(self._drawn(claim))
        if not panels:
            raise MissingFigureError(
                f"{claim or self.folder} has no figure: its cells were not measured, or it claims "
                "nothing that can be drawn. The rows say why."
            )
        return figure_of(panels)

    def _drawn(self, claim: str | None) -> Iterator[Any]:
        made = headlines(self.findings) if claim is None else []
        if made:
            yield from made[foremost(made)].panels
            return
        chosen = [f for f in self.findings if f.figures][:1] if claim is None else [self[claim]]
        for finding in chosen:
            for figure in finding.figures:
                yield from figure.panels

    def __str__(self) -> str:
        from rich.console import Console

        out = StringIO()
        show(self.findings, Console(file=out, highlight=False, width=UNSEEN))
        return "\n\n".join([out.getvalue().rstrip(), *self.notes])

    def __repr__(self) -> str:
        found = compare(self.findings)
        given = ", ".join(f"{n} {name}" for name, n in tally(self.rows).items())
        tasks = ", ".join(found.tasks) or "no task"
        return f"Table({tasks}; {len(self.findings)} claims; {given or 'no verdict'})"

    def _repr_html_(self) -> str:
        found = compare(self.findings)
        parts = [*self._stories()] if stories_of(self.findings) else [*self._sides()]
        return fragment(
            *parts,
            paragraph(family_sentence(found.family), quiet=True),
            *(paragraph(note) for note in self.notes),
        )

    def _sides(self) -> Iterator[Markup]:
        """The rows of the comparison that anything was asked of, and the claims beneath them."""
        found = compare(self.findings)
        tasks, lines = len(found.tasks), [line for line in found.lines if line.findings]
        made = headlines(self.findings)
        if made:
            first = made[foremost(made)]
            yield paragraph(f"{first.said} {first.advice}")
        if lines:
            columns = [
                Column("Aspect"), Column("Direct: search when asked"),
                Column("Amortised: a learned function"),
            ]  # fmt: skip
            rows = [
                (line.title, _side(line.direct, tasks), _side(line.amortised, tasks))
                for line in lines
            ]
            yield table(f"The comparison on {', '.join(found.tasks)}", columns, rows)
        if found.remarks:
            rows = [(one.finding.title, _side(one.side, tasks)) for one in found.remarks]
            yield table("Beneath the table", [Column("Claim"), Column("Measured")], rows)
        if left := len(found.lines) - len(lines):
            yield paragraph(f"{left} more rows are not part of this run.", quiet=True)

    def _stories(self) -> Iterator[Markup]:
        """Claims with worlds of their own, a table a chapter."""
        yield paragraph(titles(self.findings)[0])
        for name, some in by_chapter(self.findings).items():
            remarks = compare(some).remarks
            rows = [(one.finding.title, _side(one.side, 2)) for one in remarks]
            yield table(CHAPTERS[name].title, [Column("Claim"), Column("Measured")], rows)


def _side(side: Side, tasks: int) -> Markup:
    """What is said, what was measured, and the verdict, a line each."""
    lines = ["".join(text for text, _ in parts) for parts in told_lines(side, tasks)]
    word = ""
    if side.verdict:
        word = f"<b>{SYMBOLS[side.verdict]} {side.verdict}</b> ({counted(side.counts)})"
    said = [f"<i>{escape(side.said)}</i>"] if side.said else []
    shown = "<br>".join([*said, *map(escape, lines), *([word] if word else [])])
    return Markup(shown or MISSING)
