"""Problems with one answer: their solutions are the truth, and gradient descent gets there."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from deliberation.core import Budget, check_decider, check_task, misere, rollout
from deliberation.core.errors import BudgetError, NonFiniteError, UnsuitableTaskError
from deliberation.core.objective import Objective
from deliberation.direct import GradientDescent
from deliberation.direct.parametric.gradient_descent import begin_descent, descend, improve
from deliberation.tasks import make_task
from deliberation.tasks.one_step.problem import one_step_return

KEY = jax.random.key(0)
NAMES = ("sphere", "convex_programme", "gaussian_inference")


def problems(task, n, seed=1):
    return jax.vmap(task.init)(jax.random.split(jax.random.key(seed), n))


@eqx.filter_jit
def costs(task, state, answers):
    return jax.vmap(task.cost)(state.context, answers)


@eqx.filter_jit
def optima(task, state):
    return jax.vmap(task.objective.optimum)(state)


def gap(task, state, answers):
    return np.asarray(optima(task, state) + costs(task, state, answers))


@pytest.mark.parametrize("name", NAMES)
def test_tasks_keep_the_contract(name):
    check_task(make_task(name), episodes=8)


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_is_better_than_the_solution(name):
    task, state = make_task(name), problems(make_task(name), 16)
    best = jax.vmap(task.solution)(state.context)
    traits = task.traits
    assert ((best >= traits.low) & (best <= traits.high)).all()
    np.testing.assert_allclose(-costs(task, state, best), optima(task, state), atol=1e-5)
    rng = np.random.default_rng(0)
    for scale in (0.01, 0.3, 5.0):
        near = best + scale * rng.normal(size=best.shape).astype(np.float32)
        worse = gap(task, state, jnp.clip(near, traits.low, traits.high))
        assert worse.min() > -1e-5 and worse.mean() > 1e-5
    over = jax.vmap(task.advance)(state, best, jax.random.split(KEY, 16))
    assert (optima(task, over) == 0).all()


def test_the_sphere_is_least_where_a_centre_is_least_and_by_hand_elsewhere():
    task = make_task("sphere", components=2)
    context = jnp.array([1.0, 0, 0, 0, 1, 0, 0.25, 0.5])
    cases = {
        (1, 0, 0): 0.25,
        (0, 1, 0): 0.5,
        (-1, 0, 0): 1.5,
        (0, 0, 0): 1.25,
        (0.5, 0, 0): 0.65625,
    }
    for answer, cost in cases.items():
        assert float(task.cost(context, jnp.array(answer, float))) == pytest.approx(cost)
    np.testing.assert_array_equal(task.solution(context), [1, 0, 0])


def test_the_convex_programme_agrees_with_an_active_set_solver():
    task = make_task("convex_programme")
    state = problems(task, 16)
    found = np.asarray(jax.vmap(task.solution)(state.context))
    root = np.linalg.cholesky(task.matrix.astype(np.float64))
    for context, answer in zip(np.asarray(state.context, np.float64), found, strict=True):
        exact = scipy.optimize.lsq_linear(
            root.T, np.linalg.solve(root, context), (-1, 1), method="bvls", tol=1e-12
        )
        np.testing.assert_allclose(answer, exact.x, atol=2e-5)
    active = (np.abs(found) == 1).mean()
    assert 0.1 < active < 0.6
    np.testing.assert_allclose(np.linalg.eigvalsh(task.matrix)[[0, -1]], [1, 10], rtol=1e-4)


def test_the_posterior_is_that_of_bayes_rule_on_a_grid():
    task = make_task("gaussian_inference")
    context = task.init(jax.random.key(3)).context
    line = np.linspace(-5, 5, 161)
    grid = jnp.asarray(np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2))
    log_joint = np.asarray(jax.vmap(lambda z: task.log_joint(context, z))(grid), np.float64)
    weight = np.exp(log_joint - log_joint.max())
    weight /= weight.sum()
    mean, precision = task.posterior(context)
    np.testing.assert_allclose(weight @ np.asarray(grid), mean, atol=1e-3)
    away = np.asarray(grid) - np.asarray(mean)
    covariance = (away * weight[:, None]).T @ away
    np.testing.assert_allclose(covariance, np.linalg.inv(precision), atol=1e-3)
    # The divergence, by the same grid.
    answer = jnp.array([[0.3, -0.2], [-0.5, 0.4]])
    log_q = np.asarray(jax.vmap(lambda z: task.log_density(answer, z))(grid), np.float64)
    q = np.exp(log_q) / np.exp(log_q).sum()
    keep = q > 1e-12
    divergence = (q[keep] * (np.log(q[keep]) - np.log(np.maximum(weight[keep], 1e-300)))).sum()
    assert float(task.cost(context, answer)) == pytest.approx(divergence, rel=1e-3)
    # Samples are from the density that is stated.
    drawn = jax.vmap(lambda k: task.sample(answer, k))(jax.random.split(KEY, 4000))
    for i in range(2):
        normal = scipy.stats.norm(float(answer[0, i]), np.exp(float(answer[1, i]) / 2))
        assert scipy.stats.kstest(np.asarray(drawn[:, i]), normal.cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sphere", {"components": 0}),
        ("sphere", {"dimensions": 1}),
        ("convex_programme", {"condition": 0.5}),
        ("gaussian_inference", {"latents": 0}),
    ],
)
def test_impossible_problems_are_refused(name, options):
    with pytest.raises(ValueError, match="got"):
        make_task(name, **options)


def test_gradient_descent_keeps_the_contract():
    check_decider(GradientDescent(make_task("sphere"), starts=3))


def test_gradient_descent_solves_convex_problems_and_more_is_never_worse():
    for name, enough in (("convex_programme", 1e-4), ("gaussian_inference", 1e-4)):
        task = make_task(name)
        state, decider = problems(task, 16), GradientDescent(task)
        before = np.full(16, np.inf)
        for budget in (0, 1, 2, 4, 8, 16, 200):
            decision, _ = decider.decide(state, budget=budget, key=KEY)
            now = gap(task, state, decision.action)
            assert (now <= before + 1e-5).all()
            if budget:
                np.testing.assert_allclose(
                    decision.value, -costs(task, state, decision.action), rtol=1e-5, atol=1e-5
                )
            before = now
        assert before.max() < enough


def test_starts_are_a_defence_against_local_minima():
    task = make_task("sphere")
    state = problems(task, 128)
    gaps = {}
    for starts in (1, 8):
        decision, _ = GradientDescent(task, starts=starts).decide(state, budget=128, key=KEY)
        gaps[starts] = gap(task, state, decision.action).mean()
    assert gaps[1] > 0.08 and gaps[8] < 0.01


def test_budgets_are_kept_and_counted_row_by_row():
    task = make_task("convex_programme")
    state = problems(task, 6)
    sims = jnp.array([0, 1, 2, 3, 5, 1000])
    decider = GradientDescent(task, starts=3)
    decision, _ = decider.decide(state, budget=Budget(sims), key=KEY)
    spent = np.asarray(decision.spent.model_steps)
    # A descent of k steps takes k + 1 model steps, and is only begun if it has a step to take.
    np.testing.assert_array_equal(spent[:5], [0, 2, 4, 6, 8])
    assert spent[5] < 300  # converged
    limits = jnp.array([0, 1, 2, 3, 6, 9])
    decision, _ = decider.decide(state, budget=Budget(model_steps=limits), key=KEY)
    np.testing.assert_array_equal(decision.spent.model_steps, [0, 0, 2, 2, 6, 9])
    with pytest.raises(BudgetError):
        GradientDescent(task).decide(state, budget=-1, key=KEY)


def test_another_objective_is_followed_at_once():
    task = make_task("convex_programme")
    state, decider = problems(task, 16), GradientDescent(task)
    usual, _ = decider.decide(state, key=KEY)
    turned, _ = decider.decide(state, objective=misere(task.objective), key=KEY)
    assert (costs(task, state, turned.action) > costs(task, state, usual.action) + 1).all()
    assert (np.abs(turned.action) == 1).all()  # the most of a convex function is in a corner


class Broken(Objective):
    def __call__(self, state, action, after):
        return jnp.sqrt(action.sum() - 100.0)[None]


def test_nan_is_refused_and_so_are_other_tasks():
    task = make_task("convex_programme")
    with pytest.raises(NonFiniteError, match="objective"):
        GradientDescent(task).decide(problems(task, 2), objective=Broken(), key=KEY)
    quiet, _ = GradientDescent(task).decide(
        problems(task, 2), objective=Broken(), budget=0, key=KEY
    )
    assert (quiet.spent.model_steps == 0).all()
    with pytest.raises(UnsuitableTaskError, match="numbered actions"):
        GradientDescent(make_task("frozen_lake"))
    for wrong in ({"rate": 0.0}, {"starts": 0}, {"tolerance": float("nan")}):
        with pytest.raises(ValueError, match="descent needs"):
            GradientDescent(task, **wrong)


def test_a_refused_step_is_shortened_to_the_parabolas_minimum():
    def cost(y):
        return 50.0 * jnp.square(y - 0.5)

    begun = improve(cost, begin_descent(jnp.float32(0.0), 1.0), -1.0, 1.0)
    assert float(begun.cost) == 12.5 and int(begun.taken) == 0
    once = improve(cost, begun, -1.0, 1.0)  # to 1: as good as 0, refused
    assert float(once.point) == 0.0 and int(once.taken) == 1
    twice = improve(cost, once, -1.0, 1.0)
    assert float(twice.point) == pytest.approx(0.5)  # half of the step that the box let through
    done = descend(
        cost, jnp.float32(0.0), jnp.int32(20), low=-1.0, high=1.0, rate=1.0, tolerance=1e-6
    )
    assert float(done.best) == pytest.approx(0.5, abs=1e-5) and int(done.taken) < 10


def test_rollouts_earn_what_decisions_promise():
    task = make_task("gaussian_inference")
    played = rollout(task, GradientDescent(task), key=KEY, batch=16, budget=100)
    first = jax.random.split(jax.random.split(KEY)[1], 16)
    best = optima(task, jax.vmap(task.init)(first))
    np.testing.assert_allclose(played.returns[:, 0], best, atol=1e-4)
    state = task.init(KEY)
    answer = task.solution(state.context)
    got = one_step_return(task, task.objective, state, answer)
    assert float(got) == pytest.approx(float(task.objective.optimum(state)), abs=1e-5)
