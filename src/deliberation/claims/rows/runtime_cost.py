"""The price of a decision, and after how many decisions learning has paid."""

from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression

from ...runs import Cell, Panel, Row, Series
from ...stats import Estimate, bootstrap, break_even
from ..measuring import cells as shared
from ..measuring import students
from ..measuring.about import positions_only
from ..measuring.effort import Effort
from ..measuring.prices import Prices
from ..measuring.results import CLOCK, OWN_WORD, Results, Shown, quotient, timed
from ..measuring.rows import claimed, told
from ..measuring.scoring import CHUNK

SMALLEST, HOUR = 2.0, 3600.0
CLAIM = {
    "name": "runtime_cost",
    "aspect": "runtime_cost",
    "side": "both",
    "title": "Runtime cost, and the decisions after which learning has paid",
    "statement": "Where both choose equally well, a decision costs at least twice as much by "
    "search as by one forward pass, so that learning pays after a number n* of decisions.",
    "estimand": "Time of a decision by search over that by the network, at the budget at which "
    "search comes as near to the optimum as the network, both compiled and in equal batches on one "
    "machine. Beside it the same in floating-point operations, which leave out what the tree "
    "itself takes (choosing, backing up, memory) and so claim nothing, and in dollars, at a price "
    "of an hour of a core.",
    "unit": "trainings and positions",
    "smallest": "twice the cost",
    "refuted_if": "The ratio of the times lies below 2.",
}

PLANTED = {
    "null": {
        "a search as cheap as the network": {
            "network": (0.62, 0.0),
            "search_steps": 1.25,
            "search_ms": 0.003125,
        },
    },
    "effect": {
        "twice the smallest": {"network": (0.62, 0.0), "search_steps": 5.0, "search_ms": 0.0125},
    },
}
applies = positions_only


def cells(task: str, e: Effort) -> list[Cell]:
    """Search over its budgets, the networks fitted to the most data, and the price of a step."""
    return [*students.search_and_best(task, e), shared.price(task)]


def analyse(task: str, e: Effort, results: Results) -> Shown:
    """Costs where search scores what the network scores, over the whole interval of that budget."""
    search = shared.planner_score(task, e)
    networks = students.scored(task, e, students.most(task, e))
    worth = students.equivalent(task, e, results)
    price = results.outcomes(shared.price(task))["flops"]
    counts = results.table(search, "model_steps") * price + results.table(search, "flops")
    slow = at_budget(worth, e.budgets, counts.mean(1))
    fast = _mean(results.tables(networks, "flops")[:, 0])
    times = [timed(row) for row in results.outcomes(search)["milliseconds"]]
    slow_ms = at_budget(
        worth,
        e.budgets,
        np.array([t.estimate for t in times]),
        np.array([[t.low for t in times], [t.high for t in times]]),
    )
    fast_ms = _pooled([results.outcomes(cell)["milliseconds"][0] for cell in networks])
    training = np.array([training_cost(results, task, e, seed, price) for seed in range(e.seeds)])
    in_flops = break_even(training[:, 0], slow, fast)
    in_seconds = break_even(1e3 * training[:, 1], slow_ms, fast_ms)
    who = "search / network, equally good"
    note = f"the network is worth {students.reached(worth, e.budgets)} simulations"
    rows = [
        claimed(
            CLAIM, task, who, "time a decision, ratio", _ratio(slow_ms, fast_ms), above=SMALLEST,
            log=True, unit="times", timing=True,
            note=f"{note}; {CLOCK}, in batches of {CHUNK}, what a call costs included",
        ),
        told(
            CLAIM, task, who, "operations a decision, ratio", _ratio(slow, fast), unit="times",
            note=f"{note}; of search the rules' steps alone; {OWN_WORD}",
        ),
        told(CLAIM, task, who, "n*, by operations", in_flops, unit="decisions"),
        told(CLAIM, task, who, "n*, by time", in_seconds, unit="decisions", timing=True),
        *_in_dollars(task, who, results.prices, training[:, 1], slow_ms, fast_ms),
    ]  # fmt: skip
    panel = _panel(task, float(training[:, 1].mean()), slow_ms.estimate, fast_ms.estimate)
    ratio = rows[0].estimate
    return Shown(rows, [panel], _sentence(task, ratio, in_seconds))


def _in_dollars(
    task: str, who: str, prices: Prices, seconds: np.ndarray, slow_ms: Estimate, fast_ms: Estimate
) -> list[Row]:
    """n* where training and decisions are paid for by the hour, and what is spent until then."""
    note = (
        f"at ${prices.decision:g} an hour of a core for decisions, ${prices.training:g} for "
        "training; --price and --training-price set others"
    )
    invested = seconds * prices.training / HOUR
    slow, fast = (_scaled(ms, prices.decision / HOUR / 1e3) for ms in (slow_ms, fast_ms))
    paid = break_even(invested, slow, fast)
    # Training and n* decisions of the network: training / (1 - network / search).
    spent = break_even(invested, 1.0, quotient(fast_ms, slow_ms))
    more: dict[str, Any] = {"timing": True, "note": note}
    return [
        told(CLAIM, task, who, "n*, by money", paid, unit="decisions", **more),
        told(CLAIM, task, who, "money spent at n*", spent, unit="dollars", **more),
    ]


