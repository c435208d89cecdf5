"""Both directions at once: search teaches the network that guides it, at equal total compute."""

from typing import Any, NamedTuple

import numpy as np

from ...runs import Cell, Panel, Row, Series
from ...stats import Estimate, bootstrap
from ..measuring import cells as shared
from ..measuring import students
from ..measuring.about import climbed_only
from ..measuring.effort import Effort
from ..measuring.results import Results, Shown, mean
from ..measuring.rows import claimed, told
from ..rows.exchange_rate import rungs
from ..rows.runtime_cost import training_cost

SMALLEST = 0.1
CLAIM = {
    "name": "both_directions",
    "aspect": "commentary",
    "side": "both",
    "title": "Both directions at once",
    "statement": "At equal total compute, training included, search that guides and teaches its "
    "own network goes at least 0.1 of the way further than search alone, and than a network "
    "alone that imitates unguided search.",
    "estimand": "Way of expert iteration's last network, searching as in training, less that of "
    "either alone, after as many decisions as make the totals equal. Totals are operations of "
    "training and of all decisions, the rules' own steps priced as the compiler counts them: the "
    "network alone spends its total on the largest lesson, and search alone divides the same total "
    "among the decisions. Expert iteration may have met test positions in its own play.",
    "unit": "trainings and positions",
    "smallest": "0.1 of the way",
    "refuted_if": "Either difference lies short of 0.1 of the way: one of the two alone does as "
    "well with what the loop costs.",
}
PLANTED = {
    "null": {
        "a loop better than search alone only": {
            "train_flops": 1e2, "search": (0.3, 0.05), "network": (0.8, 0.0),
            "guided": (0.8, 0.0, 0.0),
        },
        "a loop better than a network alone only": {
            "train_flops": 1e2, "search": (0.4, 0.035), "network": (0.3, 0.0),
            "guided": (0.58, 0.0, 0.0),
        },
    },
    "effect": {
        "twice the smallest": {
            "train_flops": 1e2, "search": (0.3, 0.06), "network": (0.6, 0.0),
            "guided": (0.8, 0.0, 0.0),
        },
    },
}  # fmt: skip
applies = climbed_only
TIMES = {"a tenth of the decisions": 0.1, "100 times the decisions": 100.0}
"""Other numbers of decisions at which the loop is put beside search alone."""


class Spent(NamedTuple):
    """Operations: of training, and of one decision."""

    training: float
    decision: float

    def total(self, decisions: float) -> float:
        """Of training and so many decisions."""
        return self.training + decisions * self.decision


class Compared(NamedTuple):
    """The number of decisions at which totals are compared, and if the network's is equal, too."""

    decisions: float
    equal: bool


