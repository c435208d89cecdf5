"""What an audit found: one answer a probe, and all of them as text."""

import importlib
import math
from collections.abc import Iterable
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..core.display.html import Column, fragment, paragraph, table
from ..core.display.numbers import MISSING, estimate
from ..core.display.panels import Heat, Panel, Series
from ..core.errors import MissingFigureError, UnknownNameError
from ..core.picture import Picture
from ..stats import Estimate
from .rates import Count
from .telling.conclusion import conclusion, no_room
from .telling.figures import named

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


SMALLEST = 0.1
"""The smallest response that matters: a tenth of the way from a random action to the best."""
WIDTH = 100
"""Characters of a line in a terminal."""


class Control(msgspec.Struct, frozen=True):
    """A quantity that is nothing where a signal is real; `holds` where its interval says so."""

    name: str
    estimate: Estimate
    holds: bool

    @property
    def remark(self) -> str:
        """What has to be said of it, if anything: that it fails, or that it could hardly have."""
        ends = self.estimate.shown
        if not self.holds:
            return "does not hold: no verdict"
        if ends.low < -SMALLEST and ends.high > SMALLEST:
            return "wide: it could hardly have failed"
        return ""


class Cited(msgspec.Struct, frozen=True, kw_only=True):
    """A state that an answer rests on: drawn as text, and as a board where there is one, else as a
    table of what is seen; what was chosen there, what is best, and how much return that loses.
    """

    drawn: str
    picture: Picture | None
    chosen: int
    best: int
    lost: float
    names: list[str] = []
    table: list[list[str]] = []
    """Names and values of what is seen, where there is no picture."""
    said: str = ""
    """How it was asked, where not as usual."""
    state: str = ""
    """The state itself, as text (`core.witness.codes`)."""
    discount: float = 1.0
    """What a reward one action later counts for in what is lost, where the exam discounts by
    itself, because states are taken for one that look alike."""

    @property
    def unit(self) -> str:
        """What is lost, in words."""
        return "of return" + f", discounted by {self.discount:.3g} a move" * (self.discount != 1)

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
    counted: Count | None = None
    """The same as numbers."""
    note: str = ""
    """What went wrong on the way, if the answer stands all the same."""
    seconds: float = 0.0
    word: str = ""
    """The verdict in a word or two, where the probe has its own."""
    measure: str = ""
    """The estimate in words, where it is beyond what was measured."""
    unheard: str = ""
    """What the subject would have to be told and cannot hear, where it was not asked for that."""

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


def fits(answer: Answer) -> bool:
    """Whether the parts of an answer that was read fit one another, so that it can be shown:
    actions have names and places, lines of figures as many heights as places, intervals two ends.
    """
    ends = [answer.estimate, *(c.estimate for c in answer.controls)]
    panel = answer.panel
    return (
        all(e.n >= 0 and not e.low > e.high for e in ends)
        and all(_named_there(one) for one in answer.cited)
        and (panel is None or all(map(_even, panel.series)))
        and (panel is None or panel.heat is None or _full(panel.heat))
    )


def sound(answer: Answer, probe: str) -> bool:
    """Whether an answer can be what a probe once said: it fits, is that probe's own, and has a
    number that lies in its interval, without which there is no verdict.
    """
    e = answer.estimate
    within = e.low <= e.estimate <= e.high or (math.isnan(e.estimate) and not answer.decided)
    known = math.isfinite(e.estimate) or not answer.decided
    return answer.probe == probe and within and known and fits(answer)


def _named_there(one: Cited) -> bool:
    most = [len(one.names)] if one.names else []
    most += [len(one.picture.places)] if one.picture is not None and one.picture.places else []
    rows = all(len(row) == 2 for row in one.table)
    return rows and all(0 <= i < min(most, default=i + 1) for i in (one.chosen, one.best))


def _even(series: Series) -> bool:
    parts = (series.y, series.low, series.high)
    return all(part is None or len(part) == len(series.x) for part in parts)


def _full(heat: Heat) -> bool:
    return len(heat.z) == len(heat.y) and all(len(row) == len(heat.x) for row in heat.z)


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

    @property
    def conclusion(self) -> list[str]:
        """What to think of it, in at most three sentences."""
        return conclusion(self.answers)

    @property
    def verdicts(self) -> list[Answer]:
        """Answers that are verdicts, responses first; none where there was nothing to gain."""
        order = {"against": 0, "responds": 1, "none": 2}
        decided = [a for a in self.answers if a.decided and not no_room(a)]
        return sorted(decided, key=lambda a: order[a.found])

    def figure(self, answer: Answer) -> Panel | None:
        """The figure of one of the answers, if it has any."""
        return None if answer.panel is None else named(answer.panel, self.subject)

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
            *(line for said in self.conclusion for line in wrap(said, WIDTH)),
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
                + (f"  <- {c.remark}" if c.remark else "")
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
        """For a notebook: what to think of it, and a line a probe."""
        title = (
            f"{self.subject} in {self.task}: {self.asked} of {self.states} states asked, effort "
            f"{self.effort}"
        )
        columns = [Column("probe"), Column("found"), Column("statistic [95 % interval]"),
                   Column("controls"), Column("verdict")]  # fmt: skip
        rows = [[a.probe, a.named, _measured(a), _controls(a), a.verdict] for a in self.answers]
        told = [paragraph(said) for said in self.conclusion]
        notes = [paragraph(note, quiet=True) for note in self.notes]
        return fragment(*told, table(title, columns, rows), *notes)

    def plot(self) -> "Figure":
        """A figure: what each probe measured, of those that have anything to draw.

        Raises `MissingFigureError` where none has.
        """
        from ..core.display.figures import figure_of

        drawn = [
            msgspec.structs.replace(panel, title=f"{a.probe}: {a.named}")
            for a in self.answers
            if (panel := self.figure(a)) is not None
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
    return f"{_estimate(found)}: {answer.statistic}"


def _controls(answer: Answer) -> str:
    """Each control with its number, and whether it holds."""
    told = [f"{c.name} {_estimate(c.estimate)} ({_held(c)})" for c in answer.controls]
    return "; ".join(told) or MISSING


def _held(control: Control) -> str:
    return ", ".join(filter(None, ("holds" * control.holds, control.remark)))


def _estimate(found: Estimate) -> str:
    ends = found.shown
    return estimate(found.estimate, ends.low, ends.high)


def _shown(found: Estimate) -> str:
    if found.estimate != found.estimate:
        return "-"
    ends = found.shown
    return f"{found.estimate:.2f} [{ends.low:.2f}, {ends.high:.2f}]"
