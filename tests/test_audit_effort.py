"""Effort is a matter of what is thought about a state: neither chance by the call nor actions that
are good everywhere pass for it.
"""

import jax
import numpy as np
import pytest

from deliberation.audit import audit
from deliberation.audit.auditing import EFFORTS, Subject
from deliberation.audit.exam import Exam
from deliberation.audit.judging import over_calls, over_places
from deliberation.audit.probes import effort
from deliberation.core.answering import Question
from deliberation.specimens import make, random_world, validate
from deliberation.specimens.coded import Coded, simulations
from deliberation.specimens.validation import asked_of
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
    assert asked_of("best_of_n", ["match", "effort"]) == {"listed": ["effort"]}
