"""Advice in words: the headline, the reasons, the table for a terminal, and the lines of Python."""

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from ..stats import Estimate
from .amounts import count, digits, dollars, factor, number, percent, score, span
from .choosing import LEARNED, LOOK, PLAN, RANDOM, Judged

if TYPE_CHECKING:
    from .results import Advice, Recipe

ANSWERS = {
    "plan": "Plan",
    "learn": "Learn",
    "both": "Learn and search",
    "neither": "Neither plan nor learn",
    "nothing": "Nothing keeps these limits",
}
KINDS = {RANDOM: "random", LOOK: "one-step", PLAN: "plan", "learn": "learn", "both": "both"}
HEADS = ("Option", "Kind", "Score [95 %]", "A decision", "Before", "In all", "")
WIDTH = 100


def headline(advice: "Advice") -> str:
    """The answer in one sentence."""
    choice = advice.choice
    if choice.recommended is None:
        fastest = min(choice.options, key=lambda option: option.latency.estimate)
        return f"{ANSWERS[choice.verdict]}: {_loosened(fastest)} would let {fastest.name} in."
    option = choice[choice.recommended]
    spent = f", after {span(option.preparation.estimate)}" if option.preparation.estimate else ""
    open_still = choice.verdict == "neither" and not choice.excluded
    answer = ANSWERS[choice.verdict] + ", as far as was shown" * open_still
    return (
        f"{answer}: {option.name}, {span(option.latency.estimate)} a decision"
        f"{spent}, {dollars(option.total.estimate)} in all."
    )


def asked(advice: "Advice") -> str:
    """What was asked, in a line."""
    limits = advice.limits
    parts = [
        f"{count(limits.decisions_a_day)} decisions a day for {number(limits.days)} "
        f"day{'s' * (limits.days != 1)}"
    ]
    if limits.latency is not None:
        parts.append(f"at most {span(limits.latency)} a decision")
    if limits.training_budget is not None:
        parts.append(f"at most {span(limits.training_budget)} of training")
    prices = f"${limits.price:g} an hour of a core"
    if limits.training_price != limits.price:
        prices += f", ${limits.training_price:g} where it trains"
    return ", ".join([*parts, prices])


def reasons(advice: "Advice") -> list[str]:
    """Why this is recommended, how sure that is, and from when learning pays; a sentence each."""
    choice, found = advice.choice, []
    if choice.recommended is None:
        return _tightest(advice)
    option, best = choice[choice.recommended], choice.best
    assert best is not None
    found.append(_scored(advice))
    if choice.verdict == "neither":
        found.append(_needless(advice, option))
    else:
        found.append(_chosen(advice, option, best))
    found.append(_sure(advice, option))
    if choice.verdict != "neither":
        found.append(pays(advice))
    return found + _tightest(advice) + _caveats(advice)


def _scored(advice: "Advice") -> str:
    against = {
        "search": ", against a tree search of 32 simulations",
        "random": ", against random play",
    }.get(advice.world["opponent"], "")
    score, what = _interval(advice.choice.score), "a game" if against else "an episode"
    return (
        f"It scores {score} {what}{against}, by the half of the episodes that did not decide "
        "between options of equal cost."
    )


def _needless(advice: "Advice", option: Judged) -> str:
    others = [o for o in advice.choice.options if o.kind not in (RANDOM, LOOK)]
    fitting = [o for o in others if o.fits]
    if others and not fitting:
        return "No planner and nothing learned keeps the limits."
    choice, these = advice.choice, f"Of {len(fitting)} planners and learners that keep the limits"
    matters = f"{digits(choice.smallest)} more, the smallest difference that matters here"
    if choice.excluded:
        return f"{these} none scores {matters} (at 95 %): it is not worth planning or learning."
    excluded = f"{digits(choice.unseen)} more is not excluded by so few episodes"
    more = "Before you rely on it, let more be measured (`--time`, `--effort full`)."
    return f"{these} none is shown to score {matters}; but up to {excluded}. {more}"


