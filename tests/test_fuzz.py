"""Random small worlds through the deciders, against brute force: right, or refused by name.

`benchmarks/fuzz.py` does the same in thousands of worlds and for every decider; here are a few of
each, and what was found there.
"""

import dataclasses
import sys
import types
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from fuzzed import SCALES, Kind, Rows, as_objective, as_task, random_options, random_world
from fuzzed_deciders import CONTESTANTS, MADE, VALUES, Contestant, aims
from fuzzed_judge import BAND, CRASH, HANG, MISSED, REFUSED, RIGHT, SANE, WRONG, Case, judge
from fuzzed_truth import Oracle
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deliberation import check_task, direct
from deliberation.core.errors import UnsuitableTaskError
from deliberation.direct import ExactSolver, list_histories, solve

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))
import fuzz

BY_NAME = {entrant.name: entrant for entrant in (*CONTESTANTS, *VALUES)}
ASKED = {
    Kind(1): ("BestFirst", "BeamSearch", "CEM", "AlphaBeta"),
    Kind(1, chance=True, form="keyed"): (
        "ExactSolver", "value iteration", "TreeSearch uct", "PlanUntilHabit", "optimal_return",
    ),
    Kind(1, chance=True, hidden=True): ("BeliefPlanning", "BayesMixture", "optimal_return"),
    Kind(2, form="keyed"): ("ExactSolver", "AlphaBeta", "TreeSearch uct", "BestOfN", "solve"),
    Kind(3, chance=True, hidden=True): ("HistorySearch uct", "Quantiliser"),
}  # fmt: skip
"""Few, since each decider is compiled once for each kind of world."""
WORLDS = settings(
    max_examples=6, derandomize=True, deadline=None, database=None,
    suppress_health_check=list(HealthCheck), phases=[Phase.generate],
)  # fmt: skip


