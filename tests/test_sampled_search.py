"""Search over many and over continuous actions: planted optima are found, bad input is refused."""

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from chances import as_task as as_odds
from chances import random_odds
from jaxtyping import Array, Int
from steering import Steering, best_action, curvatures, regret
from tables import as_task, compile_lightly, random_world  # noqa: F401

from deliberation.core import Budget, Objective, Task, Traits, check_decider, rollout
from deliberation.core.errors import NonFiniteError, TooLargeError, UnsuitableTaskError
from deliberation.direct import (
    PUCT,
    UCT,
    Evaluation,
    Evaluator,
    FromBox,
    FromPrior,
    Gumbel,
    NoEvaluation,
    Proposal,
    Proposed,
    Sampling,
    TreeSearch,
)
from deliberation.direct.playouts import uniform_box
from deliberation.direct.tree_search.models.sampled import weigh

KEY = jax.random.key(0)
ROWS = 32


def starts(task, rows=ROWS):
    return jax.vmap(task.init)(jax.random.split(KEY, rows))


# Continuous actions


@pytest.mark.parametrize(
    "rule", [UCT(2.0, normalise=False), Gumbel(considered=16, noise=0.0)], ids=["uct", "gumbel"]
)
def test_in_one_step_the_best_candidate_is_chosen(rule):
    """Each is tried, and what it leads to is exact: the answer is the nearest to the optimum."""
    task = Steering((2,), steps=1)
    states = starts(task)
    planner = TreeSearch(task, rule, NoEvaluation(), sampling=Sampling(16), capacity=64)
    decision, _ = planner.decide(states, budget=64, key=KEY)
    lost = regret(task, states.x[:, None], decision.candidates)
    each = ((np.asarray(decision.candidates) - best_action(task, states.x)[:, None]) ** 2).sum(-1)
    rows = np.arange(ROWS)
    assert lost.shape == (ROWS,) and decision.weights.shape == (ROWS, 16)
    np.testing.assert_allclose(
        decision.action, np.asarray(decision.candidates)[rows, each.argmin(1)]
    )
    np.testing.assert_allclose(decision.weights.sum(1), 1, atol=1e-6)


@pytest.mark.parametrize("widening", [None, (1.5, 0.5)])
def test_regret_falls_with_the_budget(widening):
    """Two steps of quadratic control, against the closed form."""
    task = Steering()
    states = starts(task)
    sampling = Sampling(64, widening=widening)
    planner = TreeSearch(task, UCT(1.0, normalise=False), sampling=sampling, capacity=4096)
    lost = [
        regret(task, states.x, planner.decide(states, budget=b, key=KEY)[0].action).mean()
        for b in (8, 128, 4096)
    ]
    assert lost[0] > 1.5 * lost[1] > 2 * lost[2]
    assert lost[2] < 0.02
    # Random choice loses the variance of the action, and more.
    assert (
        lost[0]
        < regret(
            task, states.x, uniform_box(-1.0, 1.0, (), jnp.arange(ROWS, dtype=jnp.uint32))
        ).mean()
    )


class Aimed(Proposal):
    """Normal draws around twice the best action, weighed for a prior around the best itself."""

    discrete: ClassVar[bool] = False
    spread: float = 0.3

    def __call__(self, task, state, logits, count, seed):
        best = -state.x[:, None] * 0.75
        keys = jax.vmap(jax.random.key)(seed)
        noise = jax.vmap(lambda k: jax.random.normal(k, (count,)))(keys)
        actions = jnp.clip(2 * best + self.spread * noise, -1, 1)
        log = lambda mean: -((actions - mean) ** 2) / (2 * self.spread**2)  # noqa: E731
        return Proposed(actions, weigh(log(best), log(2 * best)))


