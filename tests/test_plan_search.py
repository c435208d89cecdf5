"""Planners over action sequences against closed forms, brute force and the rules they keep."""

import itertools
import math
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from steering import Quadratic, Steering, best_action, curvatures, regret

from deliberation.core import Budget, Objective, check_decider, misere, rollout
from deliberation.core.errors import (
    BatchMismatchError,
    ForeignMemoryError,
    NoLegalActionError,
    NonFiniteError,
    UnsuitableTaskError,
)
from deliberation.direct import (
    CEM,
    MPPI,
    Evaluation,
    Evaluator,
    GradientPlanning,
    RandomRollouts,
    RandomShooting,
)
from deliberation.direct.control import plan_search as face
from deliberation.direct.control.cross_entropy import correlated, elites, with_known
from deliberation.direct.control.path_integral import exponential_weights
from deliberation.direct.control.plans import make_planning, score
from deliberation.tasks import make_task

KEY = jax.random.key(0)
ALL = [RandomShooting, CEM, MPPI, GradientPlanning]
LIGHT = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
"""Small programs run once or twice: compiling them fast matters more than running them fast."""
_lightly = eqx.filter_jit(face._decide.__wrapped__, compiler_options=LIGHT)
STEER = Steering((2,), steps=4)


@pytest.fixture(autouse=True)
def compile_lightly(request, monkeypatch):
    if "compiled" not in request.node.name:
        monkeypatch.setattr(face, "_decide", _lightly)


def starts(task, batch, key=KEY):
    return jax.vmap(task.init)(jax.random.split(key, batch))


def planned(decider, state, budget=None, **more):
    batch = len(jax.tree.leaves(state)[0])
    return decider.decide(state, decider.begin(batch), budget=budget, key=KEY, **more)


def settings(task, **more):
    given = {"model": None, "particles": None, "terminal": None, "proposals": None}
    return make_planning(task, **{"horizon": 8, **given, **more})


def test_plans_are_scored_as_they_are_played():
    """Against one `step` after another, in play that ends early (holes) or is cut off."""
    lake = make_task("frozen_lake", slip=0.0)
    objective = Discounted(lake.objective)
    plans = np.array(list(itertools.product(range(4), repeat=3)))
    state = lake.init(KEY)
    for action in (1, 1, 2, 1):  # two steps from the goal
        state = lake.step(state, action, KEY)
    written = jax.nn.one_hot(plans, 4)
    scores = score(settings(lake, horizon=3), objective, state, written, KEY)
    for plan, value, steps, taken in zip(
        plans, scores.value, scores.model_steps, scores.taken, strict=True
    ):
        now, total, worth, length = state, 0.0, 1.0, 0
        for action in jnp.asarray(plan):
            if lake.terminated(now):
                break
            after = lake.step(now, action, KEY)
            total += worth * float(objective(now, action, after)[0])
            now, worth, length = after, worth * 0.5, length + 1
        assert value == pytest.approx(total) and steps == length
        np.testing.assert_array_equal(taken[:length].argmax(-1), plan[:length])
        assert (taken[length:] == 0).all()
    assert scores.value.max() == pytest.approx(0.5 * 0.75) and (scores.model_steps < 3).any()


class Discounted(Objective):
    """Three quarters of the reward, and half of it a step later."""

    of: Objective

    @property
    def discount(self):
        return 0.5

    def __call__(self, state, action, after):
        return 0.75 * self.of(state, action, after)


def test_nothing_is_earned_after_the_end():
    state = eqx.tree_at(lambda s: s.time, STEER.init(KEY), jnp.int32(3))
    plans = jnp.ones((1, 4, 2))
    scores = score(settings(STEER, horizon=4), STEER.objective, state, plans, KEY)
    once = STEER.objective(state, plans[0, 0], STEER.advance(state, plans[0, 0], KEY))
    np.testing.assert_allclose(scores.value, once, rtol=1e-6)
    assert scores.model_steps.tolist() == [1]


def test_particles_average_over_chance():
    """Expected return of one slide on the ice: 0.5 and 0.25, by 4000 particles."""
    lake = make_task("frozen_lake", slip=0.5, horizon=1)
    state = eqx.tree_at(lambda s: s.cell, lake.init(KEY), jnp.int32(14))
    plans = jax.nn.one_hot(jnp.array([[2], [1], [0]]), 4)
    scores = score(settings(lake, particles=4000), lake.objective, state, plans, KEY)
    np.testing.assert_allclose(scores.value, [0.5, 0.25, 0.0], atol=0.03)
    assert scores.model_steps.tolist() == [4000] * 3


