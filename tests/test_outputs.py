"""Outputs of every kind: the best is known, and one battery tells optimiser and function apart."""

import jax
import numpy as np
import pytest

from deliberation import claims
from deliberation.claims.measuring import outputs, trials
from deliberation.claims.measuring.effort import effort_of
from deliberation.claims.measuring.output_kinds.kind import make_kind
from deliberation.claims.measuring.planted import World
from deliberation.claims.measuring.results import Results
from deliberation.claims.measuring.rows import claimed_of, estimate_of
from deliberation.core.objective import Objective
from deliberation.core.task import batch_size
from deliberation.runs import Context
from deliberation.tasks.one_step import Labelling

KINDS = ("action", "plan", "distribution", "category")
KEY = jax.random.key(0)
E = effort_of("smoke")


@pytest.mark.parametrize("name", KINDS)
def test_the_best_output_is_not_beaten_and_names_the_optimum(name):
    kind = make_kind(name)
    taught, states = kind.inputs(64, 32, KEY)
    assert (batch_size(taught), batch_size(states)) == (64, 32)
    assert 0.2 < kind.left_out(taught).mean() < 0.8
    for goal in (kind.own, kind.other):
        best = kind.solve(states, goal)
        worth = kind.worth(states, best, goal)
        assert (kind.worth(states, np.roll(best, 1, axis=0), goal) <= worth + 1e-4).all()
        assert kind.apart(best, best) == pytest.approx(0.0, abs=1e-3)
        # What a network would say to answer it is read as the same output.
        again = kind.read(kind.target(best))
        assert kind.apart(again, best) == pytest.approx(0.0, abs=1e-3)
        if name in ("plan", "category"):
            exact = np.asarray(jax.vmap(goal.optimum)(states))
            assert worth == pytest.approx(exact, abs=1e-4)
    own, other = (kind.solve(states, goal) for goal in (kind.own, kind.other))
    assert kind.apart(own, other).mean() > 0.2


def test_bayes_rule_by_hand():
    """Two classes at -1 and 1 on a line: the odds at x are exp(2 x)."""

    class ByHand(Labelling):
        @property
        def means(self):
            return np.array([[-1.0], [1.0]], np.float32)

    task = ByHand(classes=2, features=1)
    state = jax.tree.map(lambda x: x[0], jax.vmap(task.init)(jax.random.split(KEY, 1)))
    odds = float(np.exp(2 * state.context[0]))
    assert task.posterior(state.context) == pytest.approx([1 / (1 + odds), odds / (1 + odds)])
    doubled = task.valued(np.array([[3.0, 0.0], [0.0, 1.0]], np.float32))
    assert doubled.bounds == (0.0, 3.0)
    assert float(doubled.optimum(state)) == pytest.approx(max(3, odds) / (1 + odds))


def test_lessons_are_nested_and_leave_out_what_they_should():
    kind = make_kind("category")
    states, _ = kind.inputs(60, 4, KEY)
    found = outputs.make_lessons(kind, states, {"counts": [8, 60], "seeds": [0, 1]})
    small, large = found["size 8", 0], found["size 60", 0]
    assert set(small.rows) == set(large.rows[:8]) and len(small.rows) == 60
    assert set(large.rows) == set(range(60)) != set(found["size 8", 1].rows)
    out = kind.left_out(states)
    assert not out[found["halved", 0].rows].any()
    whole = found["whole", 0].rows
    assert out[whole].any() and len(set(whole)) == (~out).sum()
    spoilt = found["spoilt", 0]
    assert 0.4 < (spoilt.rows != spoilt.answers).mean() < 1
    assert (large.rows == large.answers).all() and found["other teacher", 0].teacher == "other"


def test_the_battery_tells_optimiser_and_function_apart():
    """On the cheapest kind, with small networks."""
    settings = {
        "kind": "action", "counts": [8, 128], "tested": 32, "seeds": [0, 1], "steps": 200,
        "width": 16, "rate": 1e-2, "key": 1,
    }  # fmt: skip

    class Told(Context):
        def __init__(self):
            pass

        def tell(self, share):
            assert 0 <= share <= 1

    found = outputs.put_through(settings, Told()).outcomes
    direct, network = found["direct"], found["network"]
    assert np.mean(direct["other"]["other"]) > 0.98 > 0 > np.mean(direct["own"]["other"])
    assert np.shape(network["own"]) == (2, 32)
    assert np.mean(network["own"]) > 0.8 and np.mean(network["other"]) < 0
    assert np.mean(found["shuffled"]) < 0.5
    assert np.mean(found["apart"][1]) < np.mean(found["apart"][0])
    for name in ("own", "other"):
        assert np.mean(found["from_own"][name]) + 0.5 < np.mean(found["from_other"][name])
    assert not np.any(found["beaten"])


@pytest.mark.parametrize(
    ("part", "more"),
    [
        ("way by the new", {"swapped": 0.2}),
        ("nearer it is", {"other_teacher": 0.0}),
        ("data make up", {"near": (0.3, 0.3)}),
        ("answers are spoilt", {"spoilt": 0.9}),
        ("like none it was shown", {"halved": 0.9}),
    ],
)
def test_a_null_effect_refutes_its_own_row(part, more):
    module = claims.claim("outputs")
    world = World(n=200, more=more)
    kind = "distribution"
    shown = module.analyse(kind, E, Results(world.records([trials.put_through(kind, E)])))
    given = {
        row.quantity: claimed_of(row).judge(estimate_of(row))
        for row in shown.rows
        if row.kind == "claim"
    }
    refuted = [name for name, verdict in given.items() if verdict == "refuted"]
    assert len(refuted) == 1 and part in refuted[0]
    assert set(given.values()) == {"supported", "refuted"}


def test_what_cannot_come_out_otherwise_is_checked_and_not_counted():
    module, world = claims.claim("outputs"), World(n=200)
    shown = module.analyse("plan", E, Results(world.records([trials.put_through("plan", E)])))
    kinds = {row.quantity: row.kind for row in shown.rows if row.kind != "told"}
    assert kinds["way by the new objective"] == "check"
    assert kinds["way lost when the last weights are shuffled"] == "check"
    assert list(kinds.values()).count("claim") == 4


def test_a_swapped_objective_is_an_objective():
    for name in KINDS:
        kind = make_kind(name)
        assert isinstance(kind.other, Objective) and type(kind.own) is type(kind.other)
