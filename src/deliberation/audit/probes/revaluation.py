"""How many moves ahead does a changed reward change what is chosen?"""

import jax
import numpy as np

from ...runs.findings import Panel, Series
from ...stats import Estimate
from ..announcements import announce, items
from ..asking import ask
from ..auditing import Subject
from ..exam import best
from ..judging import answered, control, not_applicable, over_groups
from ..profile import Answer

PROBE = {
    "name": "revaluation",
    "question": "How many moves ahead does a changed reward change what is chosen?",
    "statistic": "P(what is best now) where what is reached in d moves pays more, less the same "
    "where another place is announced; the mean over the depths of an announcement, over "
    "announcements",
    "needs": "an objective that can be handed over",
    "fooled_by": "a table that holds an answer for every place that may be announced, as of a "
    "policy that was trained for goals",
}
EACH, FEWEST = 2, 12
"""States that are asked of each depth in an announcement, and announcements a depth at least."""


def measure(subject: Subject) -> Answer:
    """One place pays more; items are states from which it is exactly d moves away."""
    exam, deepest = subject.exam, subject.effort.depth
    rng = np.random.default_rng(jax.random.key_data(subject.key).tolist())
    gained: dict[int, list[np.ndarray]] = {d: [] for d in range(1, deepest + 1)}
    overall, drawn = [], []
    made = announce(exam, rng, subject.effort.announcements, 1)
    for number, (one, other) in enumerate(zip(made, made[1:] + made[:1], strict=True)):
        far = exam.distances(int(one.targets[0]))
        rows = items(exam, one, len(exam.rows), rng)
        rows = np.concatenate([rows[far[rows] == d][:EACH] for d in gained])
        if not len(rows):
            continue
        # A key of its own: who strays by chance would stray in all announcements alike.
        first, second = jax.random.split(jax.random.fold_in(subject.key, number))
        told, mistold, silent, again = (
            ask(subject.decider, exam, rows, key, objective=objective,
                budget=subject.effort.budgets[-1]).action
            for key, objective in (
                (first, one.objective), (first, other.objective), (first, None), (second, None),
            )
        )  # fmt: skip
        now, at = best(one.values[rows]), np.arange(len(rows))
        # Not less than untold: who answers at random when told is right by chance, too.
        switched = now[at, told].astype(float) - now[at, mistold]
        drawn.append(now[at, again].astype(float) - now[at, silent])
        parts = {d: switched[far[rows] == d] for d in np.unique(far[rows]).tolist()}
        overall.append(np.array([part.mean() for part in parts.values()]))
        for d, part in parts.items():
            gained[d].append(part)
    by_depth = {d: over_groups(x, 1.0) for d, x in gained.items() if len(x) >= FEWEST}
    if not by_depth:
        why = "No depth has enough states in which a reward changes the best."
        return not_applicable(PROBE, why)
    return _judged(by_depth, over_groups(overall, 1.0), over_groups(drawn, 1.0))


def _judged(by_depth: dict[int, Estimate], mean: Estimate, drawn: Estimate) -> Answer:
    depths = list(by_depth)
    total = sum(e.estimate for e in by_depth.values())
    follows = [e.low > 0.1 for e in by_depth.values()]
    # As far as it follows without a gap.
    deepest = depths[follows.index(False) - 1] if False in follows else depths[-1]
    deepest = deepest if follows[0] else 0
    words = {
        "responds": f"Follows rewards that change up to {deepest} moves ahead, of {depths[-1]} "
        f"asked; effective depth {total:.1f} of {len(depths)}."
        if deepest
        else f"Follows rewards that change ahead, though not surely {depths[0]} moves ahead.",
        "none": "Follows rewards that change ahead in less than a tenth of the cases.",
        "against": "Turns away from rewards that change ahead.",
    }
    rules_out = {
        "responds": "answers that do not depend on which place is announced",
        "none": f"a look-ahead of {depths[-1]} moves by the rewards that are told",
    }
    panel = Panel(
        title="Revaluation", x_label="moves to what pays more", y_label="P(best now) gained",
        series=[Series(
            label="subject", x=[float(d) for d in depths],
            y=[e.estimate for e in by_depth.values()], low=[e.low for e in by_depth.values()],
            high=[e.high for e in by_depth.values()],
        )],
    )  # fmt: skip
    return answered(
        PROBE,
        mean,
        words,
        rules_out=rules_out,
        panel=panel,
        controls=[control("another draw, untold, switches", drawn)],
    )