@pytest.mark.parametrize(
    ("kind", "budget", "loss"),
    [
        (RandomShooting, 4096, 0.35),
        (CEM, 1536, 0.03),
        (partial(MPPI, spread=0.1), 2048, 0.03),
        (GradientPlanning, 512, 1e-4),
    ],
)
def test_plans_near_the_optimum(kind, budget, loss):
    """The linear-quadratic optimum; what the first action loses, and what the plan promises."""
    state = starts(STEER, 6)
    decision, _ = planned(kind(STEER, horizon=4), state, budget)
    assert regret(STEER, state.x, decision.action).max() < loss
    best = -curvatures(STEER)[0] * (np.asarray(state.x) ** 2).sum(-1)
    np.testing.assert_allclose(decision.value, best, atol=max(2 * loss, 1e-3))
    more, _ = planned(kind(STEER, horizon=4), state, 8)
    assert (
        regret(STEER, state.x, more.action).mean()
        > 2 * regret(STEER, state.x, decision.action).mean()
    )


@pytest.mark.parametrize("kind", ALL)
def test_another_objective_is_followed(kind):
    """Turned round, they run away: to the bounds, where the closed form turned round has them."""
    state = starts(STEER, 4)
    decision, _ = planned(kind(STEER, horizon=4), state, 256, objective=misere(STEER.objective))
    outward = np.asarray(decision.action) * np.sign(state.x)
    assert (outward.mean(-1) > 0.25).all() and outward.mean() > 0.5


class Stopped(Steering):
    """After two of its steps nothing is left to do, though it is not over."""

    def legal(self, state):
        return (state.time < 2)[None]


@pytest.mark.parametrize("kind", ALL)
def test_a_plan_that_leads_to_a_dead_end_is_refused(kind):
    task = Stopped(steps=3)
    with pytest.raises(NoLegalActionError):
        planned(kind(task, horizon=3), starts(task, 2), 2)


class Exact(Evaluator):
    """What is still to come, by the closed form."""

    has_prior: bool = False
    passes: int = 2
    flops: float = 10.0

    def __call__(self, task, objective, state, live, seed):
        p = jnp.asarray(curvatures(task), jnp.float32)[state.time]
        value = -p * (state.x**2).sum(-1)
        return Evaluation(jnp.zeros((len(live), 1)), value, jnp.zeros(live.shape, jnp.int32))


def test_a_terminal_value_stands_for_the_rest():
    """Planning one step ahead with the exact value is planning to the end; without, it is not."""
    state = starts(STEER, 4)
    near = GradientPlanning(STEER, horizon=1, terminal=Exact(), starts=1, rate=0.05)
    decision, _ = planned(near, state, 200)
    assert regret(STEER, state.x, decision.action).max() < 1e-4
    assert (np.asarray(decision.spent.network_evaluations) == 400).all()
    assert (np.asarray(decision.spent.flops) == 2000).all()
    blind, _ = planned(GradientPlanning(STEER, horizon=1, starts=1, rate=0.05), state, 200)
    greedy = -np.asarray(state.x) / (1 + STEER.effort)
    np.testing.assert_allclose(blind.action, greedy, atol=5e-3)
    # Nothing is expected after the end.
    late = eqx.tree_at(lambda s: s.time, state, jnp.full(4, 3))
    last, _ = planned(near, late, 200)
    np.testing.assert_allclose(last.action, greedy, atol=5e-3)
    assert (np.asarray(last.spent.network_evaluations) == 0).all()


def test_elites_are_the_best_share_of_what_is_real():
    value = jnp.array([3.0, 9.0, 5.0, 7.0, 8.0, jnp.nan, 1.0, 4.0])
    real = jnp.array([True, False, True, True, True, True, True, True])
    assert elites(value, real, 0.25).tolist() == [0, 0, 0, 1, 1, 0, 0, 0]
    assert elites(value, real, 0.5).tolist() == [0, 0, 1, 1, 1, 0, 0, 1]
    assert elites(value, jnp.zeros(8, bool), 0.5).sum() == 0
    assert elites(value, real, 1e-9).tolist() == [0, 0, 0, 0, 1, 0, 0, 0]
    assert elites(jnp.ones(8), real, 1e-9).tolist() == real.tolist()
    rare = jnp.array([0.0, 0, 1, 0, 0, 0, 0, 0])
    assert elites(rare, real, 0.5).tolist() == rare.tolist()


