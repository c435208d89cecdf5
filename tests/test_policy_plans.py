"""Planners that begin from a policy, and the policy that is learned from a planner."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from steering import Steering, best_action, curvatures, regret

from deliberation.amortised import MLP, GaussianMLP, GaussianPolicy
from deliberation.core import Budget, check_decider, rollout
from deliberation.core.errors import OutputFolderError, UnsuitableTaskError
from deliberation.direct import CEM, MPPI, GradientPlanning, RandomShooting
from deliberation.direct.control import plan_search as face
from deliberation.hybrid import ImitationSettings, PolicyPlans, imitate_planner
from deliberation.tasks import make_task

KEY = jax.random.key(0)
LIGHT = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
_lightly = eqx.filter_jit(face._decide.__wrapped__, compiler_options=LIGHT)
STEER = Steering((2,), steps=4)


@pytest.fixture(autouse=True)
def compile_lightly(request, monkeypatch):
    if "compiled" not in request.node.name:
        monkeypatch.setattr(face, "_decide", _lightly)


class Optimal(GaussianMLP):
    """The closed form in the place of a trained network, with deviations of e^-2."""

    def __call__(self, observation):
        x, time = observation[:2], observation[2].astype(jnp.int32)
        p = jnp.asarray(curvatures(STEER), jnp.float32)[jnp.minimum(time + 1, 4)]
        return -(1 + p) / (1 + p + STEER.effort) * x, self.log_sd - 2, jnp.float32(0)


OPTIMAL = Optimal((3,), (2,), 4, 1, key=KEY)


def starts(task, batch):
    return jax.vmap(task.init)(jax.random.split(KEY, batch))


@pytest.mark.parametrize("kind", [RandomShooting, CEM, MPPI, GradientPlanning])
def test_a_planner_begins_from_the_policys_plan(kind):
    """From the optimum, next to nothing is left to find; half of the budget may go into plans."""
    state, flops = starts(STEER, 4), 2 * OPTIMAL.multiply_adds
    more = {} if kind is RandomShooting else {"spread": 0.05}
    decider = kind(STEER, horizon=4, proposals=PolicyPlans(OPTIMAL, plans=3), **more)
    want = best_action(STEER, np.asarray(state.x))
    for budget, made in ((0, 0), (1, 1), (2, 1), (3, 2), (8, 3)):
        decision, _ = decider.decide(state, decider.begin(4), budget=budget, key=KEY)
        assert regret(STEER, state.x, decision.action).max() < 0.02
        if budget < 2:
            np.testing.assert_allclose(decision.action, want, atol=1e-5)
        # Making a plan takes a pass at each of its steps; budget 0 takes a single pass.
        passes = 4 * made if budget else 1
        assert decision.spent.network_evaluations.tolist() == [passes] * 4
        assert decision.spent.model_steps.tolist() == [4 * budget] * 4
        assert decision.spent.flops.tolist() == [passes * flops] * 4
    short, _ = decider.decide(state, decider.begin(4), budget=Budget(99, model_steps=11), key=KEY)
    assert short.spent.model_steps.tolist() == [8] * 4


def test_proposed_plans_follow_the_policy_through_the_model():
    """The mean is the optimal path; the others are drawn around it, and stay near."""
    state = STEER.init(KEY)
    made = PolicyPlans(OPTIMAL, plans=400).propose(STEER, state, 4, jnp.int32(400), KEY)
    now = state
    for step in range(4):
        np.testing.assert_allclose(made.mean[step], best_action(STEER, now.x, step), atol=1e-5)
        now = STEER.advance(now, made.mean[step], KEY)
    assert made.plans.shape == (399, 4, 2)
    np.testing.assert_allclose(made.plans[:, 0].mean(0), made.mean[0], atol=0.03)
    np.testing.assert_allclose(made.plans[:, 0].std(0), np.exp(-2), rtol=0.15)
    assert made.plans[:, 3].std() > made.plans[:, 0].std(0).min()


def test_discrete_policies_propose_too():
    """On frozen lake, with chance: the contract, and likely actions proposed most often."""
    lake = make_task("frozen_lake")
    network = MLP((4, 4, 4), 4, 8, 1, key=KEY)
    check_decider(
        CEM(lake, horizon=4, population=8, particles=2, proposals=PolicyPlans(network, plans=4)),
        budget=12,
    )
    state = lake.init(KEY)
    made = PolicyPlans(network, plans=2000).propose(lake, state, 2, jnp.int32(2000), KEY)
    chance = jax.nn.softmax(network(lake.observe(state))[0])
    drawn = np.bincount(np.asarray(made.plans[:, 0].argmax(-1)), minlength=4) / 1999
    np.testing.assert_allclose(drawn, chance, atol=0.05)
    assert made.mean[0].argmax() == chance.argmax()


SMALL = ImitationSettings(
    updates=12, rows=8, steps=8, simulations=32, fits=60, width=32, rate=5e-3, hasty=True
)


def test_a_planner_is_imitated_by_compiled_updates_and_its_curve_moves_left(tmp_path):
    """Steering learned from gradients: regret a fraction of doing nothing's, and searching from
    there beats searching from nothing at the same budget. Stopped in the middle, it goes on."""
    planner = GradientPlanning(STEER, horizon=4, starts=1)
    half = imitate(planner, folder=tmp_path, watch=_stop_at(5)).network
    found = imitate(planner, folder=tmp_path)
    network, spent = found.network, found.ledger
    assert not np.array_equal(half.actor[0].w, network.actor[0].w)
    state = starts(STEER, 64)
    best = -(curvatures(STEER)[0] * (np.asarray(state.x) ** 2).sum(-1)).mean()
    policy = rollout(STEER, GaussianPolicy(STEER, network), key=KEY, state=state)
    nothing = -4 * (np.asarray(state.x) ** 2).sum(-1).mean()
    assert best - policy.returns.mean() < 0.05 * (best - nothing)
    value = jax.vmap(lambda s: network(STEER.observe(s))[2])(state)
    exact = -curvatures(STEER)[0] * (np.asarray(state.x) ** 2).sum(-1)
    assert np.corrcoef(value, exact)[0, 1] > 0.95
    plain, helped = (
        rollout(STEER, CEM(STEER, horizon=4, **more), key=KEY, state=state, budget=4)
        for more in ({}, {"proposals": PolicyPlans(network, spread=0.2)})
    )
    assert helped.returns.mean() > plain.returns.mean() + 0.3 * (best - plain.returns.mean())
    assert spent.fits == 12 * 60 and spent.data == 12 * 64 and spent.seconds > 0
    # At most 32 plans of 4 steps a decision, and play.
    assert 12 * 64 < spent.model_steps <= 12 * 64 * (32 * 4 + 1)
    with pytest.raises(OutputFolderError):
        imitate(planner, key=jax.random.key(1), folder=tmp_path)


def imitate(planner, key=KEY, **more):
    return imitate_planner(planner, key=key, settings=SMALL, **more)


def _stop_at(last):
    return lambda step, shown: step >= last


def test_wrong_use_is_refused():
    for bad in ({"plans": 0}, {"spread": 0.0}):
        with pytest.raises(ValueError, match="at least one plan"):
            PolicyPlans(OPTIMAL, **bad)
    with pytest.raises(ValueError, match="counts of at least 1"):
        ImitationSettings(rows=0)
    with pytest.raises(UnsuitableTaskError, match="numbered actions"):
        imitate_planner(CEM(make_task("cartpole")), key=KEY, settings=SMALL)
