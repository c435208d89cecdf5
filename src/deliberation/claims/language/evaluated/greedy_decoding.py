"""The likeliest next token, each time, is not the likeliest text."""

import numpy as np

from ....runs import Panel
from ....stats import Estimate, bootstrap
from ...experiments.arms import all_found, lines, one_arm, share
from ...experiments.language.likeliest import BEAMS, EFFORTS, PLACES, PROMPTS
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 400, "quick": 600, "full": 1200}
SHORT, SHARE, NATS = 0.05, 0.1, 0.05
MOST = 1.0
"""Nats that count of any prompt, so that no few of them make the mean."""
WIDEST = BEAMS[-1]
CLAIM = {
    "name": "greedy_decoding",
    "aspect": "language",
    "chapter": "evaluated",
    "side": "both",
    "title": "The likeliest token and the likeliest text",
    "statement": "Taking the likeliest next token each time takes an argmax and does not find the "
    "likeliest text: on average over sources, after more than a tenth of the prompts there is "
    "another of the same length that is likelier by the same network.",
    "estimand": "After each of 9 prompts, log-probability by the network of the likeliest "
    "of all texts of 8 tokens, less that of the text of the likeliest tokens: share of the "
    "prompts in which it is at least 0.05 nats, and its mean, at most 1 nat of a prompt, both on "
    "average over sources: every training has one of its own.",
    "unit": "trainings",
    "smallest": "a tenth of the prompts; 0.05 nats a text",
    "refuted_if": "The likeliest tokens make a text within 0.05 nats of the likeliest after nine "
    "tenths of the prompts or on average: as where tokens do not turn on those before them.",
}
WORLDS = ("texts of Markov chains",)
cells = one_arm("language.likeliest", 45.0, steps=STEPS)
"""One arm."""
ROWS = (
    "prompts after which a text is likelier by 0.05 nats",
    "nats by which it is less likely than the likeliest text, at most 1 a prompt",
)
PLAINLY = "nats by which it is less likely than the likeliest text"
NULL = {
    "what": "each token is drawn by itself, so that the likeliest tokens make the likeliest text",
    "rows": ROWS,
}
"""The rows that must not be supported where this is taken out."""


def _falling(nats: float) -> list[list[list[float]]]:
    """[prompts, beams, lengths]: greedy so short at the end, beams a quarter of it or nothing."""
    ends = [nats, nats / 4, 0.0, 0.0]
    return [[[end * (k + 1) / PLACES for k in range(PLACES)] for end in ends]] * PROMPTS


TRUE = {
    "short": (_falling(0.2), 0.12, 0.0, 9.0), "drawn": ([2.5] * PROMPTS, 0.5),
    "source_short": ([0.2] * PROMPTS, 0.1, 0.0, 9.0), "divergence": (0.005, 0.001, 0.0, 9.0),
    "same": (1.0, 0.0),
}  # fmt: skip
PLANTED = {
    "null": {
        "the likeliest tokens make the likeliest text": planted(
            TRUE, short=(_falling(0.0), 0.003, 0.0, 9.0)
        ),
    },
    "effect": {"another text is likelier": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """How likely the text of the likeliest tokens is, beside the likeliest."""
    (cell,) = cells(world, e, null=null)
    short, drawn, plainly, apart, same = all_found(
        results, cell, "short", "drawn", "source_short", "divergence", "same"
    )
    ends, one = short[..., -1], float(same[0])
    greedy, beams = ends[:, :, 0], ends.mean(1)
    missed, nats = (ends >= SHORT).mean(1), {"unit": "nats a text"}
    who = "the likeliest token each time"
    rows = [
        claimed(CLAIM, world, who, ROWS[0], share(missed[:, 0], PROMPTS), above=SHARE),
        claimed(CLAIM, world, who, ROWS[1], _over_trainings(np.minimum(greedy, MOST)),
                above=NATS, **nats),
        check(CLAIM, world, f"beam of {WIDEST}", PLAINLY, bootstrap(beams[:, -1],
              bounds=(0.0, 9.0)), below=NATS, note="it holds nearly as many texts as there are "
              f"contexts ({PROMPTS})", **nats),
        check(CLAIM, world, who, f"texts that are the same at efforts {EFFORTS[0]} and "
              f"{EFFORTS[1]}", Estimate(one, one, one, 1), above=0.5, over="one network"),
        *(told(CLAIM, world, f"beam of {width}", ROWS[0], share(missed[:, k]))
          for k, width in enumerate(BEAMS) if k),
        *(told(CLAIM, world, f"beam of {width}", PLAINLY,
               bootstrap(beams[:, k], bounds=(0.0, 9.0)), **nats)
          for k, width in enumerate(BEAMS) if 0 < k < len(BEAMS) - 1),
        told(CLAIM, world, who, PLAINLY, bootstrap(greedy.mean(1), bounds=(0.0, 9.0)), **nats),
        told(CLAIM, world, "drawn texts", PLAINLY, bootstrap(drawn.mean(1)), **nats),
        told(CLAIM, world, "the likeliest token each time, by the source", ROWS[0],
             share((plainly >= SHORT).mean(1))),
        told(CLAIM, world, "the likeliest token each time, by the source", PLAINLY,
             bootstrap(plainly.mean(1), bounds=(0.0, 9.0)), **nats),
        told(CLAIM, world, "networks", "divergence from the source", bootstrap(apart),
             unit="nats a token"),
    ]  # fmt: skip
    by_length = short.mean(1)
    names = {f"beam of {width}" if k else who: by_length[:, k] for k, width in enumerate(BEAMS)}
    panel = Panel(
        title="what is found, beside the likeliest text",
        x_label="tokens written",
        y_label="nats less likely than the likeliest text",
        series=lines(range(1, PLACES + 1), names, None),
    )
    return Shown(rows, [panel], _sentence(greedy, missed, beams))


def _over_trainings(nats: np.ndarray) -> Estimate:
    """The mean of [trainings, prompts], each from 0 to 1, over trainings.

    Where no prompt of any training differs from another, the interval is that of all of them.
    """
    alike = np.ptp(nats) == 0
    return bootstrap(nats.ravel() if alike else nats.mean(1), bounds=(0.0, MOST))


def _sentence(greedy: np.ndarray, missed: np.ndarray, beams: np.ndarray) -> str:
    found = ", ".join(
        f"{missed[:, k].mean():.3f} with a beam of {width}" for k, width in enumerate(BEAMS) if k
    )
    return (
        f"Of {PLACES} tokens, the likeliest each time make a text that is less likely than the "
        f"likeliest by 0.05 nats or more after {missed[:, 0].mean():.2f} of the prompts "
        f"({found}), on average by {beams[:, 0].mean():.2f} nats; the most after any prompt of any "
        f"training is {greedy.max():.1f}. In {int((missed[:, 0] > 0).sum())} of {len(missed)} "
        "sources there is such a prompt."
    )