def _scaled(cost: Estimate, factor: float) -> Estimate:
    low, middle, high = (x * factor for x in (cost.low, cost.estimate, cost.high))
    return Estimate(middle, low, high, cost.n, cost.freedom, cost.censored)


def at_budget(
    worth: Estimate, budgets: tuple[int, ...], costs: np.ndarray, around: np.ndarray | None = None
) -> Estimate:
    """The cost of a decision at a budget between those measured, by interpolation in logarithms.

    More simulations never cost less (isotonic fit). `around` [2, budgets] are the ends of the
    costs' own intervals. The budget and the costs are measured apart, so their errors are combined
    as those of independent factors (Zou and Donner 2008). Beyond what was tried only a bound is
    known: no less than at the largest budget, no more than at the smallest.
    """
    ends = np.stack([costs, costs]) if around is None else around

    def read(budget: float, curve: np.ndarray) -> float:
        rising = isotonic_regression(np.maximum(curve, 1e-12)).x
        return float(np.exp(np.interp(np.log2(budget), np.log2(budgets), np.log(rising))))

    def apart(budget: float, curve: np.ndarray) -> float:
        """How far an end lies from the middle, as a factor."""
        off = np.log([read(budget, costs) / middle, read(worth.estimate, curve) / middle])
        return float(np.exp(np.hypot(*off)))

    middle = read(worth.estimate, costs)
    low = middle / apart(worth.low, ends[0]) if worth.low >= budgets[0] else 0.0
    high = middle * apart(worth.high, ends[1]) if worth.high <= budgets[-1] else float("inf")
    censored = not budgets[0] <= worth.estimate <= budgets[-1]
    return Estimate(middle, min(low, middle), max(high, middle), worth.n, worth.freedom, censored)


def _pooled(times: list[list[float]]) -> Estimate:
    """The mean of several processes' median times; a process is one observation of its machine.

    Where all are equal, or there is one, their spread is not known: then it is that of all times.
    """
    medians = np.array([np.median(each) for each in times])
    return bootstrap(medians) if np.ptp(medians) > 0 else timed([t for each in times for t in each])


def _mean(counts: np.ndarray) -> Estimate:
    """The mean of counts, exact where all are the same."""
    if np.ptp(counts) == 0:
        same = float(counts.flat[0])
        return Estimate(same, same, same, counts.size)
    return bootstrap(counts)


def _ratio(slow: Estimate, fast: Estimate) -> Estimate:
    """Of two costs, measured apart; an end that is no number is a bound for the ratio, too."""
    apart = quotient(*(_bounded(cost) for cost in (slow, fast)))
    low = apart.low if slow.low > 0 and np.isfinite(fast.high) else slow.low / fast.high
    known = np.isfinite(slow.high) and fast.low > 0
    return Estimate(
        apart.estimate, low, apart.high if known else float("inf"), slow.n, apart.freedom,
        slow.censored,
    )  # fmt: skip


def _bounded(cost: Estimate) -> Estimate:
    """With ends that are numbers, so that the other end can be combined."""
    low = cost.low if cost.low > 0 else cost.estimate
    high = cost.high if np.isfinite(cost.high) else cost.estimate
    return Estimate(cost.estimate, low, high, cost.n, cost.freedom, cost.censored)


def training_cost(
    results: Results, task: str, e: Effort, seed: int, price: float
) -> tuple[float, float]:
    """(operations, seconds) of teaching and fitting one network, the teacher's steps included.

    Of the lesson it bears the share that it was shown.
    """
    network, taught = students.taught(task, e, students.most(task, e))[seed], shared.lesson(task, e)
    lesson, fitted = results.spent(taught), results.spent(network)
    share = results.outcomes(network)["count"] / results.outcomes(taught)["count"]
    teaching = lesson["model_steps"] * price + lesson["flops"]
    return (
        float(share * teaching + fitted["flops"]),
        float(share * lesson["seconds"] + fitted["seconds"]),
    )


def _panel(task: str, invested: float, slow: float, fast: float) -> Panel:
    decisions = np.logspace(0, 7, 29)
    return Panel(
        title=task,
        x_label="decisions",
        y_label="seconds in all",
        x_scale="log10",
        y_scale="log10",
        series=[
            Series(
                label="search, equally good",
                x=decisions.tolist(),
                y=(decisions * slow / 1e3).tolist(),
            ),
            Series(
                label="network, training included",
                x=decisions.tolist(),
                y=(invested + decisions * fast / 1e3).tolist(),
            ),
        ],
    )


def _sentence(task: str, ratio: float, paid: Estimate) -> str:
    if not np.isfinite(paid.estimate):
        return f"On {task} the network's decisions are not known to cost less than search's."
    return (
        f"On {task} search that chooses as well as the network takes about {ratio:,.1f} times as "
        f"long; learning has paid after {paid.estimate:,.0f} decisions."
    )
