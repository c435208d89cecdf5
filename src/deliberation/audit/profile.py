"""What an audit found: one answer a probe, and all of them as text."""

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..core.display.html import Column, fragment, paragraph, table
from ..core.display.numbers import MISSING, estimate
from ..core.display.panels import Panel
from ..core.errors import MissingFigureError, UnknownNameError
from ..core.picture import Picture
from ..stats import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Found = Literal["responds", "none", "against", "inconclusive", "told", "not applicable", "failed"]
WORDS: dict[str, str] = {
    "responds": "responds",
    "none": "no response",
    "against": "the opposite",
    "inconclusive": "not decided",
    "told": "measured",
    "not applicable": "not applicable",
    "failed": "failed",
}


class Control(msgspec.Struct, frozen=True):
    """A quantity that is nothing where a signal is real; `holds` where its interval says so."""

    name: str
    estimate: Estimate
    holds: bool


class Cited(msgspec.Struct, frozen=True, kw_only=True):
    """A state that an answer rests on: drawn as text, and as a board where there is one; what was
    chosen there, what is best, and how much return that loses.
    """

    drawn: str
    picture: Picture | None
    chosen: int
    best: int
    lost: float
    names: list[str] = []

    def named(self, action: int) -> str:
        """An action in words, where it has any."""
        return self.names[action] if self.names else f"action {action}"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one probe found out about a subject.

    `found` is its verdict in a word, `said` in a sentence. `rules_out` is what the subject is then
    not, within the probe's error rates; `fooled_by` what could look the same.
    """

    probe: str
    question: str
    statistic: str
    found: Found
    said: str
    estimate: Estimate
    """Of the statistic."""
    controls: list[Control] = []
    """None of which may fail where a verdict is given."""
    rules_out: str = ""
    fooled_by: str = ""
    panel: Panel | None = None
    """The figure."""
    cited: list[Cited] = []
    """States that it rests on."""
    errors: str = ""
    """How often such a verdict is wrong, where there is one and it was counted for such a task."""
    note: str = ""
    """What went wrong on the way, if the answer stands all the same."""
    seconds: float = 0.0
    word: str = ""
    """The verdict in a word or two, where the probe has its own."""
    measure: str = ""
    """The estimate in words, where it is beyond what was measured."""

    @property
    def named(self) -> str:
        """What was found, in a word or two."""
        return self.word or WORDS[self.found]

    @property
    def decided(self) -> bool:
        """Whether there is a verdict."""
        return self.found in ("responds", "none", "against")

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return self.estimate.high

    @property
    def verdict(self) -> str:
        """In a sentence: what it is consistent with, and what it rules out."""
        return self.said + (f" Rules out: {self.rules_out}." if self.rules_out else "")

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return self.estimate.low


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A subject in a task, probe by probe; `profile["effort"]` is the answer of one."""

    subject: str
    task: str
    effort: str
    states: int
    asked: int
    answers: list[Answer]
    notes: list[str] = []
    """How the truth was found, where that is not exact, and what is odd about the subject."""

    def with_answers(self, answers: list[Answer]) -> "Profile":
        """The same subject in the same exam, with these answers."""
        return msgspec.structs.replace(self, answers=answers)

    def save(self, path: Path | str) -> Path:
        """Write the profile as one self-contained page; returns its path.

        Raises `StorageError` where it cannot be written.
        """
        # Pages are drawn above the audit, which knows them by name alone.
        page = importlib.import_module("deliberation.report.pages.audit")
        return page.save_audit(self, path)

    def __getitem__(self, probe: str) -> Answer:
        """The answer of a probe. Raises `UnknownNameError`."""
        for answer in self.answers:
            if answer.probe == probe:
                return answer
        raise UnknownNameError("probe", probe, [answer.probe for answer in self.answers])

    def __str__(self) -> str:
        lines = [
            f"{self.subject} in {self.task}: {self.asked} of {self.states} states, effort "
            f"{self.effort}",
            *self.notes,
            "",
        ]
        alike = together(a for a in self.answers if a.found == "not applicable")
        for a in self.answers:
            if len(alike.get(a.said, [])) > 1 and a.found == "not applicable":
                continue
            measured = a.measure or _shown(a.estimate)
            lines.append(f"{a.probe:<12} {a.named:<16} {measured:<24} {a.said}")
            lines += [
                f"{'':<12} control: {c.name} {_shown(c.estimate)}"
                + ("" if c.holds else "  <- does not hold: no verdict")
                for c in a.controls
            ]
            if a.rules_out:
                lines.append(f"{'':<12} rules out: {a.rules_out}")
            if a.errors:
                lines.append(f"{'':<12} such a verdict is {a.errors}")
            if a.note:
                lines.append(f"{'':<12} note: {a.note}")
            if a.fooled_by:
                lines.append(f"{'':<12} could be fooled by: {a.fooled_by}")
        lines += [
            f"not applicable: {', '.join(a.probe for a in some)}\n{'':<12} {said}"
            for said, some in alike.items()
            if len(some) > 1
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        told = ", ".join(f"{a.probe}: {a.named}" for a in self.answers)
        return f"Profile({self.subject}, {self.task}; {told})"

    def _repr_html_(self) -> str:
        """For a notebook: a line a probe."""
        title = (
            f"{self.subject} in {self.task}: {self.asked} of {self.states} states asked, effort "
            f"{self.effort}"
        )
        columns = [Column("probe"), Column("found"), Column("statistic [95 % interval]"),
                   Column("controls"), Column("verdict")]  # fmt: skip
        rows = [[a.probe, a.named, _measured(a), _controls(a), a.verdict] for a in self.answers]
        notes = [paragraph(note, quiet=True) for note in self.notes]
        return fragment(table(title, columns, rows), *notes)

    def plot(self) -> "Figure":
        """A figure: what each probe measured, of those that have anything to draw.

        Raises `MissingFigureError` where none has.
        """
        from ..core.display.figures import figure_of

        drawn = [
            msgspec.structs.replace(a.panel, title=f"{a.probe}: {a.named}")
            for a in self.answers
            if a.panel is not None
        ]
        if not drawn:
            raise MissingFigureError(
                f"None of the probes {', '.join(a.probe for a in self.answers)} has a figure: ask "
                "others, such as effort and worth, or more states (effort='quick')."
            )
        return figure_of(drawn)

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return msgspec.to_builtins(self)


def together(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    """Answers by what they say, in the order in which it is first said."""
    found: dict[str, list[Answer]] = {}
    for answer in answers:
        found.setdefault(answer.said, []).append(answer)
    return found


def _measured(answer: Answer) -> str:
    """The number and its interval, then what it is."""
    found = answer.estimate
    if answer.measure:
        return f"{answer.measure}: {answer.statistic}"
    if found.estimate != found.estimate:
        return MISSING
    return f"{estimate(found.estimate, found.low, found.high)}: {answer.statistic}"


def _controls(answer: Answer) -> str:
    """Each control with its number, and whether it holds."""
    told = [
        f"{c.name} {estimate(c.estimate.estimate, c.estimate.low, c.estimate.high)} "
        f"({'holds' if c.holds else 'does not hold: no verdict'})"
        for c in answer.controls
    ]
    return "; ".join(told) or MISSING


def _shown(estimate: Estimate) -> str:
    if estimate.estimate != estimate.estimate:
        return "-"
    return f"{estimate.estimate:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