def by_hand(mover, first, second, last, discount=1.0):
    """A world for two players: place 0 leads to 4, or to an end; 4, the other's, to 7, or to one.

    `first` and `second` are the rewards in places 0 and 4, `last` that in place 7, where all ends;
    all for the one who moves first.
    """
    world = random_world(0, Kind(2, form="keyed"))
    reward, legal = np.zeros(world.reward.shape[:-1], np.float32), np.zeros((12, 3), bool)
    reward[0, 0, :2], reward[0, 4, :2], reward[0, 7] = np.c_[first], np.c_[second], last
    legal[[0, 0, 4, 4, 7], [0, 1, 0, 1, 0]] = True
    child = np.zeros_like(world.child)
    child[0, [0, 0, 4, 4, 7], [0, 1, 0, 1, 0], 0] = 4, 3, 7, 6, 9
    sign = 1 - 2 * mover
    return dataclasses.replace(
        world, child=child, legal=legal, over=~legal.any(1), discount=discount,
        reward=np.stack([sign * reward, -sign * reward], -1), first=np.eye(3)[0],
        mover=np.where(np.arange(12) // 3 == 1, 1 - mover, mover),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ASKED, ids=str)
@WORLDS
@given(
    seed=st.integers(0, 10_000),
    scale=st.sampled_from(SCALES),
    opposed=st.booleans(),
    ties=st.booleans(),
    dead=st.sampled_from([False, False, False, True]),
    single=st.sampled_from([False, False, False, True]),
    handed=st.booleans(),
)
def test_every_decider_is_right_or_refuses(kind, seed, handed, **options):
    world = random_world(seed, kind, **options)
    own = random_world(seed, kind, rewards=seed + 1, **options) if handed else None
    case = Case.of(world, seed, own)
    for name in ASKED[kind]:
        verdict = judge(BY_NAME[name], case, seed)
        assert verdict.outcome in (RIGHT, SANE, REFUSED), (name, verdict)


def test_the_worlds_keep_the_contract_of_a_task():
    kind = Kind(3, chance=True, hidden=True, form="keyed")
    check_task(as_task(random_world(1, kind)), episodes=8)


@pytest.mark.parametrize("entrant", CONTESTANTS, ids=lambda x: x.name)
def test_what_cannot_serve_refuses_at_the_door(entrant):
    worlds = [random_world(0, kind) for kind in (*MADE[:4], *MADE[5:]) if kind.form == "plain"]
    for world in worlds:
        if not entrant.serves(world):
            with pytest.raises(UnsuitableTaskError, match="Fuzzed"):
                entrant.make(as_task(world), world)


def test_the_judge_knows_wrong_from_right():
    """The worst action is wrong, and so is much of what chance would answer."""

    def losing(task, world):
        averse = as_objective(dataclasses.replace(world, reward=-world.reward))
        return ExactSolver(task, solve(task, averse))

    worst = Contestant("worst", losing, lambda w: True, "near")
    found, lost = [], []
    for seed in range(12):
        case = Case.of(random_world(seed, Kind(1)), seed)
        found.append(judge(worst, case, seed).outcome)
        for truth in case.truths:
            if truth.low is not None:
                band = BAND * max(np.ptp(truth.low[truth.low > -np.inf]), case.world.span / 3)
                legal = np.flatnonzero(truth.low > -np.inf)
                lost.extend(truth.loss(action) > band for action in legal)
    assert found.count(WRONG) > 8, found
    assert np.mean(lost) > 0.3
    crash = Contestant("crash", lambda t, w: None, lambda w: True, "near")
    assert judge(crash, case).outcome == CRASH != HANG


@pytest.mark.parametrize("place", [0, 7])
def test_the_judge_wants_a_refusal_of_what_must_be_met(place):
    """Two players who both win, now or later: what cuts lines off may not come to it."""
    world = by_hand(0, [0.5, 1.0], [0.0, 2.0], -1.0)
    reward = world.reward.copy()
    reward[0, place] = 1.0

    def outcome(sees, over=()):
        asked = dataclasses.replace(BY_NAME["UniformRandom"], serves=aims, sees=sees)
        ended = world.over.copy()
        ended[list(over)] = True
        here = dataclasses.replace(world, reward=reward, over=ended)
        return judge(asked, Case.of(here, 0)).outcome

    assert outcome("some") == (WRONG if place == 0 else SANE)
    assert outcome("ahead") == outcome("start") == WRONG
    assert outcome("ahead", over=[4]) == (WRONG if place == 0 else SANE)


# What was found by it


def met(name, kind, seed=0, own=None, **options):
    """How a decider fares in one world."""
    return judge(BY_NAME[name], Case.of(random_world(seed, kind, **options), seed, own), seed)


def test_states_that_hold_random_keys_are_listed_and_given_back_as_they_were():
    task = as_task(random_world(0, Kind(2, form="keyed")))
    solution = solve(task)
    states = solution.sample(4)
    assert jax.dtypes.issubdtype(states["key"].dtype, jax.dtypes.prng_key)
    np.testing.assert_array_equal(
        solution.values(states), solution.values(jax.tree.map(lambda x: x, states))
    )
    tree = list_histories(task)
    assert jax.tree.structure(tree.states) == jax.tree.structure(states)


@pytest.mark.parametrize("name", ["TreeSearch uct", "TreeSearch uct, jax", "PlanUntilHabit"])
def test_two_players_who_both_win_are_refused(name):
    """By the rewards of the task, and by those that are handed over."""
    kind = Kind(2)
    own = random_world(0, kind, rewards=9)
    for given_ in (None, own):
        verdict = met(name, kind, opposed=False, own=given_)
        assert verdict.outcome == REFUSED
        assert "do not sum to zero" in verdict.why
    assert met(name, kind).outcome == RIGHT


@pytest.mark.parametrize("players", [2, 3])
def test_a_quantiliser_wants_what_its_player_wants(players):
    outcomes = [met("Quantiliser", Kind(players), s, opposed=False).outcome for s in range(8)]
    assert set(outcomes) <= {RIGHT, SANE}
    assert RIGHT in outcomes


@pytest.mark.parametrize(
    "name",
    [
        "BeliefPlanning", "BayesMixture", "PlanUntilHabit", "Quantiliser", "AlphaBeta", "BestFirst",
        "BeamSearch",
    ],
)  # fmt: skip
def test_dead_ends_are_refused_as_such(name):
    """Not as numbers that are not finite, and not by an answer."""
    kind = Kind(1, chance=name in ("BeliefPlanning", "BayesMixture", "PlanUntilHabit"))
    cases = (Case.of(random_world(seed, kind, dead=True), seed) for seed in range(99))
    case = next(case for case in cases if any(truth.dead for truth in case.truths))
    verdict = judge(BY_NAME[name], case)
    assert verdict.outcome == REFUSED
    assert verdict.why.startswith("NoLegalActionError")


def test_a_mixture_begins_with_a_state_that_may_be():
    """The first state that is listed may be impossible, given what is seen."""
    kind = Kind(1, chance=True, hidden=True)
    assert {met("BayesMixture", kind, seed).outcome for seed in range(12)} == {RIGHT}


@pytest.mark.parametrize("seed", [59, 78])
def test_a_first_state_that_cannot_be_makes_no_return_unknown(seed):
    """It is listed with probability 0, and leads to what would never be seen otherwise."""
    kind = Kind(1, chance=True, hidden=True)
    assert not random_world(seed, kind).prior.all()
    assert met("optimal_return", kind, seed).outcome == RIGHT


def test_a_first_state_that_cannot_be_may_leave_nothing_to_do():
    world = random_world(3, Kind(1, chance=True, form="keyed"))
    legal, over = world.legal.copy(), world.over.copy()
    legal[0], over[0] = False, False
    world = dataclasses.replace(world, legal=legal, over=over, first=np.array([0, 0.5, 0.5]))
    for name in ("optimal_return", "solve"):
        assert judge(BY_NAME[name], Case.of(world, 0)).outcome == RIGHT


def test_the_cross_entropy_method_takes_the_plan_whose_return_it_names():
    assert {met("CEM", Kind(1), seed).outcome for seed in range(12)} == {RIGHT}


@pytest.mark.parametrize("name", ["BestOfN", "CEM", "PlanUntilHabit"])
def test_rewards_of_64_bits_are_served(name):
    with jax.enable_x64(True):
        assert met(name, Kind(1, form="wide"), 1).outcome in (RIGHT, SANE)


@pytest.mark.parametrize("mover", [0, 1])
def test_a_line_that_was_cut_is_not_preferred_for_a_rounding(mover):
    """The cut is at a return that rounds to more than that of the way already known."""
    known, way, discount = np.float32(0.21), np.float32(2.5), np.float32(0.75)
    bound = (known - way) / discount
    assert way + discount * bound > known
    case = Case.of(by_hand(mover, [way, known], [0.0, bound], -100.0, 0.75), 0)
    assert case.truths[0].low[1] > case.truths[0].high[0] + 50
    verdict = judge(BY_NAME["AlphaBeta"], case)
    assert verdict.outcome == RIGHT, verdict


def test_a_trap_is_left_before_long():
    """Its first returns are bad; by ln N alone it would wait far longer than any search lasts."""
    log = direct.UCT().kernel(1 << 16).table
    few, many = np.arange(2, 4096), np.arange(8192, 1 << 16)
    np.testing.assert_allclose(log[few], np.log(few), rtol=1e-6)
    np.testing.assert_allclose(log[many], np.sqrt(many) / 8, rtol=1e-6)
    every, kind = fuzz.kinds(), Kind(1, chance=True, form="keyed")
    assert every[137 % len(every)] == kind
    verdict = met("TreeSearch uct", kind, 137, **random_options(137))
    assert verdict.outcome in (RIGHT, MISSED), verdict


def test_an_answer_that_turns_on_anothers_close_call_is_a_miss():
    """Player 1 prefers one of two ways by a hair, and player 0 loses by that."""

    class First:
        """Always takes action 0."""

        def begin(self, batch):
            return None

        def decide(self, states, memory, **given):
            weights = np.tile(np.eye(3)[0], (4, 1))
            return types.SimpleNamespace(
                action=np.zeros(4), weights=weights, value=np.zeros(4)
            ), None

    def outcome(hair):
        world = by_hand(0, [0.0, 0.5], [0.0, 0.0], 0.0)
        reward = world.reward.copy()
        reward[0, 4, :2] = [[[-1.0, hair]] * 3, [[1.0, 0.0]] * 3]
        world = dataclasses.replace(world, reward=reward)
        rows = Rows(np.zeros(4, int), np.zeros(4, int), np.tile(world.prior, (4, 1)))
        oracle = Oracle(world)
        truths = [
            oracle.truth(*row) for row in zip(rows.places, rows.kinds, rows.posteriors, strict=True)
        ]
        assert truths[0].low[:2].tolist() == [-1.0, 0.5]
        asked = Contestant("first", lambda t, w: First(), lambda w: True, "near", 10)
        return judge(asked, Case(world, as_task(world), rows, None, truths, oracle)).outcome

    assert outcome(0.3) == WRONG
    assert outcome(0.001) == MISSED


def test_what_is_certain_is_preferred_to_what_is_thought():
    """Both are worth as much as can be had at most; what was not looked into counts as 0."""
    world = by_hand(0, [0.0, 0.0], [0.0, 0.0], -1.0)
    assert world.limits == (-1.0, 0.0)
    verdict = judge(BY_NAME["AlphaBeta"], Case.of(world, 0))
    assert verdict.outcome == RIGHT, verdict


# What the benchmark makes of it


def noted(task, outcome, decider="TreeSearch uct", loss=(0.0,)):
    return {
        "task": task, "decider": decider, "kind": "1p plain", "scale": 1.0, "outcome": outcome,
        "why": "", "loss": list(loss),
    }  # fmt: skip


def test_each_decision_counts_once(tmp_path):
    log = tmp_path / "fuzz.jsonl"
    fuzz.write_lines(tmp_path / "fuzz.0.jsonl", [noted(0, WRONG), noted(1, RIGHT)])
    fuzz.merge(log)
    assert fuzz.read_all(log) == fuzz.read(log) == [noted(0, WRONG), noted(1, RIGHT)]
    fuzz.forget(log)
    assert fuzz.read_all(log) == [noted(1, RIGHT)]


def test_who_misses_or_loses_more_than_it_may_is_named_first(tmp_path):
    def told(missed, loss):
        lines = [noted(i, MISSED if i < missed else RIGHT, loss=[loss]) for i in range(200)]
        fuzz.write(tmp_path, lines, 200)
        return (tmp_path / "fuzz.md").read_text().partition("## Outcomes")[0]

    assert "- Nobody." in told(12, 0.04)
    assert "- TreeSearch uct misses in 12.0% of 200 worlds" in told(24, 0.0)
    assert "- TreeSearch uct loses 0.0600 on average" in told(0, 0.06)


def test_more_simulations_tell_a_miss_from_a_fault():
    """One that answers badly unless it may take many is not wrong, only short of them."""

    @dataclasses.dataclass
    class Hasty:
        worst: Any
        best: Any
        enough: int

        def begin(self, batch):
            return None

        def decide(self, *given, budget, **rest):
            asked = self.best if budget >= self.enough else self.worst
            return asked.decide(*given, **rest)

    def outcome(enough):
        def make(task, world):
            averse = as_objective(dataclasses.replace(world, reward=-world.reward))
            worst, best = solve(task, averse), solve(task)
            return Hasty(ExactSolver(task, worst), ExactSolver(task, best), enough)

        asked = Contestant("hasty", make, lambda world: True, "near", 10)
        return judge(asked, Case.of(random_world(1, Kind(1)), 1)).outcome

    found = [outcome(enough) for enough in (10, 160, 2560, 2561)]
    assert found == [RIGHT, MISSED, MISSED, WRONG]
