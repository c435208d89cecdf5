"""Learned models as tasks, and planning by them: fits, contracts, other aims, resuming."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised.training.optimisers import make_optimiser
from deliberation.core import check_decider, check_task, misere
from deliberation.core.budget import Budget
from deliberation.core.errors import (
    BatchMismatchError,
    ForeignMemoryError,
    UnsuitableTaskError,
)
from deliberation.core.objective import Objective
from deliberation.core.play import rollout
from deliberation.direct import TreeSearch
from deliberation.direct.control.cross_entropy import CEM
from deliberation.hybrid import (
    Ensemble,
    LearnedModel,
    LearnedModelMPC,
    MPCSettings,
    OnObservations,
    train_mpc,
)
from deliberation.hybrid.learned_models.learned_model import Scale
from deliberation.hybrid.learned_models.model_learning import Experience, fit_ensemble
from deliberation.tasks import make_task
from deliberation.tasks.control.pendulum import PendulumState

KEY = jax.random.key(0)
SETTINGS = MPCSettings(
    updates=5, lanes=4, steps=40, members=3, width=48, gradient_steps=250, hasty=True
)


def pendulum():
    return make_task("pendulum", horizon=40)


def planner(model):
    return CEM(model, horizon=15, budget=96, population=32)


ASKED = {"key": KEY, "planner": planner, "settings": SETTINGS}


@pytest.fixture(scope="module")
def trained():
    return train_mpc(pendulum(), **ASKED)


def test_a_scale_leaves_out_what_is_not_real_and_what_never_changes():
    x = jnp.array([[1.0, 7.0], [3.0, 7.0], [99.0, 99.0]])
    scale = Scale.of(x, jnp.array([1.0, 1.0, 0.0]))
    np.testing.assert_allclose(scale.mean, [2, 7])
    np.testing.assert_allclose(scale.deviation, [1, 0])
    np.testing.assert_allclose(scale.down(x), [[-1, 0], [1, 0], [97, 92]])
    np.testing.assert_allclose(scale.up(scale.down(x)), [[1, 7], [3, 7], [99, 7]])


def test_what_only_rounding_changes_never_changes():
    x = jnp.array([[1.0, 1e4, 0.0], [1.0 + 1.2e-7, 1e4 + 1e-3, 1e-5], [1, 1e4, 0], [1, 1e4, 0]])
    scale = Scale.of(x, jnp.ones(4))
    np.testing.assert_allclose(scale.deviation, [0, 0, np.std([0, 1e-5, 0, 0])], rtol=1e-5)
    np.testing.assert_allclose(scale.down(x + 1e-3)[0, :2], 1e-3, rtol=0.03)
    np.testing.assert_allclose(scale.up(jnp.full(3, 50.0))[:2], x[0, :2], rtol=1e-6)


def test_what_never_changes_is_foretold_exactly():
    """A pole earns 1 an action: any noise around it would decide between plans that all survive."""
    ensemble = Ensemble.of(make_task("cartpole"), key=KEY, members=2, width=8)
    seen = jax.random.normal(KEY, (64, 4))
    flags = jnp.zeros(64, bool)
    data = Experience.empty(96, 4, 2).add(seen, seen[:, :2], seen / 9, jnp.ones(64), flags, flags)
    optimiser = make_optimiser(0.0)
    state = optimiser.init(eqx.filter(ensemble.members, eqx.is_inexact_array))
    fitted = eqx.filter_jit(fit_ensemble)(
        ensemble, state, optimiser, data, KEY, steps=3, batch_size=8, rate=1e-2
    )[0]
    np.testing.assert_array_equal(jax.vmap(fitted)(3 * seen, seen[:, 2:])[1], 1)


def test_the_ring_keeps_the_latest_and_counts_all():
    ring = Experience.empty(5, 1, 1)
    for start in (0, 3, 6):
        n = jnp.arange(start, start + 3.0)
        flags = jnp.zeros(3, bool)
        ring = ring.add(n[:, None], n[:, None], n[:, None], n, flags, flags)
    assert int(ring.written) == 9 and int(ring.filled) == 5
    assert sorted(np.asarray(ring.reward).tolist()) == [4, 5, 6, 7, 8]


def test_an_ensemble_learns_a_known_world_and_its_end():
    """next = x + (a, x0 / 2), reward = x1, the end beyond x0 = 1; time limits teach no end."""
    task = make_task("pendulum")
    ensemble = Ensemble.of(task, key=KEY, members=2, width=32)
    first, second = jax.random.split(jax.random.key(1))
    seen = jax.random.uniform(first, (512, 3), minval=-2, maxval=2)
    action = jax.random.uniform(second, (512, 1), minval=-1, maxval=1)
    change = jnp.stack([action[:, 0], seen[:, 0] / 2, jnp.zeros(512)], 1)
    end = seen[:, 0] > 1
    cut = seen[:, 0] < -1
    data = Experience.empty(512, 3, 1).add(seen, action, change, seen[:, 1], end | cut, cut)
    optimiser = make_optimiser(1e-5)
    state = optimiser.init(eqx.filter(ensemble.members, eqx.is_inexact_array))
    fitted, _, loss = eqx.filter_jit(fit_ensemble)(
        ensemble, state, optimiser, data, KEY, steps=500, batch_size=64, rate=5e-3
    )
    after, reward, logit = jax.vmap(fitted)(seen, action)
    assert float(loss) < 0.2
    np.testing.assert_allclose(after.mean(1), seen + change, atol=0.25)
    np.testing.assert_allclose(reward.mean(1), seen[:, 1], atol=0.25)
    clear = jnp.abs(seen[:, 0] - 1) > 0.1
    ended = (logit > 0).all(1) & ~cut
    np.testing.assert_array_equal(ended[clear & ~cut], end[clear & ~cut])


def test_a_learned_model_is_a_task_like_any_other():
    task = make_task("cartpole", horizon=6)
    model = LearnedModel(task, Ensemble.of(task, key=KEY, members=3, width=8))
    check_task(model, episodes=8)
    assert model.traits.deterministic and model.traits.outcomes == 0


def test_members_drawn_anew_are_the_listed_outcomes():
    """`check_task` compares outcomes by their bits, which two compiled programs do not share."""
    task = make_task("cartpole", horizon=6)
    model = LearnedModel(task, Ensemble.of(task, key=KEY, members=3, width=8), spread=True)
    biases = jnp.array([[-1.0], [0.0], [2.0]]) * jnp.ones(6)
    model = eqx.tree_at(lambda m: m.ensemble.members.layers[-1].b, model, biases)
    state, right = model.init(KEY), jnp.int32(1)
    after, chances = model.outcomes(state, right)
    np.testing.assert_allclose(chances, 1 / 3, rtol=1e-6)
    drawn = jax.vmap(model.advance, (None, None, 0))(state, right, jax.random.split(KEY, 300))
    off = jnp.abs(drawn.observation[:, None] - after.observation).max(-1)
    assert float(off.min(1).max()) < 1e-5
    counts = np.bincount(np.asarray(off.argmin(1)), minlength=3)
    np.testing.assert_array_less(np.abs(counts - 100), 40)
    np.testing.assert_allclose(after.observation.mean(0), LearnedModel(
        task, model.ensemble).advance(state, right, KEY).observation, atol=1e-5)  # fmt: skip
    check_decider(TreeSearch(model, budget=4, capacity=16), budget=4)


def test_the_known_end_is_kept_and_the_real_rules_are_not_asked():
    task = make_task("cartpole")
    model = LearnedModel(
        task, Ensemble.of(task, key=KEY, members=2, width=8), ends=lambda seen: seen[0] > -1e9
    )
    after = model.step(model.init(KEY), 1, KEY)
    assert bool(model.terminated(after)) and not bool(model.legal(after).any())


def test_planning_by_the_model_is_as_good_as_by_the_rules(trained):
    decider, spent, history = trained.decider, trained.ledger, trained
    mine = rollout(pendulum(), decider, key=KEY, batch=8).returns
    true = rollout(pendulum(), planner(pendulum()), key=KEY, batch=8).returns
    idle = rollout(pendulum(), decider, key=KEY, batch=8, budget=0).returns
    assert mine.mean() > true.mean() - 0.15 * (true.mean() - idle.mean())
    assert idle.mean() < true.mean() - 30
    assert spent.data == 5 * 4 * 40 and spent.fits == 5 * 250
    # Three updates plan, an episode in each lane: 96 plans an action. Plans look past the 40th
    # action, where the pendulum's episode is cut and not over.
    assert spent.model_steps == 800 + 3 * 4 * 96 * 40 * 15
    assert history.metrics["loss"][-1] < history.metrics["loss"][0] / 4


def test_it_counts_its_own_actions():
    """Of rows that are over none; the plans end where the episode must."""
    task = make_task("gridworld_continuous", horizon=40)
    ensemble = Ensemble.of(task, key=KEY, members=3, width=8)
    model = LearnedModel(task, ensemble, ends=lambda seen: jnp.bool_(False))
    decider = LearnedModelMPC(task, model, planner)
    state = jax.vmap(task.init)(jax.random.split(KEY, 2))
    state = eqx.tree_at(lambda s: s.time, state, jnp.array([30, 40]))
    memory = decider.begin(2)
    assert decider.decide(state, memory, budget=1, key=KEY)[0].spent.model_steps.tolist() == [15, 0]
    memory = eqx.tree_at(lambda m: m.age, memory, jnp.array([30, 40]))
    decision, after = decider.decide(state, memory, budget=1, key=KEY)
    assert decision.spent.model_steps.tolist() == [10, 0] and after.age.tolist() == [31, 40]
    with pytest.raises(ForeignMemoryError, match="begin"):
        decider.decide(state, memory.plan, key=KEY)
    with pytest.raises(BatchMismatchError):
        decider.decide(state, decider.begin(3), key=KEY)


def test_it_follows_another_aim_that_can_be_seen(trained):
    decider = trained.decider
    down = OnObservations(pendulum(), lambda before, action, after: -after[0])
    fallen = rollout(pendulum(), decider, key=KEY, batch=8, objective=down).returns.mean()
    upright = rollout(pendulum(), decider, key=KEY, batch=8).final
    assert fallen > 0.8 * 40 - 15 > -float(np.cos(upright.angle).sum())


class NeedsTheAngle(Objective):
    def __call__(self, state, action, after):
        return -jnp.cos(after.angle)[None]


def row(tree, i):
    return jax.tree.map(lambda x: x[i], tree)


def decode(seen):
    return PendulumState(jnp.arctan2(seen[1], seen[0]), seen[2], jnp.int32(0))


def test_aims_that_cannot_be_seen_are_refused_unless_states_can_be_made(trained):
    model, own = trained.decider.model, pendulum().objective
    state = jax.vmap(pendulum().init)(jax.random.split(KEY, 2))
    with pytest.raises(UnsuitableTaskError, match="OnObservations"):
        trained.decider.decide(state, objective=NeedsTheAngle(), key=KEY)
    assert model.translate(own, None) is None
    root = jax.vmap(model.enter)(state)
    before, after = row(root, 0), row(root, 1)
    made = model.translate(NeedsTheAngle(), decode)
    np.testing.assert_allclose(
        made(before, jnp.zeros(1), after), -after.observation[0][None], atol=1e-5
    )
    turned = model.translate(misere(own), None)
    np.testing.assert_allclose(turned(before, jnp.zeros(1), after), [-after.reward])
    turned = model.translate(misere(own), decode)
    wanted = misere(own)(row(state, 0), jnp.ones(1), row(state, 1))
    np.testing.assert_allclose(turned(before, jnp.ones(1), after), wanted, atol=1e-4)


def test_it_keeps_the_contract_and_counts_every_pass(trained):
    decider = trained.decider
    check_decider(decider, budget=32)
    state = jax.vmap(pendulum().init)(jax.random.split(KEY, 8))
    plans = np.arange(8)
    spent = decider.decide(state, budget=Budget(jnp.arange(8)), key=KEY)[0].spent
    np.testing.assert_array_equal(spent.model_steps, plans * 15)
    np.testing.assert_array_equal(spent.network_evaluations, 3 * plans * 15)
    np.testing.assert_allclose(spent.flops, plans * 15 * decider.model.ensemble.flops)
    with pytest.raises(UnsuitableTaskError, match="another task"):
        LearnedModelMPC(make_task("pendulum"), decider.model)
    with pytest.raises(UnsuitableTaskError, match="train_muzero"):
        Ensemble.of(make_task("tic_tac_toe"), key=KEY)


def test_a_killed_training_ends_with_the_same_bits(trained, tmp_path):
    train_mpc(pendulum(), folder=tmp_path, watch=lambda step, metrics: step == 3, **ASKED)
    again = train_mpc(pendulum(), folder=tmp_path, **ASKED)
    pairs = zip(jax.tree.leaves(trained.carry), jax.tree.leaves(again.carry), strict=True)
    for a, b in pairs:
        if not jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(a, b)
