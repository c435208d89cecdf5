"""How the budget that a search needs grows with the size of its task, algorithm by algorithm."""

from typing import Any, NamedTuple

import numpy as np

from ...runs import Cell
from ...stats import Estimate, needed_cost, nothing, weighted_sum
from ...tasks import make_task
from . import cells as shared
from . import knobs, trials
from .about import About
from .effort import Effort
from .growth import grown, size_only
from .results import Results, in_logs

LEVEL = 0.9
"""The share of the way that has to be reached: a mean regret of a tenth of what is at stake."""
KEYS = (17, 18, 19, 20)
"""Of the luck of tree search in a room, whose contested positions are few."""
ROOMS = ("gridworld", "gridworld_pits")


class Algorithm(NamedTuple):
    """A search: its name, the subject behind it with its options, and what network guides it."""

    label: str
    subject: str
    options: dict[str, Any]
    learned: bool = False
    budgets: tuple[int, ...] = ()
    """Those that tell; the effort's where there are none."""


UCT = Algorithm("tree search (UCT)", "planner", {})
EVEN = Algorithm("uninformed tree search", "even", {})
ALPHA_BETA = Algorithm("alpha-beta", "zoo", {"entry": "alpha_beta"})
A_STAR = Algorithm("best-first (A*)", "zoo", {"entry": "a_star"}, budgets=(1, 4))
LEARNED = Algorithm(
    "search with a learned value", "guided", {}, learned=True, budgets=(4, 16, 64, 256)
)


def sized_only(it: About, e: Effort) -> str:
    """Why a claim about growing budgets does not apply; nothing where it does."""
    if e.name == "smoke":
        return "at this effort tasks have too few sizes for an exponent"
    if it.players > 1:
        return size_only(it, e)
    if it.name in ROOMS:
        return ""
    return "asked once of the family of gridworlds, whose rooms grow"


def sizes(task: str, e: Effort) -> tuple[str, ...]:
    """Names of the same task from small to large: rooms of the knob "size", or larger boards."""
    if _game(task):
        return grown(task)
    (room,) = (knob for knob in knobs.graded(e) if knob.label == "size")
    return room.tasks


def algorithms(task: str, e: Effort) -> tuple[Algorithm, ...]:
    """From the least informed to what a learned value guides; at the smallest effort one."""
    best = ALPHA_BETA if _game(task) else A_STAR
    if e.name == "smoke":
        return (UCT,)
    if _game(task):  # alpha-beta is told nothing either
        return (best, UCT) if e.name == "quick" else (EVEN, best, UCT)
    return EVEN, best, UCT, LEARNED


def scores(name: str, e: Effort, who: Algorithm) -> list[Cell]:
    """Cells that score an algorithm at one size: one a network, or one a key in small rooms."""
    subject = f"{shared.SUBJECTS}:{who.subject}"
    if who.learned:
        policies = knobs.fitted(name, e)[: 1 if single(e, who) else None]
        return [
            shared.score(name, e, subject, who.budgets, policy=p, timed=False) for p in policies
        ]
    if _larger_board(name):
        return [trials.larger_score(name, e, e.budgets, who.subject, who.options)]
    budgets = who.budgets or e.budgets
    keys = KEYS if who in (UCT, EVEN) and not _game(name) else KEYS[:1]
    # The first of plain search is a cell that other claims share, for its times too.
    return [
        shared.score(
            name, e, subject, budgets, options=who.options, key=key,
            timed=who is UCT and key == KEYS[0],
        )
        for key in keys
    ]  # fmt: skip


def single(e: Effort, who: Algorithm) -> bool:
    """Whether one training a size has to do for what guides the search."""
    return who.learned and e.name != "full"


def states(name: str, e: Effort) -> Cell:
    """The cell that counts the different positions of one size."""
    return trials.larger_positions(name, e) if _larger_board(name) else shared.positions(name, e)


def _game(name: str) -> bool:
    return make_task(name).traits.players > 1


def _larger_board(name: str) -> bool:
    """Whether the name is one that `grown` gives to a board: known to be small enough."""
    return name.startswith("mnk(")


def needed(name: str, e: Effort, who: Algorithm, results: Results) -> Estimate:
    """The rules' own steps a decision with which an algorithm goes `LEVEL` of the way."""
    cells = scores(name, e, who)
    way, steps = results.tables(cells), results.tables(cells, "model_steps")
    if not who.learned:  # luck is no more observations: positions are what is resampled
        way, steps = way.mean(0), steps.mean(0)
    found = needed_cost(steps, way, LEVEL)
    if (who.budgets or e.budgets)[0] > 1:
        return found
    # A budget of 1 is the least that a search can spend: who needs no more needs that.
    least = float(steps[..., 0, :].mean())
    middle, low, high = (max(x, least) for x in (found.estimate, found.low, found.high))
    return Estimate(middle, low, high, found.n, found.freedom, found.estimate < least)


def most_tried(name: str, e: Effort, who: Algorithm, results: Results) -> float:
    """The steps that its largest budget took."""
    return float(results.tables(scores(name, e, who), "model_steps").mean((0, 2)).max())


def exponent(counts: list[float], costs: list[Estimate]) -> Estimate:
    """By how many decades costs grow as sizes grow by one: least squares, in logarithms.

    Sizes have positions of their own, so that costs are independent. NaN where a cost is not known.
    """
    if (
        not np.isfinite([cost.estimate for cost in costs]).all()
        or min(cost.estimate for cost in costs) <= 0
    ):
        return nothing(min(cost.n for cost in costs))
    at = np.log(counts) - np.log(counts).mean()
    found = weighted_sum([in_logs(cost) for cost in costs], (at / (at @ at)).tolist())
    # Costs that are the same at every size have an exponent of 0, not of a rounding error.
    middle, low, high = (round(x, 12) + 0.0 for x in (found.estimate, found.low, found.high))
    return Estimate(middle, low, high, found.n, found.freedom)
