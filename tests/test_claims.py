"""Claims against planted truths: each can be supported, refuted and left open."""

import ast
import functools
import itertools
import json
import math
import random
from pathlib import Path

import msgspec
import numpy as np
import pytest

from deliberation import claims
from deliberation.claims.commentary.both_directions import Spent, compared
from deliberation.claims.measuring import students
from deliberation.claims.measuring.cells import closure, lesson
from deliberation.claims.measuring.effort import LEVELS, effort_of
from deliberation.claims.measuring.planted import FORWARD, STEP, World
from deliberation.claims.measuring.prices import Prices
from deliberation.claims.measuring.results import mean
from deliberation.claims.validation import validate
from deliberation.core.errors import UnknownNameError
from deliberation.runs import Finding, Row
from deliberation.stats import Estimate, bootstrap

TASK = "tic_tac_toe"
NAMES = tuple(n for n, one in claims.list_claims().items() if one["aspect"] not in claims.STORIES)
"""Those of stories, whose worlds are planted in another way, have tests apart."""
OWN = tuple(name for name in NAMES if hasattr(claims.claim(name), "PLANTED"))


@functools.cache
def where(name: str) -> tuple[str, str]:
    """A task that can show a claim, and an effort at which it does: tic-tac-toe wherever it can."""
    if name == "limit_of_search":  # of boards there are too few sizes to claim anything
        return "gridworld_pits", "quick"
    module = claims.claim(name)
    places = itertools.product(("smoke", "quick"), (TASK, "gridworld", "gridworld_slippery"))
    return next(
        (task, effort)
        for effort, task in places
        if not claims.why_not(module, task, effort_of(effort))
    )


def shown_on(name: str) -> tuple[str, ...]:
    """What the rows of a claim are of: that task, or the claim's own worlds."""
    return getattr(claims.claim(name), "WORLDS", where(name)[:1])


@functools.cache
def measure(name: str, world: World) -> Finding:
    """One claim's finding in a planted world."""
    task, effort = where(name)
    records = world.records(claims.plan([task], effort, only=[name]))
    (finding,) = claims.analyse(records, [task], effort, only=[name])
    return finding


def usual(name: str) -> World:
    """A world in which a claim says something."""
    return SLOW if name == "both_directions" else W


def rows(name: str, world: World) -> dict[str, Row]:
    """The rows of a finding, by decider and quantity."""
    return {f"{r.decider}: {r.quantity}": r for r in measure(name, world).rows}


def pick(found: dict[str, Row], part: str) -> Row:
    """The one row whose name holds `part`."""
    (row,) = [row for name, row in found.items() if part in name]
    return row


def assert_near(row: Row, truth: float, tolerance: float) -> None:
    assert row.estimate == pytest.approx(truth, abs=tolerance)
    assert row.low <= truth + tolerance and truth - tolerance <= row.high
    assert row.low <= row.estimate <= row.high


W = World()
SLOW = World(search=(0.3, 0.05))
"""A search that leaves something to be gained at its largest budget."""


# --- verdicts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OWN)
def test_nulls_are_not_supported_and_effects_are(name):
    """A few repeats of what `deliberate claims --validate` repeats 200 times."""
    found = validate([name], repeats=2, effort="quick")
    assert {one.planted for one in found} == {"null", "effect"}
    for one in found:
        wrong = one.supported if one.planted == "null" else one.repeats - one.supported
        assert wrong <= 1, one


def test_every_claim_that_claims_something_has_planted_worlds():
    for name in NAMES:
        kinds = {row.kind for row in measure(name, usual(name)).rows}
        assert ("claim" in kinds) == (name in OWN), name


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
def test_each_count_fails_by_itself_and_is_a_check(world, part):
    found = rows("computation", world)
    assert pick(found, part).verdict == "fails"
    judged = [r for r in found.values() if r.verdict]
    assert {r.kind for r in judged} == {"check"}
    assert [r.verdict for r in judged].count("holds") == len(judged) - 1 == 4