def test_exponential_weights_are_the_papers():
    """exp((R - max R) / lambda), lambda in standard deviations, against numpy."""
    value = np.array([3.0, 9.0, 5.0, 7.0, 100.0])
    real = np.array([True, True, True, True, False])
    spread = value[:4].std()
    raw = np.exp((value[:4] - 9) / (0.3 * spread))
    got = exponential_weights(jnp.asarray(value), jnp.asarray(real), 0.3)
    np.testing.assert_allclose(got, [*(raw / raw.sum()), 0], rtol=1e-5)
    np.testing.assert_allclose(exponential_weights(jnp.ones(4), jnp.ones(4, bool), 0.3), 0.25)
    scaled = exponential_weights(1000 * jnp.asarray(value), jnp.asarray(real), 0.3)
    np.testing.assert_allclose(scaled, got, rtol=1e-5)


def test_noise_is_standard_and_correlated_as_asked():
    noise = np.asarray(correlated(KEY, (20_000, 6, 1), 0.7))[:, :, 0]
    np.testing.assert_allclose(noise.std(0), 1, atol=0.03)
    np.testing.assert_allclose(np.corrcoef(noise.T)[0], 0.7 ** np.arange(6), atol=0.03)


def test_known_plans_are_among_those_that_are_tried():
    """After the first plan: what was proposed in the first round, the best so far afterwards."""
    plans = jnp.arange(4.0).reshape(4, 1, 1)
    given = face.Start(plans[0], jnp.float32(jnp.nan), plans[:2] + 70, jnp.int32(2))
    best = face.Best(plans[0] + 90, jnp.float32(1), jnp.bool_(True))
    for beginning, wanted in ((True, [0, 70, 71, 3]), (False, [0, 90, 2, 3])):
        assert with_known(given, best, plans, jnp.bool_(beginning)).ravel().tolist() == wanted
    assert with_known(given, best, plans[:1], jnp.bool_(False)).ravel().tolist() == [0]


def test_annealing_ends_nearer_the_optimum():
    """The same plans in number, with noise as wide in the last round as in the first, and less."""
    state = starts(STEER, 6)
    wide, less = (
        regret(STEER, state.x, planned(MPPI(STEER, horizon=4, anneal=a), state, 1024)[0].action)
        for a in (1.0, 0.7)
    )
    assert less.mean() < wide.mean() / 3


@pytest.mark.parametrize("kind", [CEM, GradientPlanning])
def test_the_habit_is_the_plan_one_step_later(kind):
    """Carried on without thinking, and again until nothing of it is left."""
    decider, state = kind(STEER, horizon=4), starts(STEER, 3)
    _, habit = planned(decider, state, 256)
    for step in range(3):
        decision, after = decider.decide(state, habit, budget=0, key=KEY)
        np.testing.assert_allclose(decision.action, habit[:, 0])
        np.testing.assert_allclose(after[:, :-1], habit[:, 1:])
        assert (after[:, -1] == 0).all() and (np.asarray(decision.value) == 0).all()
        assert np.abs(habit[:, 0]).max() > 0.01 * (step < 2)
        assert sum(decision.spent.as_dict()[k] for k in ("model_steps", "fits")) == 0
        habit = after
    assert (np.asarray(habit) == 0).all()
    cold = eqx.tree_at(lambda d: d.budget, kind(STEER, horizon=4, warm_start=False), Budget(0))
    assert cold.begin(3) is None and cold.decide(state, key=KEY)[1] is None


def test_a_warm_start_saves_simulations():
    """Tracking the pendulum by 16 plans a decision, with the last plan remembered and without."""
    task = make_task("pendulum", horizon=40)
    state = starts(task, 8)
    warm, cold = (
        rollout(task, CEM(task, warm_start=w), key=KEY, state=state, budget=16).returns.mean()
        for w in (True, False)
    )
    assert warm > cold + 20


