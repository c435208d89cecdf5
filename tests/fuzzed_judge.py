"""How a decider did in a fuzzed world.

An outcome is one of `OUTCOMES`. A decider that serves a kind of world must answer there, and one
that does not must refuse: with a typed error that says so, never with another one.
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from fuzzed import as_objective, as_states, as_task, draw_rows
from fuzzed_deciders import Value, aims, certain
from fuzzed_truth import Oracle

from deliberation.core.errors import DeliberationError, NoLegalActionError

RIGHT, SANE, REFUSED, MISSED, WRONG, CRASH, HANG = OUTCOMES = (
    "right", "sane", "refused", "missed", "wrong", "crash", "hang",
)  # fmt: skip
"""Right by brute force; well-formed, where there is no single right answer; refused by a typed
error; missed by one that draws, and right with one of `MORE` times its budget, or but for
another's close call; wrong (or refused
where it serves); another error; not done within the time limit."""
MORE = (16, 256)
"""So many times the simulations tell an error of a finite budget from a fault. The first serves
nearly always; traps, whose first steps look bad, take the second (UCT's regret may stay for long:
Coquelin and Munos 2007)."""
BAND = 0.1
"""Sampling deciders may lose so much of what separates the best action from the worst, or of the
greatest reward where that is more."""
CLOSE_CALL = 0.01
"""Where several want different things, an answer may turn on what another prefers by less than so
many parts of the greatest return; that is a miss of those that draw, and no fault."""
CLOSE = 3e-5
"""Values of exact deciders are compared in these parts of the greatest return."""


@dataclasses.dataclass
class Case:
    """A world as a task, some of its states, and what is right there.

    `objective` is what is handed over with a question: the task's own rewards are then others.
    """

    world: Any
    task: Any
    rows: Any
    states: Any
    truths: list[Any]
    oracle: Oracle
    objective: Any = None
    own: Any = None

    @staticmethod
    def of(world, seed, own=None):
        """By a seed for the states, and perhaps another world whose rewards are the task's own."""
        task, rows, oracle = as_task(world, own), draw_rows(world, seed), Oracle(world)
        every = zip(rows.places, rows.kinds, rows.posteriors, strict=True)
        truths = [oracle.truth(*row) for row in every]
        handed = None if own is None else as_objective(world)
        return Case(world, task, rows, as_states(task, rows), truths, oracle, handed, own)

    def loosely(self):
        """The same, where all but who is asked may choose what is nearly as good to them."""
        every = zip(self.rows.places, self.rows.kinds, self.rows.posteriors, strict=True)
        strict = {m: Oracle(self.world, CLOSE_CALL, m) for m in set(self.world.mover.tolist())}
        truths = [strict[int(self.world.mover[row[0]])].truth(*row) for row in every]
        return dataclasses.replace(self, truths=truths)


@dataclasses.dataclass
class Verdict:
    """How it went; `loss` is what each judged row lost, in parts of what separates its actions."""

    outcome: str
    why: str = ""
    loss: list[float] = dataclasses.field(default_factory=list)
    lossy: bool = False
    """Whether all that is wrong is that an action of good form loses too much."""


def judge(contestant, case, seed=0):
    """Ask a decider in one world, and say how it went."""
    if isinstance(contestant, Value):
        return _judge_value(contestant, case)
    verdict = _judge_decision(contestant, case, seed, 1)
    if not (verdict.lossy and contestant.draws):
        return verdict
    for times in MORE:
        again = _judge_decision(contestant, case, seed, times)
        if again.outcome in (RIGHT, SANE):
            why = f"right with {times} times the simulations; {verdict.why}"
            return dataclasses.replace(verdict, outcome=MISSED, why=why)
        if not again.lossy:  # no budget explains a crash, or an answer that is none
            return again
    if not aims(case.world):
        again = _judge_decision(contestant, case.loosely(), seed, MORE[-1])
        if again.outcome == RIGHT:
            why = f"turns on another's close call; {verdict.why}"
            return dataclasses.replace(verdict, outcome=MISSED, why=why)
    return verdict


def _judge_decision(contestant, case, seed, times):
    """Ask it once, with so many times its budget."""
    try:
        decider = contestant.make(case.task, case.world)
        batch = len(case.truths)
        budget = None if contestant.budget is None else times * contestant.budget
        decision, _ = decider.decide(
            case.states, decider.begin(batch), objective=case.objective, budget=budget,
            key=jax.random.key(seed),
        )  # fmt: skip
        found = [np.asarray(x, float) for x in (decision.action, decision.weights, decision.value)]
    except DeliberationError as error:
        return _refused(contestant, case, error)
    except Exception as error:  # the very thing looked for
        return Verdict(CRASH, f"{type(error).__name__}: {str(error)[:200]}")
    if _must_refuse(contestant, case):
        return Verdict(WRONG, "answered where it should refuse")
    return _answered(contestant, case, *found)


