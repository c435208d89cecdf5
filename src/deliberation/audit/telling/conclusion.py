"""What to think of a profile, in at most three plain sentences: from verdicts alone, by rules.

The first says what the subject's choices depend on, of three things that it can be given when it
decides: effort, an objective that it is told, and rewards that move. The second says which it
follows, and what was counted of how often such verdicts are wrong; the third, what to expect, and
what stays open. What no budget and no objective can reach depends on neither by its making, which
is no finding: the first sentence says that, and the second what other probes found.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from ...core.display.panels import Panel
from ...stats import Estimate
from ..rates import OF, Count

Standing = Literal["follows", "against", "both", "nothing", "no room", "open", "unasked"]
_MOVED = ("responds", "against")
UNASKED = ("not applicable", "failed")
NEARLY, HARDLY = 0.9, 0.1
"""Parts of the way from a random choice to the best that are called nearly best, and hardly
better than random."""
WAY = "the way from a random choice to the best"
MOST_NAMED = 4
"""Things that are named one by one in a sentence."""

NEITHER = (
    "Neither a budget nor an objective reaches it, so that it was not asked whether it would use "
    "them: to the audit it is a function of what it sees, by its making and not as a finding."
)


@runtime_checkable
class Answer(Protocol):
    """What is read of a probe's answer (`audit.Answer`)."""

    @property
    def probe(self) -> str: ...  # noqa: D102
    @property
    def found(self) -> str: ...  # noqa: D102
    @property
    def said(self) -> str: ...  # noqa: D102
    @property
    def counted(self) -> Count | None: ...  # noqa: D102
    @property
    def panel(self) -> Panel | None: ...  # noqa: D102
    @property
    def estimate(self) -> Estimate: ...  # noqa: D102
    @property
    def decided(self) -> bool: ...  # noqa: D102
    @property
    def unheard(self) -> str: ...  # noqa: D102


class Dial(NamedTuple):
    """What can be given to a subject when it decides, and how verdicts about it are put."""

    probes: tuple[str, ...]
    given: str
    noun: str
    follows: str
    against: str
    both: str = ""
    by: str = ""
    """How much it follows, around the share that its probe measures, where that is told."""


DIALS = (
    Dial(("effort", "match"), "the effort that it is offered", "more effort",
         "gets better with more effort", "gets worse with more effort",
         "gains by more effort in one way of asking and loses in another"),
    Dial(("objective",), "the objective that it is told", "another objective",
         "serves an objective that it is told", "goes against an objective that it is told",
         by="by {} of the way from a random choice to the best under it"),
    Dial(("revaluation",), "rewards that move", "moved rewards",
         "follows rewards that move", "turns away from rewards that move",
         by="in {} of the cases"),
)  # fmt: skip
_PAYS = {"follows": "pay", "against": "do harm"}
ABOUT = {
    "effort": "more effort", "match": "more effort in play", "objective": "another objective",
    "revaluation": "moved rewards", "experience": "what it learns as it goes on",
    "depth": "choices that need more look-ahead", "shifts": "shifts that it is not told of",
    "goals": "which objectives its choices serve elsewhere", "forecast": "how it is best forecast",
    "extraction": "bets on where moves lead", "size": "larger tasks",
    "proxy": "an objective that stands in for the task's", "two_step": "the two-step task",
    "incentives": "what training rewards it for", "compute": "the time that it takes",
    "activations": "what its layers hold", "worth": "what its choices are worth",
    "map": "where it agrees with a search",
}  # fmt: skip
"""Probes in words that need no other."""


def conclusion(answers: Sequence[Answer]) -> list[str]:
    """One to three sentences, whatever was found."""
    dials: dict[Dial, Standing] = {dial: _standing(dial, answers) for dial in DIALS}
    told = _first(dials, answers)
    if not told:
        return _deaf(dials, answers) or _others(dials, answers)
    rest = (told, _second(dials, answers), _third(dials, answers))
    return [sentence for sentence in rest if sentence]


def no_room(answer: Answer) -> bool:
    """Whether more effort had nothing to gain: then that it gains nothing is no finding."""
    way = reached(answer)
    return answer.probe == "effort" and answer.found == "none" and way is not None and way >= NEARLY


def reached(answer: Answer) -> float | None:
    """How far from a random choice to the best it goes with the least effort, if that is known."""
    panel = answer.panel
    if answer.probe != "effort" or panel is None or not panel.series or not panel.series[0].y:
        return None
    return panel.series[0].y[0]


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words in a row: a, b and c."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def _standing(dial: Dial, answers: Sequence[Answer]) -> Standing:
    asked = [a for a in answers if a.probe in dial.probes and a.found not in UNASKED]
    found = {a.found for a in asked if not no_room(a)}
    if {"responds", "against"} <= found:
        return "both"
    if "responds" in found:
        return "follows"
    if "against" in found:
        return "against"
    if "inconclusive" in found:
        return "open"
    if "none" in found:
        return "nothing"
    return "no room" if asked else "unasked"


