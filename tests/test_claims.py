"""Claims against planted truths: each can be supported, refuted and left open."""

import ast
import functools
import math
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from planted import FORWARD, World, rising

from deliberation import claims
from deliberation.claims import _students
from deliberation.claims._cells import closure, lesson
from deliberation.claims._effort import LEVELS, effort_of
from deliberation.core.errors import UnknownNameError
from deliberation.report.verdicts import overall
from deliberation.runs import Finding, RecordError, Row
from deliberation.stats import Estimate

TASK = "tic_tac_toe"
NAMES = tuple(claims.list_claims())


@functools.cache
def measure(name: str, world: World, effort: str = "smoke") -> Finding:
    """One claim's finding in a planted world."""
    records = world.records(claims.plan([TASK], effort, only=[name]))
    (finding,) = claims.analyse(records, [TASK], effort, only=[name])
    return finding


def rows(name: str, world: World, effort: str = "smoke") -> dict[str, Row]:
    """The rows of a finding, by decider and quantity."""
    return {f"{r.decider}: {r.quantity}": r for r in measure(name, world, effort).rows}


def pick(found: dict[str, Row], part: str) -> Row:
    """The one row whose name holds `part`."""
    (row,) = [row for name, row in found.items() if part in name]
    return row


def assert_near(row: Row, truth: float, tolerance: float) -> None:
    assert row.estimate == pytest.approx(truth, abs=tolerance)
    assert row.low <= truth + tolerance and truth - tolerance <= row.high
    assert row.low <= row.estimate <= row.high


# --- each claim can come out either way --------------------------------------------------------


def isolines(train: float, decision: float):
    """A plane of logits over log10 of training FLOPs (1e9 at rung 0) and decision FLOPs."""

    def guided(rung: int, budget: int) -> float:
        logit = train * rung + decision * math.log10(1 + budget) - 1.0
        return 1 / (1 + math.exp(-logit))

    return guided


W = World()
FEW = World(n=3)
PLANTED = {
    "positions": {
        "supported": World(guided=lambda rung, b: 0.5 if b == 0 else 0.9),
        # The network is worse than random, and spoils the search that it guides.
        "refuted": World(guided=lambda rung, b: 0.1 if b == 0 else 0.5, blind=lambda b: 0.9),
        "inconclusive": World(guided=lambda rung, b: 0.5 if b == 0 else 0.9, n=3),
    },
    "computation": {"supported": W, "refuted": World(search_steps=0.0)},
    "runtime_cost": {
        "supported": World(n=1000),
        "refuted": World(n=1000, search_steps=0.01, search_ms=0.0001),
        "inconclusive": World(n=3),
    },
    "budget_slope": {
        "supported": W,
        "refuted": World(search=rising(0.9, -0.08)),
        "inconclusive": FEW,
    },
    "data_slope": {
        "supported": W,
        "refuted": World(network=rising(0.9, -0.05)),
        "inconclusive": FEW,
    },
    "exchange_rate": {
        "supported": World(n=1000, guided=isolines(1.2, 1.0)),
        "refuted": World(n=1000, guided=isolines(-0.6, 1.0)),
        "inconclusive": World(n=4, guided=isolines(1.2, 1.0)),
    },
    "search_equivalent": {
        "supported": World(network=lambda count: 0.3 + 0.08 * 4),
        "refuted": World(network=lambda count: 0.05),
        "inconclusive": World(network=lambda count: 0.3 + 0.08 * 4, n=3),
    },
    "converges_to_optimum": {
        "supported": W,
        "refuted": World(search=rising(0.9, -0.08)),
        "inconclusive": FEW,
    },
    "converges_to_teacher": {
        "supported": W,
        "refuted": World(regret_gap=-0.4),
        # Nobody could tell this teacher from the optimum.
        "inconclusive": World(teacher_regret=0.04),
    },
    "data_efficiency": {
        "supported": W,
        "refuted": World(network=lambda count: 0.95),
        "inconclusive": World(n=3, network=rising(0.3, 0.08)),
    },
    "optimal_from_rules": {
        "supported": World(everywhere=lambda b: 0.998, n=4000),
        "refuted": World(everywhere=lambda b: 0.9, n=4000),
        "inconclusive": World(everywhere=rising(0.8, 0.02), n=4000),
    },
    "better_data": {
        "supported": W,
        "refuted": World(student=lambda b: 0.5 if b else 0.7),
        "inconclusive": World(student=lambda b: 0.7),
    },
}