def test_a_network_that_heeds_the_budget_fails_the_check_of_a_flat_slope():
    found = rows("budget_slope", World(network=(0.4, 0.0), drift=0.03))
    assert_near(pick(found, "network"), 0.03, 0.002)
    assert pick(found, "network").verdict == "fails"
    assert pick(found, "search").verdict == "supported"


def test_verdicts_share_one_error_rate():
    """What clears its bound by itself need not do so among many."""
    world = World(n=400, exact=False, search=(0.3, 0.0125), luck=3)
    alone = measure("budget_slope", world)
    records = world.records(claims.plan([TASK], "smoke"))
    family = {f.claim: f for f in claims.analyse(records, [TASK], "smoke")}
    row, same = alone.rows[0], family["budget_slope"].rows[0]
    assert (row.estimate, row.low, row.alone) == (same.estimate, same.low, same.alone)
    judged = [r for f in family.values() for r in f.rows if r.kind == "claim"]
    assert len(judged) >= 15
    for r in judged:
        assert r.verdict in (r.alone, "inconclusive")
    assert any(r.verdict != r.alone for r in judged)


def test_networks_beyond_their_teacher_are_not_supported():
    found = rows("search_equivalent", World(network=(0.995, 0.0)))
    assert pick(found, "worth").verdict != "supported"
    assert pick(found, "worth").estimate == math.inf


def test_a_search_that_is_always_right_measures_no_network():
    perfect = World(search=(1.0, 0.0), network=(1.0, 0.0))
    worth = pick(rows("search_equivalent", perfect), "worth")
    assert worth.verdict != "supported" and "more search scores no more" in worth.note


def test_compute_that_harms_on_both_sides_is_no_exchange():
    found = rows("exchange_rate", World(n=1000, guided=(0.9, -0.1, -0.05)))
    assert pick(found, "gained by decision compute").verdict == "refuted"


def test_exponents_and_what_they_cost_are_the_planted_ones():
    """Of 25, 49 and 81 positions the last ask for 0.9 doublings more of the budget."""
    world = World(n=1000, search=(0.5, 0.08), more={"larger": -0.072})
    asked = {"only": ["limit_of_search"]}
    records = world.records(claims.plan(["gridworld_pits"], "quick", **asked))
    (finding,) = claims.analyse(records, ["gridworld_pits"], "quick", **asked)
    found = {f"{r.decider}: {r.quantity}": r for r in finding.rows}
    assert len([r for r in found.values() if r.kind == "claim"]) == 2
    at = np.log([25, 49, 81]) - np.log([25, 49, 81]).mean()
    slope = float(at @ (np.log(2) * 0.9 * np.array([0, 0, 1])) / (at @ at))
    assert slope == pytest.approx(0.5, abs=0.02)  # twice the smallest effect
    assert_near(pick(found, "(UCT): exponent of"), slope, 0.02)
    even = "uninformed tree search: "
    assert_near(pick(found, f"{even}steps needed at the smallest"), 10 * 32, 12)
    assert_near(pick(found, f"{even}steps over UCT's"), 1.0, 0.05)
    assert_near(pick(found, f"{even}exponent less UCT's"), 0.0, 0.02)


def test_losses_that_were_not_seen_are_allowed_for():
    """In 14 of 1,000 positions nearly twenty times all that is at stake elsewhere is lost."""
    rng = np.random.default_rng(0)
    ways = np.concatenate([np.full(880, 1.0), np.full(106, 0.9), np.full(14, -19.0)])
    covered = [
        at.low <= ways.mean() <= at.high
        for at in (mean(rng.choice(ways, 32), -19.5) for _ in range(200))
    ]
    assert np.mean(covered) > 0.95  # the bootstrap alone: in two fifths
    # Where a loss of all that can be lost was seen, nothing greater is unseen.
    seen = rng.choice([0.0, 0.5, 1.0], 100)
    assert mean(seen, 0.0).low == pytest.approx(bootstrap(seen).low, abs=0.005)


