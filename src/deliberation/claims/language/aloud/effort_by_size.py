"""What writing first, and choosing among drawn texts, add to networks of four sizes."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....runs import Cell, Panel, Reference
from ...experiments.arms import found, share, shares_apart
from ...experiments.language import countdown_texts, serial
from ...measuring.effort import Effort
from ...measuring.planted import planted
from ...measuring.results import Results, Shown, series_of
from ...measuring.rows import check, claimed, told
from . import thinking_aloud, traces_or_paths
from .traces_or_paths import LINES

WIDTHS = (8, 16, 32, 64)
BUDGETS = countdown_texts.BUDGETS
MACHINES, COUNTDOWN = "machines of 5 states", "Countdown with 3 numbers"
WORLDS = (MACHINES, COUNTDOWN)
MORE, LEAD, DRAWN = 0.2, 0.05, 4
LEARNS = "right, the largest (a fifth by chance)"
LEAST = 1 / serial.STATES + 0.05
ALOUD = "right, written states minus at once with twice the width, mean of three"
GROWN = "solved, best of drawn minus one text with twice the width, mean of three"
LARGEST = f"solved by the largest, best of {DRAWN} minus the likeliest"
CLAIM = {
    "name": "effort_by_size",
    "aspect": "language",
    "chapter": "aloud",
    "side": "both",
    "title": "Effort and size",
    "statement": "Small transformers of four sizes answer alike when asked twice. The largest is "
    "right at once more often than by chance, and writing states before an answer adds more to it "
    "than twice the width does. So does the best of some texts drawn, at as many operations, which "
    "is chosen by the rules, that the larger network does not have; what this choice adds does not "
    "vanish at the largest size. Machines of 3 moves after 1,600 steps, Countdown from some 700 "
    "different problems after 1,500 steps, of 16 texts each (at quick effort).",
    "estimand": "Machines: share of prompts right at once by the largest; with "
    "states written, less that of the next larger network at once. Countdown: share of problems "
    "solved by the best of as many texts as "
    "take the operations of one text by the next larger network, less that of its likeliest text; "
    "best of 4 less the likeliest text of the largest. Means of three pairs of widths; "
    "trainings of different widths are paired by number.",
    "unit": "trainings",
    "smallest": "0.2 of the prompts (above chance: 0.05), 0.05 of the problems",
    "refuted_if": "The largest leaves chance by less than 0.05 at once, writing states adds less "
    "than 0.2 to what twice the width gives, or choosing "
    "less than 0.05 at as many operations, or less than 0.05 at the largest size: as where the "
    "states are those of another prompt, and the choice among texts is by chance.",
}
NULL = {
    "what": "the states told are those of another prompt; of drawn texts any one is chosen",
    "rows": (ALOUD, GROWN, LARGEST),
    "stands": {LEARNS: "the answers at once are told no states"},
}
"""The rows that must not be supported where this is taken out."""
TRUE: dict[str, Any] = {
    "chain/right": (0.75, 0.03, 0.0, 1.0), "once/right": (0.3, 0.03, 0.0, 1.0),
    "paths/solved": (0.2, 0.03, 0.0, 1.0),
    "blind": ([0.25, 0.4, 0.5, 0.6, 0.8, 0.9], 0.02, 0.0, 1.0),
    "again": (0.2, 0.03, 0.0, 1.0), "paths/voted": (0.2, 0.03, 0.0, 1.0),
    "chance": ([0.15] * 6, 0.02, 0.0, 1.0),
    "covered": ([0.2, 0.32, 0.35, 0.4, 0.5, 0.6], 0.02, 0.0, 1.0),
}  # fmt: skip
PLANTED = {
    "null": {
        "no size learns anything here": planted(TRUE, **{"once/right": (0.2, 0.01, 0.0, 1.0)}),
        "states add nothing": planted(TRUE, **{"chain/right": (0.3, 0.03, 0.0, 1.0)}),
        "drawing adds nothing": planted(TRUE, covered=([0.2] * 6, 0.02, 0.0, 1.0)),
        "size gives as much as drawing": planted(
            TRUE, covered=([0.2, 0.2, 0.2, 0.4, 0.5, 0.6], 0.02, 0.0, 1.0)
        ),
    },
    "effect": {"both add twice the smallest": planted(TRUE)},
}


def cells(world: str, e: Effort, *, null: bool = False) -> list[Cell]:
    """At each size two ways of answering, or one of writing that is drawn from."""
    if world == MACHINES:
        ways = ("chain", "once")
        return [thinking_aloud.serial(way, w, e, null=null) for way in ways for w in WIDTHS]
    return [traces_or_paths.countdown("paths", w, e, null=null) for w in WIDTHS]


def analyse(world: str, e: Effort, results: Results, *, null: bool = False) -> Shown:
    """What each size does at once, and with more effort."""
    planned = cells(world, e, null=null)
    if world == MACHINES:
        steps = thinking_aloud.STEPS[e.name]
        return _machines(world, results, (planned[:4], planned[4:]), steps)
    return _countdown(world, results, planned)


def _machines(
    world: str, results: Results, planned: tuple[list[Cell], list[Cell]], steps: int
) -> Shown:
    aloud, at_once = (
        np.stack([found(results, cell, "right") for cell in some]) for some in planned
    )
    n = serial.ASKED
    ahead = shares_apart(aloud[:-1].mean(0), at_once[1:].mean(0), 3 * n)
    of = {"unit": "of the prompts"}
    rows = [
        claimed(CLAIM, world, "written states", ALOUD, ahead, above=MORE, **of),
        claimed(CLAIM, world, "at once", LEARNS, share(at_once[-1], n), above=LEAST, **of),
        told(CLAIM, world, "at once", "right, the largest minus the smallest",
             shares_apart(at_once[-1], at_once[0], n), **of),
    ]  # fmt: skip
    ways = {"states written": aloud, "at once": at_once}
    rows += [
        told(CLAIM, world, f"{way}, width {w}", "right", share(x, n), **of)
        for way, some in ways.items()
        for w, x in zip(WIDTHS, some, strict=True)
    ]
    cost = {
        way: [serial.operations(arm, w) / 1e3 for w in WIDTHS]
        for way, arm in zip(ways, ("chain", "once"), strict=True)
    }
    chance = [Reference(label="a state drawn by chance", y=1 / serial.STATES)]
    panel = _panel(world, {way: (cost[way], some) for way, some in ways.items()}, n, chance)
    small, large = aloud.mean(1), at_once.mean(1)
    sentence = (
        f"On {serial.LONG} moves of machines, after {steps} steps of {serial.BATCH} prompts, "
        f"widths {', '.join(map(str, WIDTHS))} are right in "
        f"{_told(large)} of the prompts at once and in {_told(small)} with states written."
    )
    return Shown(rows, [panel], sentence)


def drawn_for(width: int, larger: int) -> int:
    """How many texts of a network take no more operations than one of a larger one."""
    each = countdown_texts.operations
    return max(k for k in BUDGETS if k * each(width) <= each(larger))


def _countdown(world: str, results: Results, planned: list[Cell]) -> Shown:
    solved, again, voted, covered, chance = (
        np.stack([found(results, cell, what) for cell in planned])
        for what in ("solved", "again", "voted", "covered", "chance")
    )
    n, of = countdown_texts.ASKED, {"unit": "of the problems"}
    texts = [drawn_for(*pair) for pair in itertools.pairwise(WIDTHS)]
    best = np.stack([x[:, BUDGETS.index(k)] for x, k in zip(covered, texts, strict=False)])
    few = covered[:, :, BUDGETS.index(DRAWN)]
    blind = found(results, planned[-1], "blind")
    lines_one, lines_few = blind[:, 0], blind[:, BUDGETS.index(DRAWN)]
    rows = [
        claimed(CLAIM, world, "best of drawn", GROWN,
                shares_apart(best.mean(0), solved[1:].mean(0), 3 * n), above=LEAD, **of),
        claimed(CLAIM, world, "best of drawn", LARGEST,
                shares_apart(few[-1], solved[-1], n), above=LEAD, **of),
        check(CLAIM, world, "at once", "solved when asked again and not at first",
              share((again - solved).mean(0), n), below=0.02, **of),
        told(CLAIM, world, LINES, "solved", share(lines_one, n), **of),
        told(CLAIM, world, LINES, f"solved, best of {DRAWN} minus one",
             shares_apart(lines_few, lines_one, n), **of),
        told(CLAIM, world, "best of drawn", f"solved by the largest, best of {DRAWN} minus that of "
             "any true lines", shares_apart(few[-1], lines_few, n), **of),
    ]  # fmt: skip
    ways = {
        "the likeliest text": solved, f"the best of {DRAWN} drawn": few,
        f"the most frequent of {DRAWN} drawn": voted, "any drawn": chance[:, :, 0],
    }  # fmt: skip
    rows += [
        told(CLAIM, world, f"{way}, width {w}", "solved", share(x, n), **of)
        for way, some in ways.items()
        for w, x in zip(WIDTHS, some, strict=True)
    ]
    passes = countdown_texts.world("paths").places - 1
    one = [passes * countdown_texts.operations(w) / 1e3 for w in WIDTHS]
    times = {way: DRAWN if str(DRAWN) in way else 1 for way in ways}
    lines = {way: ([x * times[way] for x in one], some) for way, some in ways.items()}
    sentence = (
        f"Of other Countdown problems they solve {_told(solved.mean(1))} by the likeliest text, "
        f"{_told(few.mean(1))} by the best of {DRAWN} drawn; {_counts(texts)} texts drawn by the "
        f"next smaller, at as many operations, {_told(best.mean(1))} by the best. Any true lines "
        f"solve {lines_one.mean():.2f}, the best of {DRAWN} {lines_few.mean():.2f}."
    )
    known = [Reference(label=f"{LINES}: best of {DRAWN}", y=float(lines_few.mean()))]
    return Shown(rows, [_panel(world, lines, n, known)], sentence)


def _told(shares: np.ndarray) -> str:
    return ", ".join(f"{x:.2f}" for x in shares)


def _counts(texts: list[int]) -> str:
    return ", ".join(map(str, texts))


def _panel(
    world: str,
    ways: dict[str, tuple[list[float], np.ndarray]],
    n: int,
    references: Sequence[Reference] = (),
) -> Panel:
    return Panel(
        title=world,
        x_label="operations an answer (thousand)",
        y_label="share answered rightly",
        x_scale="log2",
        series=[
            series_of(way, x, [share(some, n) for some in shares])
            for way, (x, shares) in ways.items()
        ],
        references=list(references),
    )