def test_every_claim_has_planted_worlds():
    assert set(PLANTED) == set(NAMES)
    assert all({"supported", "refuted"} <= set(worlds) for worlds in PLANTED.values())


@pytest.mark.parametrize(
    ("name", "verdict"), [(name, verdict) for name in PLANTED for verdict in PLANTED[name]]
)
def test_verdicts_follow_the_planted_truth(name, verdict):
    finding = measure(name, PLANTED[name][verdict])
    assert overall(finding.rows) == verdict, [(r.quantity, r.low, r.high) for r in finding.rows]


@pytest.mark.parametrize(
    ("world", "part"),
    [
        (World(search_steps=0.0), "search (256): model steps"),
        (World(search_fits=10), "search (256): gradient steps"),
        (World(network_steps=3.0), "network: model steps"),
        (World(network_passes=2.0), "network: forward passes"),
        (World(network_fits=0), "network: gradient steps"),
    ],
)
def test_each_count_refutes_by_itself(world, part):
    found = rows("computation", world)
    assert pick(found, part).verdict == "refuted"
    judged = [r.verdict for r in found.values() if not r.timing]
    assert judged.count("supported") == len(judged) - 1 == 4


def test_a_network_that_heeds_the_budget_refutes_the_flat_slope():
    found = rows("budget_slope", World(network=lambda count: 0.4, drift=0.03))
    assert_near(pick(found, "network"), 0.03, 0.002)
    assert pick(found, "network").verdict == "refuted"
    assert pick(found, "search").verdict == "supported"


def test_a_divergence_that_stays_refutes_convergence():
    found = rows("converges_to_teacher", World(divergence=rising(0.5, 0.1)))
    assert pick(found, "KL").verdict == "refuted"
    assert pick(found, "beyond").verdict == "supported"


def test_networks_beyond_their_teacher_refute_the_equivalent():
    found = rows("search_equivalent", World(network=lambda count: 0.995))
    assert pick(found, "worth").verdict == "refuted"
    assert pick(found, "worth").estimate == math.inf


def test_a_search_that_is_always_right_measures_no_network():
    perfect = World(search=lambda b: 1.0, network=lambda count: 1.0)
    assert pick(rows("search_equivalent", perfect), "worth").verdict == "inconclusive"


def test_compute_that_harms_on_both_sides_is_no_exchange():
    found = rows("exchange_rate", World(n=1000, guided=isolines(-0.6, -0.5)))
    (rate,) = found.values()
    assert rate.high < 0
    assert rate.verdict == "refuted"


# --- estimates are the planted numbers ---------------------------------------------------------


def test_slopes_are_the_planted_ones():
    assert_near(pick(rows("budget_slope", W), "search"), 0.08, 0.002)
    assert_near(pick(rows("data_slope", W), "network"), 0.05, 0.002)
    assert_near(pick(rows("converges_to_optimum", W), "doubling"), -0.08, 0.002)
    assert_near(pick(rows("converges_to_optimum", W), "left"), 1 - (0.3 + 0.08 * 8), 0.004)
    assert_near(pick(rows("converges_to_teacher", W), "KL"), -0.1, 1e-6)
    world = World(regret_gap=0.03)
    assert_near(pick(rows("converges_to_teacher", world), "beyond"), 0.03, 1e-6)
    assert_near(pick(rows("converges_to_teacher", world), "biased teacher"), 0.5, 1e-6)


def test_no_regret_seen_leaves_room_for_some():
    left = pick(rows("converges_to_optimum", World(search=rising(0.2, 0.1))), "left")
    assert (left.estimate, left.low) == (0.0, 0.0)
    # Wilson's upper limit for none in 100, and a position can lose 2.
    assert left.high == pytest.approx(2 * 1.959964**2 / (100 + 1.959964**2), abs=1e-5)


def test_regret_left_is_measured_at_the_largest_budget():
    left = pick(rows("converges_to_optimum", World(search=rising(0.1, 0.1))), "left")
    assert_near(left, 0.1, 1e-9)
    assert 0.04 < left.low < 0.07 and 0.14 < left.high < 0.2