def test_of_few_sizes_and_of_budgets_that_are_always_enough_no_growth_is_claimed():
    told = {}
    for task, search in ((TASK, (0.5, 0.08)), ("gridworld_pits", (0.95, 0.0))):
        world = World(n=400, search=search)
        records = world.records(claims.plan([task], "quick", only=["limit_of_search"]))
        (finding,) = claims.analyse(records, [task], "quick", only=["limit_of_search"])
        rows = [row for row in finding.rows if row.quantity.startswith("exponent of")]
        assert {row.kind for row in rows} == {"told"}
        told[task] = rows[0].note
    assert "fewer than 3 sizes" in told[TASK]
    assert "the smallest budget is enough" in told["gridworld_pits"]


def test_nothing_is_claimed_of_what_needs_more_than_was_tried():
    hard = World(n=400, search=(0.5, 0.08), more={"larger": -0.5})
    records = hard.records(claims.plan([TASK], "quick", only=["limit_of_search"]))
    (finding,) = claims.analyse(records, [TASK], "quick", only=["limit_of_search"])
    rows = [row for row in finding.rows if row.quantity.startswith("exponent of")]
    assert {row.kind for row in rows} == {"told"} and len(rows) == 2
    for row in rows:  # 32 of 1024 simulations at the smallest size: five doublings at least
        assert row.low == row.estimate == pytest.approx(1.0, abs=0.1) and row.high == math.inf
        assert "more than 10,2" in row.note and "nothing is claimed" in row.note


def test_equal_totals_are_worked_out_from_the_planted_costs():
    """A tenth of the network's training, and decisions 17 times as dear as its own."""
    loop, network = Spent(1e5, 17e3), Spent(1e6, 1e3)
    at = compared(loop, network)
    assert at.equal and loop.total(at.decisions) == pytest.approx(network.total(at.decisions))
    assert compared(Spent(1e7, 17e3), network) == (1e7 / 17e3, False)
    dear = rows("both_directions", World(n=400))
    assert pick(dear, "beyond a network alone").kind == "told"
    world = World(n=1000, train_flops=1e3, search=(0.3, 0.06), guided=(0.8, 0.0, 0.0))
    found = rows("both_directions", world)
    # (1.45e6 - 1e5) / 16e3 decisions of as many operations as 1.45e6 / 84 + 1e3, at 500 each.
    share = 0.3 + 0.06 * math.log2((1.45e6 / 84.375 + 1e3) / 500)
    assert_near(pick(found, "beyond search alone, at equal"), 0.8 - share, 0.01)
    assert_near(pick(found, "beyond a network alone"), 0.8 - (0.1 + 0.05 * math.log2(408)), 0.01)
    assert "after 84 decisions" in pick(found, "beyond a network alone").note


def test_what_pruning_saves_and_loses_is_the_planted():
    found = rows("value_prunes", World(n=1000))
    who = "alpha-beta pruned by a value of 408 examples"
    assert_near(pick(found, f"{who}: steps of the rules saved"), 0.6, 0.01)
    assert_near(pick(found, f"{who}: way lost"), 0.01, 0.002)
    assert_near(pick(found, "more way lost than without noise"), 0.19, 0.005)
    assert_near(pick(found, f"{who}: error of the value"), 0.2, 0.01)


def test_what_a_task_cannot_show_is_not_applicable_and_says_why():
    cells = claims.plan(["gridworld_hidden"], "smoke", only=["data_slope"])
    assert cells == []
    (finding,) = claims.analyse({}, ["gridworld_hidden"], "smoke", only=["data_slope"])
    (row,) = finding.rows
    assert (row.kind, row.verdict) == ("absent", "not applicable")
    assert "not known here" in row.reason


def test_one_claim_that_cannot_be_computed_takes_no_other_down(monkeypatch):
    module = claims.claim("budget_slope")

    def broken(*_):
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(module, "analyse", broken)
    only = ["budget_slope", "converges_to_optimum"]
    records = W.records(claims.plan([TASK], "smoke", only=only))
    slope, optimum = claims.analyse(records, [TASK], "smoke", only=only)
    assert slope.rows[0].verdict == "not measured" and "a fault of ours" in slope.rows[0].reason
    assert optimum.rows[0].kind == "claim"


