"""Effort is a matter of what is thought about a state: neither chance by the call nor actions that
are good everywhere pass for it.
"""

import dataclasses
import warnings
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from deliberation import make_task
from deliberation.audit import audit
from deliberation.audit.auditing import EFFORTS, Subject
from deliberation.audit.exam import Exam
from deliberation.audit.judging import (
    beyond_chance,
    by_places,
    control,
    of_all,
    over_calls,
    over_places,
    over_world,
)
from deliberation.audit.probes import effort, revaluation
from deliberation.core.answering import Question
from deliberation.specimens import make, random_world, validate
from deliberation.specimens.coded import Coded, simulations
from deliberation.specimens.validation import asked_of
from deliberation.stats import Estimate, bootstrap, nothing
from deliberation.tasks.arrays import from_arrays

SMOKE = EFFORTS["smoke"]


@pytest.fixture(scope="module")
def exam() -> Exam:
    return Exam.of(random_world(3), count=SMOKE.states)


def asked(decider, exam, seed=0):
    return effort.measure(Subject(decider, exam, SMOKE, jax.random.key(seed)))


class Moody(Coded):
    """In every other call it answers at random, by chance of its own, drawn once for the call."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(MOODS.integers(1 << 30))
        return self.table(rows) if rng.random() < 0.5 else self.legal_draw(rows, draws[:, 0])


MOODS = np.random.default_rng(5)


def test_chance_that_is_drawn_once_a_call_does_not_pass_for_a_response(exam):
    """By states alone one of seven such policies would be said to respond or to turn against it."""
    found = [asked(Moody(exam.task, exam), exam, seed).found for seed in range(12)]
    assert found.count("inconclusive") >= 11


def test_calls_are_the_units_where_they_differ(exam):
    alike = np.repeat([1.0, -1.0], 64)
    by_states = over_places(exam, exam.rows, alike, (-1.0, 1.0))
    by_calls = over_calls(exam, exam.rows, alike, (-1.0, 1.0))
    assert by_calls.estimate == by_states.estimate == 0
    # 16 calls of +-1 each: 1 / sqrt(15) times the t quantile, and not 1 / sqrt(127).
    assert by_calls.high == pytest.approx(0.55, abs=0.03)
    assert by_states.high == pytest.approx(0.17, abs=0.02)
    nothing = over_calls(exam, exam.rows, np.zeros(128), (-1.0, 1.0))
    assert nothing.high < 0.1


@pytest.mark.parametrize("by_call", [False, True])
def test_of_a_world_that_is_nearly_all_asked_chance_alone_is_left(exam, by_call):
    """Intervals hold the mean over all contested places as often as they say, and are narrower
    than those for ever more of them by what was asked; chance by the call is not narrowed.
    """
    rng, n = np.random.default_rng(0), len(exam.rows)
    there = exam.place[exam.rows]
    places = np.unique(exam.place[np.isfinite(exam.values).any(1)])
    every = exam.contested_places
    assert exam.share(exam.rows) == len(np.unique(there)) / len(every) and set(there) <= set(places)
    held = narrow = 0
    for _ in range(300):
        effects = dict(zip(every, rng.normal(0.3, 0.8, len(every)), strict=True))
        own = np.array([effects[p] for p in there])
        noise = rng.normal(0, 0.3, (2, n // 8 if by_call else n))
        asked = own + (np.repeat(noise, 8, 1) if by_call else noise)
        found = over_world(exam, exam.rows, asked, (-4.0, 4.0))
        wide = over_calls(exam, exam.rows, asked.mean(0), (-4.0, 4.0))
        held += found.low <= np.mean(list(effects.values())) <= found.high
        narrow += found.high - found.low < 0.75 * (wide.high - wide.low)
    assert 0.91 <= held / 300 <= 0.985
    assert narrow > 290 or by_call


def test_of_ever_more_places_repeating_the_question_says_no_more_of_them(exam):
    """Where states are drawn the interval is that of the mean of both answers."""
    world = dataclasses.replace(exam, listed=None)
    values = np.random.default_rng(0).normal(0, 1, (2, len(world.rows)))
    assert world.share(world.rows) == 0
    assert over_world(world, world.rows, values, (-4.0, 4.0)) == over_calls(
        world, world.rows, values.mean(0), (-4.0, 4.0)
    )


class Settled(Coded):
    """With little effort any action, with much always the same one."""

    def takes(self, rows: np.ndarray, question: Question, draws: np.ndarray) -> np.ndarray:
        offered = int(simulations(question, 64).max(initial=1))
        return np.full(len(rows), 1) if offered > 8 else self.legal_draw(rows, draws[:, 0])


def one_is_good_everywhere(states: int = 150) -> Exam:
    """A ring on which one action always earns 1 and the other does not."""
    moves = np.zeros((states, 2, states))
    moves[np.arange(states), :, (np.arange(states) + 1) % states] = 1.0
    return Exam.of(from_arrays(moves, np.tile([0.0, 1.0], (states, 1)), gamma=0.5), count=128)


def test_an_action_that_is_good_everywhere_is_no_thought_about_a_state(exam):
    easy = one_is_good_everywhere()
    found = asked(Settled(easy.task, easy), easy)
    assert found.estimate.low > 0.5 and found.found == "inconclusive"
    assert [c.holds for c in found.controls] == [True, False]
    planned = asked(make("dial_planner", exam, jax.random.key(0)), exam)
    assert planned.found == "responds" and all(c.holds for c in planned.controls)
    assert planned.controls[1].estimate.estimate > 0.1


def test_verdicts_are_named_as_the_probe_asks(exam):
    policy = make("dial_planner", exam, jax.random.key(0))
    found = audit(policy, exam.task, probes=["effort", "depth"], effort="smoke")
    assert found["effort"].named == "responds"
    assert found["depth"].named in ("better deep", "as good", "worse deep", "not decided")
    assert f"depth        {found['depth'].named}" in str(found)


@pytest.mark.parametrize(
    ("name", "found"), [("look_up_table", "none"), ("dial_planner", "responds")]
)
def test_specimens_are_found_out_in_games_and_where_a_search_judges(name, found):
    told = validate(["effort", "match"], [name], repeats=1, kinds=["game", "judged"])
    assert {(line.kind, line.probe): line.found for line in told} == {
        ("game", "match"): {found: 1},
        ("game", "effort"): {found: 1},
        ("judged", "effort"): {found: 1},
    }
    assert asked_of("uct", ["match", "worth"]) == {"game": ["match"]}
    assert asked_of("best_of_n", ["match", "effort"]) == {"listed": ["effort"], "small": ["effort"]}
    assert asked_of("puzzle_network", ["depth"]) == {"listed": ["depth"], "large": ["depth"]}


@pytest.mark.parametrize("places", [9, 11, 17, 25])
def test_a_last_call_of_few_rows_weighs_no_more_than_its_rows(places):
    """What is gained in one place of so many is that part of the whole, wherever it stands."""
    whole = EveryPlace(places)
    gained = np.zeros((2, places))
    gained[:, -1] = 1.0
    found = over_world(whole, np.arange(places), gained, (-2.0, 2.0))
    assert found.estimate == pytest.approx(1 / places) and found.n == places
    assert found.low <= 1 / places <= found.high


class EveryPlace(Exam):
    """As many places as there are rows, all of which can be asked."""

    def __init__(self, places: int):
        self.listed = SimpleNamespace()  # not None: they are all there are
        self.count = places

    @property
    def place(self):
        return np.arange(self.count)

    def share(self, rows):
        return len(rows) / self.count


@pytest.mark.parametrize("places", [9, 11, 17])
@pytest.mark.parametrize(("by_answer", "by_call"), [(1e-9, 0.0), (0.5, 0.0), (0.0, 0.5)])
def test_intervals_cover_where_few_places_are_all_there_are(places, by_answer, by_call):
    rng, whole, held = np.random.default_rng(0), EveryPlace(places), 0
    calls, draws = np.arange(places) // 8, effort.draws_for(places)
    for _ in range(300):
        effects = rng.normal(0.3, 0.5, places)
        answers = effects + rng.normal(0, by_answer, (draws, places))
        answers += rng.normal(0, by_call, (draws, calls.max() + 1))[:, calls]
        found = over_world(whole, np.arange(places), answers, (-4.0, 4.0))
        held += found.low <= effects.mean() <= found.high
    assert held / 300 >= 0.92


@pytest.mark.parametrize("world", [random_world(404, states=18), make_task("frozen_lake")])
def test_two_tables_that_were_drawn_are_seldom_said_to_respond_or_to_turn(world):
    exam = Exam.of(world, count=64)
    found = [asked(make("two_tables", exam, jax.random.key(s)), exam, s).found for s in range(30)]
    # One in twenty is what chance makes of it, and six of thirty with a chance of 1 in 300.
    assert found.count("responds") + found.count("against") <= 5
    planned = asked(make("sweep_planner", exam, jax.random.key(0)), exam)
    assert planned.found == "responds" and planned.controls[1].estimate.low > 0


def test_of_one_place_chance_is_all_there_is():
    one = EveryPlace(1)
    found = over_world(one, np.arange(1), np.full((160, 1), 1.0), (-2.0, 2.0))
    assert 0.8 < found.low <= 1.0 <= found.high < 1.2


def test_a_control_that_could_not_be_asked_does_not_hold():
    assert not control("asked of one", nothing()).holds
    assert control("asked", Estimate(0.0, -0.2, 0.2, 9)).holds


def test_answers_dealt_out_anew_are_the_null_of_their_own_places():
    """By hand: with three rows of two places, and one in five nulls or fewer beyond 0."""
    pairs = np.arange(9.0).reshape(3, 3)
    assert by_places(pairs, np.array([0, 0, 1])).tolist() == [[2.0, 3.5], [6.5, 8.0]]
    assert beyond_chance(np.eye(4)) is None
    fits = beyond_chance(np.eye(12))
    assert fits.estimate == pytest.approx(1 - 1 / 12, abs=0.02) and fits.low > 0.5
    rng = np.random.default_rng(0)
    lows = [beyond_chance(rng.normal(size=(12, 12))).low for _ in range(60)]
    assert sum(low > 0 for low in lows) <= 5
    illegal = np.where(np.eye(8) > 0, 1.0, np.nan)
    assert beyond_chance(illegal) is None
    pairs = np.full((40, 40), np.nan)  # each takes five answers of others: too few of any order
    for step in range(6):
        pairs[np.arange(40), (np.arange(40) + step) % 40] = 1.0
    with warnings.catch_warnings(action="error"):
        assert beyond_chance(pairs) is None


SMALL = 404
"""A world of 18 states: fewer announcements of one place can be made than are asked for."""


@pytest.mark.parametrize(
    ("name", "effort_is", "revaluation_is"),
    [
        ("look_up_table", "none", "none"),
        ("softmax_policy", "none", "none"),
        ("depth_planner", "none", "responds"),
        ("dial_planner", "responds", "responds"),
    ],
)
def test_where_all_was_asked_few_places_are_enough_for_a_verdict(name, effort_is, revaluation_is):
    small = Exam.of(random_world(SMALL, states=18))
    policy = make(name, small, jax.random.key(0))
    asked = Subject(policy, small, SMOKE, jax.random.key(0))
    assert small.share(small.rows) == 1
    assert effort.measure(asked).found == effort_is
    told = revaluation.measure(asked)
    assert told.found == revaluation_is
    assert told.estimate.n < SMOKE.announcements


def test_chance_in_the_answers_is_left_where_all_was_asked():
    """Of_all: of a share of 1 nothing but half the spread of two answers is left, by call where
    calls differ more than answers do; of a share of 0 all of what items differ by.
    """
    rng = np.random.default_rng(0)
    among = bootstrap(rng.normal(0.4, 1, 50), bounds=(-4.0, 4.0))
    apart = [rng.normal(0, 0.1, 8) for _ in range(20)]
    every = of_all(among, apart, 1.0, (-4.0, 4.0))
    assert every.estimate == among.estimate
    assert every.high - every.estimate == pytest.approx(1.96 * 0.1 / np.sqrt(160), rel=0.25)
    assert of_all(among, apart, 0.0, (-4.0, 4.0)).high == pytest.approx(among.high)
    moods = [np.full(8, 0.1 * rng.normal()) for _ in range(20)]
    by_call = of_all(among, moods, 1.0, (-4.0, 4.0))
    assert by_call.high - by_call.estimate > 2 * (every.high - every.estimate)