def test_a_proposal_is_weighed_by_its_density():
    task = Steering()
    states = starts(task)
    planner = TreeSearch(task, PUCT(), NoEvaluation(), sampling=Sampling(16, Aimed()), capacity=64)
    decision, _ = planner.decide(states, budget=0, key=KEY)
    actions, best = np.asarray(decision.candidates), -0.75 * np.asarray(states.x)[:, None]
    density = lambda mean: np.exp(-((actions - mean) ** 2) / 0.18)  # noqa: E731
    weights = density(best) / density(2 * best)
    weights /= weights.sum(1, keepdims=True)
    np.testing.assert_allclose(decision.weights, weights, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(decision.action, actions[np.arange(ROWS), weights.argmax(1)])


@pytest.mark.parametrize("shape", [(), (2,)])
@pytest.mark.parametrize("rule", ["uct", "puct", "gumbel"])
def test_keeps_the_contract_of_deciders(rule, shape):
    planner = TreeSearch(
        Steering(shape), rule, sampling=Sampling(8, widening=(2.0, 0.5)), capacity=64
    )
    check_decider(planner)


def test_played_with_and_without_memory():
    """What was grown for one action serves the next."""
    task = Steering(steps=4)
    states = starts(task)
    best = -curvatures(task)[0] * np.asarray(states.x) ** 2
    lost = []
    for reuse in (False, True):
        planner = TreeSearch(
            task,
            UCT(1.0, normalise=False),
            sampling=Sampling(16),
            budget=128,
            reuse=reuse,
            capacity=1024,
        )
        played = rollout(task, planner, key=KEY, state=states).returns[:, 0]
        assert (played <= best + 1e-5).all()
        lost.append((best - played).mean())
    assert lost[1] < lost[0] < 0.3
    decision, memory = planner.decide(states, planner.begin(ROWS), budget=128, key=KEY)
    after = jax.vmap(lambda s, a: task.advance(s, a, KEY))(states, decision.action)
    kept, _ = planner.decide(after, memory, budget=1, key=KEY)
    # More than a budget of one can tell: the child's own candidates and visits.
    assert ((kept.weights > 0).sum(1) > 1).all() and (kept.spent.model_steps <= 4).all()


# Many actions


class Place256(eqx.Module):
    lock: Int[Array, ""]
    time: Int[Array, ""]


class Opens(Objective):
    """Half a point for each lock opened: 16 of 4,096 keys fit each."""

    def __call__(self, state, action, after):
        return jnp.where(action % 256 == state.lock, 0.5, 0.0)[None]

    @property
    def bounds(self):
        return (0.0, 1.0)


class Locks(Task):
    """Two locks, one after the other; which comes next is told by the key that was tried."""

    @property
    def traits(self):
        return Traits(1, 4096, 2)

    @property
    def objective(self):
        return Opens()

    def init(self, key):
        return Place256(jax.random.randint(key, (), 0, 256), jnp.int32(0))

    def advance(self, state, action, key):
        return Place256((state.lock * 7 + action) % 256, state.time + 1)

    def observe(self, state):
        return jnp.stack([state.lock, state.time]).astype(jnp.float32)

    def legal(self, state):
        return jnp.broadcast_to(~self.terminated(state), (4096,))

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        return state.time >= 2


class Hunch(Evaluator):
    """Keys of eight kinds look likely, one of which fits; no value is known."""

    has_prior: bool = eqx.field(static=True, default=True)
    passes: int = eqx.field(static=True, default=0)
    flops: float = eqx.field(static=True, default=0.0)

    def __call__(self, task, objective, state, live, seed):
        off = (jnp.arange(4096) - state.lock[:, None]) % 256
        zeros = jnp.zeros(live.shape)
        return Evaluation(jnp.where(off < 8, 5.0, 0.0), zeros, zeros.astype(jnp.int32))


def opened(states, decision):
    return np.asarray(decision.action) % 256 == np.asarray(states.lock)


def test_among_thousands_of_actions_the_good_ones_are_found():
    """Where each node can hold only 64 actions, the prior says which."""
    task = Locks()
    states = starts(task, 16)
    rates = {}
    for name, judge, sampling in (
        ("all", NoEvaluation(), None),
        ("drawn by the hunch", Hunch(), Sampling(64)),
        ("without replacement", Hunch(), Sampling(64, FromPrior(replace=False))),
    ):
        planner = TreeSearch(
            task, UCT(0.3, normalise=False), judge, sampling=sampling, capacity=128
        )
        decision, _ = planner.decide(states, budget=128, key=KEY)
        assert decision.weights.shape == (16, 4096) and decision.candidates is None
        np.testing.assert_allclose(decision.weights.sum(1), 1, atol=1e-4)
        rates[name] = opened(states, decision).mean()
    assert rates["all"] < 0.8
    assert rates["drawn by the hunch"] > 0.95 and rates["without replacement"] > 0.95
    played = rollout(task, planner, key=KEY, state=states, budget=128)
    assert played.returns.mean() > 0.9


def test_sampled_trees_take_little_room():
    task, states = Locks(), starts(Locks(), 64)
    with pytest.raises(TooLargeError):
        TreeSearch(task, max_bytes=2**30).decide(states, key=KEY)
    TreeSearch(task, sampling=Sampling(64), max_bytes=2**28)._order(states, None, Budget(1), KEY)


def test_chance_is_met_by_sampled_actions():
    """Two of three actions at the root and all below it: what they lead to is exact."""
    world = random_odds(1)
    world.legal[6:, 2], world.legal[6:, 0] = False, True
    _, q = world.exact()
    task = as_odds(world)
    root = int(np.flatnonzero(world.legal[:6].all(1))[0])
    sampling = Sampling(2, FromPrior(replace=False))
    planner = TreeSearch(
        task, UCT(3.0, normalise=False), NoEvaluation(), sampling=sampling, capacity=4096
    )
    decision, _ = planner.decide(jnp.full(64, root, jnp.int32), budget=4096, key=KEY)
    sign = 1 - 2 * world.mover[root]
    tried = np.asarray(decision.weights) > 0
    assert (tried.sum(1) == 2).all() and tried.any(0).all()
    best = np.where(tried, sign * q[root], -np.inf)
    assert (np.asarray(decision.action) == best.argmax(1)).all()
    np.testing.assert_allclose(decision.value, best.max(1), atol=0.2)
    check_decider(planner, budget=8)


# Bad input


def test_unsuitable_tasks_are_refused():
    with pytest.raises(UnsuitableTaskError, match="Sampling"):
        TreeSearch(Steering())
    with pytest.raises(UnsuitableTaskError, match="FromPrior is for numbered actions"):
        TreeSearch(Steering(), sampling=Sampling(proposal=FromPrior()))
    with pytest.raises(UnsuitableTaskError, match="FromBox is for continuous actions"):
        TreeSearch(as_task(random_world(0))[0], sampling=Sampling(proposal=FromBox()))
    claimed = dataclasses.replace(Steering().traits, deterministic=False, outcomes=2)
    kind = type("Slippery", (Steering,), {"traits": property(lambda self: claimed)})
    with pytest.raises(UnsuitableTaskError, match="continuous actions and chance"):
        TreeSearch(kind(), sampling=Sampling())


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="count=0"):
        Sampling(0)
    for widening in ((0.0, 0.5), (1.0, -0.5), (1.0, 2.0)):
        with pytest.raises(ValueError, match="Progressive widening"):
            Sampling(8, widening=widening)


class Broken(FromBox):
    flaw: str = eqx.field(static=True, default="")

    def __call__(self, task, state, logits, count, seed):
        drawn = super().__call__(task, state, logits, count, seed)
        below = state.time[:, None] > 0
        bad = {"action": jnp.nan, "weight": jnp.nan, "peak": jnp.inf, "mass": -jnp.inf}[self.flaw]
        if self.flaw in ("weight", "peak"):
            below = below & (jnp.arange(count) == 3)
        name = "actions" if self.flaw == "action" else "log_weights"
        return eqx.tree_at(
            lambda p: getattr(p, name), drawn, jnp.where(below, bad, getattr(drawn, name))
        )


@pytest.mark.parametrize("flaw", ["action", "weight", "peak", "mass"])
def test_a_proposal_that_is_not_finite_is_reported(flaw):
    planner = TreeSearch(
        Steering(), "puct", NoEvaluation(), sampling=Sampling(8, Broken(flaw=flaw)), capacity=64
    )
    planner.decide(starts(planner.task), budget=0, key=KEY)
    with pytest.raises(NonFiniteError, match="the actions of a proposal"):
        planner.decide(starts(planner.task), budget=16, key=KEY)