def test_a_claim_about_worlds_of_its_own_is_asked_of_them_once():
    tasks = ["gridworld_pits", "gridworld", TASK]
    cells = claims.plan(tasks, "smoke", only=["outputs"])
    assert [cell.settings["kind"] for cell in cells] == list(shown_on("outputs"))[::-1]
    (finding,) = claims.analyse(W.records(cells), tasks, "smoke", only=["outputs"])
    assert list(dict.fromkeys(row.task for row in finding.rows)) == list(shown_on("outputs"))
    assert claims.plan([TASK], "smoke", only=["outputs"]) == []
    (finding,) = claims.analyse({}, [TASK], "smoke", only=["outputs"])
    assert [(row.task, row.verdict) for row in finding.rows] == [(TASK, "not applicable")]


def test_a_missing_record_is_not_measured_and_says_what_to_do():
    findings = claims.analyse({}, [TASK], "smoke")
    found = [row for finding in findings for row in finding.rows]
    missing = [row for row in found if row.verdict == "not measured"]
    assert {row.verdict for row in found} == {"not measured", "not applicable"}
    assert len(missing) > 10
    assert all("same `deliberate table` call" in row.reason for row in missing)


# --- estimates are the planted numbers ---------------------------------------------------------


def test_a_claim_that_cannot_say_its_cells_takes_no_other_down(monkeypatch):
    broken = claims.claim("data_slope")
    monkeypatch.setattr(broken, "cells", lambda *_: 1 / 0)
    with pytest.warns(UserWarning, match="data_slope is not measured on"):
        cells = claims.plan([TASK], "smoke", only=["budget_slope", "data_slope"])
    assert cells == claims.plan([TASK], "smoke", only=["budget_slope"])
    with pytest.warns(UserWarning, match="division by zero"):
        assert claims.plan([TASK], "smoke", only=["data_slope"]) == []


def test_why_a_cell_failed_stands_in_its_row(tmp_path):
    cells = claims.plan([TASK], "smoke", only=["budget_slope"])
    why = {cell.id: "Traceback\nValueError: planted" for cell in cells}
    (tmp_path / "failures.json").write_text(json.dumps(why))
    (finding,) = claims.analyse({}, [TASK], "smoke", only=["budget_slope"], folder=tmp_path)
    assert "ValueError: planted" in " ".join(row.reason for row in finding.rows)


def test_slopes_are_the_planted_ones():
    assert_near(pick(rows("budget_slope", W), "search"), 0.08, 0.002)
    assert_near(pick(rows("data_slope", W), "network"), 0.05, 0.002)
    assert_near(pick(rows("converges_to_optimum", W), "largest"), 0.3 + 0.08 * 8, 0.004)
    assert_near(pick(rows("converges_to_teacher", W), "divergence"), -0.1, 1e-6)
    world = World(regret_gap=0.03)
    assert_near(pick(rows("converges_to_teacher", world), "beyond"), 0.03, 1e-6)
    assert_near(pick(rows("converges_to_teacher", world), "biased teacher"), 0.5, 1e-6)


def test_no_regret_seen_leaves_room_for_some():
    reached = pick(rows("converges_to_optimum", World(search=(0.2, 0.1))), "largest")
    assert (reached.estimate, reached.high) == (1.0, 1.0)
    # Wilson's limit for none in 100, and a position can lose 1.
    assert reached.low == pytest.approx(1 - 1.959964**2 / (100 + 1.959964**2), abs=1e-5)


def test_gains_and_equivalents_are_the_planted_ones():
    assert_near(pick(rows("better_data", W), "gained"), 0.1, 0.006)
    worth = pick(rows("search_equivalent", World(n=1000, network=(0.62, 0.0))), "worth")
    assert_near(worth, 16.0, 0.5)
    gained = pick(rows("data_efficiency", World(n=1000, network=(0.12, 0.05))), "over little")
    assert_near(gained, math.log2(408 / 16) * 0.05, 0.002)
    assert_near(pick(rows("data_efficiency", W), "no example"), 0.3 + 0.08 * 4, 0.002)


