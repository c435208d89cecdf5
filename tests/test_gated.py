"""Gated planning: only rows that pay are planned, in a smaller batch, as the planner would."""

import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console
from scipy.stats import norm

from deliberation.amortised import MLP, NetworkPolicy
from deliberation.core import Budget, Decider, Ledger, check_decider, misere
from deliberation.core.errors import BudgetError, NonFiniteError, UnsuitableTaskError
from deliberation.direct import ExactSolver, solve
from deliberation.hybrid import Gated, GaussianGate, fit_gates, guided_search
from deliberation.hybrid.gates.gates import _answers, _least_squares, as_logits, margins
from deliberation.tasks import make_task
from deliberation.tasks.board.solved import replay

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))
import gated as benchmark

KEY = jax.random.key(0)
TASK = make_task("tic_tac_toe")
SIZES, BUDGETS = [], []


class Spy(Decider):
    """A planner that writes down the sizes of the batches it is given, and their budgets."""

    of: Decider

    def begin(self, batch):
        return self.of.begin(batch)

    @property
    def task(self):
        return self.of.task

    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        SIZES.append(jax.tree.leaves(state)[0].shape[0])
        BUDGETS.append(budget)
        return self.of.decide(state, memory, objective=objective, budget=budget, key=key)


@pytest.fixture(scope="module")
def made():
    network = MLP((3, 3, 2), 9, 16, 1, key=KEY)
    planner = guided_search(TASK, network, budget=16, capacity=64)
    # The thirteenth is over.
    sequences = "4 04 012 408 082 1357 2 6780 0123 84 345 0142 03142 51 7 26"
    return network, planner, replay(TASK, [[int(c) for c in s] for s in sequences.split()])


def same(a, b, rows):
    for name in ("action", "weights", "value"):
        np.testing.assert_allclose(
            np.asarray(getattr(a, name))[rows], np.asarray(getattr(b, name))[rows], atol=1e-5
        )


def test_the_gain_is_the_gaussian_one():
    logits = jnp.array([[0.0, -1.0, -3.0], [2.0, 2.0, 0.0], [1.0, 5.0, 9.0], [0.5, 0.0, 0.0]])
    legal = jnp.array([[True] * 3, [True] * 3, [True, True, False], [True, False, False]])
    np.testing.assert_allclose(margins(logits, legal), [1, 0, 4, np.inf], atol=1e-6)
    z = -np.array([1.0, 0.0, 4.0]) / 1.5
    want = 0.2 * 1.5 * (z * norm.cdf(z) + norm.pdf(z))
    got = np.asarray(GaussianGate(0.2, 1.5)(logits, legal))
    np.testing.assert_allclose(got[:3], want, atol=1e-5)
    assert got[3] == 0
    with pytest.raises(ValueError, match="spread"):
        GaussianGate(1.0, 0.0)


def test_planted_gains_give_back_their_gate():
    margin = np.random.default_rng(0).exponential(2.0, 4000).astype(np.float32)
    logits = jnp.stack([jnp.asarray(margin), jnp.zeros(4000)], 1)
    planted = GaussianGate(0.3, 1.7)
    gain = np.asarray(planted(logits, jnp.ones((4000, 2), bool)))
    noisy = gain + np.random.default_rng(1).normal(0, 0.2, 4000)
    found = _least_squares(margin, noisy)
    assert found[1] == pytest.approx(1.7, rel=0.2)
    assert found[0] * found[1] == pytest.approx(0.3 * 1.7, rel=0.1)
    assert _least_squares(margin, -gain)[0] == 0