def cells(task: str, e: Effort) -> list[Cell]:
    """Guided search with the last networks, search alone, and the networks of the most data."""
    return [shared.price(task), *students.search_and_best(task, e), *_loops(task, e)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """What the loop gains over either alone where all three have spent the same."""
    loop, network = _spent(task, e, results)
    at = compared(loop, network)
    guided = results.tables(_loops(task, e))[:, _budgets(e).index(_budget(e))]
    alone = students.best_scores(task, e, results)
    few = min(len(guided), len(alone))
    low = results.low(shared.planner_score(task, e))
    search = [
        _search(task, e, results, loop.total(n) / n)
        for n in (at.decisions, *(at.decisions * times for times in TIMES.values()))
    ]
    who, unit = f"expert iteration + search ({_budget(e)})", "of the way"
    spread = (low - 1, 1 - low)
    note = f"after {at.decisions:,.0f} decisions, {loop.total(at.decisions):.2g} operations in all"
    rows = [
        _beyond_search(task, e, results, who, bootstrap(guided - search[0], bounds=spread),
                       loop.total(at.decisions) / at.decisions, note),
        _beyond_network(task, who, bootstrap(guided[:few] - alone[:few], bounds=spread), at,
                        network.training / loop.total(at.decisions), note),
        *(
            told(CLAIM, task, who, f"beyond search alone, after {name}",
                 bootstrap(guided - other, bounds=spread), unit=unit,
                 note=f"{at.decisions * times:,.0f} decisions")
            for (name, times), other in zip(TIMES.items(), search[1:], strict=True)
        ),
        told(CLAIM, task, who, "way reached", mean(guided, low), unit=unit),
        told(CLAIM, task, "search alone", "way reached", mean(search[0], low), unit=unit),
        told(CLAIM, task, "network alone", "way reached", mean(alone, low), unit=unit),
    ]  # fmt: skip
    sentence = (
        f"On {task}, after {at.decisions:,.0f} decisions, expert iteration goes "
        f"{guided.mean():.2f} of the way; search alone with the same total compute "
        f"{search[0].mean():.2f}; a network alone{'' if at.equal else ', which cost less,'} "
        f"{alone.mean():.2f}."
    )
    return Shown(rows, [_panel(task, e, results, loop, guided, alone)], sentence)


def _beyond_search(
    task: str, e: Effort, results: Results, who: str, gain: Estimate, allowed: float, note: str
) -> Row:
    """Claimed where search alone could spend as much, and so much could be gained on it."""
    cell = shared.planner_score(task, e)
    price = results.outcomes(shared.price(task))["flops"]
    most, reached = _decisions(results, cell, price).max(), results.table(cell)[-1].mean()
    if reached > 1 - SMALLEST:
        return told(
            CLAIM, task, who, "beyond search alone", gain, unit="of the way",
            note=f"search alone goes {reached:.2f} of the way: nobody could go so much further",
        )  # fmt: skip
    if allowed <= most:
        return claimed(CLAIM, task, who, "beyond search alone, at equal total compute", gain,
                       above=SMALLEST, unit="of the way", note=note)  # fmt: skip
    return told(
        CLAIM, task, who, "beyond search alone", gain, unit="of the way",
        note=f"search alone spent {most / allowed:.2g} of the total: no larger budget was tried",
    )  # fmt: skip


def compared(loop: Spent, network: Spent) -> Compared:
    """Where the totals of loop and network are equal.

    Where the loop's training alone costs more than the network's, which has no larger lesson to
    learn from, they never are: then after as many decisions as cost the loop what its training did.
    """
    dearer = loop.decision - network.decision
    equal = (network.training - loop.training) / dearer if dearer > 0 else 0.0
    if equal >= 1:
        return Compared(equal, True)
    return Compared(max(loop.training / loop.decision, 1.0), False)


def _beyond_network(task: str, who: str, gain: Any, at: Compared, share: float, note: str) -> Row:
    """Claimed where the network could spend as much; elsewhere it is not known what more buys."""
    quantity, unit = "beyond a network alone, at equal total compute", "of the way"
    if at.equal:
        return claimed(CLAIM, task, who, quantity, gain, above=SMALLEST, unit=unit, note=note)
    return told(
        CLAIM, task, who, "beyond a network alone", gain, unit=unit,
        note=f"the network's training cost {share:.2g} of the total: it has no larger lesson",
    )  # fmt: skip


def _spent(task: str, e: Effort, results: Results) -> tuple[Spent, Spent]:
    """Of the loop and of the network alone, means over trainings and positions."""
    price = results.outcomes(shared.price(task))["flops"]
    climbed = [
        results.outcomes(shared.ladder(task, e, seed))["ladder"][-1] for seed in range(e.ladders)
    ]
    trained = float(np.mean([step["flops"] + step["model_steps"] * price for step in climbed]))
    each = [_decisions(results, cell, price)[_budgets(e).index(_budget(e))] for cell in
            _loops(task, e)]  # fmt: skip
    fitted = [training_cost(results, task, e, seed, price)[0] for seed in range(e.seeds)]
    forward = [_decisions(results, cell, price)[0] for cell in
               students.scored(task, e, students.most(task, e))]  # fmt: skip
    return Spent(trained, float(np.mean(each))), Spent(
        float(np.mean(fitted)), float(np.mean(forward))
    )


def _decisions(results: Results, cell: Cell, price: float) -> np.ndarray:
    """[budgets] of operations a decision."""
    steps, flops = results.table(cell, "model_steps"), results.table(cell, "flops")
    return (steps * price + flops).mean(1)


def _search(task: str, e: Effort, results: Results, allowed: float) -> np.ndarray:
    """[positions] of search alone that may spend so many operations a decision.

    Between two budgets, in logarithms of their costs; with more than the largest costs it stays at
    that one, with less than the smallest at this.
    """
    cell = shared.planner_score(task, e)
    costs = _decisions(results, cell, results.outcomes(shared.price(task))["flops"])
    rising = np.log(np.maximum(np.maximum.accumulate(costs), 1e-9))
    place = np.interp(np.log(allowed), rising, np.arange(len(costs)))
    below = min(int(place), len(costs) - 2)
    part, way = place - below, results.table(cell)
    return (1 - part) * way[below] + part * way[below + 1]


def _loops(task: str, e: Effort) -> list[Cell]:
    """Search guided by the last network of each expert iteration."""
    return [rungs(task, e, seed)[-1] for seed in range(e.ladders)]


def _budgets(e: Effort) -> tuple[int, ...]:
    return (0, *e.dial)


def _budget(e: Effort) -> int:
    """Simulations a decision: as many as within expert iteration, or the next that is measured."""
    return max(budget for budget in e.dial if budget <= e.practice)


def _panel(
    task: str, e: Effort, results: Results, loop: Spent, guided: np.ndarray, alone: np.ndarray
) -> Panel:
    decisions = np.logspace(0, 7, 15)
    search = [float(_search(task, e, results, loop.total(n) / n).mean()) for n in decisions]
    lines = {
        "expert iteration": [float(guided.mean())] * len(decisions),
        "search alone, as much in all": search,
        "network alone": [float(alone.mean())] * len(decisions),
    }
    return Panel(
        title=task,
        x_label="decisions",
        y_label="way from random to optimum",
        x_scale="log10",
        series=[Series(label=label, x=decisions.tolist(), y=y) for label, y in lines.items()],
    )
