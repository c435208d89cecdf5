"""How many moves ahead does a changed reward change what is chosen?"""

import jax
import numpy as np

from ...runs.findings import Panel, Series
from ...stats import Estimate, bootstrap, weighted_sum
from ..announcements import announce, items
from ..asking import ask
from ..auditing import Subject
from ..exam import best
from ..judging import answered, control, not_applicable, response
from ..profile import Answer

PROBE = {
    "name": "revaluation",
    "question": "How many moves ahead does a changed reward change what is chosen?",
    "statistic": "P(switch to what is best now) where what is reached in d moves pays more, "
    "less the same without being told; summed over d: the effective depth",
    "needs": "an objective that can be handed over",
    "fooled_by": "a table that holds an answer for every reward that is announced",
}
EACH, FEWEST = 4, 12
"""States that are asked of each depth in an announcement, and items a depth at least."""


def measure(subject: Subject) -> Answer:
    """One place pays more; items are states from which it is exactly d moves away."""
    exam, deepest = subject.exam, subject.effort.depth
    rng = np.random.default_rng(jax.random.key_data(subject.key).tolist())
    gained: dict[int, list[float]] = {d: [] for d in range(1, deepest + 1)}
    silent_gain: list[float] = []
    for one in announce(exam, rng, subject.effort.announcements, 1):
        far = exam.distances(int(one.targets[0]))
        rows = items(exam, one, len(exam.rows), rng)
        rows = np.concatenate([rows[far[rows] == d][:EACH] for d in gained])
        if not len(rows):
            continue
        told, silent, again = (
            ask(subject.decider, exam, rows, key, objective=objective,
                budget=subject.effort.budgets[-1]).action
            for key, objective in (
                (subject.key, one.objective), (subject.key, None),
                (jax.random.fold_in(subject.key, 1), None),
            )
        )  # fmt: skip
        now = best(one.values[rows])
        at = np.arange(len(rows))
        switched = now[at, told].astype(float) - now[at, silent]
        silent_gain += (now[at, again].astype(float) - now[at, silent]).tolist()
        for d, gain in zip(far[rows].tolist(), switched.tolist(), strict=True):
            gained[d].append(gain)
    by_depth = {
        d: bootstrap(np.array(x), bounds=(-1.0, 1.0))
        for d, x in gained.items() if len(x) >= FEWEST
    }  # fmt: skip
    if not by_depth:
        return not_applicable(
            PROBE, "No depth has enough states in which a reward changes the best."
        )
    return _judged(by_depth, bootstrap(np.array(silent_gain), bounds=(-1.0, 1.0)))


def _judged(by_depth: dict[int, Estimate], drawn: Estimate) -> Answer:
    depths = list(by_depth)
    total = weighted_sum(list(by_depth.values()), [1.0] * len(depths))
    mean = weighted_sum(list(by_depth.values()), [1.0 / len(depths)] * len(depths))
    deepest = max((d for d, e in by_depth.items() if e.low > 0.1), default=0)
    words = {
        "responds": f"Follows rewards that change up to {deepest} moves ahead, of {depths[-1]} "
        f"asked; effective depth {total.estimate:.1f} of {len(depths)}.",
        "none": "No response to rewards that change ahead.",
        "against": "Turns away from rewards that change ahead.",
    }
    rules_out = {
        "responds": "values that were settled before the change",
        "none": f"a look-ahead of {depths[0]} or more moves by the rewards that are told",
    }
    panel = Panel(
        title="Revaluation", x_label="moves to what pays more", y_label="P(switch) gained",
        series=[Series(
            label="subject", x=[float(d) for d in depths],
            y=[e.estimate for e in by_depth.values()], low=[e.low for e in by_depth.values()],
            high=[e.high for e in by_depth.values()],
        )],
    )  # fmt: skip
    return answered(
        PROBE,
        total,
        words,
        rules_out=rules_out,
        panel=panel,
        found=response(mean),
        controls=[control("another draw, untold, switches", drawn)],
    )
