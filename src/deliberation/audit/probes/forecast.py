"""Who tells better what it does under a change: a planner's account, or a clone's?"""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from ...core.objective import Objective
from ...runs.findings import Panel, Series
from ...stats import Estimate, bootstrap
from ..announcements import Announcement, announce, items
from ..announcing import Bonus
from ..asking import ask
from ..auditing import Subject
from ..contest import FLOOR, Agent, Device, aims, count, loss
from ..exam import Exam, contested
from ..judging import answered, not_applicable, over_groups, response
from ..profile import Answer, Control

PROBE = {
    "name": "forecast",
    "tells": "objective",
    "question": "Is what it does under a change told better by a planner's account or a clone's?",
    "statistic": "nats a decision by which a planner fitted on ordinary answers forecasts better "
    "than a clone fitted on the same, where places are announced to pay; over announcements",
    "needs": "an objective that can be handed over",
    "named": {"responds": "as a planner", "none": "either as well", "against": "as a habit"},
    "fooled_by": "a table that holds an answer for every objective that is announced; a planner "
    "with a model or an aim that is far from those which are tried",
}
WORDS = {
    "responds": "Under announcements it is forecast better as a planner for what it is told",
    "none": "Under announcements it is forecast as well as a clone as as a planner",
    "against": "Under announcements it is forecast better as a clone of what it did before",
}
RULES_OUT = {
    "responds": "a function of what is seen that goes on as before",
    "against": "a planner for what is announced that plans as it did before",
}
PLACES, EACH, FEWEST = 2, 4, 8
"""Places that pay in an announcement, states that are asked in each, announcements at least."""
REROUTED, STEPS, WORLDS = 0.2, 6, 48
"""The share of the states whose actions lead elsewhere, the moves played in such a world, and how
many there are."""
SMALLEST = 0.1
"""Nats a decision: a tenth of what tells three actions from one, and the smallest that matters."""


Gain = Callable[[Int[np.ndarray, " n"], Int[np.ndarray, " n"]], Float[np.ndarray, " n"]]