def test_the_exchange_rate_is_the_planted_one():
    # A decade of training is worth .1, a decade of decision compute .05 x log2(10).
    found = rows("exchange_rate", World(n=1000, guided=(0.3, 0.1, 0.05)))
    rate = pick(found, "slope of lines")
    assert_near(rate, -0.1 / (0.05 * math.log2(10)), 0.02)
    assert "12 cells" in rate.note
    assert_near(pick(found, "curvature"), 0.0, 0.01)


def test_costs_and_break_even_are_the_planted_ones():
    found = rows("runtime_cost", World(n=1000, network=(0.62, 0.0)))
    ratio, paid = pick(found, "operations a decision"), pick(found, "n*, by operations")
    slow = 10 * 16 * STEP
    assert_near(ratio, slow / FORWARD, 0.1)
    assert_near(paid, (9000 * STEP + 1e6) / (slow - FORWARD), 3)
    assert_near(pick(found, "time a decision"), 0.5 * 16 / 0.05, 1.0)
    assert_near(pick(found, "n*, by time"), 4000 / (8 - 0.05), 3)
    # The equivalent lies between measured budgets, and so do its costs: nothing is rounded up.
    assert 4 < ratio.low < 8 < ratio.high < 16
    assert [r.timing for r in found.values()] == [True, False, False, True, True, True]
    assert [r.kind for r in found.values()] == ["claim", *["told"] * 5]


def test_the_break_even_in_dollars_follows_the_prices():
    """At equal prices n* is that of time, and what is spent is training, whole, and decisions."""
    world, only = World(n=1000, network=(0.62, 0.0)), ["runtime_cost"]
    records = world.records(claims.plan([TASK], "smoke", only=only))
    told = {}
    for prices in (Prices(), Prices(0.36, 3.6)):
        (found,) = claims.analyse(records, [TASK], "smoke", only=only, prices=prices)
        told[prices.training] = {r.quantity: r for r in found.rows}
    usual, dear = told.values()
    assert usual["n*, by money"].estimate == pytest.approx(usual["n*, by time"].estimate)
    assert dear["n*, by money"].estimate == pytest.approx(10 * usual["n*, by time"].estimate)
    # 4 seconds of training at 0.1 cents each, and a network at 1/160 of search's time.
    assert_near(dear["money spent at n*"], 0.004 / (1 - 0.05 / 8), 1e-5)
    assert "$0.36 an hour" in dear["money spent at n*"].note


def test_costs_beyond_the_budgets_tried_are_bounds():
    strong = pick(rows("runtime_cost", World(network=(0.995, 0.0))), "time a decision")
    assert strong.high == math.inf and strong.alone == "supported"
    weak = pick(rows("runtime_cost", World(network=(0.05, 0.0))), "time a decision")
    assert weak.low == 0.0 and weak.verdict != "supported"
    assert "fewer than 1 simulations" in weak.note


def test_positions_are_the_shapley_gains_of_the_planted_scores():
    world = World(n=1000, guided=(0.3, 0.1, 0.05), blind=(0.2, 0.1))
    found = rows("positions", world)
    blind, learned, both = 0.4, 0.5, 0.5 + 0.05 * math.log2(5)
    by_search, by_learning = (blind + both - learned) / 2, (learned + both - blind) / 2
    assert_near(pick(found, "guided search (4): carried by search"), by_search, 0.01)
    assert_near(pick(found, "guided search (4): carried by learning"), by_learning, 0.01)
    assert_near(pick(found, "only together"), both - blind - learned, 0.01)
    assert_near(pick(found, "guided search (4): reached"), both, 0.005)
    assert_near(pick(found, "lost without search"), both - learned, 0.005)
    assert_near(pick(found, "lost without learning"), both - blind, 0.005)
    for who, lacks in (("search (16)", "learning"), ("network", "search")):
        none = found[f"{who}: carried by {lacks}"]
        assert (none.estimate, none.kind, none.verdict) == (0.0, "check", "holds")