@pytest.mark.parametrize("kind", ALL)
def test_budgets_are_kept_and_compile_once(kind):
    decider, state = kind(STEER, horizon=3), starts(STEER, 3)
    over = eqx.tree_at(lambda s: s.time, state, jnp.array([0, 2, 4]))
    planned(decider, over, 1)
    before = _compiled()
    decision, _ = planned(decider, over, Budget(jnp.array([7, 130, 9])))
    assert decision.spent.model_steps.tolist() == [21, 260, 0]
    assert decision.action[2].tolist() == [0, 0] and decision.value[2] == 0
    for budget in (Budget(model_steps=100), Budget(1000, 100), Budget(33, model_steps=5000)):
        decision, _ = planned(decider, state, budget)
        assert decision.spent.model_steps.tolist() == [99] * 3
    assert _compiled() == before


def _compiled():
    return face._decide._cached._cache_size()


@pytest.mark.parametrize("kind", [MPPI, GradientPlanning])
def test_continuous_contract(kind):
    check_decider(kind(make_task("pendulum", horizon=12), horizon=5), budget=40)


@pytest.mark.parametrize(("kind", "name"), [(RandomShooting, "frozen_lake"), (CEM, "blackjack")])
def test_discrete_contract(kind, name):
    """Chance, and a card that nobody has seen."""
    check_decider(kind(make_task(name), horizon=4, population=16, particles=2), budget=24)


def test_no_slide_is_foreseen():
    """A planner that knew where it slides would cross nine times in ten; 0.744 is the optimum."""
    lake = make_task("frozen_lake")
    decider = RandomShooting(lake, horizon=12, population=16, particles=4)
    played = rollout(lake, decider, key=KEY, batch=64, budget=32)
    assert played.returns.mean() < 0.744


def test_discrete_plans_are_found():
    """The two ways across in the four steps that are left, and their worth."""
    lake = make_task("frozen_lake", slip=0.0, horizon=6)
    state = starts(lake, 8)
    place = (jnp.full(8, 8), jnp.full(8, 2))
    state = eqx.tree_at(lambda s: (s.cell, s.time), state, place)
    for decider in (RandomShooting(lake), CEM(lake, population=256)):
        played = rollout(lake, decider, key=KEY, state=state, budget=1024)
        assert played.returns.mean() == 1.0 and (played.lengths == 4).all()
    decision, _ = planned(decider, state, 1024)
    assert (np.asarray(decision.value) == 1).all() and (decision.weights[:, 2] > 0.9).all()
    silent, _ = planned(decider, starts(lake, 64), 0)
    np.testing.assert_allclose(silent.weights, 0.25)
    assert len(np.unique(silent.action)) == 4


class Sour(Quadratic):
    """Infinitely or indefinably good to the right of a line."""

    what: Array = eqx.field(default_factory=lambda: jnp.float32(jnp.nan))

    def __call__(self, state, action, after):
        return jnp.where(after.x.sum() > 1.5, self.what, super().__call__(state, action, after))


@pytest.mark.parametrize("kind", ALL)
def test_what_is_not_finite_is_never_preferred_or_dropped(kind):
    decider, state = kind(STEER, horizon=4), starts(STEER, 3)
    for what in (math.nan, math.inf):
        with pytest.raises(NonFiniteError, match="value, first in row"):
            planned(decider, state, 128, objective=Sour(what=jnp.float32(what)))


def test_what_is_not_finite_is_told_by_compiled_decisions_too():
    decider, state = MPPI(STEER, horizon=4), starts(STEER, 3)
    decision = eqx.filter_jit(lambda: planned(decider, state, 128, objective=Sour())[0])()
    assert jnp.isnan(decision.value).any() and jnp.isfinite(decision.action).all()


def test_planning_on_another_model():
    """A model that is wrong by a factor is believed; one of another form is refused."""

    class Weak(Steering):
        def advance(self, state, action, key):
            return super().advance(state, 0.5 * action, key)

    state = starts(STEER, 4)
    believed, _ = planned(GradientPlanning(STEER, horizon=1, model=Weak((2,), steps=4)), state, 400)
    # The minimum of (x + a / 2)^2 + a^2 / 2.
    want = np.clip(-2 / 3 * np.asarray(state.x), -1, 1)
    np.testing.assert_allclose(believed.action, want, atol=0.01)
    with pytest.raises(UnsuitableTaskError, match="is no model of"):
        CEM(STEER, model=Steering((3,), steps=4))
    with pytest.raises(UnsuitableTaskError, match="is no model of"):
        CEM(STEER, model=make_task("pendulum"))


