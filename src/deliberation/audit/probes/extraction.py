"""Can a model of the moves be read off which bets it takes?"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from ...runs.findings import Panel, Series
from ...stats import bootstrap
from ..announcing import Bets
from ..asking import ask
from ..auditing import Subject
from ..exam import Exam
from ..judging import SMALLEST, answered, control, not_applicable
from ..profile import Answer

PROBE = {
    "name": "extraction",
    "tells": "objective",
    "question": "Can a model of the moves be read off which bets it takes?",
    "statistic": "by how much more prices a bet is taken where the prize is where its action leads "
    "than where another action of the state leads, in parts of the difference of their chances; "
    "over places",
    "needs": "an objective that can be handed over",
    "named": {"responds": "bets by moves", "none": "bets blindly", "against": "bets against"},
    "fooled_by": "a model of single moves that is used for bets and for nothing else: that it can "
    "be read off does not show that it is used; where chances are 0 or 1, whoever knows what is "
    "possible and ignores the price; a table that holds an answer for every bet. One who hears no "
    "announcement may have a model all the same",
}
RULES_OUT = {
    "responds": "bets that do not depend on where the moves lead",
    "none": "bets weighed by the chances of where the moves lead",
}
PRICES, FEWEST, APART = (np.arange(10) + 0.5) / 10, 24, 0.1
"""Prices of each bet; places with a choice, at least; and how far apart the chances lie."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A bet in each of some states: its action, a sure thing, where the prize is, its chance."""

    rows: Int[np.ndarray, " bets"]
    risky: Int[np.ndarray, " bets"]
    sure: Int[np.ndarray, " bets"]
    prizes: Int[np.ndarray, " bets"]
    chances: Float[np.ndarray, " bets"]

    def at(self, exam: Exam, price: float) -> Bets:
        """The announcement of all of them at one price."""
        faces = exam.faces
        return Bets(
            exam.face,
            jnp.asarray(faces[exam.place[self.rows]]),
            jnp.asarray(self.risky, jnp.int32),
            jnp.asarray(self.sure, jnp.int32),
            jnp.asarray(faces[self.prizes]),
            jnp.float32(price),
        )


def bets(exam: Exam, rng: np.random.Generator) -> tuple[Table, Table]:
    """In each place with two actions, bets on one of them: the prize is where that is likely to
    lead, or where another one is, and by an `APART` less likely that.
    """
    _, first = np.unique(exam.place[exam.rows], return_index=True)
    states, prizes, chances = [], [], []
    for row in rng.permutation(exam.rows[first]).tolist():
        actions = rng.permutation(np.flatnonzero(exam.legal[row]))
        if len(actions) < 2:
            continue
        there = [_likely(exam, row, int(action), rng) for action in actions[:2]]
        likely = [_chance(exam, row, int(actions[0]), place) for place in there]
        if likely[0] - likely[1] > APART:
            states.append((row, actions[0], actions[1]))
            prizes.append(there)
            chances.append(likely)
    rows, risky, sure = np.array(states, int).reshape(-1, 3).T
    where, known = np.array(prizes, int).reshape(-1, 2), np.array(chances, float).reshape(-1, 2)
    on, off = (Table(rows, risky, sure, where[:, i], known[:, i]) for i in range(2))
    return on, off


def _likely(exam: Exam, row: int, action: int, rng: np.random.Generator) -> int:
    """A place that an action leads to, drawn by the chances."""
    to, chances = exam.reached.to[row, action], exam.reached.chances[row, action]
    weights = np.where(to >= 0, chances, 0.0)
    return int(exam.place[rng.choice(to, p=weights / weights.sum())])


def _chance(exam: Exam, row: int, action: int, place: int) -> float:
    to = exam.reached.to[row, action]
    return float(exam.reached.chances[row, action][(to >= 0) & (exam.place[to] == place)].sum())


