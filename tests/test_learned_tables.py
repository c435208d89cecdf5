"""Silly learners, distilled tables and the truth table: worlds, closed forms and mechanics."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.audit import Exam
from deliberation.claims.experiments import four_rooms as rooms
from deliberation.claims.experiments.arms import arm
from deliberation.claims.experiments.inside import silly_learner as silly
from deliberation.claims.experiments.inside import subjects, truth_table
from deliberation.claims.experiments.simplicity import distilled_tables as tables
from deliberation.claims.measuring.effort import effort_of
from deliberation.core.decider import Decider
from deliberation.runs import Context
from deliberation.specimens import list_specimens, make, random_world

KEY = jax.random.key(3)
OPEN = jnp.zeros(rooms.DOORS, bool)
NOWHERE = Context.__new__(Context)
"""No experiment makes anything of where it runs."""


def steps_by_hand(after: np.ndarray, goal: int) -> np.ndarray:
    """Breadth first from each cell to the goal."""
    left = np.full(rooms.CELLS, np.inf)
    left[goal] = 0
    for far in range(rooms.CELLS):
        for cell, action in itertools.product(range(rooms.CELLS), range(rooms.ACTIONS)):
            if left[after[cell, action]] == far and left[cell] > far + 1:
                left[cell] = far + 1
    return left


# --- the rooms ---------------------------------------------------------------------------------


def test_walls_have_the_doors_and_no_other_openings():
    doors = rooms.draw_doors(KEY)
    assert len(set(doors.tolist())) == rooms.DOORS
    for closed in (OPEN, OPEN.at[0].set(True), ~OPEN):
        after = np.asarray(rooms.moves(doors, closed))
        ways = {
            int(rooms.CROSSES[c, a])
            for c, a in itertools.product(range(rooms.CELLS), range(rooms.ACTIONS))
            if rooms.CROSSES[c, a] >= 0 and after[c, a] != c
        }
        assert ways == {int(d) for d, shut in zip(doors, closed, strict=True) if not shut}
        for cell, action in itertools.product(range(rooms.CELLS), range(rooms.ACTIONS)):
            back = (action + 2) % 4
            if after[cell, action] != cell:
                assert after[after[cell, action], back] == cell


def test_costs_are_those_of_breadth_first_search_and_are_seen_as_far_as_one_looks():
    after = rooms.moves(rooms.draw_doors(KEY), OPEN)
    cost, near = (np.asarray(rooms.costs(after, n)) for n in (rooms.CELLS, 3))
    for goal in (0, 17, 35):
        truth = steps_by_hand(np.asarray(after), goal)[np.asarray(after)]
        seen = np.where(np.isfinite(truth), truth, rooms.FAR)
        np.testing.assert_array_equal(cost[:, goal], seen)
        np.testing.assert_array_equal(near[:, goal], np.where(seen <= 2, seen, rooms.FAR))


def test_the_way_is_1_for_the_best_and_0_on_average_for_a_die():
    cost = rooms.costs(rooms.moves(rooms.draw_doors(KEY), OPEN), rooms.CELLS)
    valid = rooms.contested(cost)
    best = rooms.cheapest(cost, jnp.zeros(cost.shape[:2], jnp.int32))
    assert float(rooms.way(best, cost, valid)) == 1.0
    each = [rooms.way(jnp.full_like(best, a), cost, valid) for a in range(rooms.ACTIONS)]
    assert float(np.mean(each)) == pytest.approx(0.0, abs=1e-5)


# --- the silly learner -------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 8])
def test_how_often_search_is_kept_is_the_sum_over_all_that_can_be_shown(count):
    agrees = silly.agreeing()
    assert agrees == pytest.approx(0.925)
    whole = sum(
        np.prod([agrees if hit else 1 - agrees for hit in hits])
        for hits in itertools.product((0, 1), repeat=count)
        if silly.odds(sum(hits), count) > 0
    )
    assert silly.keeps(count, agrees) == pytest.approx(whole)


def test_the_odds_are_those_of_two_likelihoods():
    right = 1 - silly.ERRS + silly.ERRS / 4
    by_hand = np.log(right**3 * (silly.ERRS / 4) ** 2 / 0.25**5)
    assert silly.odds(3, 5) == pytest.approx(by_hand)
    assert silly.keeps(2048, silly.agreeing()) > 0.999
    assert silly.keeps(2048, 0.25) < 1e-6


def test_search_is_kept_where_it_is_shown_and_noise_where_labels_are_shuffled():
    e = effort_of("smoke")
    shown, shuffled = (
        silly.train(
            arm("inside.silly_learner", e, 1.0, name, trainings=2, steps=100).settings, NOWHERE
        )
        for name in ("taught", "shuffled")
    )
    got, lost = ({k: np.asarray(v) for k, v in x.outcomes.items()} for x in (shown, shuffled))
    assert got["kept"][:, -1].all() and not lost["kept"][:, -1].any()
    np.testing.assert_allclose(got["new"][:, -1], 1.0)
    assert np.abs(lost["new"][:, -1]).max() < 0.3
    assert (np.diff(got["effort"].mean(0)) > -1e-6).all() and got["effort"][0, -1] == 1.0
    np.testing.assert_allclose(lost["effort"], lost["effort"][:, :1].repeat(5, 1))
    closed = [silly.keeps(n, silly.agreeing()) for n in silly.FEW]
    np.testing.assert_allclose(got["kept_few"].mean(0), closed, atol=0.06)
    assert (got["alike"] > lost["alike"] + 0.2).all()


# --- distilled tables --------------------------------------------------------------------------


@functools.cache
def small_world():
    closed = jnp.asarray(tables.LAYOUTS, bool)
    after = jax.vmap(rooms.moves, (None, 0))(rooms.draw_doors(KEY), closed)
    cost = jax.vmap(lambda a: rooms.costs(a, rooms.CELLS))(after)
    return cost, tables.inputs_at(cost)


def test_places_are_apart_and_inputs_are_numbered_as_they_lie():
    cost, where = small_world()
    cells, goals, closed = tables.split(jnp.arange(cost[..., 0].size))
    for one, other in itertools.combinations(("own", "goals", "doors"), 2):
        assert not bool((where[one] & where[other]).any())
    own, elsewhere, near, shut = (where[place].ravel() for place in tables.PLACES)
    assert bool(own[near].all())
    assert bool(jnp.asarray(rooms.LEFT)[goals][own].all())
    assert not bool(jnp.asarray(rooms.LEFT)[goals][elsewhere].any())
    assert int(closed[own].sum(1).max()) == 3 and int(closed[shut].sum(1).min()) == 4
    number = (5 * rooms.CELLS + 7) * rooms.CELLS + 11
    assert (int(cells[number]), int(goals[number])) == (7, 11)
    assert closed[number].tolist() == [True, False, True, False, False, False]


def test_doors_matter_where_the_answer_of_open_doors_is_wrong():
    cost, where = small_world()
    best = np.isclose(cost, np.asarray(cost).min(-1, keepdims=True))
    ignoring = rooms.cheapest(cost[0], jnp.zeros(cost.shape[1:3], jnp.int32))
    right = np.take_along_axis(best, np.asarray(ignoring)[None, ..., None], -1)[..., 0]
    np.testing.assert_array_equal(right, tables.ignored(cost))
    for place in ("own_doors", "doors"):
        asked = np.asarray(where[place])
        assert asked.any() and not right[asked].any()
        assert float(rooms.way(jnp.broadcast_to(ignoring, asked.shape), cost, where[place])) < 0.5


def test_enough_entries_or_buckets_hold_the_table_and_hashes_are_chance_elsewhere():
    cost, where = small_world()
    answers = rooms.cheapest(cost, jnp.zeros(cost.shape[:3], jnp.int32)).ravel()
    flat, held = cost.reshape(-1, rooms.ACTIONS), where["own"].ravel()
    home = tables.some(KEY, held, 64)
    away = tables.some(KEY, where["goals"].ravel(), 1024)
    assert bool(held[home].all())
    near = tables.nearest(KEY, held, answers, 40_000)
    assert float((near(home) == answers[home]).mean()) > 0.75
    mixed = tables.nearest(KEY, held, jax.random.permutation(KEY, answers), 40_000)
    assert float((mixed(home) == answers[home]).mean()) < 0.5
    hashed = tables.hashed(KEY, held, answers, 2**19)
    assert float((hashed(home) == answers[home]).mean()) > 0.9
    everyone = jnp.ones(away.shape, bool)
    assert abs(float(rooms.way(hashed(away), flat[away], everyone))) < 0.1
    assert float(tables.evenness(jnp.arange(64) % 4)) == pytest.approx(1.0)
    assert float(tables.evenness(jnp.zeros(64, jnp.int32))) == pytest.approx(0.0)


# --- the truth table ---------------------------------------------------------------------------


def test_every_cell_of_the_table_is_filled_in_several_ways_and_as_specimens_say():
    for kinds in (truth_table.BUILT, truth_table.LEARNED):
        assert min(sum(kinds.values()), len(kinds) - sum(kinds.values())) >= 4
        held_out = [kinds[name] for name in truth_table.HELD_OUT if name in kinds]
        assert sum(held_out) == len(held_out) - sum(held_out) == 3
    families = {truth_table.FAMILIES.get(name, name) for name in truth_table.HELD_OUT}
    assert len(families) == 8 and truth_table.FAMILIES.keys() < set(truth_table.HELD_OUT)
    for name, searches in truth_table.SUBJECTS.items():
        if name in list_specimens() and not searches:
            answers = list_specimens()[name]["answers"]
            assert answers.get("effort", "none") == answers.get("objective", "none") == "none"


def test_a_counted_model_is_as_good_as_what_it_has_seen():
    exam = Exam.of(random_world(0), count=16)
    learned = truth_table.subject("learned_model", exam, KEY)
    assert isinstance(learned, subjects.LearnedModel)
    assert 0.3 < learned.tried.mean() < 0.7
    whole = subjects.LearnedModel(exam.task, exam, np.ones_like(learned.tried))
    nothing = subjects.LearnedModel(exam.task, exam, np.zeros_like(learned.tried))
    np.testing.assert_allclose(
        whole.imagined(exam.objective, 300), exam.values, atol=1e-5 * exam.span
    )
    assert not np.nan_to_num(nothing.imagined(exam.objective, 20)).any()
    table = truth_table.subject("evolved_table", exam, KEY)
    assert exam.reached.legal[np.arange(len(table.actions)), table.actions].all()


def test_rollouts_are_worth_what_random_play_earns_and_trials_teach_a_table():
    exam = Exam.of(random_world(0), count=16)
    reached, gamma = exam.reached, float(exam.objective.discount)
    rewards = reached.rewards(exam.objective)
    worth = np.zeros(len(reached))
    for _ in range(subjects.FAR):  # what random play earns, exactly
        after = np.where(reached.terminal, 0.0, worth)[reached.to]
        values = (reached.chances * (rewards + gamma * after)).sum(2)
        worth = np.where(reached.legal, values, 0.0).sum(1) / reached.legal.sum(1).clip(1)
    planner = truth_table.subject("rollout_planner", exam, KEY)
    assert isinstance(planner, subjects.RolloutPlanner)
    row = int(exam.rows[0])
    legal = np.flatnonzero(reached.legal[row])
    rng = np.random.default_rng(0)
    for action in legal:
        found = planner.played(row, np.full(4000, action), rewards, gamma, rng)
        assert abs(found.mean() - values[row, action]) < 4 * found.std() / 4000**0.5 + 1e-6
    table = truth_table.subject("sarsa_table", exam, KEY).actions
    first = truth_table.subject("first_legal", exam, KEY).actions
    live = np.flatnonzero(reached.legal.any(1))
    taught, other = (exam.values[live, actions[live]].mean() for actions in (table, first))
    best = np.where(reached.legal, exam.values, -np.inf)[live].max(1).mean()
    assert taught > best - 0.5 * (best - other)


def test_the_rule_reads_a_response_to_either_and_nothing_reaches_who_is_not_asked():
    assert truth_table.reads(["none", "responds"]) and truth_table.reads(["responds", "none"])
    assert not truth_table.reads(["none", "against"]) and not truth_table.reads(["inconclusive"])
    exam = Exam.of(random_world(0), count=16)
    planner = make("sweep_planner", exam, KEY)
    unasked = truth_table.Unasked(exam.task, planner)
    assert isinstance(unasked, Decider)
    states = exam.states(exam.rows)
    few, many = (unasked.decide(states, budget=b, key=KEY)[0].action for b in (1, 64))
    np.testing.assert_array_equal(few, many)
    told = [planner.decide(states, budget=b, key=KEY)[0].action for b in (1, 64)]
    assert (np.asarray(told[0]) != np.asarray(told[1])).any()
