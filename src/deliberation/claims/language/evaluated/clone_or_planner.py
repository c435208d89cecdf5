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
SMALLEST = 0.1
CLAIM = {
    "name": "clone_or_planner",
    "aspect": "language",
    "chapter": "evaluated",
    "side": "both",
    "title": "Told by a clone, or by a planner",
    "statement": "A clone of what it wrote forecasts a language model better than the account of a "
    "planner whose objective was fitted to the same texts, and for a planner it is the other way "
    "round: in further texts, and where the text is to end soon.",
    "estimand": "Nats a token, exactly over the subject's own probabilities, by which the clone "
    "forecasts the model better than the planner's account, and by which that account forecasts a "
    "planner better than the clone: in the part of texts that was seen of others, and in texts "
    "that are to end after three tokens, where no text was seen to end.",
    "unit": "trainings",
    "smallest": "0.1 nats a token",
    "refuted_if": "Either account forecasts as well as the other, within 0.1 nats a token, or the "
    "other way round: as of subjects who write any token.",
}
WORLDS = ("texts by a source of four tokens",)
cells = one_arm("language.accounts", 45.0, steps=STEPS, fits=FITS)
"""One arm with both subjects; in the null both write any token."""
WHERE = {"ordinary": "further texts", "ending": f"texts that end after {SHORT}"}
NAMES = {"model": "language model", "planner": "planner"}
GAIN = {
    "model": "gain of the clone over the planner's account",
    "planner": "gain of the planner's account over the clone",
}
NULL = {
    "what": "both subjects write any token, evenly",
    "rows": tuple(f"{GAIN[who]}, {WHERE[where]}" for who in SUBJECTS for where in PLACES),
}
"""The rows that must not be supported where this is taken out."""
TITLES = {
    "clone": "clone",
    "agent": "planner's account",
    "soft": "entropy-regularised planner's account",
}
TRUE = {
    **{f"model_clone_{where}": (0.03, 0.01) for where in PLACES},
    **{f"model_{how}_{where}": (0.23, 0.03) for how in ("agent", "soft") for where in PLACES},
    **{f"planner_clone_{where}": (0.33, 0.04) for where in PLACES},
    **{f"planner_{how}_{where}": (0.13, 0.03) for how in ("agent", "soft") for where in PLACES},
    "model_excess": (0.02, 0.01), "changes": (0.2, 0.05, 0.0, 1.0),
}  # fmt: skip
PLANTED = {
    "null": {
        "a planner tells the model as well": planted(
            TRUE, **{f"model_agent_{where}": (0.05, 0.01) for where in PLACES}
        ),
        "a clone tells the planner as well": planted(
            TRUE, **{f"planner_clone_{where}": (0.13, 0.03) for where in PLACES}
        ),
        "a clone tells the planner as well but near the end": planted(
            TRUE, planner_clone_ordinary=(0.13, 0.03)
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

    def apart(who: str, where: str, account: str = "agent") -> np.ndarray:
        """How much better the account of which it is claimed forecasts."""
        more = lost[who, account, where] - lost[who, "clone", where]
        return more if who == "model" else -more

    def gain(who: str, where: str) -> Row:
        said = f"{GAIN[who]}, {WHERE[where]}"
        at = bootstrap(apart(who, where))
        return claimed(CLAIM, world, NAMES[who], said, at, above=SMALLEST, **unit)

    rows = [gain(who, where) for who in SUBJECTS for where in PLACES]
    for who in SUBJECTS:
        rows += [
            told(CLAIM, world, NAMES[who], f"lost by the {TITLES[how]}, {WHERE[where]}",
                 bootstrap(lost[who, how, where]), **unit)
            for how in ACCOUNTS for where in PLACES
        ]  # fmt: skip
    rows += [
        *(told(CLAIM, world, NAMES["model"], "gain of the clone over the entropy-regularised "
               f"planner's account, {WHERE[where]}", bootstrap(apart("model", where, "soft")),
               **unit) for where in PLACES),
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
        f"a {NAMES[who]} in {WHERE[where]}: clone {at[who, 'clone', where]:.2f}, planner's account "
        f"{at[who, 'agent', where]:.2f}"
        for who in SUBJECTS
        for where in PLACES
    )
    return f"Nats a token that forecasts lose beyond the subject's own probabilities: {told}."
