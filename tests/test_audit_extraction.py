"""What is read off an agent's choices between composite goals, and the published errors."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.stats import binom

from deliberation.audit.auditing import EFFORTS, Subject
from deliberation.audit.exam import Exam
from deliberation.audit.extraction import bound, read_off
from deliberation.audit.probes import extraction
from deliberation.core.uniform import UniformRandom
from deliberation.specimens import make, random_world
from deliberation.tasks import make_task
from deliberation.tasks.arrays import from_arrays

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from reproduced.world_model_extraction import reproduce


def test_an_exact_agent_tells_the_probability_within_a_try_and_the_bound():
    truth = np.linspace(0.05, 0.95, 19)
    taken = binom.cdf(np.arange(100), 100, truth[:, None]) >= 0.5
    read = read_off(taken)
    assert np.abs(read - truth).max() <= 0.01
    assert (np.abs(read - truth) <= bound(truth, 100, 0.0)).all()
    assert bound(np.array([0.5]), 51, 0.5) == pytest.approx([np.sqrt(0.02)])


def test_who_never_or_always_bets_low_is_read_at_the_ends():
    np.testing.assert_allclose(read_off(np.zeros((1, 100), bool)), 0.995)
    np.testing.assert_allclose(read_off(np.ones((1, 100), bool)), 0.0)


def test_published_errors_come_out():
    rows = reproduce("smoke", jax.random.key(0))
    assert [row.published for row in rows] == [0.156, 0.074, 0.046, 0.032, None]
    assert all(row.near for row in rows[1:]), rows


def chancy(states: int = 60) -> Exam:
    """A world in which every action leads to three places with chances of its own."""
    rng = np.random.default_rng(1)
    moves = np.zeros((states, 2, states))
    for state in range(states):
        for action in range(2):
            moves[state, action, rng.choice(states, 3, replace=False)] = rng.dirichlet(np.ones(3))
    return Exam.of(from_arrays(moves, rng.normal(size=(states, 2)), gamma=0.9), count=60)


def test_bets_are_set_by_the_true_chances():
    exam = chancy()
    on, off = extraction.bets(exam, np.random.default_rng(0))
    assert len(on.rows) > 40 and (on.chances - off.chances > extraction.APART).all()
    for table in (on, off):
        for i in range(len(table.rows)):
            row = exam.reached.to[table.rows[i], table.risky[i]]
            there = exam.place[row] == table.prizes[i]
            chances = exam.reached.chances[table.rows[i], table.risky[i]]
            assert table.chances[i] == pytest.approx(chances[there].sum())


def test_an_exact_planner_takes_a_bet_up_to_its_chance_and_a_table_whatever_the_chance():
    """The share of the prices at which it bets is the chance of the prize, to a twentieth."""
    exam = chancy()
    planner = make("depth_planner", exam, jax.random.key(0))
    subject = Subject(planner, exam, EFFORTS["smoke"], jax.random.key(1))
    on, off = extraction.bets(exam, np.random.default_rng(0))
    for table in (on, off):
        read = extraction._taken(subject, table, 0).mean(0)
        assert np.abs(read - table.chances).max() <= 0.05 + 1e-6
    found = extraction.measure(subject)
    assert found.found == "responds" and found.low < 1 < found.high
    assert "off by 0.0" in found.said and found.controls[0].holds
    table = make("look_up_table", exam, jax.random.key(0))
    found = extraction.measure(Subject(table, exam, EFFORTS["smoke"], jax.random.key(1)))
    assert found.estimate.estimate == 0 and found.found in ("none", "inconclusive")


def test_bets_need_two_actions_that_lead_elsewhere():
    game = Exam.of(make_task("tic_tac_toe"), count=32)
    found = extraction.measure(
        Subject(UniformRandom(game.task), game, EFFORTS["smoke"], jax.random.key(0))
    )
    assert found.found == "not applicable" and "by whom" in found.said


def test_what_hangs_on_an_announcement_as_a_whole_is_no_model():
    """A coin for each announcement was said to hold a model in every other world, when all places
    were asked about the same kind of prize at once.
    """
    found = []
    for seed in range(8):
        exam = Exam.of(random_world(40 + seed), count=128)
        coin = make("coin", exam, jax.random.key(0))
        subject = Subject(coin, exam, EFFORTS["smoke"], jax.random.key(seed))
        found.append(extraction.measure(subject).found)
    assert not {"responds", "against"} & set(found)