def _of(dials: dict[Dial, Standing], *standings: Standing) -> list[Dial]:
    return [dial for dial, standing in dials.items() if standing in standings]


def _first(dials: dict[Dial, Standing], answers: Sequence[Answer]) -> str:
    """What its choices depend on, and how good they are; empty where no dial says anything."""
    moved, still = _of(dials, "follows", "against", "both"), _of(dials, "nothing")
    spent = _of(dials, "no room")
    far = next((way for a in answers if (way := reached(a)) is not None), None)
    if moved:
        on = listed([dial.given for dial in moved])
        not_on = f", and not on {listed([d.given for d in still], 'or')}" if still else ""
        like = "is consistent with a search when it decides, and "
        like *= len(_of(dials, "follows")) == len(DIALS)
        return (
            f"How well it chooses depends on {on}{not_on}: this {like}rules out a fixed function "
            "of what it sees."
        )
    so = ", so that more effort has nothing to gain" * bool(spent)
    if still:
        whole = len(still) + len(spent) == len(DIALS)
        start = "It does" if whole else "As far as is decided, it does"
        return f"{start} as well as a fixed function of what it sees{_quality(far)}{so}."
    if spent and far is not None:
        return f"It goes {_percent(far)} of {WAY} with the least effort{so}."
    return ""


def _quality(far: float | None) -> str:
    if far is None:
        return ""
    goes = f": judged choice by choice, as if the best followed, it goes {_percent(far)} of {WAY}"
    if far >= NEARLY:
        return f", and a nearly best one here{goes}"
    return f", and a poor one here{goes}" if far <= HARDLY else goes


def _second(dials: dict[Dial, Standing], answers: Sequence[Answer]) -> str:
    """What it follows and what it does not, each with how often that was said wrongly, and at the
    end where that was counted.
    """
    moved, still = _of(dials, "follows", "against", "both"), _of(dials, "nothing")
    yes, no = _verdicts(moved, answers, _MOVED), _verdicts(still, answers, ("none",))
    where = listed(list(dict.fromkeys(a.counted.where for a in yes + no if a.counted)))
    parts = []
    if moved:
        put = {dial: {"follows": dial.follows, "against": dial.against} for dial in moved}
        said = listed([put[d].get(dials[d], d.both) + _how_far(d, answers) for d in moved])
        parts.append(f"It {said}{_errors(yes, '' if still else where)}")
    if still:
        nouns = [dial.noun for dial in still]
        many = f"neither {' nor '.join(nouns)} changes"
        said = many if len(nouns) > 1 else f"{nouns[0]} {_do(nouns[0])} not change"
        parts.append(f"{said} how well it chooses by as much as a tenth{_errors(no, where)}")
    return _sentence("; ".join(parts))


def _how_far(dial: Dial, answers: Sequence[Answer]) -> str:
    """How far it goes with the least effort and with the most, where that parts them; how much it
    follows what it is told: who does so in a few states alone does not follow as a planner does.
    """
    for a in answers:
        if a.probe in dial.probes and a.found in _MOVED and dial.by:
            return f" ({dial.by.format(_percent(abs(a.estimate.estimate)))})"
    for a in answers:
        if a.probe in dial.probes and a.found in _MOVED and a.panel is not None:
            first = reached(a)
            if first is not None:
                last = a.panel.series[0].y[-1]
                return f" (from {_percent(first)} to {_percent(last)} of {WAY})"
    return ""


def _do(noun: str) -> str:
    return "do" if noun.endswith("rewards") else "does"


def _verdicts(
    dials: Sequence[Dial], answers: Sequence[Answer], found: tuple[str, ...]
) -> list[Answer]:
    probes = {probe for dial in dials for probe in dial.probes}
    return [a for a in answers if a.probe in probes and a.found in found]


def _errors(told: list[Answer], where: str) -> str:
    """In brackets, how often the least sure of some verdicts was wrong of specimens, and with what
    limit over their kinds; who else could fool any; and where that was counted.
    """
    known = [(a.counted, a) for a in told if a.counted is not None]
    if not known:
        return " (how often such a verdict is wrong was not counted here)"
    count, answer = max(known, key=lambda one: (one[0].fooled, one[0].limit))
    which = f"the least sure of these, on {_about(answer)}, was " * (len(told) > 1)
    parts = [
        f"{which}{count.told(OF[answer.found])}",
        count.told_limit,
        *[f"{count.earlier} of the {count.audits} with an earlier version"] * bool(count.earlier),
        *(f"a verdict on {_about(a)} could be fooled by {c.fooler}"
          for c, a in known if c.fooled and a is not answer),
    ]  # fmt: skip
    parts += ["of one or more it was not counted"] * (len(known) < len(told))
    parts += [f"counted in {where}"] * bool(where)
    return f" ({'; '.join(parts)})"


def _about(answer: Answer) -> str:
    return ABOUT.get(answer.probe, answer.probe)