def test_gains_and_equivalents_are_the_planted_ones():
    assert_near(pick(rows("better_data", W), "gained"), 0.1, 0.006)
    worth = pick(rows("search_equivalent", World(n=1000, network=lambda c: 0.62)), "worth")
    assert_near(worth, 16.0, 0.5)
    needed = pick(rows("data_efficiency", World(n=1000, network=rising(0.12, 0.05))), "examples")
    assert_near(needed, 2.0**10, 30.0)


def test_the_exchange_rate_is_the_planted_one():
    (rate,) = rows("exchange_rate", World(n=1000, guided=isolines(1.2, 1.0))).values()
    assert_near(rate, -1.2, 0.02)
    assert "12 cells" in rate.note


def test_costs_and_break_even_are_the_planted_ones():
    found = rows("runtime_cost", World(n=1000, network=lambda count: 0.62))
    calls, counted = pick(found, "calls a decision"), pick(found, "n*, in calls")
    assert_near(calls, 10 * 16, 1e-6)
    assert_near(counted, (9000 + 1000) / (160 - 1), 1e-6)
    assert_near(pick(found, "ms a decision"), 0.5 * 16 / 0.05, 1e-6)
    assert_near(pick(found, "n*, in seconds"), 4000 / (8 - 0.05), 1e-6)
    # The equivalent lies between measured budgets 4 and 64, and so do its costs.
    assert 0.9 * 40 < calls.low < 42
    assert 600 < calls.high < 1.1 * 640
    assert [r.timing for r in found.values()] == [False, False, True, True]


def test_costs_beyond_the_budgets_tried_are_bounds():
    strong = rows("runtime_cost", World(network=lambda count: 0.995))
    assert pick(strong, "calls a decision").high == math.inf
    assert pick(strong, "calls a decision").verdict == "supported"
    weak = rows("runtime_cost", World(network=lambda count: 0.05))
    assert pick(weak, "calls a decision").low == 0.0
    assert pick(weak, "calls a decision").verdict == "inconclusive"
    assert "fewer than 1 simulations" in pick(weak, "calls a decision").note


def test_positions_are_the_shapley_shares_of_the_planted_scores():
    # Only scores at 4 simulations, and of the last rung, are those meant.
    scores = {0: 0.65, 4: 0.95}
    world = World(
        guided=lambda rung, b: scores.get(b, 0.7) if rung == 2 else 0.4,
        blind=lambda b: 0.45 if b == 4 else 0.3,
    )
    found = rows("positions", world)
    random, blind, learned, both = 0.25, 0.45, 0.65, 0.95
    by_search = ((blind - random) + (both - learned)) / 2 / (both - random)
    assert_near(pick(found, "guided search (4): search share"), by_search, 0.01)
    assert_near(pick(found, "guided search (4): learning share"), 1 - by_search, 0.01)
    assert_near(pick(found, "guided search (4): score above"), 0.7, 0.005)
    for who, share in (("search (16)", (1.0, 0.0)), ("network", (0.0, 1.0))):
        mine = [r for r in found.values() if r.decider == who]
        assert [r.estimate for r in mine[:2]] == pytest.approx(share)
        assert mine[0].verdict is None and "by construction" in mine[0].note


def test_seeds_that_differ_widen_the_intervals():
    alike, apart = World(n=400), World(n=400, seed_effects=(-0.08, 0.0, 0.08))
    for name, part in (("search_equivalent", "worth"), ("positions", "(4): score above random")):
        narrow, wide = (pick(rows(name, world), part) for world in (alike, apart))
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
        assert wide.n == narrow.n == 400 * (3 if name == "search_equivalent" else 2)


def test_what_seeds_share_is_paired_away():
    apart = World(n=400, seed_effects=(-0.2, 0.0, 0.2))
    narrow, wide = (pick(rows("better_data", w), "gained") for w in (World(n=400), apart))
    assert wide.high - wide.low < 1.5 * (narrow.high - narrow.low)


# --- rows, figures and words -------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_findings_are_whole(name):
    finding = measure(name, W)
    stated = claims.list_claims()[name]
    for field in ("item", "title", "statement", "refuted_if"):
        assert getattr(finding, field) == stated[field]
    assert finding.claim == name
    for row in finding.rows:
        assert (row.claim, row.item, row.task) == (name, stated["item"], TASK)
        assert row.decider and row.quantity and row.n > 0
        assert row.low <= row.estimate <= row.high
    assert len({(r.decider, r.quantity) for r in finding.rows}) == len(finding.rows)
    assert any(r.verdict for r in finding.rows)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("world", [W, World(n=2), World(n=20, guided=lambda rung, b: 1.0)])