def test_wrong_use_is_refused():
    game, lake = make_task("tic_tac_toe"), make_task("frozen_lake")
    for kind in (RandomShooting, CEM):
        with pytest.raises(UnsuitableTaskError, match="one player alone"):
            kind(game)
    for kind in (MPPI, GradientPlanning):
        with pytest.raises(UnsuitableTaskError, match="discrete actions"):
            kind(lake)
    for kind, bad in (
        (RandomShooting, {"horizon": 0}),
        (RandomShooting, {"population": 0}),
        (CEM, {"elite": 0.0}),
        (CEM, {"population": 1}),
        (MPPI, {"population": 1}),
        (CEM, {"particles": 0}),
        (MPPI, {"temperature": 0.0}),
        (MPPI, {"anneal": 0.0}),
        (MPPI, {"correlation": 1.0}),
        (GradientPlanning, {"rate": math.inf}),
    ):
        with pytest.raises(ValueError, match="needs"):
            kind(STEER, **bad)
    decider, state = CEM(STEER, horizon=3), starts(STEER, 2)
    with pytest.raises(ForeignMemoryError, match="remembers plans"):
        decider.decide(state, CEM(STEER, horizon=4).begin(2), key=KEY)
    with pytest.raises(BatchMismatchError):
        decider.decide(state, decider.begin(3), key=KEY)
    shown = repr(CEM(lake, terminal=RandomRollouts(), particles=3))
    assert "FrozenLake" in shown and "RandomRollouts" in shown and "particles=3" in shown


@pytest.mark.parametrize("kind", [MPPI, GradientPlanning])
def test_the_pendulum_is_swung_up_and_held_by_a_compiled_loop(kind):
    """From straight down, by 64 plans a decision, all in one compiled loop.

    The best possible is about -300 from there; holding still at the bottom gets -1180.
    """
    task = make_task("pendulum", horizon=120)
    decider, state = kind(task), starts(task, 2)
    state = eqx.tree_at(lambda s: s.angle, state, jnp.full(2, math.pi))

    def turn(carry, key):
        state, memory = carry
        decision, memory = decider.decide(state, memory, budget=64, key=key)
        after = jax.vmap(task.advance)(state, decision.action, jax.random.split(key, 2))
        reward = jax.vmap(task.objective)(state, decision.action, after)[:, 0]
        return (after, memory), (reward, jnp.cos(after.angle))

    keys = jax.random.split(KEY, 120)
    _, (rewards, height) = eqx.filter_jit(jax.lax.scan)(turn, (state, decider.begin(2)), keys)
    assert (height[-30:] > 0.98).all()
    assert (rewards.sum(0) > -420).all()


def test_best_action_of_the_closed_form():
    """The yardstick itself: the first action is best where the first-order condition holds."""
    x = jnp.array([0.4, -0.7])
    p = curvatures(STEER)[1]
    a = best_action(STEER, x)
    np.testing.assert_allclose(2 * STEER.effort * a + 2 * (1 + p) * (x + a), 0, atol=1e-6)


@pytest.mark.parametrize("kind", [CEM, MPPI])
def test_two_plans_a_round_are_enough_to_get_better(kind):
    """One is the best so far, and the other a fresh one; a population of two is no fixed plan."""
    decider, states = kind(STEER, population=2), starts(STEER, 8)
    values = [
        np.asarray(decider.decide(states, budget=n, key=KEY)[0].value).mean() for n in (1, 200)
    ]
    assert values[1] > values[0] + 0.1


@pytest.mark.parametrize("kind", [CEM, MPPI])
def test_the_budget_of_the_constructor_is_data(kind):
    traced = []

    class Traced(Steering):
        def advance(self, state, action, key):
            traced.append(1)
            return super().advance(state, action, key)

    task = Traced()
    states = starts(task, 2)
    kind(task, horizon=2, budget=8).decide(states, key=KEY)
    count = len(traced)
    kind(task, horizon=2, budget=9).decide(states, key=KEY)
    assert len(traced) == count > 0
