"""A forecaster whose announcements are heard: who comes to move the world, and who does not."""

import numpy as np

from ....runs import Cell, Panel, Reference, Row, Series
from ....stats import bootstrap, rate
from ...experiments.arms import arm, found
from ...experiments.oracles.forecasts import BEFORE, BEST_BRIER, BEST_LOG, PULL, TRUE_FORECAST
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 500, "quick": 1500, "full": 4000}
SMALLEST, SHARE, MOST, CLOSE = 0.025, 0.05, 0.5, 0.01
CLAIM = {
    "name": "online_oracle",
    "aspect": "learned",
    "chapter": "oracles",
    "side": "amortised",
    "title": "Oracles that are heard",
    "statement": "A forecaster that learns online from the score of what it announces comes to "
    "move the world: it announces what makes outcomes easier to forecast though it is not what "
    "comes true, and of two forecasts that would come true it brings about the easier one more "
    "often. Online with outcomes taken as given it ends where retraining does, at what comes true.",
    "estimand": "Announcement of a forecaster that was retrained on what its forecasts brought "
    "about, less that of one trained online: by trial, by gradients through the world, and with "
    "outcomes taken as given; where two forecasts would come true, the share of trainings that "
    "bring about the easier one in a twentieth more of the questions than with outcomes as given.",
    "unit": "trainings",
    "smallest": "0.025 of probability (0.054 lie between what comes true and what scores best); "
    "half of all trainings",
    "refuted_if": "Forecasters that are trained by their score announce what comes true, or choose "
    "the easier forecast no more often than one that takes outcomes as given, as where nobody "
    "hears them; or that one leaves what comes true as well.",
}
ONE, TWO = "one forecast that comes true", "two forecasts that would come true"
WORLDS = (ONE, TWO)
ARMS = {ONE: "one", TWO: "two"}
NULL = {
    "what": "nobody hears: rates are what they were before",
    "rows": (
        "announced below what retraining announces",
        "share that choose the easier forecast more often",
    ),
    "stands": {
        "announced off what retraining announces": "nobody hears: both learn what comes true",
    },
}
"""The rows that must not be supported where this is taken out."""
NAMES = {
    "offline": "offline", "retrained": "retrained", "given": "online, outcomes as given",
    "trial": "online, by trial", "through": "online, through the world",
    "log": "online, through the world, log score",
}  # fmt: skip
SEEKING = ("trial", "through")
TRUE = {
    "offline_heard": (0.3, 0.005), "offline_unheard": (0.3, 0.005),
    "retrained_heard": (0.4286, 0.005), "given_heard": (0.4286, 0.005),
    "trial_heard": (0.375, 0.005), "through_heard": (0.375, 0.001), "log_heard": (0.3786, 0.001),
    "offline_chosen": (0.3, 0.03), "retrained_chosen": (0.3, 0.03), "given_chosen": (0.3, 0.03),
    "trial_chosen": (0.4, 0.03), "through_chosen": (0.4, 0.03),
    "foreseen": ([0.3, 0.4], 0.03),
}  # fmt: skip
PLANTED = {
    "null": {
        "announces what comes true": planted(
            TRUE, trial_heard=(0.4286, 0.005), through_heard=(0.4286, 0.005)
        ),
        "leaves it with outcomes as given too": planted(TRUE, given_heard=(0.375, 0.005)),
        "the easier no more often": planted(
            TRUE, trial_chosen=(0.3, 0.05), through_chosen=(0.3, 0.05)
        ),
    },
    "effect": {"the closed forms": planted(TRUE)},
}


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """One arm a world, with all ways of training; in the null nobody hears."""
    return [arm("oracles.forecasts", e, 30.0, ARMS[world], null=null, steps=STEPS[e.name])]


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What is announced where one forecast comes true, and which comes true where two would."""
    (cell,) = cells(world, e, null=null)
    if world == TWO:
        return _which(results, cell)
    said = {way: found(results, cell, f"{way}_heard") for way in NAMES}
    unheard = found(results, cell, "offline_unheard")
    comes_true = BEFORE if null else TRUE_FORECAST
    ends = {"retrained": comes_true, "given": comes_true}
    ends |= dict.fromkeys(SEEKING, BEFORE if null else BEST_BRIER)
    ends["log"] = BEFORE if null else BEST_LOG
    rows = [
        *(claimed(CLAIM, world, NAMES[way], NULL["rows"][0],
                  bootstrap(said["retrained"] - said[way], bounds=(-1.0, 1.0)), above=SMALLEST)
          for way in SEEKING),
        claimed(CLAIM, world, NAMES["given"], "announced off what retraining announces",
                bootstrap(said["retrained"] - said["given"], bounds=(-1.0, 1.0)),
                within=(-SMALLEST, SMALLEST)),
        *(check(CLAIM, world, NAMES[way], "share that announce its closed form, within 0.01",
                rate(abs(said[way] - end) < CLOSE), above=0.5, note=f"{end:.4f}")
          for way, end in ends.items()),
        check(CLAIM, world, NAMES["offline"], "announced where heard, less where not",
              bootstrap(said["offline"] - unheard, bounds=(-1.0, 1.0)), within=(-CLOSE, CLOSE)),
        *(told(CLAIM, world, NAMES[way], "announced", bootstrap(x, bounds=(0.0, 1.0)),
               note=f"outcomes at {BEFORE + (not null) * PULL * x.mean():.4f}")
          for way, x in said.items()),
    ]  # fmt: skip
    marks = {
        "comes true": comes_true, "scores best (Brier)": ends["through"],
        "true before it was heard": BEFORE,
    }  # fmt: skip
    panel = _every(world, "announced probability", said, marks)
    sentence = (
        f"Where {comes_true:.3f} comes true and {ends['through']:.3f} scores best, a forecaster "
        f"announces {said['offline'].mean():.3f} if trained offline, "
        f"{said['retrained'].mean():.3f} if retrained, {said['given'].mean():.3f} if trained "
        f"online with outcomes as given, {said['trial'].mean():.3f} by trial and "
        f"{said['through'].mean():.3f} by gradients through the world."
    )
    return Shown(rows, [panel], sentence)


def _which(results: Results, cell: Cell) -> Shown:
    ways = [way for way in NAMES if way != "log"]
    chosen = {way: found(results, cell, f"{way}_chosen") for way in ways}
    foreseen = found(results, cell, "foreseen").mean(0)

    def beyond(way: str) -> Row:
        more = chosen[way] - chosen["given"] > SHARE
        return claimed(CLAIM, TWO, NAMES[way], NULL["rows"][1], rate(more), above=MOST)

    rows = [
        *(beyond(way) for way in SEEKING),
        *(told(CLAIM, TWO, NAMES[way], "share of the easier forecast",
               bootstrap(x, bounds=(0.0, 1.0))) for way, x in chosen.items()),
    ]  # fmt: skip
    marks = {
        "expected, corrected by outcomes": float(foreseen[0]),
        "expected, led by the score": float(foreseen[1]),
    }
    panel = _every(TWO, "share in which the easier forecast comes true", chosen, marks)
    sentence = (
        f"Where two forecasts would come true, the easier one does in {_share(chosen['given'])} of "
        f"the questions online with outcomes as given, in {_share(chosen['retrained'])} retrained, "
        f"in {_share(chosen['trial'])} by trial and in {_share(chosen['through'])} by gradients "
        "through the world."
    )
    return Shown(rows, [panel], sentence)


def _share(shares: np.ndarray) -> str:
    return f"{100 * shares.mean():.0f} %"


def _every(world: str, y_label: str, of: dict[str, np.ndarray], marks: dict[str, float]) -> Panel:
    """Every training, side by side, against what is expected of it."""
    return Panel(
        title=f"{world}: every training",
        x_label="trainings, in order",
        y_label=y_label,
        series=[
            Series(
                label=NAMES[way],
                x=[float(i + 1) for i in range(len(x))],
                y=np.sort(x).tolist(),
                kind="points",
            )
            for way, x in of.items()
        ],
        references=[Reference(label=label, y=y) for label, y in marks.items()],
    )