def test_figures_can_be_drawn(name, world):
    figures = measure(name, world).figures
    assert len(figures) == (name != "computation")
    for panel in (panel for figure in figures for panel in figure.panels):
        assert panel.x_label and panel.y_label and panel.title.startswith(TASK)
        for series in panel.series:
            lengths = {len(series.x), len(series.y)}
            lengths |= {len(ends) for ends in (series.low, series.high) if ends is not None}
            assert len(lengths) == 1 and series.label
            assert np.isfinite(series.x).all() or name == "positions"
            assert not np.isinf(series.y).any()
        if panel.heat is not None:
            z = np.array(panel.heat.z)
            assert z.shape == (len(panel.heat.y), len(panel.heat.x))
            assert np.isfinite(z).all() and (np.array(panel.heat.x) > 0).all()
            lines = panel.heat.isolines
            assert lines == sorted(set(lines)) and all(z.min() <= v <= z.max() for v in lines)


def test_the_heat_map_has_the_planted_axes():
    (figure,) = measure("exchange_rate", W).figures
    heat = figure.panels[0].heat
    assert heat is not None
    assert heat.x == pytest.approx([1e9, 1e10, 1e11])
    assert heat.y == pytest.approx([FORWARD * (1 + b) for b in (0, 1, 4, 16)])
    assert heat.z[2][1] == pytest.approx(W.guided(1, 4), abs=0.01)


def test_a_flat_heat_map_has_no_isolines():
    (figure,) = measure("exchange_rate", World(guided=lambda rung, b: 0.5)).figures
    heat = figure.panels[0].heat
    assert heat is not None and heat.isolines == []


EXTREMES = {
    "ordinary": W,
    "nothing to learn": World(n=3, chance=0.5, guided=lambda rung, b: 0.5, blind=lambda b: 0.5),
    "perfect": World(search=lambda b: 1.0, network=lambda c: 1.0, guided=lambda rung, b: 1.0),
    "hopeless": World(search=lambda b: 0.0, network=lambda c: 0.0, guided=lambda rung, b: 0.0),
    "cheap search": World(search_steps=0.001, search_ms=0.0001),
    "one position": World(n=1),
    "steep": World(n=50, guided=isolines(1.2, 0.001)),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("extreme", EXTREMES)
def test_words_survive_what_is_not_known(name, extreme):
    finding = measure(name, EXTREMES[extreme])
    words = finding.summary.lower().replace(",", " ").split()
    assert not {"nan", "inf", "-inf", "[nan", "nan]", "[inf", "inf]", "inf."} & set(words)
    assert bool(finding.summary) == (name != "computation")


def test_words_say_what_was_planted():
    said = measure("search_equivalent", World(n=1000, network=lambda c: 0.62)).summary
    assert said.startswith("On tic_tac_toe the network alone (0.62) is worth about 16 [")
    said = measure("exchange_rate", World(n=1000, guided=isolines(1.2, 1.0))).summary
    assert "saves 1.20 decades" in said
    said = measure("exchange_rate", World(n=1000, guided=isolines(-0.6, 1.0))).summary
    assert "costs 0.60 decades" in said
    said = measure("search_equivalent", World(network=lambda c: 0.995)).summary
    assert "worth more than 256 simulations" in said


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ((20.0, 10.0, 30.0), "about 20 [10, 30]"),
        ((20.0, 0.0, math.inf), "about 20 [under 4, over 4,096]"),
        ((math.inf, 9.0, math.inf), "more than 4,096"),
        ((0.0, 0.0, 5.0), "fewer than 4"),
        ((math.nan, math.nan, math.nan), "an unknown number of"),
        ((20.0, math.nan, math.nan), "about 20"),
    ],
)
def test_equivalents_in_words(at, words):
    estimate, low, high = at
    assert _students.reached(Estimate(estimate, low, high, 100), (4, 64, 4096)) == words


def test_the_order_of_records_does_not_matter():
    records = list(W.records(claims.plan([TASK], "smoke")).items())
    first = claims.analyse(dict(records), [TASK], "smoke")
    random.Random(0).shuffle(records)
    again = claims.analyse(dict(records), [TASK], "smoke")
    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    assert [finding.claim for finding in first] == list(NAMES)