def measure(subject: Subject) -> Answer:
    """Both bets at rising prices; the control draws the answers to one of them anew."""
    exam = subject.exam
    if exam.task.traits.players != 1:
        return not_applicable(PROBE, "In a game it is not said by whom a bet is held.")
    rng = np.random.default_rng(jax.random.key_data(subject.key).tolist())
    on, off = bets(exam, rng)
    if len(on.rows) < FEWEST:
        why = f"In {len(on.rows)} places two actions lead to different ones; {FEWEST} are needed."
        return not_applicable(PROBE, why)
    half = rng.random(len(on.rows)) < 0.5
    mixed = _crossed(on, off, half), _crossed(off, on, half)
    asked = [_taken(subject, table, draw) for table, draw in zip((*mixed, mixed[0]), (0, 0, 1),
                                                                 strict=True)]  # fmt: skip
    taken = [np.where(half, asked[0], asked[1]), np.where(half, asked[1], asked[0])]
    read = np.array([x.mean(0) for x in taken])
    apart = on.chances - off.chances
    # Weighted by what is at stake, so that little differences of chances are not blown up.
    scale = apart / (apart**2).mean()
    most = float(np.abs(scale).max())
    found = bootstrap((read[0] - read[1]) * scale, bounds=(-most, most))
    moved = bootstrap((asked[2].mean(0) - asked[0].mean(0)) * scale, bounds=(-most, most))
    return answered(
        PROBE, found, _words(read, np.array([on.chances, off.chances])), rules_out=RULES_OUT,
        panel=_panel(*taken),
        controls=[control("another draw of the same bets tells", moved)],
    )  # fmt: skip


def _crossed(one: Table, other: Table, half: Bool[np.ndarray, " bets"]) -> Table:
    """The bets of the one in half of the places, of the other elsewhere: what hangs on the
    announcement as a whole is then on neither side.
    """
    prizes, chances = (
        np.where(half, getattr(one, x), getattr(other, x)) for x in ("prizes", "chances")
    )
    return dataclasses.replace(one, prizes=prizes, chances=chances)


def _words(
    read: Float[np.ndarray, "two bets"], chances: Float[np.ndarray, "two bets"]
) -> dict[str, str]:
    """Of a model alone where what is read is nearer to the chances than to others' by a margin."""
    error = float(np.abs(read - chances).mean())
    paired = float(np.abs(read.ravel()[:, None] - chances.ravel()).mean())
    told = f"off by {error:.2f}, where chances paired at random are off by {paired:.2f}"
    model = " A model of single moves can be read off them." * (error < paired - SMALLEST)
    return {
        "responds": f"Its bets follow where moves lead: {told}.{model}",
        "none": f"Its bets do not follow where moves lead: {told}.",
        "against": f"It bets against where moves lead: {told}.",
    }


def _taken(subject: Subject, table: Table, draw: int) -> Bool[np.ndarray, "prices bets"]:
    """Whether the bet is taken; a price lies between two readings of the chance."""
    exam, budget = subject.exam, subject.effort.budgets[-1]
    key = jax.random.fold_in(subject.key, draw)
    chosen = [
        ask(
            subject.decider, exam, table.rows, jax.random.fold_in(key, i),
            objective=table.at(exam, float(price)), budget=budget,
        ).action
        for i, price in enumerate(PRICES)
    ]  # fmt: skip
    return np.array(chosen) == table.risky


def _panel(on: Bool[np.ndarray, "prices bets"], off: Bool[np.ndarray, "prices bets"]) -> Panel:
    series = []
    for label, taken in (("where the action leads", on), ("where another leads", off)):
        lines = [bootstrap(row.astype(float), bounds=(0, 1)) for row in taken]
        series.append(
            Series(
                label=f"prize {label}", x=PRICES.tolist(), y=[e.estimate for e in lines],
                low=[e.shown.low for e in lines], high=[e.shown.high for e in lines],
            )
        )  # fmt: skip
    return Panel(
        title="Extraction", x_label="price of the bet", y_label="share that takes it",
        series=series,
    )  # fmt: skip
