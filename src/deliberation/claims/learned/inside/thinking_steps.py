"""More rounds of thought than in training solve what training never asked for."""

import numpy as np

from ....runs import Cell, Panel, Reference, Row
from ....stats import bootstrap
from ...experiments.arms import all_found, arm, found, lines, share
from ...experiments.inside.thinking import HALF_ROUNDS
from ...experiments.inside.thinking_mazes import MAZES
from ...experiments.inside.thinking_rows import ROWS
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown
from ...measuring.rows import check, claimed, told

ARMS = ("whole", "no recall", "at the end", "own layers")
WITHIN, BEYOND, LAST = HALF_ROUNDS.index(2), HALF_ROUNDS.index(6), len(HALF_ROUNDS) - 1
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
    "estimand": "Accuracy in longer rows and larger mazes at cells that take more than twice the "
    "rounds of training, and at most three times as many, after three times as many rounds less "
    "after as many; the same gain less that of networks without recall, and of networks that learn "
    "from the last round alone.",
    "unit": "trainings",
    "smallest": "0.1, where 0.5 can be gained",
    "refuted_if": "The gain is 0.1 at most, or exceeds that of the others by no more: as where the "
    "answers belong to other rows or mazes.",
}
LESSONS = {
    "parities of rows of 30 bits": (
        "inside.thinking_rows", ROWS, {"smoke": 1000, "quick": 1500, "full": 4000}
    ),
    "doors of mazes of 9 by 9": (
        "inside.thinking_mazes", MAZES, {"smoke": 400, "quick": 800, "full": 2500}
    ),
}  # fmt: skip
"""By world the experiment, what it is about, and the steps of training."""
WORLDS = tuple(LESSONS)
NULL = {
    "what": "the answers belong to other rows or mazes",
    "rows": (
        "gain by three times the rounds, hard cells",
        "gain less that without recall",
        "gain less that of learning at the end",
    ),
}
"""The rows that must not be supported where this is taken out."""
THOUGHT = [0.5, 0.5, 0.5, 0.52, 0.85, 0.7, 0.6]
FLAT = ([0.5] * len(HALF_ROUNDS), 0.02, 0.0, 1.0)
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


WHO = "gated, with recall, progressive"


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """The whole, either part taken away, and weights of its own for every round."""
    experiment, _, steps = LESSONS[world]
    return [arm(experiment, e, 40.0, name, null=null, steps=steps[e.name]) for name in ARMS]


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """Accuracy by rounds, hard cells apart from easy ones."""
    planned, lesson = cells(world, e, null=null), LESSONS[world][1]
    hard = {name: found(results, at, "hard") for name, at in zip(ARMS, planned, strict=True)}
    easy, usual = all_found(results, planned[0], "easy", "usual")
    gain = {name: x[:, BEYOND] - x[:, WITHIN] for name, x in hard.items()}
    rows = _claimed(world, gain) + _beside(world, hard, easy, usual)
    rows += [
        told(CLAIM, world, name, "gain by three times the rounds, hard cells",
             bootstrap(gain[name], bounds=(-1.0, 1.0)))
        for name in ARMS[1:]
    ]  # fmt: skip
    shown = {f"hard cells, {name}": x for name, x in hard.items()} | {"easy cells, whole": easy}
    panel = Panel(
        title=f"{world}, trained on {lesson.small} and {lesson.rounds} rounds",
        x_label="rounds of thought",
        y_label="share of cells right",
        series=lines(lesson.asked, shown),
        references=[Reference(label="guessing", y=0.5)],
    )
    at = {name: x.mean(0) for name, x in hard.items()}
    sentence = (
        f"On {world}, at cells that take more than twice the rounds of training, three times as "
        f"many take accuracy from {at['whole'][WITHIN]:.2f} to {at['whole'][BEYOND]:.2f}; the gain "
        f"is {gain['no recall'].mean():.2f} without recall, {gain['at the end'].mean():.2f} where "
        f"only the last round is learned from, and {gain['own layers'].mean():.2f} where every "
        f"round has weights of its own. Twice as many rounds again leave {at['whole'][LAST]:.2f}."
    )
    return Shown(rows, [panel], sentence)


def _claimed(world: str, gain: dict[str, np.ndarray]) -> list[Row]:
    less = {"without recall": "no recall", "of learning at the end": "at the end"}
    return [
        claimed(CLAIM, world, WHO, "gain by three times the rounds, hard cells",
                bootstrap(gain["whole"], bounds=(-1.0, 1.0)), above=GAIN),
        *(
            claimed(CLAIM, world, WHO, f"gain less that {label}",
                    bootstrap(gain["whole"] - gain[name], bounds=(-1.0, 1.0)), above=GAIN)
            for label, name in less.items()
        ),
    ]  # fmt: skip


def _beside(
    world: str, hard: dict[str, np.ndarray], easy: np.ndarray, usual: np.ndarray
) -> list[Row]:
    """What is not claimed. News goes through walls too, and so only rows have cells that nothing
    can be known of."""
    lesson, first = LESSONS[world][1], share(hard["whole"][:, WITHIN])
    name = f"right after {lesson.rounds} rounds, hard cells"
    return [
        check(CLAIM, world, WHO, name, first, within=(0.45, 0.55))
        if lesson is ROWS else told(CLAIM, world, WHO, name, first),
        told(CLAIM, world, WHO, f"right throughout after {lesson.rounds} rounds, of size "
             f"{lesson.small}", share(usual[:, WITHIN])),
        told(CLAIM, world, WHO, "gain by three times the rounds, easy cells",
             bootstrap(easy[:, BEYOND] - easy[:, WITHIN], bounds=(-1.0, 1.0))),
        told(CLAIM, world, WHO, "gain by six times the rounds, hard cells",
             bootstrap(hard["whole"][:, LAST] - hard["whole"][:, WITHIN], bounds=(-1.0, 1.0))),
    ]  # fmt: skip