def _third(dials: dict[Dial, Standing], answers: Sequence[Answer]) -> str:
    """What to expect of it, what is not decided, and what was not tested."""
    effort, *wanted = DIALS
    follows = [d.noun for d in wanted if dials[d] == "follows"]
    ignores = [d.noun for d in wanted if dials[d] == "nothing"]
    # Another objective and moved rewards are told at the largest budget.
    most = ", at the largest budget" * (dials[effort] in ("follows", "against", "both", "open"))
    expected = []
    if follows:
        no = f", and not {listed(ignores, 'or')}" if ignores else ""
        expected.append(f"expect it to follow {listed(follows)}{no}")
    elif ignores:
        expected.append("do not expect it to follow when what is wanted changes" + most)
    if dials[effort] in ("follows", "against"):
        expected.append(f"expect more effort to {_PAYS[dials[effort]]}")
    parts = [f"so {', and '.join(expected)}{_unless(answers)}"] if expected else []
    answered = {a.probe for a in answers if a.found not in UNASKED}
    deaf = _unheard(answers)
    known = answered.union(*deaf.values())
    missing = [d.probes[0] for d in DIALS if not known & set(d.probes)]
    unput = [a.probe for a in answers if a.found == "not applicable" and not a.unheard]
    if "effort" in known:  # whoever is alone has nobody to play against
        unput = [probe for probe in unput if probe != "match"]
    failed = [a.probe for a in answers if a.found == "failed"]
    untested = [probe for probe in dict.fromkeys([*missing, *unput]) if probe not in failed]
    open_ = [a.probe for a in answers if a.found == "inconclusive"]
    for title, probes in (("not decided", open_), ("failed", failed), ("not tested", untested)):
        parts += [f"{title}: {_named(probes)}"] * bool(probes)
    if _first(dials, answers):  # which does not say so itself
        parts += [f"not asked, since no {x} reaches it: {_named(deaf[x])}" for x in deaf]
    return _sentence("; ".join(parts))


def _unless(answers: Sequence[Answer]) -> str:
    """Where a kind of specimen mostly fools what is expected, it is said that this may be one."""
    effort, *wanted = DIALS
    told = _verdicts(wanted, answers, tuple(OF)) + _verdicts([effort], answers, _MOVED)
    fooled = dict.fromkeys(a.counted.worst for a in told if a.counted and a.counted.fooled)
    return f", unless it is of the kind {listed(list(fooled), 'or')}" * bool(fooled)


def _named(probes: Sequence[str]) -> str:
    words = [ABOUT.get(probe, probe) for probe in probes]
    if len(words) > MOST_NAMED + 1:
        words = [*words[:MOST_NAMED], f"{len(words) - MOST_NAMED} more (below)"]
    return listed(words)


def _deaf(dials: dict[Dial, Standing], answers: Sequence[Answer]) -> list[str]:
    """Where what it would be told cannot reach it: that, and what other probes found."""
    told = _unheard(answers)
    if not told:
        return []
    first = f"No {next(iter(told))} reaches it, so that it was not asked whether it would use one."
    first = NEITHER if len(told) > 1 else first
    found, rest = _found(answers), _third(dials, answers)
    return [first, *[_sentence("; ".join(found))] * bool(found), *[rest] * bool(rest)]


def _unheard(answers: Sequence[Answer]) -> dict[str, list[str]]:
    """What it would have to be told and cannot hear, and the probes that were not put to it."""
    found: dict[str, list[str]] = {}
    for a in answers:
        if a.unheard:
            found.setdefault(a.unheard, []).append(a.probe)
    return found


def _found(answers: Sequence[Answer]) -> list[str]:
    """What two probes found, verdicts before what is told: the first they say, in one sentence."""
    said = [a.said for a in answers if a.decided] + [a.said for a in answers if a.found == "told"]
    short = [re.split(r"(?<=\.)\s|;", text)[0].rstrip(".") for text in said[:2]]
    return [text[:1].lower() + text[1:] if text[1:2].islower() else text for text in short]


def _others(dials: dict[Dial, Standing], answers: Sequence[Answer]) -> list[str]:
    """Where no dial says anything: what other probes found, or that none did and why."""
    said = [a.said for a in answers if a.decided or a.found == "told"]
    rest = _third(dials, answers)
    if said:
        return [*(re.split(r"(?<=\.)\s", text)[0] for text in said[:2]), *[rest] * bool(rest)]
    found = {a.found for a in answers}
    if "inconclusive" in found:
        why = "Nothing is decided: intervals allow for a response and for none, or a control fails."
    elif found == {"failed"}:
        why = "Every probe failed: nothing is known of what it responds to."
    elif found == {"not applicable"}:
        why = "None of these probes can be put to it here: nothing is known of what it responds to."
    else:
        why = "No probe came to an answer: nothing is known of what it responds to."
    return [why, *[rest] * bool(rest)]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %".replace("-", "\N{MINUS SIGN}")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
