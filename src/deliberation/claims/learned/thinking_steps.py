"""More rounds of thought than in training solve what training never asked for."""

from ...runs import Cell, Panel, Reference
from ...stats import bootstrap
from ..experiments.arms import arm, found
from ..experiments.thinking_rows import ASKED, HARD, LENGTH, LONGER, ROUNDS
from ..measuring.effort import Effort
from ..measuring.planted import planted
from ..measuring.results import Results, Shown, series_of
from ..measuring.rows import check, claimed, told

STEPS = {"smoke": 1000, "quick": 1500, "full": 4000}
ARMS = ("whole", "no recall", "at the end")
WITHIN, BEYOND, LAST = ASKED.index(ROUNDS), ASKED.index(3 * ROUNDS), len(ASKED) - 1
GAIN = 0.1
CLAIM = {
    "name": "thinking_steps",
    "aspect": "learned",
    "chapter": "inside",
    "side": "both",
    "title": "Thinking longer than in training",
    "statement": "A recurrent network that is put its input anew in every round, and learns from "
    "answers after any number of them, answers what is too hard for the rounds of training where "
    "it is given three times as many; without either of the two it does so less.",
    "estimand": "Accuracy at places of longer rows that take more than twice the rounds of "
    "training, after three times as many rounds less after as many; the same gain less that of "
    "networks without recall, and of networks that learn from the last round alone.",
    "unit": "trainings",
    "smallest": "0.1, where 0.5 can be gained",
    "refuted_if": "The gain is 0.1 at most, or exceeds that of the others by no more: as where the "
    "answers belong to other rows.",
}
WORLDS = ("parities of rows of 30 bits",)
NULL = {
    "what": "the answers belong to other rows",
    "rows": (
        "gain by three times the rounds, hard places",
        "gain less that without recall",
        "gain less that of learning at the end",
    ),
}
"""The rows that must not be supported where this is taken out."""
THOUGHT = [0.5, 0.5, 0.5, 0.52, 0.85, 0.7, 0.6]
FLAT = ([0.5] * len(ASKED), 0.02, 0.0, 1.0)
TRUE = {
    "whole/hard": (THOUGHT, 0.08, 0.0, 1.0),
    "hard": FLAT,
    "easy": ([0.8, 1.0, 1.0, 0.97, 0.93, 0.9, 0.85], 0.05, 0.0, 1.0),
    "usual": ([0.05, 1.0, 0.97, 0.9, 0.7, 0.5, 0.4], 0.05, 0.0, 1.0),
}
PLANTED = {
    "null": {
        "rounds that buy nothing": planted(TRUE, **{"whole/hard": FLAT}),
        "all gain alike": planted(TRUE, hard=(THOUGHT, 0.08, 0.0, 1.0)),
    },
    "effect": {"the whole alone": planted(TRUE)},
}


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """The whole, and either part taken away."""
    del world
    return [arm("thinking_rows", e, 60.0, name, null=null, steps=STEPS[e.name]) for name in ARMS]


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """Accuracy by rounds, hard places apart from easy ones."""
    planned = cells(world, e, null=null)
    hard = {name: found(results, at, "hard") for name, at in zip(ARMS, planned, strict=True)}
    easy, usual = (found(results, planned[0], name) for name in ("easy", "usual"))
    gain = {name: x[:, BEYOND] - x[:, WITHIN] for name, x in hard.items()}
    whole, bare, ended = (gain[name] for name in ARMS)
    who, unit, share = "gated, with recall, progressive", (-1.0, 1.0), (0.0, 1.0)
    rows = [
        claimed(CLAIM, world, who, "gain by three times the rounds, hard places",
                bootstrap(whole, bounds=unit), above=GAIN),
        claimed(CLAIM, world, who, "gain less that without recall",
                bootstrap(whole - bare, bounds=unit), above=GAIN),
        claimed(CLAIM, world, who, "gain less that of learning at the end",
                bootstrap(whole - ended, bounds=unit), above=GAIN),
        check(CLAIM, world, who, f"right after {ROUNDS} rounds where no news can come from",
              bootstrap(hard["whole"][:, WITHIN], bounds=share), within=(0.45, 0.55)),
        told(CLAIM, world, who, f"right throughout after {ROUNDS} rounds, rows of {LENGTH}",
             bootstrap(usual[:, WITHIN], bounds=share)),
        told(CLAIM, world, who, "gain by three times the rounds, easy places",
             bootstrap(easy[:, BEYOND] - easy[:, WITHIN], bounds=unit)),
        told(CLAIM, world, who, f"gain by {ASKED[LAST] // ROUNDS} times the rounds, hard places",
             bootstrap(hard["whole"][:, LAST] - hard["whole"][:, WITHIN], bounds=unit)),
        told(CLAIM, world, "without recall", "gain by three times the rounds, hard places",
             bootstrap(bare, bounds=unit)),
        told(CLAIM, world, "learning at the end", "gain by three times the rounds, hard places",
             bootstrap(ended, bounds=unit)),
    ]  # fmt: skip
    lines = {f"hard places, {name}": x for name, x in hard.items()} | {"easy places, whole": easy}
    panel = Panel(
        title=f"trained on {LENGTH} bits and {ROUNDS} rounds, asked about {LONGER}",
        x_label="rounds of thought",
        y_label="share of places right",
        series=[
            series_of(label, ASKED, [bootstrap(column, bounds=share) for column in x.T])
            for label, x in lines.items()
        ],
        references=[Reference(label="guessing", y=0.5)],
    )
    sentence = (
        f"At places from {HARD.start + 1} on, three times the rounds of training take accuracy "
        f"from {hard['whole'][:, WITHIN].mean():.2f} to {hard['whole'][:, BEYOND].mean():.2f}; "
        f"the gain is {bare.mean():.2f} without recall and {ended.mean():.2f} where only the last "
        f"round is learned from. Twice as many rounds again leave "
        f"{hard['whole'][:, LAST].mean():.2f}."
    )
    return Shown(rows, [panel], sentence)
