"""Written states carry an answer that as many passes, as much teaching or more layers do not."""

from typing import Any

import numpy as np

from ....runs import Cell, Panel, Reference
from ....stats import Estimate
from ...experiments.arms import arm, counted, found, share, shares_apart
from ...experiments.language.serial import ARMS, ASKED, BATCH, LONG, STATES, VOTES, operations
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import check, claimed, told

STEPS = {"smoke": 800, "quick": 1600, "full": 3000}
"""Of `BATCH` prompts each: as many as let answers at once leave chance under other keys."""
TRAININGS = {"smoke": 6, "quick": 10, "full": 48}
"""Fewer than elsewhere, as a training takes seconds."""
WIDTH = 32
SECONDS = {"chain": 40.0, "filler": 40.0, "unread": 40.0, "once": 35.0, "deep": 55.0}
MORE, LESS, MOST, LEAST = 0.2, 0.1, 0.5, 1 / STATES + 0.05
TITLES = {
    "chain": "states written, then the answer",
    "filler": "dots, then the answer",
    "unread": "dots, told the states in their places",
    "once": "the answer at once",
    "deep": "at once, twice the layers",
}
CLAIM = {
    "name": "thinking_aloud",
    "aspect": "language",
    "chapter": "aloud",
    "side": "both",
    "title": "What is written before an answer",
    "statement": "After a state and 3 moves a small transformer that writes the state after "
    "each move is right about the last one more often than the same with dots in their place, "
    "than one that is told these states and reads dots, and than one of twice the layers; dots "
    "alone buy little; and its answers follow a state that is put in place of one that it wrote. "
    "All after 1,600 steps of 16 prompts (at quick effort).",
    "estimand": "Share of fresh prompts answered rightly by the likeliest tokens: with states "
    "written less each other way, which takes no fewer operations an answer. With dots less "
    "at once, where answers at once are right more often than by chance. Share of answers "
    "that are where the later moves lead from another state put in place of a written one. Every "
    "training has a machine of its own, and all ways as many steps and prompts.",
    "unit": "trainings",
    "smallest": "0.2 of the prompts (dots: 0.1); half of the answers",
    "refuted_if": "Written states add less than 0.2, or dots add more than 0.1, or most answers "
    "do not follow the state put in: as where the states written are those of another prompt.",
}
WORLDS = ("machines of 5 states",)
APART = {
    "filler": "right, states written minus dots",
    "unread": "right, states written minus states told and not read",
    "deep": "right, states written minus twice the layers at once",
}
DOTS, FOLLOWED = "right, dots minus at once", "answers that follow a state put in"
NULL = {
    "what": "the states told before an answer are those of another prompt",
    "rows": (*APART.values(), FOLLOWED),
    "stands": {DOTS: "in neither is any state told"},
}
"""The rows that must not be supported where this is taken out."""
LITTLE = (0.3, 0.03, 0.0, 1.0)
TRUE: dict[str, Any] = {
    "chain/right": (0.7, 0.03, 0.0, 1.0), "filler/right": LITTLE, "unread/right": LITTLE,
    "once/right": (0.35, 0.03, 0.0, 1.0), "deep/right": LITTLE, "voted": (0.28, 0.03, 0.0, 1.0),
    "along": ([0.99, 0.9, 0.3], 0.02, 0.0, 1.0),
    "followed": (0.95, 0.03, 0.0, 1.0),
    "undone": (0.03, 0.01, 0.0, 1.0),
}  # fmt: skip
PLANTED = {
    "null": {
        "dots buy as much": planted(TRUE, **{"filler/right": (0.7, 0.03, 0.0, 1.0)}),
        "teaching buys as much": planted(TRUE, **{"unread/right": (0.7, 0.03, 0.0, 1.0)}),
        "states add nothing": planted(TRUE, **{"chain/right": LITTLE, "followed": LITTLE}),
        "more layers do as well": planted(TRUE, **{"deep/right": (0.7, 0.03, 0.0, 1.0)}),
        "what is written is not used": planted(TRUE, followed=(0.2, 0.03, 0.0, 1.0)),
    },
    "effect": {"states written and read": planted(TRUE)},
}


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """Five ways to one answer."""
    del world
    return [serial(name, WIDTH, e, null=null) for name in ARMS]