def test_free_plans_everywhere_and_dear_nowhere(made):
    network, planner, states = made
    SIZES.clear()
    keys = jax.random.split(KEY, 16)
    own, _ = NetworkPolicy(TASK, network).decide(states, key=keys)
    full, _ = planner.decide(states, budget=16, key=keys)
    live = np.asarray(own.action) >= 0
    assert 0 < live.sum() < 16
    gated = Gated(network, Spy(planner), GaussianGate(0.5, 2.0), cost=0.0, budget=16)
    free, _ = gated.decide(states, key=keys)
    same(free, full, slice(None))
    assert SIZES == [16]
    for dear, budget in ((1e9, None), (0.0, 0)):
        decider = eqx.tree_at(lambda g: g.cost, gated, jnp.float32(dear))
        answer, _ = decider.decide(states, key=keys, budget=budget)
        same(answer, own, slice(None))
        assert (np.asarray(answer.spent.model_steps) == 0).all()
        np.testing.assert_array_equal(answer.spent.network_evaluations, live)
    assert SIZES == [16]
    # In between: those rows whose gain exceeds the price, in a batch no larger than they need.
    logits = eqx.filter_vmap(network)(jax.vmap(TASK.observe)(states))[0]
    gain = np.asarray(gated.gates[0](logits, jax.vmap(TASK.legal)(states)))
    price = np.sort(gain[live])[-4] * 0.999 / 16
    some, _ = eqx.tree_at(lambda g: g.cost, gated, jnp.float32(price)).decide(states, key=keys)
    planned = live & (gain > price * 16)
    assert planned.sum() == 4 and SIZES == [16, 8]
    same(some, full, planned)
    same(some, own, ~planned)
    steps = np.asarray(some.spent.model_steps)
    assert (steps[~planned] == 0).all() and (steps[planned] > 0).all()
    # What filling up the batch took is nobody's, but for its time.
    np.testing.assert_array_equal(steps[planned], np.asarray(full.spent.model_steps)[planned])
    seconds = np.asarray(some.spent.seconds)
    assert (seconds[planned] > seconds[live & ~planned].max()).all()
    rows = Budget(jnp.where(jnp.arange(16) % 2 == 0, 16, 0))
    halves, _ = gated.decide(states, key=keys, budget=rows)
    same(halves, full, np.arange(16) % 2 == 0)
    same(halves, own, np.arange(16) % 2 == 1)


def test_an_objective_it_was_not_trained_for_is_planned_for(made):
    network, planner, states = made
    keys = jax.random.split(KEY, 16)
    gated = Gated(network, planner, cost=1e9, budget=16)
    other = misere(TASK.objective)
    heard, _ = gated.decide(states, key=keys, objective=other)
    full, _ = planner.decide(states, key=keys, objective=other, budget=16)
    same(heard, full, slice(None))
    usual, _ = gated.decide(states, key=keys, objective=TASK.objective)
    assert (np.asarray(usual.spent.model_steps) == 0).all()


def test_the_contract_is_kept(made):
    network, _, _ = made
    reused = guided_search(TASK, network, budget=8, capacity=64, reuse=True)
    check_decider(Gated(network, reused, GaussianGate(1.0, 1.0), cost=0.02, budget=8))


def test_a_gate_learns_from_what_planning_gained(made):
    """A planner that knows everything gains what the network's actions fall short of the best."""
    network, planner, states = made
    solution = solve(TASK)
    solver = ExactSolver(TASK, solution)
    (exact,), _ = fit_gates(TASK, network, solver, states, budget=16, key=KEY)
    own = np.asarray(NetworkPolicy(TASK, network).decide(states, key=KEY)[0].action)
    values = solution.action_values(states)
    live, gain = np.flatnonzero(own >= 0), np.zeros(16)
    gain[live] = values[live].max(1) - values[live, own[live]]
    assert (gain > 0).any()
    logits = eqx.filter_vmap(network)(jax.vmap(TASK.observe)(states))[0]
    some = margins(logits, jax.vmap(TASK.legal)(states))[live]
    scale, spread = _least_squares(np.asarray(some), gain[live])
    assert scale > 0
    np.testing.assert_allclose(exact.scale, scale, rtol=1e-4)
    np.testing.assert_allclose(exact.spread, spread, rtol=1e-4)
    gates, spent = fit_gates(TASK, network, planner, states, looks=(4,), budget=16, key=KEY)
    assert [g.scale.shape for g in gates] == [(), (2,)]
    assert spent.data == 16 and spent.model_steps > 0 and spent.network_evaluations > 16


