"""A clone or a planner with fitted aims: who forecasts a language model, and who a planner?"""

import numpy as np

from ....runs import Panel, Reference, Row
from ....stats import bootstrap
from ...experiments.arms import found, one_arm
from ...experiments.language.accounts import ACCOUNTS, PLACES, SHORT, SUBJECTS
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import claimed, told

STEPS = {"smoke": 300, "quick": 400, "full": 2000}
FITS = {"smoke": 200, "quick": 300, "full": 600}
SMALLEST = {"model": 0.01, "planner": 0.02}
"""Fitted to tokens that are written evenly, a clone alone loses 0.01 to its many weights."""
CLAIM = {
    "name": "clone_or_planner",
    "aspect": "language",
    "chapter": "evaluated",
    "side": "both",
    "title": "Told by a clone, or by a planner",
    "statement": "A clone of what it wrote forecasts a language model better than the account of a "
    "planner whose objective was fitted to the same texts, be it one that takes the best or an "
    "entropy-regularised one, in further texts and where the text is to end soon; in further texts "
    "of a planner that takes the best, the account of such a planner forecasts it better than the "
    "clone. All are told the source exactly.",
    "estimand": "Nats a token, exactly over the subject's own probabilities, by which the clone "
    "forecasts the model better than either planner's account, and by which the account of a "
    "planner that takes the best forecasts such a planner better than the clone. In the part of "
    "texts that was seen of others; of the model also in texts that are to end after three tokens, "
    "where no text was seen to end. Each account is given the source's exact probabilities.",
    "unit": "trainings",
    "smallest": "0.01 nats a token of the model, 0.02 of the planner",
    "refuted_if": "Either account forecasts as well as the other, within 0.01 nats a token of the "
    "model and 0.02 of the planner, or the other way round: as of subjects who write any token.",
}
WORLDS = ("texts by a source of four tokens",)
cells = one_arm("language.accounts", 45.0, steps=STEPS, fits=FITS)
"""One arm with both subjects; in the null both write any token."""
WHERE = {"ordinary": "further texts", "ending": f"texts that end after {SHORT}"}
NAMES = {"model": "language model", "planner": "planner"}
GAIN = {
    "agent": "gain of the clone over the account of a planner that takes the best",
    "soft": "gain of the clone over the entropy-regularised planner's account",
    "clone": "gain of the account of a planner that takes the best over the clone",
}
"""By the account against which it is one: of the model in two rows, of the planner in the last."""
ASKED = (
    *(("model", how, where) for how in ("agent", "soft") for where in PLACES),
    ("planner", "clone", "ordinary"),
)
"""Of whom, against which account, and where."""
NULL = {
    "what": "both subjects write any token, evenly",
    "rows": tuple(f"{GAIN[how]}, {WHERE[where]}" for _, how, where in ASKED),
}
"""The rows that must not be supported where this is taken out."""
TITLES = {
    "clone": "clone",
    "agent": "account of a planner that takes the best",
    "soft": "entropy-regularised planner's account",
}
TRUE = {
    **{f"model_clone_{where}": (0.01, 0.002) for where in PLACES},
    **{f"model_{how}_{where}": (0.03, 0.005) for how in ("agent", "soft") for where in PLACES},
    "planner_clone_ordinary": (0.08, 0.01), "planner_clone_ending": (0.4, 0.1),
    **{f"planner_{how}_ordinary": (0.04, 0.01) for how in ("agent", "soft")},
    **{f"planner_{how}_ending": (0.1, 0.03) for how in ("agent", "soft")},
    "model_excess": (0.01, 0.004), "changes": (0.2, 0.05, 0.0, 1.0),
}  # fmt: skip
PLANTED = {
    "null": {
        "a planner that takes the best tells the model as well": planted(
            TRUE, **{f"model_agent_{where}": (0.012, 0.003) for where in PLACES}
        ),
        "an entropy-regularised planner tells the model better": planted(
            TRUE, **{f"model_soft_{where}": (0.004, 0.001) for where in PLACES}
        ),
        "a clone tells the planner as well but near the end": planted(
            TRUE, planner_clone_ordinary=(0.04, 0.01)
        ),
    },
    "effect": {"gains of twice the smallest": planted(TRUE)},
}


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What each account loses of each subject, and who forecasts better where."""
    (cell,) = cells(world, e, null=null)
    lost = {
        (who, how, where): found(results, cell, f"{who}_{how}_{where}")
        for who in SUBJECTS for how in ACCOUNTS for where in PLACES
    }  # fmt: skip
    unit = {"unit": "nats a token"}

    def apart(who: str, against: str, where: str) -> np.ndarray:
        """How much better the account of which it is claimed forecasts."""
        better = "agent" if against == "clone" else "clone"
        return lost[who, against, where] - lost[who, better, where]

    def gain(who: str, against: str, where: str) -> Row:
        said, at = f"{GAIN[against]}, {WHERE[where]}", bootstrap(apart(who, against, where))
        return claimed(CLAIM, world, NAMES[who], said, at, above=SMALLEST[who], **unit)

    rows = [gain(*asked) for asked in ASKED]
    for who in SUBJECTS:
        rows += [
            told(CLAIM, world, NAMES[who], f"lost by the {TITLES[how]}, {WHERE[where]}",
                 bootstrap(lost[who, how, where]), **unit)
            for how in ACCOUNTS for where in PLACES
        ]  # fmt: skip
    rows += [
        told(CLAIM, world, NAMES["planner"], f"{GAIN['clone']}, {WHERE['ending']}, of which the "
             "clone saw none", bootstrap(apart("planner", "clone", "ending")), **unit),
        told(CLAIM, world, NAMES["model"], "loss beyond the source",
             bootstrap(found(results, cell, "model_excess")), **unit),
        told(CLAIM, world, NAMES["planner"], "another choice where the text ends soon",
             bootstrap(found(results, cell, "changes"), bounds=(0.0, 1.0)), unit="of contexts"),
    ]  # fmt: skip
    return Shown(rows, [_panel(world, lost)], _sentence(lost))


def _panel(world: str, lost: dict[tuple[str, str, str], np.ndarray]) -> Panel:
    asked = [(who, where) for who in SUBJECTS for where in PLACES]
    return Panel(
        title=f"{world}: what forecasts lose",
        x_label="who is forecast, and where",
        x_names=[f"{NAMES[who]}, {WHERE[where]}" for who, where in asked],
        y_label="nats a token beyond the subject's own",
        series=[
            series_of(
                TITLES[how],
                [i + 1 + 0.12 * (k - 1) for i in range(len(asked))],
                [bootstrap(lost[who, how, where]) for who, where in asked],
                kind="points",
            )
            for k, how in enumerate(ACCOUNTS)
        ],
        references=[Reference(label="the subject's own probabilities", y=0.0)],
    )


def _sentence(lost: dict[tuple[str, str, str], np.ndarray]) -> str:
    at = {key: x.mean() for key, x in lost.items()}
    told = "; ".join(
        f"of a {NAMES[who]} in {WHERE[where]} "
        + ", ".join(f"{at[who, how, where]:.3f}" for how in ACCOUNTS)
        for who in SUBJECTS
        for where in PLACES
    )
    return (
        "Nats a token lost beyond the subject's own by a clone, the account of a planner that "
        f"takes the best and that of an entropy-regularised one, all told the source: {told} "
        "(planners' ends as the clone never saw any)."
    )
