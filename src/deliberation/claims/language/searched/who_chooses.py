"""One of many samples is taken: by lot, by vote, by a verifier that errs, by an exact one."""

import numpy as np

from ....runs import Panel, Reference
from ....stats import bootstrap
from ...experiments.arms import found, lines, share
from ...experiments.language.countdown_chosen import COUNTS, ERRS
from ...experiments.language.countdown_searches import planned
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import check, claimed, told

AT, FEW, MANY = COUNTS.index(16), COUNTS.index(8), COUNTS.index(128)
VOTE, EXACT, FALL = 0.02, 0.1, 0.05
WIDE = (-1.0, 1.0)
"""What differences of shares are bounded by."""
CLAIM = {
    "name": "who_chooses",
    "aspect": "language",
    "chapter": "searched",
    "side": "both",
    "title": "Who chooses among samples",
    "statement": "Of 16 samples, which cost the same whoever chooses, the commonest answer is "
    "right more often than one sample, and the one that an exact verifier takes is right more "
    "often than the commonest. The best scored by a verifier with a heavy-tailed error is right "
    "less often of 128 than of 8.",
    "estimand": "Differences between shares of fresh problems solved, by who chooses: the vote "
    "less one sample, and the exact verifier less the vote, of 16; the best scored by grade and "
    "an error (0.5 times Student's t with 2 degrees of freedom), of 8 less of 128.",
    "unit": "trainings",
    "smallest": "2 points by the vote, 10 by the verifier, 5 lost by the error",
    "refuted_if": "The vote adds less than 2 points to one sample, the exact verifier less than "
    "10 to the vote, or 128 samples scored with the error lose less than 5 against 8.",
}
WORLDS = ("samples of Countdown with four numbers",)
ROWS = (
    "commonest of 16 less one sample",
    "taken of 16 less the commonest of 16",
    "best scored of 8 less that of 128",
)
NULL = {
    "what": "the path learned after a prompt is that of another, and verifiers go by lot",
    "rows": ROWS,
}
"""The rows that must not be supported where this is taken out."""
_SPREAD = (0.02, 0.0, 1.0)
_FLAT = [0.16] * len(COUNTS)
TRUE = {
    "covered": ([0.16, 0.28, 0.44, 0.61, 0.75, 0.84, 0.90, 0.93], *_SPREAD),
    "voted": ([0.16, 0.16, 0.17, 0.19, 0.22, 0.23, 0.24, 0.25], *_SPREAD),
    "erring": ([0.16, 0.26, 0.38, 0.47, 0.52, 0.54, 0.55, 0.55], *_SPREAD),
    "heavy": ([0.16, 0.25, 0.34, 0.44, 0.43, 0.40, 0.36, 0.32], *_SPREAD),
    "light": ([0.16, 0.27, 0.39, 0.52, 0.63, 0.72, 0.76, 0.80], *_SPREAD),
    "greedy": (0.28, *_SPREAD),
}
PLANTED = {
    "null": {
        "a vote is one sample": planted(TRUE, voted=(_FLAT, *_SPREAD)),
        "the verifier takes no more than the vote": planted(TRUE, covered=TRUE["voted"]),
        "the error costs nothing": planted(TRUE, heavy=TRUE["light"]),
    },
    "effect": {"as many points as in pilots": planted(TRUE)},
}
NAMES = {
    "covered": "an exact verifier",
    "light": "scored with a normal error",
    "erring": "a verifier that errs one time in ten",
    "heavy": "scored with a heavy-tailed error",
    "voted": "the commonest answer",
}
cells = planned("prompts")


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What each chooser gets of how many samples."""
    (cell,) = cells(world, e, null=null)
    solved = {name: found(results, cell, name) for name in NAMES}
    greedy, one = found(results, cell, "greedy"), solved["covered"][:, 0]
    exact, vote, heavy = solved["covered"], solved["voted"], solved["heavy"]
    of = {"unit": "of problems"}
    rows = [
        claimed(CLAIM, world, NAMES["voted"], ROWS[0],
                bootstrap(vote[:, AT] - one, bounds=WIDE), above=VOTE, **of),
        claimed(CLAIM, world, NAMES["covered"], ROWS[1],
                bootstrap(exact[:, AT] - vote[:, AT], bounds=WIDE), above=EXACT, **of),
        claimed(CLAIM, world, NAMES["heavy"], ROWS[2],
                bootstrap(heavy[:, FEW] - heavy[:, MANY], bounds=WIDE), above=FALL, **of),
        check(CLAIM, world, "all choosers", "of one sample: furthest from the exact verifier's",
              bootstrap(_apart(solved)[:, None].max(1), bounds=WIDE), within=(-0.02, 0.02), **of),
        check(CLAIM, world, NAMES["covered"], "least that is added by more samples",
              bootstrap(np.diff(exact, axis=1).min(1), bounds=WIDE), above=-1e-6, **of),
        told(CLAIM, world, "the likeliest tokens", "solved", share(greedy), **of),
    ]  # fmt: skip
    for name, title in NAMES.items():
        rows += [
            told(CLAIM, world, title, f"solved, of {COUNTS[i]} samples", share(solved[name][:, i]),
                 **of)
            for i in (0, AT, MANY)
        ]  # fmt: skip
    panel = Panel(
        title="solved, by who chooses",
        x_label="samples of which one is chosen",
        y_label="share of problems",
        x_scale="log2",
        series=lines(COUNTS, {NAMES[name]: x for name, x in solved.items()}),
        references=[Reference(label="the likeliest tokens", y=float(greedy.mean()))],
    )
    at = {name: x.mean(0) for name, x in solved.items()}
    sentence = (
        f"One sample is right in {one.mean():.2f} of the problems. Of 16 the commonest answer is "
        f"in {at['voted'][AT]:.2f}, the first that is accepted by a verifier that errs in "
        f"{ERRS:.1f} of its looks in {at['erring'][AT]:.2f}, the one that an exact verifier takes "
        f"in {at['covered'][AT]:.2f}. The best scored with a heavy-tailed error is right in "
        f"{at['heavy'][FEW]:.2f} of 8 and {at['heavy'][MANY]:.2f} of 128, with a normal one in "
        f"{at['light'][FEW]:.2f} and {at['light'][MANY]:.2f}."
    )
    return Shown(rows, [panel], sentence)


def _apart(solved: dict[str, np.ndarray]) -> np.ndarray:
    first = np.stack([x[:, 0] for x in solved.values()])
    return abs(first - first[0]).max(0)
