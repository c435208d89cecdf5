"""What probes compare is alike but for the look-ahead that is needed: in closeness, in order."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest

from deliberation import make_task
from deliberation.audit.auditing import EFFORTS, Subject
from deliberation.audit.exam import Exam, best
from deliberation.audit.probes import compute, depth, revaluation
from deliberation.audit.probes.depth import halved, needs
from deliberation.audit.profile import SMALLEST
from deliberation.core.uniform import UniformRandom
from deliberation.specimens import make, random_world
from deliberation.specimens.planners.depth_planner import DepthPlanner
from deliberation.tasks.arrays import from_arrays

KEY, SMOKE = jax.random.key(0), EFFORTS["smoke"]


@pytest.mark.parametrize("slower", [1.0, 1.3, 2.0])
def test_to_be_asked_first_is_on_neither_side(slower, monkeypatch):
    """A clock in whose every odd call, from the second on, all takes longer."""
    rng, calls = np.random.default_rng(0), itertools.count(-1)

    def seconds(subject, rows, number):
        del subject, rows, number
        return float(rng.lognormal(0.0, 0.05)) * (slower if next(calls) % 2 == 0 else 1.0)

    monkeypatch.setattr(compute, "_seconds", seconds)
    exam = Exam.of(random_world(0), count=128)
    told = compute.measure(Subject(DepthPlanner(exam.task, exam, 2), exam, SMOKE, KEY))
    assert told.found == "none" and told.low < 0 < told.high


def test_choices_that_are_compared_for_depth_are_as_close():
    """Who misses close choices alone is not said to be worse where more look-ahead is needed."""
    exam = Exam.of(random_world(3), count=128)
    less = halved(needs(exam, SMOKE.depth))
    weight, _ = depth.comparable(exam, less)
    values = exam.values[exam.rows]
    lost = np.nanmax(values, 1)[:, None] - values
    close = np.log2(np.nanmin(np.where(best(values) | np.isnan(values), np.nan, lost), 1))
    raw = close[less].mean() - close[~less].mean()
    apart = [np.average(close[x], weights=weight[x]) for x in (less, ~less)]
    assert raw > 0.5 and abs(apart[0] - apart[1]) < 0.02 < raw
    assert ((weight > 0) & (weight < 1)).all()
    flat = depth.weighed(exam, exam.rows, np.ones(len(less)), weight)
    assert flat.estimate == 1.0 and flat.n < len(less)
    few = depth.weighed(exam, exam.rows[:40], (np.arange(40) % 2).astype(float), np.ones(40))
    assert (few.estimate, few.n) == (0.5, 40) and 0.3 < few.low < 0.4 < 0.6 < few.high < 0.7


@pytest.mark.parametrize("name", ["close_calls", "softmax_policy"])
def test_who_errs_where_choices_are_close_is_not_said_to_look_too_short(name):
    for seed in range(3):
        exam = Exam.of(random_world(seed), count=128)
        told = depth.measure(Subject(make(name, exam, KEY), exam, SMOKE, KEY))
        assert told.found in ("none", "inconclusive"), (seed, told.estimate)


def needle(easy, hard, pairs=60, deep=3):
    """A world of choices that end at once or after `deep` moves: of four actions so many are best,
    and stakes are of one distribution in both.
    """
    rng = np.random.default_rng(0)
    count = 1 + 2 * pairs + pairs * deep
    moves, pays = np.zeros((count, 4, count)), np.zeros((count, 4))
    moves[0, :, 0], way = 1, 1 + 2 * pairs + np.arange(pairs * deep).reshape(pairs, deep)
    for near, far, after in zip(
        1 + np.arange(pairs), 1 + pairs + np.arange(pairs), way, strict=True
    ):
        stakes = np.exp(rng.normal(0, 0.5, 2))
        moves[near, :, 0] = 1
        pays[near, rng.permutation(4)[:easy]] = stakes[0]
        good = np.isin(np.arange(4), rng.permutation(4)[:hard])
        moves[far, good, after[0]] = moves[far, ~good, 0] = 1
        for one, then in zip(after, [*after[1:], 0], strict=True):
            moves[one, :, then] = 1
        pays[after[-1]] = stakes[1] / 0.9**deep
    start = np.zeros(count)
    start[1 : 1 + 2 * pairs] = 0.5 / pairs
    return from_arrays(moves, pays, start=start, gamma=0.9)


def test_who_moves_blindly_is_no_better_and_no_worse_where_more_is_needed():
    """More of the actions are best in one half: whoever strays is right there oftener."""
    exam = Exam.of(make_task("tic_tac_toe"), count=256)
    less = halved(needs(exam, SMOKE.depth))
    (weight, uneven), right = depth.comparable(exam, less), depth.by_chance(exam)
    raw = abs(right[less].mean() - right[~less].mean())
    apart = [np.average(right[x], weights=weight[x]) for x in (less, ~less)]
    assert raw > 0.08 and abs(apart[0] - apart[1]) < 0.01 and uneven < depth.UNEVEN
    exam = Exam.of(needle(1, 3), count=128)
    told = depth.measure(Subject(UniformRandom(exam.task), exam, SMOKE, KEY))
    assert told.found == "not applicable" and "other shares of the actions are best" in told.said


class Sometimes(DepthPlanner):
    """Takes up what is told one move ahead in some of the announcements."""

    def takes(self, rows, question, draws):
        told = super().takes(rows, question, draws)
        return np.where(draws[:, 0] < 0.95, told, self.table(rows))


def test_who_follows_one_move_ahead_is_said_to_though_the_mean_over_depths_is_small():
    exam = Exam.of(random_world(700), count=150)
    level = dataclasses.replace(SMOKE, depth=8)
    told = revaluation.measure(Subject(Sometimes(exam.task, exam, 1), exam, level, KEY))
    assert told.estimate.estimate < SMALLEST and told.panel.series[0].y[0] > 0.3
    assert told.found == "responds" and "up to 1 move ahead," in told.said
