"""What an audit found: one answer a probe, and all of them as text."""

from typing import Any, Literal

import msgspec

from ..core.errors import UnknownNameError
from ..runs.findings import Panel
from ..stats import Estimate

Found = Literal["responds", "none", "against", "inconclusive", "told", "not applicable", "failed"]
WORDS: dict[str, str] = {
    "responds": "responds",
    "none": "no response",
    "against": "gets worse",
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


class CitedState(msgspec.Struct, frozen=True, kw_only=True):
    """A state in which a subject takes another action than a best one, and what that loses."""

    drawn: str
    """The state as text."""
    taken: str
    best: str
    lost: float
    """In return."""


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
    cited: list[CitedState] = []
    """Examples, state by state."""
    seconds: float = 0.0

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
    note: str = ""
    """How the truth was found, where that is not exact for every task."""

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
            *([self.note] if self.note else []),
            "",
        ]
        for a in self.answers:
            lines.append(f"{a.probe:<12} {WORDS[a.found]:<15} {_shown(a.estimate):<24} {a.said}")
            lines += [
                f"{'':<12} control: {c.name} {_shown(c.estimate)}"
                + ("" if c.holds else "  <- does not hold: no verdict")
                for c in a.controls
            ]
            if a.rules_out:
                lines.append(f"{'':<12} rules out: {a.rules_out}")
            if a.fooled_by:
                lines.append(f"{'':<12} could be fooled by: {a.fooled_by}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        told = ", ".join(f"{a.probe}: {WORDS[a.found]}" for a in self.answers)
        return f"Profile({self.subject}, {self.task}; {told})"

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return msgspec.to_builtins(self)


def _shown(estimate: Estimate) -> str:
    if estimate.estimate != estimate.estimate:
        return "-"
    return f"{estimate.estimate:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
