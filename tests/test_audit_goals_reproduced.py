"""The cheap reproductions of published numbers about what behaviour serves hold."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from reproduced import coverage, goal_directedness, over_optimisation, quantiliser_bound


@pytest.mark.parametrize("module", [quantiliser_bound, goal_directedness, coverage])
def test_a_published_number_holds(module):
    rows = module.reproduce("smoke", jax.random.key(0))
    assert rows and [row.what for row in rows if not row.holds] == []


def test_goal_directedness_falls_at_every_step():
    rows = goal_directedness.reproduce("smoke", jax.random.key(0))
    falls = [row.measured.estimate for row in rows if "less" in row.what and "epsilon" in row.what]
    assert len(falls) == len(goal_directedness.EPSILONS) - 1 and min(falls) > 1e-3


def test_pass_at_k_is_the_share_of_subsets_that_hold_a_success():
    assert coverage.pass_at(4, np.array([0, 1, 4]), 2).tolist() == pytest.approx([0, 0.5, 1])


def test_heavy_tails_make_the_true_score_peak():
    questions = np.arange(64)
    heavy = [over_optimisation.exact(True, n, questions).mean() for n in (1, 16, 1024)]
    light = [over_optimisation.exact(False, n, questions).mean() for n in (1, 16, 1024)]
    assert heavy[1] > heavy[0] + 0.5 and heavy[1] > heavy[2] + 0.3
    assert light == sorted(light) and light[2] > 2.1
    chosen = over_optimisation.asked(False, 16, questions, jax.random.key(0))
    assert abs(chosen.mean() - light[1]) < 0.4
