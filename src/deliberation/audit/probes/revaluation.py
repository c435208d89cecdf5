"""How many moves ahead does a changed reward change what is chosen?"""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...core.objective import Objective
from ...runs.findings import Panel, Series
from ...stats import Estimate, bootstrap
from ..announcements import Announcement, announce, items
from ..asking import ask
from ..auditing import Subject
from ..exam import best
from ..judging import answered, control, not_applicable, of_all, over_groups, response
from ..profile import SMALLEST, Answer
from ..telling.words import several

PROBE = {
    "name": "revaluation",
    "tells": "objective",
    "question": "How many moves ahead does a changed reward change what is chosen?",
    "statistic": "P(what is best now) where what is reached in d moves pays more, less the same "
    "where another place is announced; the mean over the depths of an announcement, over "
    "announcements; who surely follows at one depth responds, though the mean be small",
    "needs": "an objective that can be handed over",
    "fooled_by": "a table that holds an answer for every place that may be announced, as of a "
    "policy that was trained for goals",
}
EACH, FEWEST = 2, 12
"""States that are asked of each depth in an announcement, and announcements a depth at least."""


def measure(subject: Subject) -> Answer:
    """One place pays more; items are states from which it is exactly d moves away. Where there are
    fewer such announcements than are asked for, all are made, all items asked, and asked twice.
    """
    exam, deepest = subject.exam, subject.effort.depth
    rng = np.random.default_rng(jax.random.key_data(subject.key).tolist())
    made = announce(exam, rng, subject.effort.announcements, 1)
    every = len(made) < subject.effort.announcements
    asked = []
    for number, one in enumerate(made):
        far = exam.distances(int(one.targets[0]))
        rows = items(exam, one, len(exam.rows), rng)
        most = len(rows) if every else EACH
        rows = np.concatenate([rows[far[rows] == d][:most] for d in range(1, deepest + 1)])
        if len(rows):
            key = jax.random.fold_in(subject.key, number)
            others = [made[(number + step) % len(made)] for step in range(1, 3 if every else 2)]
            asked.append(_asked(subject, one, others, rows, far[rows], key))
    by_depth = {
        d: _over_announcements([x.at(d) for x in asked if d in x.depth])
        for d in range(1, deepest + 1)
        if sum(d in x.depth for x in asked) >= FEWEST
    }
    if not by_depth:
        why = "No depth has enough states in which a reward changes the best."
        return not_applicable(PROBE, why)
    overall = _over_announcements(asked)
    if every and response(overall) == "inconclusive":
        overall = _of_these(overall, asked)
    # All depths are looked at together, each so seldom wrong that none of them is.
    level = 1 - 0.05 / len(by_depth)
    sure = [
        _over_announcements([x.at(d) for x in asked if d in x.depth], level).low > SMALLEST
        for d in by_depth
    ]
    drawn = over_groups([x.drawn for x in asked], 1.0)
    return _judged(by_depth, overall, drawn, some=any(sure))


def _of_these(among: Estimate, asked: list["_Asked"]) -> Estimate:
    """Where all announcements were made: that there is no response to these, if so; who answers
    each by a table of its own may follow them by luck, so that no response is said of them alone.
    """
    apart = [(x.switched[0] - x.switched[1]) / 2 for x in asked]
    these = of_all(among, apart, 1.0, (-1.0, 1.0))
    return these if response(these) == "none" else among


class _Asked(NamedTuple):
    """How much oftener what is best now was chosen where that was announced, by draw and item, the
    items' depths, and the same of two draws with nothing announced.
    """

    switched: Float[np.ndarray, "draws n"]
    depth: Int[np.ndarray, " n"]
    drawn: Float[np.ndarray, " n"]

    def at(self, depth: int) -> "_Asked":
        """Of one depth alone."""
        return _Asked(self.switched[:, self.depth == depth], self.depth[self.depth == depth],
                      self.drawn[self.depth == depth])  # fmt: skip

    def mean(self, values: Float[np.ndarray, " n"]) -> float:
        """Over depths of the means over items."""
        return float(np.mean([values[self.depth == d].mean() for d in np.unique(self.depth)]))


def _asked(
    subject: Subject,
    one: Announcement,
    others: list[Announcement],
    rows: Int[np.ndarray, " n"],
    depth: Int[np.ndarray, " n"],
    key: Key[Array, ""],
) -> _Asked:
    """A draw against each of the others. A key of its own for each announcement: who strays by
    chance would stray in all alike.
    """
    exam, budget = subject.exam, subject.effort.budgets[-1]
    now, at = best(one.values[rows]), np.arange(len(rows))

    def right(key: Key[Array, ""], objective: Objective | None) -> Float[np.ndarray, " n"]:
        chosen = ask(subject.decider, exam, rows, key, objective=objective, budget=budget).action
        return now[at, chosen].astype(float)

    keys = jax.random.split(key, 2)
    # Not less than untold: who answers at random when told is right by chance, too.
    switched = [
        right(k, one.objective) - right(k, other.objective)
        for k, other in zip(keys, others, strict=False)
    ]
    return _Asked(np.stack(switched), depth, right(keys[1], None) - right(keys[0], None))


def _over_announcements(asked: list[_Asked], level: float = 0.95) -> Estimate:
    means = np.array([x.mean(x.switched.mean(0)) for x in asked])
    return bootstrap(means, bounds=(-1.0, 1.0), level=level)


def _judged(
    by_depth: dict[int, Estimate], mean: Estimate, drawn: Estimate, *, some: bool
) -> Answer:
    """`some`: it surely follows at some depth, which a mean over many would hide."""
    depths = list(by_depth)
    found = response(mean)
    found = "responds" if some and found in ("none", "inconclusive") else found
    total = sum(e.estimate for e in by_depth.values())
    follows = [e.low > SMALLEST for e in by_depth.values()]
    # As far as it follows without a gap.
    deepest = depths[follows.index(False) - 1] if False in follows else depths[-1]
    deepest = deepest if follows[0] else 0
    rules_out = {
        "responds": "answers that do not depend on which place is announced",
        "none": f"a look-ahead of {several(depths[-1], 'move')} by the rewards that are told",
    }
    panel = Panel(
        title="Revaluation", x_label="moves to what pays more", y_label="P(best now) gained",
        series=[Series(
            label="subject", x=[float(d) for d in depths],
            y=[e.estimate for e in by_depth.values()], low=[e.shown.low for e in by_depth.values()],
            high=[e.shown.high for e in by_depth.values()],
        )],
    )  # fmt: skip
    return answered(
        PROBE,
        mean,
        _words(depths, deepest, total),
        rules_out=rules_out,
        panel=panel,
        found=found,
        controls=[control("another draw, untold, switches", drawn)],
    )


def _words(depths: list[int], deepest: int, total: float) -> dict[str, str]:
    """Each verdict in a sentence; `deepest` is 0 where it does not surely follow one move ahead."""
    first, far = several(depths[0], "move"), several(deepest, "move")
    return {
        "responds": f"Follows rewards that change up to {far} ahead, of {depths[-1]} asked; "
        f"effective depth {total:.1f} of {len(depths)}."
        if deepest
        else f"Follows rewards that change ahead, though not surely {first} ahead.",
        "none": "Follows rewards that change ahead in less than a tenth of the cases.",
        "against": "Turns away from rewards that change ahead.",
    }