class Blurred(Spy):
    """A planner that does not know what it spends, or what its answers are worth."""

    worth: bool = True
    counts: bool = True

    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        said, memory = self.of.decide(state, memory, objective=objective, budget=budget, key=key)
        value = said.value if self.worth else jnp.full_like(said.value, jnp.nan)
        steps = said.spent.model_steps if self.counts else None
        spent = Ledger(model_steps=steps, network_evaluations=None, flops=None)
        return type(said)(said.action, said.weights, value, spent), memory


def test_what_is_unknown_stays_unknown(made):
    network, planner, states = made
    _, spent = fit_gates(TASK, network, Blurred(planner), states, budget=16, key=KEY)
    assert spent.network_evaluations is None and spent.flops is None
    assert spent.model_steps > 0 and spent.seconds > 0
    answer, _ = Gated(network, Blurred(planner), cost=0.0, budget=16).decide(states, key=KEY)
    assert answer.spent.network_evaluations is None and answer.spent.model_steps is not None
    with pytest.raises(NonFiniteError, match="value"):
        fit_gates(TASK, network, Blurred(planner, worth=False), states, budget=16, key=KEY)


@pytest.mark.parametrize("reuse", [False, True])
def test_stages_go_on_where_search_overruled_the_habit(made, reuse):
    network, _, states = made
    planner = guided_search(TASK, network, rule="puct", budget=16, capacity=64, reuse=reuse)
    keys, memory = jax.random.split(KEY, 16), planner.begin(16)
    own, _ = NetworkPolicy(TASK, network).decide(states, key=keys)
    early, _ = planner.decide(states, memory, budget=6, key=keys)
    full, _ = planner.decide(states, memory, budget=16 if reuse else 10, key=keys)
    live = np.asarray(own.action) >= 0
    revised = live & (np.asarray(early.action) != np.asarray(own.action))
    assert revised.any() and (live & ~revised).any()
    # All are looked at, and only where search says otherwise is there anything more to gain.
    gates = (GaussianGate(1e3, 50.0), GaussianGate((0.0, 1e3), (1.0, 50.0)))
    gated = Gated(network, Spy(planner), gates, looks=(6,), budget=16)
    SIZES.clear()
    found, _ = gated.decide(states, memory, key=keys)
    assert SIZES[0] == 16 and SIZES[1] < 16
    same(found, early, live & ~revised)
    same(found, full, revised)
    steps = np.asarray(found.spent.model_steps)
    assert (steps[live & ~revised] <= 6).all() and (steps[live] > 0).all()
    short, _ = gated.decide(states, memory, key=keys, budget=5)
    assert len(SIZES) == 3 and (np.asarray(short.spent.model_steps) <= 5).all()
    heard, _ = gated.decide(states, memory, key=keys, objective=misere(TASK.objective))
    want, _ = planner.decide(states, memory, key=keys, objective=misere(TASK.objective), budget=16)
    same(heard, want, slice(None))


@pytest.mark.parametrize("reuse", [False, True])
def test_filling_up_is_charged_to_nobody(made, reuse):
    network, _, states = made
    planner = guided_search(TASK, network, rule="puct", budget=16, capacity=64, reuse=reuse)
    keys = jax.random.split(KEY, 16)

    def steps(gated, rows, budget):
        some = jax.tree.map(lambda x: x[:rows], states)
        said, _ = gated.decide(some, key=keys[:rows], budget=budget)
        return said, np.asarray(said.spent.model_steps)

    gated = Gated(network, planner, GaussianGate(1e3, 50.0), cost=0.0, budget=16)
    for rows in (3, 8):
        np.testing.assert_array_equal(steps(gated, rows, Budget(4, 4))[1], [4] * rows)
    # What one stage leaves to the next is what the row itself did not use.
    gates = [GaussianGate(1e3, 50.0)] * 2
    staged = Gated(network, planner, gates, looks=(4,), cost=0.0, budget=16)
    alone, own = steps(staged, 1, Budget(16, 16))
    among, all_of_them = steps(staged, 8, Budget(16, 16))
    assert own[0] == 16
    np.testing.assert_array_equal(all_of_them[:1], own)
    same(alone, among, slice(1))