def test_redundant_parts_stand_at_halves_and_refute():
    """Each would do alone: both coordinates read .45, and switching either off loses nothing."""
    found = rows("positions", World(n=1000, guided=(0.9, 0.0, 0.0), blind=(0.9, 0.0)))
    assert_near(pick(found, "guided search (4): carried by search"), 0.45, 0.01)
    assert_near(pick(found, "only together"), -0.9, 0.01)
    assert pick(found, "lost without search").verdict == "refuted"


def test_seeds_that_differ_widen_the_intervals():
    alike, apart = World(n=400), World(n=400, seed_effects=(-0.08, 0.0, 0.08))
    for name, part in (("search_equivalent", "worth"), ("positions", "(4): reached")):
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
    finding = measure(name, usual(name))
    stated = claims.list_claims()[name]
    for field in ("aspect", "side", "title", "statement", "refuted_if", "estimand", "smallest"):
        assert getattr(finding, field) == stated[field]
    assert finding.claim == name
    for row in finding.rows:
        assert (row.claim, row.aspect) == (name, stated["aspect"])
        assert row.task in shown_on(name)
        assert row.side in ("direct", "amortised", "both") and row.over
        assert row.decider and row.quantity and row.n > 0
        unknown = row.kind == "told" and math.isnan(row.estimate)
        assert unknown or row.low <= row.estimate <= row.high
    assert len({(r.task, r.decider, r.quantity) for r in finding.rows}) == len(finding.rows)
    assert any(r.verdict for r in finding.rows)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("world", [W, World(n=2), World(n=20, guided=(1.0, 0.0, 0.0))])
def test_figures_can_be_drawn(name, world):
    figures = measure(name, world).figures
    assert len(figures) == (name != "computation")
    for panel in (panel for figure in figures for panel in figure.panels):
        assert panel.x_label and panel.y_label and panel.title.startswith(shown_on(name))
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
    assert heat.z[2][1] == pytest.approx(0.6 + 0.02 * math.log2(5), abs=0.01)


def test_a_flat_heat_map_has_no_isolines():
    (figure,) = measure("exchange_rate", World(guided=(0.5, 0.0, 0.0))).figures
    heat = figure.panels[0].heat
    assert heat is not None and heat.isolines == []