def _chosen(advice: "Advice", option: Judged, best: Judged) -> str:
    choice = advice.choice
    good = [o for o in choice.options if o.good]
    than = f"{digits(choice.smallest)}, the smallest difference that matters here"
    if len(good) == 1:
        told = "Every other option that keeps the limits is shown to score less, by more than"
        return f"{told} {than}."
    told = f"{len(good)} options keep the limits and are not shown to be beaten by more than {than}"
    best_score = f"{_interval(best.score)}, by {best.name}"
    return f"{told}; of these it costs the least in all (the best score is {best_score})."


def _sure(advice: "Advice", option: Judged) -> str:
    choice = advice.choice
    again = (
        f"Sure: in {percent(choice.same_verdict)} of resamples of episodes, trainings and clock "
        f"times the answer is again “{ANSWERS[choice.verdict].lower()}”, in "
        f"{percent(choice.same_option)} by this very option"
    )
    if choice.verdict == "neither":  # the best of many that are equal is no standard
        return f"{again}."
    return (
        f"{again}; it scores within {digits(choice.smallest)} of the best with probability "
        f"{option.near:.2f}."
    )


def pays(advice: "Advice") -> str:
    """From how many decisions on learning pays."""
    paid = advice.choice.break_even
    if math.isnan(paid.estimate):
        return "From when learning pays is not known: all that plans and learns is beaten."
    if paid.estimate == 0:
        return (
            "Learning pays from the first decision on (n* = 0): every planner that keeps the "
            f"limits is beaten{_unsure(paid.high, 'large') if paid.high > 0 else ''}."
        )
    if math.isinf(paid.estimate):
        return (
            "Learning does not pay at any number of decisions (n* = ∞): what was learned in the "
            "time of this measurement is beaten, or costs as much a decision"
            f"{_unsure(paid.low, 'small') if math.isfinite(paid.low) else ''}."
        )
    days = paid.estimate / advice.limits.decisions_a_day
    return f"Learning pays from n* = {breaking_even(paid)} decisions on, here {span(days * 86400)}."


def _unsure(end: float, size: str) -> str:
    """The other end of an interval that begins at a bound."""
    told = "any number" if math.isinf(end) or end == 0 else f"as {size} as {count(end)}"
    return f"; that is not sure, n* may be {told}"


def breaking_even(paid: Estimate) -> str:
    """n* with its interval, whose ends may only be bounds."""
    low, high = paid.low, paid.high
    if paid.estimate == 0 or math.isinf(paid.estimate):
        return count(paid.estimate)
    if low == 0 and math.isinf(high):
        return f"{count(paid.estimate)}, though any number is possible"
    if low == 0:
        return f"{count(paid.estimate)} [at most {count(high)}]"
    if math.isinf(high):
        return f"{count(paid.estimate)} [at least {count(low)}]"
    return f"{count(paid.estimate)} [{count(low)}, {count(high)}]"


def _tightest(advice: "Advice") -> list[str]:
    """What the limits refused that is better, and which limit to loosen by how much."""
    choice = advice.choice
    best = choice.best
    level = -math.inf if best is None else best.score.estimate + choice.smallest
    out = [o for o in choice.options if not o.fits and o.score.estimate > level]
    if not out:
        return []
    nearest = min(out, key=lambda o: max(o.late, o.long))
    gained = "" if best is None else (
        f" and gain {digits(nearest.score.estimate - best.score.estimate)}"
    )  # fmt: skip
    return [f"Refused by the limits: {_loosened(nearest)} would let {nearest.name} in{gained}."]


def _loosened(option: Judged) -> str:
    """Which limits an option needs, and how much looser that is."""
    wanted = []
    if option.late > 1:
        needed = span(1.05 * option.latency.estimate)
        wanted.append(f"a latency of {needed} ({factor(option.late)} of what is allowed)")
    if option.long > 1:
        needed = span(1.05 * option.preparation.estimate)
        wanted.append(f"a training budget of {needed} ({factor(option.long)} of what is allowed)")
    return " and ".join(wanted)