def test_tasks_follow_each_other_in_one_finding():
    tasks = [TASK, "connect_four"]
    records = W.records(claims.plan(tasks, "smoke", only=["positions", "budget_slope"]))
    slope, places = claims.analyse(records, tasks, "smoke", only=["budget_slope", "positions"])
    assert (slope.claim, places.claim) == ("budget_slope", "positions")
    assert [row.task for row in slope.rows] == [TASK, TASK, "connect_four", "connect_four"]
    assert [panel.title for panel in slope.figures[0].panels] == tasks
    assert "On tic_tac_toe" in slope.summary and "On connect_four" in slope.summary


# --- the plan ----------------------------------------------------------------------------------


@pytest.mark.parametrize("effort", LEVELS)
def test_plans_hold_every_needed_cell_once(effort):
    tasks = claims.default_tasks(effort)
    cells = claims.plan(tasks, effort)
    ids = [cell.id for cell in cells]
    assert len(set(ids)) == len(ids)
    assert {need for cell in cells for need in cell.needs} <= set(ids)
    single = [
        cell.id for name in NAMES for t in tasks for cell in claims.plan([t], effort, only=[name])
    ]
    assert set(single) == set(ids)
    assert len(single) > 1.5 * len(ids)


def test_plans_do_not_depend_on_order():
    tasks = ["tic_tac_toe", "connect_four"]
    cells = {cell.id: cell for cell in claims.plan(tasks, "quick")}
    turned = claims.plan(tasks[::-1], "quick", only=NAMES[::-1])
    assert {cell.id: cell for cell in turned} == cells
    fresh = "from deliberation import claims; import sys\n" + (
        f"ids = sorted(c.id for c in claims.plan({tasks!r}, 'quick'))\n"
        "assert 'jax' not in sys.modules\nprint(*ids)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", fresh], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == sorted(cells)


def test_needs_come_with_their_own_needs():
    e = effort_of("smoke")
    cells = closure([_students.scored(TASK, e, 256)[0]])
    assert sorted(c.function.partition(":")[2] for c in cells) == [
        "find_positions", "fit", "score", "teach",
    ]  # fmt: skip
    assert lesson(TASK, e).id in {c.id for c in cells}
    assert lesson(TASK, e, teacher="biased").id not in {c.id for c in cells}


@pytest.mark.parametrize(
    ("call", "near"),
    [
        (lambda: claims.plan(["tic_tak_toe"], "smoke"), "tic_tac_toe"),
        (lambda: claims.plan([TASK], "quik"), "quick"),
        (lambda: claims.plan([TASK], "smoke", only=["budget_slop"]), "budget_slope"),
        (lambda: claims.claim("position"), "positions"),
        (lambda: claims.analyse({}, [TASK], "ful"), "full"),
        (lambda: claims.default_tasks("smokey"), "smoke"),
    ],
)
def test_unknown_names_suggest_the_nearest(call, near):
    with pytest.raises(UnknownNameError, match=f"Did you mean '{near}'"):
        call()


def test_the_catalogue_is_complete_and_literal():
    listed = claims.list_claims()
    files = sorted(Path(claims.__file__).parent.glob("[!_]*.py"))
    assert len(listed) == len(files)
    for path in files:
        (literal,) = [
            ast.literal_eval(node.value)
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "CLAIM"
        ]
        assert set(literal) == {"name", "item", "title", "statement", "refuted_if"}
        assert literal["name"] == path.stem and isinstance(literal["item"], int)
        assert all(literal.values())
        assert literal == claims.claim(path.stem).CLAIM
    items = [entry["item"] for entry in listed.values()]
    assert items == sorted(items)


def test_first_rungs_have_learned_something():
    """Training compute is read on a log scale, and the first iteration learns nothing."""
    for e in LEVELS.values():
        assert e.iterations * 0.5 ** (e.rungs - 1) > 1
        assert e.seeds >= 3 and e.ladders >= 2 and len(e.lessons) >= 3
        assert e.budgets[0] == 1 and e.teacher <= e.budgets[-1]
        assert all(list(s) == sorted(set(s)) for s in (e.budgets, e.dial, e.lessons))


def test_a_missing_record_says_what_to_do():
    with pytest.raises(RecordError, match="same `deliberate table` call"):
        claims.analyse({}, [TASK], "smoke")
