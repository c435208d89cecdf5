"""Reinforced by what it is told later, a model of conversations comes to lead them there."""

import numpy as np

from ....runs import Panel, Reference, Row
from ....stats import Estimate, bootstrap
from ...experiments.arms import found, lines, one_arm
from ...experiments.language.conversation import DATA, TURNS, WAYS, best_share, entropies
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import claimed, told

STEPS = {"smoke": 200, "quick": 300, "full": 1500}
FURTHER = {"smoke": 60, "quick": 100, "full": 400}
SMALLEST = 0.1
CLAIM = {
    "name": "conversation",
    "aspect": "language",
    "chapter": "steering",
    "side": "both",
    "title": "What a model is told next",
    "statement": "A model of conversations whose answers are reinforced by how well it predicts "
    "all that it is told later brings about what is easier to predict. In so many steps the same "
    "model does not where it is trained to predict logged conversations, where each answer is "
    "reinforced by the score of its own turn alone, or where what is told next comes from another "
    "conversation: on average it stays near the logs.",
    "estimand": "Share of the partner's turns after the first, in conversations with the model, "
    "that are on the topic that is easy to predict, by the partner's law, less the share in the "
    "logs (a quarter), after as many further steps of each kind of training.",
    "unit": "trainings",
    "smallest": "0.1 of the partner's turns, on average over trainings",
    "refuted_if": "With answers reinforced by all later turns the share rises by less than 0.1, as "
    "with a partner who does not listen; or another kind of training moves it by more than 0.1 on "
    "average.",
}
WORLDS = ("conversations on four topics",)
cells = one_arm("language.conversation", 95.0, steps=STEPS, further=FURTHER)
"""One arm with all trainings; in the null nobody listens while they are trained."""
MORE, OFF = "told the easy topic, beyond the logs", "told the easy topic, off the logs"
NULL = {
    "what": "nobody listens to the model in training (it is judged with a partner who does)",
    "rows": (MORE,),
    "stands": {OFF: "where nobody listens nothing is gained by any answer"},
}
"""The rows that must not be supported where this is taken out."""
NAMES = {
    "predict": "trained to predict the logs",
    "turns": "reinforced by all later turns",
    "within": "reinforced within the turn",
    "swapped": "reinforced, partners swapped",
}
OTHERS = ("predict", "within", "swapped")
_EVEN, _LED = ([DATA] * (TURNS - 1), 0.02), ([DATA + 0.2] * (TURNS - 1), 0.05)
TRUE = {
    **{f"{way}_told": _EVEN for way in ("begin", *OTHERS)}, "turns_told": _LED,
    **{f"{way}_said": (0.25, 0.02) for way in ("begin", *OTHERS)}, "turns_said": (0.6, 0.05),
    **{f"{way}_nats": (3.0, 0.05) for way in ("begin", *OTHERS)}, "turns_nats": (2.2, 0.05),
    **{f"{way}_logged": (3.0, 0.05) for way in ("begin", *WAYS)},
}  # fmt: skip
PLANTED = {
    "null": {
        "nobody leads": planted(TRUE, turns_told=_EVEN),
        "whoever predicts leads as far": planted(TRUE, predict_told=_LED),
        "within the turn as far": planted(TRUE, within_told=_LED),
        "with partners swapped as far": planted(TRUE, swapped_told=_LED),
    },
    "effect": {"a lead of twice the smallest": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """How often each model is told the easy topic, turn by turn."""
    (cell,) = cells(world, e, null=null)
    by_turn = {way: found(results, cell, f"{way}_told") for way in ("begin", *WAYS)}
    share = {way: x.mean(1) for way, x in by_turn.items()}
    unit = {"unit": "of turns"}

    def off(way: str) -> Row:
        at = bootstrap(share[way] - DATA, bounds=(-1.0, 1.0))
        return claimed(CLAIM, world, NAMES[way], OFF, at, within=(-SMALLEST, SMALLEST), **unit)

    def farthest(way: str) -> Row:
        most = float(abs(share[way] - DATA).max())
        at = Estimate(most, most, most, len(share[way]))
        return told(CLAIM, world, NAMES[way], f"{OFF}: the largest distance of any training", at,
                    note="the largest itself, not a mean with an interval", **unit)  # fmt: skip

    logs = bootstrap(share["turns"] - DATA, bounds=(-1.0, 1.0))
    rows = [
        claimed(CLAIM, world, NAMES["turns"], MORE, logs, above=SMALLEST, **unit),
        *(off(way) for way in OTHERS),
        *(farthest(way) for way in OTHERS),
    ]  # fmt: skip
    names = {}
    for way, name in {"begin": "before any of these", **NAMES}.items():
        said, nats, logged = (
            found(results, cell, f"{way}_{what}") for what in ("said", "nats", "logged")
        )
        rows += [
            told(CLAIM, world, name, "told the easy topic",
                 bootstrap(share[way], bounds=(0.0, 1.0)), **unit),
            told(CLAIM, world, name, "names the easy topic",
                 bootstrap(said, bounds=(0.0, 1.0)), unit="of answers"),
            told(CLAIM, world, name, "surprise at what it is told", bootstrap(nats),
                 unit="nats a turn"),
            told(CLAIM, world, name, "surprise in logged conversations", bootstrap(logged),
                 unit="nats a turn"),
        ]  # fmt: skip
        names[way] = float(np.mean(said))
    return Shown(rows, [_panel(world, by_turn)], _sentence(share, names))


def _panel(world: str, by_turn: dict[str, np.ndarray]) -> Panel:
    most = np.mean([best_share(turn) for turn in range(1, TURNS)])
    return Panel(
        title=f"{world}: what is told",
        x_label="turn of the partner",
        y_label="share of turns on the easy topic",
        series=lines(range(2, TURNS + 1), {NAMES[way]: by_turn[way] for way in WAYS}),
        references=[
            Reference(label="in the logs", y=DATA),
            Reference(label="asked for in every answer (mean of the turns)", y=float(most)),
        ],
    )


def _sentence(share: dict[str, np.ndarray], names: dict[str, float]) -> str:
    at, (easy, hard) = {way: x.mean() for way, x in share.items()}, entropies()
    most = max(float(abs(share[way] - DATA).max()) for way in OTHERS)
    return (
        f"Of four topics one is easy to predict ({easy:.2f} nats a turn, against {hard:.2f}). A "
        f"model is told it in {at['turns']:.2f} of the turns if its answers are reinforced by all "
        f"later turns, in {at['predict']:.2f} if it is trained to predict the logs, in "
        f"{at['within']:.2f} if reinforced within the turn and in {at['swapped']:.2f} with "
        f"partners swapped; in the logs it is {DATA:.2f}, and no training of those three is more "
        f"than {most:.2f} off. It names that topic in {names['within']:.2f} of its answers if "
        f"reinforced within the turn and in {names['swapped']:.2f} with partners swapped, before "
        f"that in {names['begin']:.2f}."
    )
