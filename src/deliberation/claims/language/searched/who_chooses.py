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
VOTE, EXACT = 0.02, 0.1
WIDE = (-1.0, 1.0)
"""What differences of shares are bounded by."""
CLAIM = {
    "name": "who_chooses",
    "aspect": "language",
    "chapter": "searched",
    "side": "both",
    "title": "Who chooses among samples",
    "statement": "Of 16 samples, which cost the same whoever chooses, the commonest answer is "
    "right at least 2 points more often than one sample, and the one that an exact verifier takes "
    "at least 10 points more often than the commonest.",
    "estimand": "Differences between shares of held-out problems (numbers and targets that no "
    "lesson has in any order) solved, of 16 samples: the vote less one sample, and the exact "
    "verifier less the vote, which is never less than 0: only its size is measured.",
    "unit": "trainings",
    "smallest": "2 points by the vote, 10 by the verifier",
    "refuted_if": "The vote adds less than 2 points to one sample, or the exact verifier less than "
    "10 to the vote.",
}
WORLDS = ("samples of Countdown with four numbers",)
ROWS = (
    "commonest of 16 minus one sample",
    "taken of 16 minus the commonest of 16",
)
NULL = {
    "what": "the path learned after a prompt is that of another, and verifiers go by lot",
    "rows": ROWS,
}
"""The rows that must not be supported where this is taken out."""
_SPREAD = (0.01, 0.0, 1.0)
_FLAT = [0.16] * len(COUNTS)
TRUE = {
    "covered": ([0.16, 0.22, 0.28, 0.34, 0.40, 0.46, 0.52, 0.58], *_SPREAD),
    "voted": ([0.16, 0.16, 0.17, 0.18, 0.20, 0.21, 0.22, 0.23], *_SPREAD),
    "erring": ([0.16, 0.20, 0.24, 0.28, 0.32, 0.34, 0.35, 0.35], *_SPREAD),
    "heavy": ([0.16, 0.20, 0.24, 0.28, 0.26, 0.24, 0.21, 0.18], *_SPREAD),
    "light": ([0.16, 0.21, 0.26, 0.31, 0.36, 0.40, 0.43, 0.45], *_SPREAD),
    "greedy": (0.28, *_SPREAD),
}
"""Of 16 the vote and the verifier add twice the smallest that matters, 4 and 20 points."""
PLANTED = {
    "null": {
        "a vote is one sample": planted(TRUE, voted=(_FLAT, *_SPREAD)),
        "the verifier takes no more than the vote": planted(TRUE, covered=TRUE["voted"]),
    },
    "effect": {"twice as many points": planted(TRUE)},
}
NAMES = {
    "covered": "an exact verifier",
    "light": "scored with a normal error that we add",
    "erring": "a verifier that we let err one time in ten",
    "heavy": "scored with a heavy-tailed error that we add",
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
        check(CLAIM, world, "all choosers", "of one sample: furthest from the exact verifier's",
              bootstrap(_apart(solved)[:, None].max(1), bounds=WIDE), within=(-0.02, 0.02), **of),
        check(CLAIM, world, NAMES["covered"], "least that is added by more samples",
              bootstrap(np.diff(exact, axis=1).min(1), bounds=WIDE), above=-1e-6, **of),
        told(CLAIM, world, "the likeliest tokens", "solved", share(greedy), **of),
        told(CLAIM, world, NAMES["heavy"], "best scored of 8 minus that of 128",
             bootstrap(heavy[:, FEW] - heavy[:, MANY], bounds=WIDE), **of),
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
        f"in {at['voted'][AT]:.2f}, the first that is accepted by a verifier that we let "
        f"err in {ERRS:.1f} of its looks in {at['erring'][AT]:.2f}, the one that an exact "
        f"verifier takes in {at['covered'][AT]:.2f}. The best scored with a heavy-tailed error "
        f"that we add is right in {at['heavy'][FEW]:.2f} of 8 and {at['heavy'][MANY]:.2f} of 128, "
        "with a normal one in "
        f"{at['light'][FEW]:.2f} and {at['light'][MANY]:.2f}."
    )
    return Shown(rows, [panel], sentence)


def _apart(solved: dict[str, np.ndarray]) -> np.ndarray:
    first = np.stack([x[:, 0] for x in solved.values()])
    return abs(first - first[0]).max(0)
