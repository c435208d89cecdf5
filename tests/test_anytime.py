"""Searches that are looked at while they run, and searches that keep to a time limit."""

import itertools
import time
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tables import ROWS, as_task, compile_lightly, full_speed, random_world  # noqa: F401

from deliberation.core import Budget, check_decider
from deliberation.core.errors import BudgetError
from deliberation.direct import (
    PUCT,
    Decided,
    Gumbel,
    HistorySearch,
    RandomRollouts,
    TreeSearch,
    ValueOfComputation,
)
from deliberation.direct.tree_search import running as anytime
from deliberation.tasks import make_task

START, KEY = jnp.arange(ROWS), jax.random.key(7)


def same(a, b):
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all((np.asarray(x) == np.asarray(y)).all() for x, y in leaves)


def without_time(decision):
    spent = decision.spent
    counted = (spent.model_steps, spent.network_evaluations, spent.flops)
    return decision.action, decision.weights, decision.value, counted


@pytest.mark.parametrize("backend", ["auto", "jax"])
@pytest.mark.parametrize(
    ("rule", "stopping"),
    [
        ("uct", None),
        ("puct", Decided()),
        ("puct", ValueOfComputation(jnp.float32(0.01), minimum=4)),
        (Gumbel(), None),
        (Gumbel(lanes=(4, 2)), None),
        (Gumbel(lanes=3), ValueOfComputation(jnp.float32(0.01), minimum=4)),
    ],
    ids=lambda x: type(x).__name__ if x is not None else "plain",
)
def test_the_last_of_the_answers_is_that_of_one_search(rule, stopping, backend):
    task, judge = as_task(random_world(3))
    judge = RandomRollouts() if rule == "uct" else judge
    options = {} if stopping is None else {"stopping": stopping}
    planner = TreeSearch(task, rule, judge, capacity=64, backend=backend, **options)
    budget = Budget(jnp.arange(ROWS) * 2 + 5)
    whole, _ = planner.decide(START, budget=budget, key=KEY)
    answers = list(planner.anytime(START, budget=budget, key=KEY))
    assert same(without_time(answers[-1]), without_time(whole))
    spent = [int(a.spent.model_steps.sum()) for a in answers]
    assert all(a <= b for a, b in itertools.pairwise(spent)) and spent[0] < spent[-1]
    if isinstance(rule, str) and stopping is None:
        assert len(answers) == 7  # after 1, 2, 4, 8, 16, 32 and 35 rounds
        for rounds, answer in zip((1, 2, 4, 8, 16, 32), answers, strict=False):
            part = Budget(jnp.minimum(budget.simulations, rounds))
            fewer, _ = planner.decide(START, budget=part, key=KEY)
            assert same(without_time(fewer), without_time(answer))


def test_an_answer_can_be_had_at_once_and_the_rest_left_alone():
    task, judge = as_task(random_world(3))
    planner = TreeSearch(task, "puct", judge, capacity=64, reuse=True)
    _, memory = planner.decide(START, planner.begin(ROWS), budget=20, key=KEY)
    answers = planner.anytime(START, memory, budget=20, key=KEY)
    first = next(answers)
    assert (first.spent.model_steps <= 1).all()
    # One visit each would put all weight on one action: it goes on from what is remembered.
    assert ((first.weights > 0).sum(1) > 1).any()
    answers.close()
    again, _ = planner.decide(START, memory, budget=20, key=KEY)  # nothing of it was used up
    assert (again.action >= -1).all()
    nothing = list(planner.anytime(START, budget=0, key=KEY))
    assert len(nothing) == 1 and same(
        nothing[0].weights, planner.decide(START, budget=0, key=KEY)[0].weights
    )


class Clock:
    """Time that passes only while a search runs: a price for compiling, and one for each round."""

    def __init__(self, monkeypatch, per_round, compiling=100.0, overhead=0.0):
        self.now, self.chunks = 0.0, []
        grown, begun = anytime.grown, anytime.begun
        forms = set()

        def count(given, outcome):
            rounds = int(given[2])
            before = int(outcome.simulations.max())
            outcome, more = grown(given, outcome)
            taken = int(outcome.simulations.max()) - before
            self.chunks.append(min(rounds, taken))
            self.now += overhead + taken * per_round(self)
            return outcome, more

        def begin(*args):
            form = jax.tree.structure(args), str([np.shape(x) for x in jax.tree.leaves(args)])
            self.now += 0 if form in forms else compiling
            forms.add(form)
            return begun(*args)

        monkeypatch.setattr(anytime, "grown", count)
        monkeypatch.setattr(anytime, "begun", begin)
        monkeypatch.setattr(anytime, "time", SimpleNamespace(perf_counter=lambda: self.now))
        monkeypatch.setattr(anytime, "clock", SimpleNamespace(now=lambda: self.now))
        monkeypatch.setattr(anytime, "_compiled", set())


PRICES = {
    "steady": lambda clock: 0.01,
    "slower as the tree grows": lambda clock: 0.01 * (1 + 0.02 * sum(clock.chunks)),
    "misleading at first": lambda clock: 0.01 if len(clock.chunks) > 1 else 1e-6,
}


