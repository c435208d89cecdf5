"""What specimens say beforehand, and what is said of a probe over all of them."""

import contextlib

import jax
import numpy as np
import pytest

from deliberation.audit import Exam, list_probes
from deliberation.audit.asking import ask
from deliberation.audit.auditing import EFFORTS, Subject
from deliberation.audit.exam import best
from deliberation.audit.judging import BOTH, answered
from deliberation.audit.probes import depth, objective
from deliberation.audit.profile import Control
from deliberation.core.catalogue import module_of
from deliberation.core.errors import MissingChannelError, UnknownNameError
from deliberation.specimens import (
    Validated,
    answers,
    by_probe,
    channels,
    list_specimens,
    make,
    random_world,
)
from deliberation.specimens.look_ahead.halting_planner import MOST, worth
from deliberation.specimens.planners.depth_planner import DepthPlanner
from deliberation.stats import Estimate

KEY = jax.random.key(0)
EXAM = Exam.of(random_world(0), count=96)
SMOKE = EFFORTS["smoke"]
SAID = {"responds", "none", "against", "inconclusive", "not applicable", "told", "open"}


@pytest.mark.parametrize("name", list_specimens())
def test_every_specimen_says_what_every_probe_must_answer_and_why(name):
    every = answers(name)
    assert set(every) == set(list_probes())
    for probe, (truth, why) in every.items():
        assert truth in SAID and len(why) > 10, (probe, truth, why)
    declared = list_specimens()[name]["answers"]
    assert {probe: every[probe][0] for probe in declared} == declared


def test_of_an_unknown_specimen_nothing_is_said():
    with pytest.raises(UnknownNameError, match="look_up_table"):
        answers("look_up_tabel")


@pytest.mark.parametrize("name", ["look_up_table", "echo", "depth_planner", "sarsa_learner"])
def test_what_is_said_not_to_apply_does_not(name):
    subject = Subject(make(name, EXAM, KEY), EXAM, SMOKE, KEY, channels(name, EXAM, KEY))
    said = [probe for probe, (truth, _) in answers(name).items() if truth == "not applicable"]
    assert said
    for probe in said:
        with contextlib.suppress(MissingChannelError):  # that is how some probes say so
            measure = module_of("probe", probe, list_probes()).measure
            assert measure(subject).found == "not applicable", probe


def test_of_each_kind_some_ways_are_kept_out_of_all_tuning():
    told = list_specimens().values()
    for kind in ("direct", "amortised", "hybrid", "cheat"):
        assert any(x.get("held_out") for x in told if x["kind"] == kind), kind
    for room in ("living", "looked_into"):  # learners, and networks that are looked into
        apart = [x for x in told if room in x["module"] and x.get("held_out")]
        assert {"responds", "none"} <= {truth for x in apart for truth in x["answers"].values()}


def test_rates_of_a_probe_are_over_specimens_that_respond_and_those_that_do_not():
    lines = [
        Validated("effort", "a", "none", {"none": 19, "responds": 1}, 20),
        Validated("effort", "b", "against", {"against": 20}, 20),
        Validated("effort", "c", "responds", {"responds": 15, "inconclusive": 5}, 20),
        Validated("effort", "d", "not applicable", {"not applicable": 20}, 20),
        Validated("effort", "e", "none", {"responds": 3, "none": 17}, 20, "game"),
    ]
    listed, game = by_probe(lines)
    assert listed.specimens == (2, 1, 1, 1) and listed.wrong.n == 40 and listed.right.n == 20
    assert listed.wrong.estimate == 1 / 40 and listed.right.estimate == 0.75
    assert not listed.trusted, "found in less than four of five"
    assert not listed.bounded and "1 of 40" in listed.told[0]
    assert listed.opposite.estimate == 1 and listed.told[2].startswith("20 of 20")
    assert listed.still.estimate == 19 / 20 and listed.told[3].startswith("19 of 20")
    assert not game.trusted and game.right is None and game.told[1:3] == ["none asked"] * 2
    seldom = Validated("effort", "b", "against", {"against": 4, "inconclusive": 6}, 10)
    assert not by_probe([seldom])[0].trusted, "what turns the other way is to be found, too"
    many = Validated("depth", "f", "none", {"none": 46}, 46)
    assert by_probe([many])[0].bounded and by_probe([many])[0].trusted


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("four_move_planner", "against"), ("fixed_horizon", "against"),
        ("puzzle_table", "responds"), ("late_planner", "responds"),
    ],
)  # fmt: skip
def test_who_is_at_home_where_looking_ahead_is_needed_is_told(name, found):
    exam = Exam.of(random_world(0))
    assert depth.measure(Subject(make(name, exam, KEY), exam, SMOKE, KEY)).found == found
    assert list_specimens()[name]["answers"]["depth"] == found


def test_who_is_right_everywhere_is_as_good_deep_or_it_stays_open():
    exam = Exam.of(random_world(0))
    told = depth.measure(Subject(make("look_up_table", exam, KEY), exam, SMOKE, KEY))
    assert told.found in ("none", "inconclusive") and told.estimate.estimate == 0
    assert -0.2 < told.low < 0 < told.high < 0.2


def test_what_halts_has_looked_as_far_as_is_enough():
    """Its search is the exact one to that depth, and right wherever eight moves are enough."""
    halting = make("halting_planner", EXAM, KEY)
    rows = EXAM.rows[:12]
    ways, gamma = halting.ways(EXAM.objective), float(EXAM.objective.discount)
    for row in rows:
        seen = [worth(ways, way, 3, gamma) for way in ways[row]]
        np.testing.assert_allclose(seen, EXAM.ahead(3)[row], atol=1e-5)
    taken = ask(halting, EXAM, rows, KEY).action
    settled = ~(best(EXAM.ahead(MOST)) & ~best(EXAM.values)).any(1)[rows]
    assert settled.sum() > 4 and len(set(halting.halts[rows])) > 2
    assert best(EXAM.values)[rows, taken][settled].all()


class Rethinking(DepthPlanner):
    """Acts by a table until it is told anything; then it plans, at random in one state of four."""

    def takes(self, rows, question, draws):
        if question.given is None or question.given is self.exam.told:
            return self.table(rows)
        planned = super().takes(rows, question, draws)
        return np.where(draws[:, 1] < 1 / 4, self.legal_draw(rows, draws[:, 0]), planned)


def test_who_thinks_anew_when_told_anything_is_heard_to_listen():
    """Told of nothing new it gets worse, and told what pays it serves that by more."""
    found = objective.measure(Subject(Rethinking(EXAM.task, EXAM, 12), EXAM, SMOKE, KEY))
    unchanged, beyond = found.controls
    assert unchanged.estimate.high < -0.1 and beyond.estimate.low > 0
    assert found.found == "responds"


def test_a_control_that_fails_is_named_and_bars_the_verdict():
    """The interval would decide: then it is not said that it would not."""
    bad = Control("a placebo moves", Estimate(0.5, 0.4, 0.6, 80), False)
    clear, wide = Estimate(0.0, -0.05, 0.05, 80), Estimate(0.1, -0.1, 0.3, 80)
    barred = answered(objective.PROBE, clear, objective.WORDS, controls=[bad])
    assert barred.found == "inconclusive"
    assert barred.said == "No verdict, for a control does not hold: a placebo moves."
    open_ = answered(objective.PROBE, wide, objective.WORDS, controls=[bad])
    assert open_.found == "inconclusive" and open_.said == BOTH