def serial(name: str, width: int, e: Effort, *, null: bool = False) -> Cell:
    """One way, at one width; as costly as it was measured at the usual one."""
    seconds = SECONDS[name] * max(0.7, (width / WIDTH) ** 0.6)
    return arm(
        "language.serial", e, seconds, name, null=null, trainings=TRAININGS[e.name],
        steps=STEPS[e.name], width=width,
    )  # fmt: skip


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What each way gets right, and by how much the written states are ahead."""
    plan = dict(zip(ARMS, cells(world, e, null=null), strict=True))
    right = {name: found(results, cell, "right") for name, cell in plan.items()}
    voted = found(results, plan["once"], "voted")
    followed, undone = (found(results, plan["chain"], x) for x in ("followed", "undone"))
    along = found(results, plan["unread"], "along")
    of = {"unit": "of the prompts"}
    rows = [
        claimed(CLAIM, world, TITLES["chain"], what,
                shares_apart(right["chain"], right[name], ASKED), above=MORE, **of)
        for name, what in APART.items()
    ]  # fmt: skip
    rows += [
        claimed(CLAIM, world, TITLES["filler"], DOTS,
                shares_apart(right["filler"], right["once"], ASKED), below=LESS, **of),
        claimed(CLAIM, world, TITLES["chain"], FOLLOWED, share(followed, ASKED), above=MOST,
                unit="of the answers", note=counted(ASKED, followed)),
        told(CLAIM, world, TITLES["chain"], "answers that change where the state put in is "
             "followed by the next one as it was", share(undone, ASKED), unit="of the answers"),
        told(CLAIM, world, TITLES["once"], f"right by the majority of {VOTES} drawn from one pass",
             share(voted, ASKED), **of),
        check(CLAIM, world, TITLES["once"], "right, above chance on as many moves",
              share(right["once"], ASKED), above=LEAST, **of),
        check(CLAIM, world, TITLES["chain"], "operations an answer, of those of twice the layers",
              _counted(_cost("chain") / _cost("deep"), len(voted)), below=1.0),
    ]  # fmt: skip
    rows += [
        told(CLAIM, world, TITLES["unread"], f"state right after move {move}",
             share(along[:, move - 1], ASKED), **of)
        for move in range(1, LONG + 1)
    ]  # fmt: skip
    rows += [
        told(CLAIM, world, TITLES[name], "right", share(x, ASKED), **of)
        for name, x in right.items()
    ]
    return Shown(rows, [_panel(right)], _sentence(right, followed, undone, e))


def _cost(name: str) -> float:
    return operations(name, WIDTH)


def _counted(value: float, n: int) -> Estimate:
    """What is counted and does not vary."""
    return Estimate(value, value, value, n)


def _panel(right: dict[str, np.ndarray]) -> Panel:
    return Panel(
        title=f"{LONG} moves of a machine of {STATES} states",
        x_label="operations an answer (thousand)",
        y_label="share of prompts answered rightly",
        series=[
            series_of(TITLES[name], [_cost(name) / 1e3], [share(x, ASKED)], kind="points")
            for name, x in right.items()
        ],
        references=[Reference(label="a state drawn by chance", y=1 / STATES)],
    )


def _sentence(
    right: dict[str, np.ndarray], followed: np.ndarray, undone: np.ndarray, e: Effort
) -> str:
    at = {name: x.mean() for name, x in right.items()}
    return (
        f"After {STEPS[e.name]} steps of {BATCH} prompts transformers that write the state after "
        f"each of {LONG} moves are right about the last one in {at['chain']:.2f} of the prompts; "
        f"with dots in {at['filler']:.2f}, told the states and reading dots in "
        f"{at['unread']:.2f}, at once in {at['once']:.2f} (by chance in {1 / STATES:.2f}), at once "
        f"with twice the layers in {at['deep']:.2f}. Of the "
        f"answers {followed.mean():.2f} follow another state put in place of a written one; "
        f"{undone.mean():.2f} change where the next one is then left as it was."
    )