@pytest.mark.parametrize("price", PRICES)
def test_a_time_limit_is_kept_to_a_tenth_and_compiling_does_not_count(monkeypatch, price):
    clock = Clock(monkeypatch, PRICES[price], overhead=1e-3)
    task, judge = as_task(random_world(9))
    planner = TreeSearch(task, "puct", judge, prove=False, capacity=1024)
    for turn in range(2):
        before, clock.chunks = clock.now, []
        decision, _ = planner.decide(START, budget=Budget(seconds=2.0), key=KEY)
        took = clock.now - before - (100 if turn == 0 else 0)
        assert 1.8 <= took <= 2.2
        assert max(clock.chunks) * 0.01 <= 0.21
        assert sum(clock.chunks) > (50 if price.startswith("slower") else 150)
    per_row = np.asarray(decision.spent.seconds)
    np.testing.assert_allclose(per_row, took / ROWS, rtol=1e-5)


def test_a_limit_shorter_than_a_round_still_gets_an_answer(monkeypatch):
    clock = Clock(monkeypatch, lambda c: 5.0)
    task, judge = as_task(random_world(9))
    planner = TreeSearch(task, "uct", judge, prove=False, capacity=64)
    before = clock.now
    planner.decide(START, budget=Budget(seconds=0.1), key=KEY)
    assert clock.now - before == 105 and sum(clock.chunks) == 1
    answers = list(planner.anytime(START, budget=Budget(seconds=12), key=KEY))
    assert len(answers) == 2


def test_simulations_beside_seconds_end_the_search_too(monkeypatch):
    clock = Clock(monkeypatch, lambda c: 0.01)
    task, judge = as_task(random_world(9))
    planner = TreeSearch(task, "uct", judge, prove=False, capacity=64)
    budget = Budget(jnp.full(ROWS, 30), seconds=1000.0)
    timed, _ = planner.decide(START, budget=budget, key=KEY)
    whole, _ = planner.decide(START, budget=30, key=KEY)
    assert same(without_time(timed), without_time(whole))
    clock.chunks = []
    planner.decide(START, budget=Budget(seconds=1000.0), key=KEY)
    assert sum(clock.chunks) == 64  # alone, as many as there is room for
    planner.decide(START, budget=Budget(model_steps=7, seconds=1000.0), key=KEY)
    assert sum(clock.chunks) == 64 + 7


def test_halving_is_planned_for_the_simulations_that_can_be_expected(monkeypatch):
    clock = Clock(monkeypatch, lambda c: 0.01)
    task, judge = as_task(random_world(9))
    planner = TreeSearch(task, Gumbel(noise=0.0), judge, prove=False, capacity=1024)
    order = planner._order(START, None, Budget(seconds=2.0), KEY)
    running = anytime.Running(planner._setting(None), order, 2.0)
    running.finish()
    schedule = running.outcome.schedule
    live = ~np.asarray(task.over)[:ROWS]
    trial = np.asarray(schedule.base.sum(1))[live]
    assert (trial >= 10).all() and (trial < 30).all()
    np.testing.assert_allclose(np.asarray(schedule.budget)[live], 200 - trial, atol=2)
    counts = np.asarray(running.outcome.tree.root.visits - schedule.base)[live]
    # The phases were gone through: the last two have most of what was simulated since.
    wide = np.asarray(running.outcome.tree.root.legal.sum(1))[live] == 4
    shares = np.sort(counts, axis=1)[wide]
    assert (shares[:, 2:].sum(1) > 1.9 * shares[:, :2].sum(1)).all() and wide.any()
    assert clock.chunks


@pytest.mark.usefixtures("full_speed")
def test_real_time_is_kept_roughly():
    task = make_task("connect_four")
    planner = TreeSearch(task, "uct", reuse=True, capacity=32768)
    state = jax.vmap(task.init)(jax.random.split(KEY, 2))
    memory, took = planner.begin(2), []
    for _ in range(2):
        before = time.perf_counter()
        decision, memory = planner.decide(state, memory, budget=Budget(seconds=0.1), key=KEY)
        took.append(time.perf_counter() - before)
    assert 0.08 < took[1] < 1  # other work may be running here
    assert (memory.tree.size > 20).all() and (decision.spent.model_steps > 100).all()


def test_what_cannot_be_kept_is_refused():
    task, judge = as_task(random_world(3))
    planner = TreeSearch(task, "puct", judge, capacity=64)
    timed = Budget(seconds=0.5)
    for call in (
        lambda s: planner.decide(s, budget=timed, key=KEY)[0],
        lambda s: next(planner.anytime(s, budget=3, key=KEY)),
    ):
        with pytest.raises(BudgetError, match="compiled"):
            jax.jit(call)(START)
    with pytest.raises(BudgetError, match="no clock"):
        jax.jit(lambda b: planner.decide(START, budget=b, key=KEY)[0])(timed)
    tic_tac_toe = make_task("tic_tac_toe")
    state = jax.vmap(tic_tac_toe.init)(jax.random.split(KEY, 2))
    with pytest.raises(BudgetError, match="seconds"):
        HistorySearch(tic_tac_toe).decide(state, budget=timed, key=KEY)
    with pytest.raises(BudgetError, match="seconds"):
        check_decider(planner, budget=timed)
    for bad in (0, -1.0, float("nan"), float("inf"), True):
        with pytest.raises(BudgetError, match="positive"):
            Budget(seconds=bad)
    with pytest.raises(BudgetError, match="empty"):
        Budget()
    assert "seconds=0.5" in repr(TreeSearch(task, "puct", judge, budget=timed))
    assert PUCT().most_visited