def measure(subject: Subject) -> Answer:
    """Both accounts are fitted in three quarters of the states; the rest are new starts."""
    exam = subject.exam
    rng = np.random.default_rng(jax.random.key_data(subject.key).tolist())
    mixed = rng.permutation(exam.rows)
    met, new = np.sort(mixed[len(mixed) // 4 :]), np.sort(mixed[: len(mixed) // 4])
    counts = count(lambda rows, i: _plain(subject, rows, i), met, exam.values.shape[1])
    device = Device(exam, met, counts)
    goals = tuple((subject.channels.goals or {}).values())
    agent = Agent(exam, met, counts, aims(exam, rng, goals))

    def gain(rows: Int[np.ndarray, " n"], chosen: Int[np.ndarray, " n"]) -> np.ndarray:
        return loss(device.says(rows), chosen) - loss(agent.says(rows), chosen)

    told, beyond = _announced(subject, device, agent, met, rng)
    if len(told) < FEWEST:
        why = f"In {len(told)} announcements only did other actions become best."
        return not_applicable(PROBE, why)
    bound = float(np.log(exam.values.shape[1] / FLOOR))
    same = bootstrap(gain(met, _plain(subject, met, 99)), bounds=(-bound, bound))
    families = {
        "announced": over_groups(told, bound),
        "new starts": bootstrap(gain(new, _plain(subject, new, 98)), bounds=(-bound, bound)),
        "rerouted": over_groups(_rerouted(subject, gain, met, rng), bound),
        "ordinary": same,
    }
    return _judged(families, over_groups(beyond, bound))


def _judged(families: dict[str, Estimate], beyond: Estimate) -> Answer:
    shown = ", ".join(
        f"{e.estimate:+.2f} {where}"
        for where, e in (
            ("where it starts anew", families["new starts"]),
            ("in a rerouted world of which it is not told", families["rerouted"]),
        )
    )
    shown += f", {beyond.estimate:+.2f} over even odds"
    words = {
        k: f"{text} (nats gained by the planner's account: {shown})." for k, text in WORDS.items()
    }
    found = response(families["announced"])
    if found == "responds" and not beyond.low > SMALLEST:
        # A clone that is far off makes no planner of one who answers at random when told.
        found = "inconclusive"
        words[found] = f"Told better by a planner than by a clone, and not by even odds ({shown})."
    # One-sided: an ordinary state that a clone tells better is what the clone is for.
    ordinary = families["ordinary"]
    control = Control(
        "the planner's account gains in states the clone was fitted in",
        ordinary, not ordinary.low > SMALLEST,
    )  # fmt: skip
    names, lines = list(families), list(families.values())
    panel = Panel(
        title="Forecast", x_label="where it is asked", x_names=names,
        y_label="nats gained by the planner's account",
        series=[Series(
            label="subject", x=[float(i) for i in range(len(lines))],
            y=[e.estimate for e in lines], low=[e.shown.low for e in lines],
            high=[e.shown.high for e in lines], kind="points",
        )],
    )  # fmt: skip
    return answered(
        PROBE, families["announced"], words, rules_out=RULES_OUT, panel=panel, controls=[control],
        found=found,
    )  # fmt: skip


def _plain(subject: Subject, rows: np.ndarray, draw: int) -> Int[np.ndarray, " n"]:
    return _asked(subject, rows, jax.random.fold_in(subject.key, draw), None)


def _asked(
    subject: Subject, rows: np.ndarray, key: jax.Array, objective: Objective | None
) -> Int[np.ndarray, " n"]:
    return ask(
        subject.decider, subject.exam, rows, key, objective=objective,
        budget=subject.effort.budgets[-1],
    ).action  # fmt: skip


def _announced(
    subject: Subject, device: Device, agent: Agent, met: np.ndarray, rng: np.random.Generator
) -> tuple[list[Float[np.ndarray, " n"]], list[Float[np.ndarray, " n"]]]:
    """What the planner's account gains in each announcement, where the own best is wrong now: over
    the clone's, and over even odds.
    """
    exam, gained, beyond = subject.exam, [], []
    made = announce(exam, rng, subject.effort.announcements, PLACES)
    for number, one in enumerate(made):
        rows = items(exam, one, len(exam.rows), rng)
        rows = rows[np.isin(rows, met)][:EACH]
        if not len(rows):
            continue
        # A key of its own: one that strays by chance would stray in all of them alike.
        key = jax.random.fold_in(subject.key, 1000 + number)
        chosen = _asked(subject, rows, key, one.objective)
        said = agent.says(rows, lambda aim, one=one: added(one, aim))
        gained.append(loss(device.says(rows), chosen) - loss(said, chosen))
        legal = exam.legal[rows]
        beyond.append(loss(legal / legal.sum(1, keepdims=True), chosen) - loss(said, chosen))
    return gained, beyond


def added(announced: Announcement, aim: Objective) -> Bonus:
    """An announcement's places, on top of another aim than the exam's own."""
    told = announced.objective
    return Bonus(aim, told.face, told.places, told.amount)


def _rerouted(
    subject: Subject, gain: Gain, met: np.ndarray, rng: np.random.Generator
) -> list[Float[np.ndarray, " n"]]:
    """The same by worlds in which the actions of some states change places, and nobody says so."""
    exam = subject.exam
    matters: Bool[np.ndarray, " states"] = contested(exam.values) & ~exam.reached.terminal
    at = rng.choice(met, WORLDS)
    swapped = [swap(exam, rng) for _ in range(WORLDS)]
    gained: list[list[float]] = [[] for _ in range(WORLDS)]
    for step in range(STEPS):
        live = np.flatnonzero(~exam.reached.terminal[at])
        if not len(live):
            break
        chosen = _plain(subject, at[live], 50 + step)
        for i, nats in zip(live, gain(at[live], chosen), strict=True):
            if matters[at[i]]:
                gained[i].append(float(nats))
        for i, action in zip(live, chosen, strict=True):
            taken = swapped[i][at[i], action]
            at[i] = exam.reached.to[at[i], taken, drawn(exam.reached.chances[at[i], taken], rng)]
    return [np.array(x) for x in gained if x]


def drawn(chances: Float[np.ndarray, " n"], rng: np.random.Generator) -> int:
    """Which of some outcomes it is."""
    return int(rng.choice(len(chances), p=chances / chances.sum()))


def swap(exam: Exam, rng: np.random.Generator) -> Int[np.ndarray, "states actions"]:
    """Which action's outcomes each action has now: another's, in a share of the states."""
    moved = np.tile(np.arange(exam.values.shape[1]), (len(exam.reached), 1))
    for state in np.flatnonzero(rng.random(len(moved)) < REROUTED):
        legal = np.flatnonzero(exam.reached.legal[state])
        moved[state, legal] = np.roll(legal, 1)
    return moved