def _judge_value(asked, case):
    try:
        found = asked.call(case.task, case.objective)
    except DeliberationError as error:
        return _refused(asked, case, error)
    except Exception as error:  # the very thing looked for
        return Verdict(CRASH, f"{type(error).__name__}: {str(error)[:200]}")
    if _must_refuse(asked, case):
        fine = found is None
        return Verdict(REFUSED if fine else WRONG, "" if fine else "answered what it cannot know")
    truth = case.oracle.start()
    if found is None or truth is None:
        return Verdict(SANE if truth is None else WRONG, f"{found}, not {truth}")
    close = abs(found - truth) <= CLOSE * case.world.span
    return Verdict(RIGHT if close else WRONG, "" if close else f"{found}, not {truth}")


def _refused(contestant, case, error):
    said = f"{type(error).__name__}: {str(error)[:200]}"
    if isinstance(error, NoLegalActionError):
        # A training meets the whole world, a decision what follows from its states.
        follows = any(t.dead for t in case.truths) or (
            bool(case.world.dead.any()) and contestant.sees == "start"
        )
        return Verdict(REFUSED if follows else WRONG, said)
    return Verdict(REFUSED if _may_refuse(contestant, case) else WRONG, said)


def _may_refuse(contestant, case):
    """Whether it cannot serve, or rewards that do not cancel can follow where it needs others."""
    if not _needs_opposed(contestant, case):
        return not contestant.serves(_learned_from(contestant, case))
    rows = any(truth.clash for truth in case.truths)
    return rows or (contestant.sees == "start" and case.oracle.clash)


def _must_refuse(contestant, case):
    """Whether it cannot serve, or must have met rewards that do not cancel, and needs others.

    What cuts, proves or draws need not meet all that can follow, but all that it can do at once.
    """
    if not _needs_opposed(contestant, case):
        return not contestant.serves(_learned_from(contestant, case))
    if contestant.sees == "some":
        return any(truth.clash_now for truth in case.truths)
    rows = any(truth.clash for truth in case.truths)
    return rows or (contestant.sees == "start" and case.oracle.clash)


def _needs_opposed(contestant, case):
    """Whether it would serve if only the rewards of the two players cancelled."""
    world = _learned_from(contestant, case)
    opposed = dataclasses.replace(world, reward=0 * world.reward)
    return contestant.serves(opposed) and not contestant.serves(world)


def _learned_from(contestant, case):
    """The world whose rewards decide whether it serves: a training knows only the task's own."""
    return case.own if contestant.learns and case.own is not None else case.world


def _answered(contestant, case, action, weights, value):
    legal = case.world.legal[case.rows.places]
    live = ~case.world.over[case.rows.places]
    wrong = _malformed(live, legal, action, weights, value)
    if wrong:
        return Verdict(WRONG, wrong)
    judged, losses = False, []
    for row in np.flatnonzero(live):
        truth = case.truths[row]
        blind = truth.clash and _needs_opposed(contestant, case)
        if blind or truth.low is None or not _holds(contestant.held, case.world, truth):
            continue
        act, spread = int(action[row]), _spread(truth)
        losses.append(truth.loss(act) / spread if spread > 0 else 0.0)
        exact = contestant.held in ("exact", "last")
        small = CLOSE * case.world.span
        band = small if exact else BAND * max(spread, case.world.span / 3)
        if contestant.held == "mean" or (spread <= band and contestant.held != "exact"):
            continue  # nothing to be wrong about, unless on average
        judged = True
        if truth.loss(act) > band:
            return Verdict(WRONG, f"row {row}: action {act} of {truth.low.tolist()}", losses, True)
        if contestant.held == "exact":
            wrong = _inexact(truth, weights[row], value[row], small)
            if wrong:
                return Verdict(WRONG, f"row {row}: {wrong}", losses)
    return Verdict(RIGHT if judged else SANE, "", losses)


def _malformed(live, legal, action, weights, value):
    """What is wrong with the form of an answer, if anything."""
    whole = np.maximum(action.astype(int), 0)
    tests = {
        "not finite": np.isfinite(value).all() and np.isfinite(weights).all(),
        "an illegal action": legal[live, whole[live]].all(),
        "weight on an illegal action": not weights[~legal].any(),
        "a negative weight": (weights >= 0).all(),
        "weights that do not sum to 1": np.allclose(weights[live].sum(-1), 1, atol=1e-4),
        "an answer where it is over": (action[~live] == -1).all() and not value[~live].any(),
    }
    return next((name for name, fine in tests.items() if not fine), "")


def _holds(held, world, truth):
    if held == "certain":
        return certain(world)
    if held == "last":
        return truth.last and certain(world)
    return held != "sane"


def _spread(truth):
    legal = truth.high > -np.inf
    return float(truth.high[legal].max() - truth.low[legal].min())


def _inexact(truth, weights, value, small):
    stray = [a for a in np.flatnonzero(weights > 0) if truth.loss(a) > small]
    if stray:
        return f"weight on {stray}, of {truth.low.tolist()}"
    low, high = truth.value
    if not low - small <= value <= high + small:
        return f"value {value}, not {low} to {high}"
    return ""