def _caveats(advice: "Advice") -> list[str]:
    """What the measurement could not see."""
    choice, found = advice.choice, []
    trained = [o for o in choice.options if o.kind in LEARNED]
    if trained and max(o.trainings for o in trained) == 1:
        found.append("One training each: how much trainings differ is not in the intervals.")
    short = [advice.recipes[o.name].note for o in trained if advice.recipes[o.name].note]
    if short:
        found.append(
            f"Trainings ended early for want of time ({short[0]}): with more of it (--time) "
            "learning may do better."
        )
    return found


def refusal(option: Judged) -> str:
    """Which limit an option exceeds, by how much."""
    parts = []
    if option.late > 1:
        parts.append(f"too slow, {factor(option.late)}")
    if option.long > 1:
        parts.append(f"over the training budget, {factor(option.long)}")
    return "; ".join(parts)


def marks(advice: "Advice", option: Judged) -> str:
    """What is to be said of one option in a table."""
    parts = ["recommended"] if option.name == advice.recommended else []
    parts += [refusal(option)] if not option.fits else []
    parts += ["frontier"] if option.on_latency or option.on_cost else []
    return ", ".join(parts)


def row(advice: "Advice", option: Judged) -> tuple[str, ...]:
    """One option as a table shows it."""
    before = option.preparation.estimate
    return (
        option.name, KINDS[option.kind], _interval(option.score), span(option.latency.estimate),
        span(before) if before else "–", dollars(option.total.estimate), marks(advice, option),
    )  # fmt: skip


def _interval(estimate: Estimate) -> str:
    return score(estimate.estimate, estimate.shown.low, estimate.shown.high)


def ordered(advice: "Advice") -> list[Judged]:
    """Options by kind, in the order in which they were measured."""
    kinds = list(KINDS)
    return sorted(advice.choice.options, key=lambda option: kinds.index(option.kind))


def told(advice: "Advice") -> str:
    """Everything, for a terminal."""
    rows = [HEADS, *(row(advice, option) for option in ordered(advice))]
    widths = [max(len(line[i]) for line in rows) for i in range(len(HEADS))]
    right = {3, 4, 5}
    table = [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in rows
    ]
    parts = [
        f"{advice.task}: {asked(advice)}",
        headline(advice),
        "\n".join(textwrap.fill(line, WIDTH, initial_indent="- ", subsequent_indent="  ")
                  for line in reasons(advice)),
        "\n".join(table),
    ]  # fmt: skip
    for title, why in (("Not measured", advice.left), ("No candidates", advice.unfit)):
        if why:
            lines = [f"{name}: {reason.rstrip('.')}" for name, reason in why.items()]
            parts.append(textwrap.fill(f"{title}: {'; '.join(lines)}.", WIDTH))
    if advice.lines:
        parts.append(f"To use it:\n\n{textwrap.indent(advice.lines, '    ')}")
    return "\n\n".join(parts)


def python(task: str, recipe: "Recipe", policy: Path | None) -> str:
    """Lines that make the recommended decider and ask it for an action, as they are."""
    made = recipe.recipe.replace("{budget}", str(recipe.budget))
    if policy is not None:
        made = made.replace("{policy}", repr(str(policy)))
    module, _, names = recipe.imports.removeprefix("from ").partition(" import ")
    used = [name for name in names.split(", ") if name in made]
    own = ["load"] if module == "deliberation" else []
    lines = [
        "import jax",
        f"from deliberation import {', '.join([*own, 'make_task', 'rollout'])}",
        "" if own else f"from {module} import {', '.join(used)}",
        "",
        f"task = make_task({task!r})",
        f"decider = {made}",
        "state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 1))",
        "decision, _ = decider.decide(state, decider.begin(1), key=jax.random.key(1))",
        "print(decision.action, decision.value)",
        "print(rollout(task, decider, key=jax.random.key(2), batch=4).returns)",
    ]
    return "\n".join(line for i, line in enumerate(lines) if line or i == 3)
