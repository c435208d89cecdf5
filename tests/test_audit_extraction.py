"""What is read off an agent's choices between composite goals, and the published errors."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.stats import binom

from deliberation.audit.extraction import bound, read_off

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
    assert all(row.holds for row in rows[1:]), rows