@pytest.mark.parametrize(("rule", "reuse"), [("puct", False), ("puct", True), (None, True)])
def test_gates_learn_from_the_stages_that_are_played(made, rule, reuse):
    network, _, states = made
    planner = guided_search(TASK, network, rule=rule, budget=16, capacity=64, reuse=reuse)
    chosen, margin, spent = _answers(TASK, network, planner, states, (6, 16), KEY)
    gates = [GaussianGate(1e3, 50.0)] * 2
    gated = Gated(network, planner, gates, looks=(6,), cost=0.0, budget=16)
    legal = jax.vmap(TASK.legal)(states)
    for i, end in enumerate((0, 6, 16)):
        played, _ = gated.decide(states, budget=end, key=KEY)
        np.testing.assert_array_equal(played.action, chosen[i])
        if end == 16:
            found = margins(as_logits(played.weights, legal), legal)
            np.testing.assert_allclose(found, margin[2], atol=1e-4)
            assert spent.model_steps == np.asarray(played.spent.model_steps).sum()


def test_steps_that_nobody_counts_cannot_be_limited_over_stages(made):
    network, planner, states = made
    gates = [GaussianGate(1e3, 50.0)] * 2
    blind = Gated(network, Blurred(planner, counts=False), gates, looks=(4,), cost=0.0, budget=16)
    with pytest.raises(BudgetError, match=r"does not count its model steps.*give simulations"):
        blind.decide(states, key=KEY, budget=Budget(16, 16))
    assert blind.decide(states, key=KEY)[0].spent.model_steps is None


def setting(network, planner, states, returns=None):
    return benchmark.Setting("ttt", TASK, network, planner, 16, (6,), returns, states, states)


def test_the_benchmark_sets_its_dial_by_the_stages_that_are_played(made):
    network, _, states = made
    planner = guided_search(TASK, network, rule="puct", budget=16, capacity=64, reuse=True)
    gates = (GaussianGate(0.5, 2.0), GaussianGate((0.5, 0.5), (2.0, 2.0)))
    BUDGETS.clear()
    (gated,) = benchmark.dialled(setting(network, Spy(planner), states), gates, [0.5]).values()
    assert BUDGETS == [6, 10]
    played, _ = gated.decide(states, key=jax.random.key(8))
    full, _ = planner.decide(states, key=jax.random.key(8))
    steps, most = (np.asarray(x.spent.model_steps).sum() for x in (played, full))
    assert 0 < steps <= most / 2


def test_the_benchmark_falls_short_where_the_dial_is_too_dear(made, monkeypatch):
    network, _, states = made
    planner = guided_search(TASK, network, rule="puct", budget=16, capacity=64, reuse=True)
    gates = (GaussianGate(0.5, 2.0), GaussianGate((0.5, 0.5), (2.0, 2.0)))
    monkeypatch.setattr(benchmark, "fit_gates", lambda *_, **__: (gates, Ledger()))

    def returns(decider, episodes, seed):
        return 1 + np.arange(episodes) % 2.0, 9.0 if isinstance(decider, Gated) else 10.0

    found = benchmark.sweep(
        setting(network, planner, states, returns), Console(quiet=True), (8, 16)
    )
    assert not found["passed"] and found["return_low_reaches"]
    assert found["rows"][0]["of_simulations"] == pytest.approx(0.9)
    rows = [("dear", 0.8, 0.6), ("good", 0.7, 0.5), ("cheap", 0.2, 0.1)]
    rows = [{"decider": d, "return": r, "of_simulations": s} for d, r, s in rows]
    assert benchmark.best_of(rows) == "good" and benchmark.best_of(rows[:1]) == "dear"


def test_what_does_not_fit_is_refused(made):
    _, planner, _ = made
    with pytest.raises(UnsuitableTaskError, match="Build the network"):
        Gated(MLP((2,), 9, 8, 1, key=KEY), planner)
    with pytest.raises(ValueError, match="0 or more"):
        Gated(made[0], planner, cost=-1.0)
    with pytest.raises(ValueError, match="one gate more"):
        Gated(made[0], planner, looks=(8,))
    with pytest.raises(ValueError, match="rising"):
        Gated(made[0], planner, [GaussianGate()] * 3, looks=(8, 4))