EXTREMES = {
    "ordinary": W,
    "nothing to learn": World(n=3, guided=(0.5, 0.0, 0.0), blind=(0.5, 0.0)),
    "perfect": World(search=(1.0, 0.0), network=(1.0, 0.0), guided=(1.0, 0.0, 0.0)),
    "hopeless": World(search=(0.0, 0.0), network=(0.0, 0.0), guided=(0.0, 0.0, 0.0)),
    "cheap search": World(search_steps=0.001, search_ms=0.0001),
    "one position": World(n=1),
    "steep": World(n=50, guided=(0.2, 0.3, 0.0001)),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("extreme", EXTREMES)
def test_words_survive_what_is_not_known(name, extreme):
    finding = measure(name, EXTREMES[extreme])
    words = finding.summary.lower().replace(",", " ").split()
    assert not {"nan", "inf", "-inf", "[nan", "nan]", "[inf", "inf]", "inf."} & set(words)
    assert finding.summary


def test_words_say_what_was_planted():
    said = measure("search_equivalent", World(n=1000, network=(0.62, 0.0))).summary
    assert said.startswith("On tic_tac_toe the network alone (0.62 of the way) is worth about 16 [")
    said = measure("exchange_rate", World(n=1000, guided=(0.3, 0.1, 0.05))).summary
    assert "saves 0.60 decades" in said
    said = measure("exchange_rate", World(n=1000, guided=(0.7, -0.1, 0.05))).summary
    assert "costs 0.60 decades" in said
    said = measure("search_equivalent", World(network=(0.995, 0.0))).summary
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
    assert students.reached(Estimate(estimate, low, high, 100), (4, 64, 4096)) == words


def test_the_order_of_records_does_not_matter():
    records = list(W.records(claims.plan([TASK], "smoke")).items())
    first = claims.analyse(dict(records), [TASK], "smoke")
    random.Random(0).shuffle(records)
    again = claims.analyse(dict(records), [TASK], "smoke")
    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    assert [finding.claim for finding in first] == claims.asked_at("smoke")


def test_tasks_follow_each_other_in_one_finding():
    tasks = [TASK, "connect_four"]
    records = W.records(claims.plan(tasks, "smoke", only=["positions", "budget_slope"]))
    slope, places = claims.analyse(records, tasks, "smoke", only=["budget_slope", "positions"])
    assert (slope.claim, places.claim) == ("budget_slope", "positions")
    assert [row.task for row in slope.rows] == [TASK, TASK, "connect_four", "connect_four"]
    assert places.rows[-1].task == "connect_four" and places.rows[-1].kind == "absent"
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
    # The least effort leaves out the commentary, except for a claim that is named.
    asked = claims.asked_at(effort)
    assert (len(asked) < len(NAMES)) == (effort == "smoke") and len(asked) >= 17
    single = [
        cell.id for name in asked for t in tasks for cell in claims.plan([t], effort, only=[name])
    ]
    assert set(single) == set(ids)
    assert claims.plan(tasks, effort, only=["shifted_left"])
    assert len(single) > 1.2 * len(ids)


def test_plans_do_not_depend_on_order():
    tasks = ["tic_tac_toe", "connect_four"]
    cells = {cell.id: cell for cell in claims.plan(tasks, "quick")}
    turned = claims.plan(tasks[::-1], "quick", only=NAMES[::-1])
    assert {cell.id: cell for cell in turned} == cells


def test_needs_come_with_their_own_needs():
    e = effort_of("smoke")
    cells = closure([students.scored(TASK, e, 256)[0]])
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
    home = Path(claims.__file__).parent
    rooms = ("rows", "commentary", *(f"{story}/*" for story in claims.STORIES))
    files = sorted(path for room in rooms for path in home.glob(f"{room}/[!_]*.py"))
    assert len(listed) == len(files)
    for path in files:
        (literal,) = [
            ast.literal_eval(node.value)
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "CLAIM"
        ]
        told = path.parent.parent.name in claims.STORIES
        assert set(literal) == {
            "name", "aspect", "side", "title", "statement", "estimand", "unit", "smallest",
            "refuted_if", *["chapter"] * told,
        }  # fmt: skip
        assert literal["name"] == path.stem and all(literal.values())
        beneath = path.parent.name == "commentary"
        assert (literal["aspect"] == claims.COMMENTARY) == beneath
        assert (literal["aspect"] in claims.STORIES) == told
        assert not told or literal["chapter"] == path.parent.name in claims.CHAPTERS
        assert beneath or told or literal["aspect"] in claims.ASPECTS
        assert literal == claims.claim(path.stem).CLAIM
    places = [list(claims.ORDER).index(entry["aspect"]) for entry in listed.values()]
    assert places == sorted(places)


def test_the_table_has_the_eleven_rows_of_the_sources_in_their_order():
    assert [aspect.title for aspect in claims.ASPECTS.values()] == [
        "Problem solving", "Computational approach", "Runtime cost", "Scalability with compute",
        "Convergence", "Performance", "Data efficiency", "Generalisation", "Alignment focus",
        "Out-of-distribution behaviour", "Examples",
    ]  # fmt: skip


def test_first_rungs_have_learned_something():
    """Training compute is read on a log scale, and the first iteration learns nothing."""
    for e in LEVELS.values():
        assert e.iterations * 0.5 ** (e.rungs - 1) > 1
        assert e.seeds >= 3 and e.ladders >= 2 and len(e.lessons) >= 3
        assert e.budgets[0] == 1 and e.teacher <= e.budgets[-1]
        assert all(list(s) == sorted(set(s)) for s in (e.budgets, e.dial, e.lessons))


def test_episodes_that_end_better_than_the_best_play_on_average_count_in_full():
    """Luck beyond the optimum is not cut off, or what was lost by bad luck would stay alone."""
    lucky = mean(np.array([0.5, 1.5] * 20), -1.0)
    assert lucky.estimate == pytest.approx(1.0) and lucky.low < 1.0 < lucky.high
    assert mean(np.array([1.0, 1.0 + 1e-7] * 20), -1.0).high == 1.0
