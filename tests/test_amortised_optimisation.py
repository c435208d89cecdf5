"""Learned answers: by regression, by the objective or by inference, and improved by steps."""

import dataclasses
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import (
    AnswerPolicy,
    Answers,
    RecurrentMLP,
    TrainingDivergedError,
    answer_network,
    collect_answers,
    fit_answers,
    fit_inference,
    fit_loss,
    fit_objective,
    flops,
)
from deliberation.amortised.policies.answer import from_action, to_action
from deliberation.core import Budget, Ledger, check_decider, misere
from deliberation.core.errors import (
    BatchMismatchError,
    NonFiniteError,
    UnsuitableTaskError,
)
from deliberation.direct import GradientDescent
from deliberation.hybrid import SemiAmortised, fit_through
from deliberation.tasks import make_task

KEY = jax.random.key(0)
PROGRAMME = make_task("convex_programme", size=3)
INFERENCE = make_task("gaussian_inference")
SMALL = {"width": 32, "depth": 1}
SHORT = Ledger(flops=1.0)


def problems(task, n=64, seed=1):
    return jax.vmap(task.init)(jax.random.split(jax.random.key(seed), n))


@eqx.filter_jit
def gaps(task, state, answers):
    best = jax.vmap(task.objective.optimum)(state)
    return best + jax.vmap(task.cost)(state.context, answers)


def gap(decider, budget=None, n=64):
    state = problems(decider.task, n)
    decision, _ = decider.decide(state, budget=budget, key=KEY)
    return float(gaps(decider.task, state, decision.action).mean())


@pytest.fixture(scope="module")
def guess():
    """A network after a little objective-based training on the programme."""
    network = answer_network(PROGRAMME, key=KEY, **SMALL)
    return fit_objective(PROGRAMME, network, steps=192, key=KEY, batch_size=64, learning_rate=1e-2)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(*map(jax.tree.leaves, (a, b)), strict=True))


def test_answers_are_scaled_to_the_range_and_cut_off_there():
    traits = INFERENCE.traits
    raw = jnp.array([0.0, 0.5, -1.0, 3.0])
    action = to_action(traits, raw)
    np.testing.assert_allclose(action, [[0, 3], [-6, 6]])
    np.testing.assert_allclose(from_action(traits, action), [0, 0.5, -1, 1])
    # Beyond the bounds the gradient is there where descending it leads back, and only there.
    raw = jnp.array([0.5, 3.0, 3.0, -2.0, -2.0])
    slope = jnp.array([-1.0, 1.0, -1.0, 1.0, -1.0])
    unit = dataclasses.replace(PROGRAMME.traits, shape=(5,))
    back = jax.grad(lambda r: slope @ to_action(unit, r))(raw)
    np.testing.assert_allclose(back, [-1, 1, 0, 0, -1])


def test_a_recurrent_network_turns_its_answer_over_with_its_input_before_it():
    net = RecurrentMLP((3,), 2, 4, 3, key=KEY)
    x = jnp.array([0.5, -2.0, 1.0])
    given = x @ net.recall.w + net.recall.b
    h = jnp.clip(given, -1, 1)
    for _ in range(2):
        h = jnp.clip(h @ net.again.w + net.again.b + given, -1, 1)
    answer, value = net(x)
    np.testing.assert_allclose(answer, h @ net.policy.w + net.policy.b, rtol=1e-6)
    np.testing.assert_allclose(value, (h @ net.value.w + net.value.b)[0], rtol=1e-6)
    assert flops(net) == 2 * (3 * 4 + 2 * 4 * 4 + 4 * 2 + 4)


def test_the_objectives_gradient_teaches_and_is_then_forgotten(guess):
    policy = AnswerPolicy(PROGRAMME, guess.network)
    untrained = AnswerPolicy(PROGRAMME, answer_network(PROGRAMME, key=KEY, **SMALL))
    assert gap(policy) < 0.3 < 1.0 < gap(untrained)
    state = problems(PROGRAMME)
    usual, _ = policy.decide(state, key=KEY)
    turned, _ = policy.decide(state, objective=misere(PROGRAMME.objective), budget=99, key=KEY)
    np.testing.assert_array_equal(usual.action, turned.action)
    assert (usual.spent.model_steps == 0).all()
    assert (usual.spent.network_evaluations == 1).all()
    assert (usual.spent.flops == flops(guess.network)).all()
    # The value has learned what answers earn.
    earned = -jax.vmap(PROGRAMME.cost)(state.context, usual.action)
    assert np.corrcoef(usual.value, earned)[0, 1] > 0.95


def test_training_is_counted_repeats_to_the_bit_and_may_want_something_else(guess):
    spent = guess.ledger
    assert (spent.fits, spent.data, spent.model_steps) == (192, 192 * 64, 192 * 64)
    assert spent.flops == 192 * 64 * 3 * flops(guess.network)
    network = answer_network(PROGRAMME, key=KEY, **SMALL)
    again = fit_objective(PROGRAMME, network, steps=192, key=KEY, batch_size=64, learning_rate=1e-2)
    assert same(again.network, guess.network)
    worst = fit_objective(
        PROGRAMME, network, steps=64, key=KEY, batch_size=64, learning_rate=1e-2,
        objective=misere(PROGRAMME.objective),
    )  # fmt: skip
    assert worst.metrics["return"][-1] > guess.metrics["return"][-1]
    assert gap(AnswerPolicy(PROGRAMME, worst.network)) > 5


def test_a_killed_fit_ends_with_the_same_bits_and_nan_stops_it(tmp_path):
    network = answer_network(PROGRAMME, key=KEY, width=4, depth=1)

    def loss(network, key):
        x = jax.random.normal(key, (3,))
        return jnp.square(network(x)[0]).sum(), {}

    whole = fit_loss(loss, network, steps=150, key=KEY, each=SHORT)
    assert len(whole.metrics["loss"]) == 3 and whole.ledger.fits == 150

    def kill(step, metrics):
        if step == 2:
            raise KeyboardInterrupt

    def run(**options):
        return fit_loss(loss, network, steps=150, key=KEY, each=SHORT, folder=tmp_path, **options)

    with pytest.raises(KeyboardInterrupt):
        run(watch=kill)
    assert same(run().network, whole.network)
    with pytest.raises(TrainingDivergedError, match="loss"):
        fit_loss(
            lambda n, k: (jnp.log(-jnp.square(n.policy.b).sum()), {}), network, steps=2, key=KEY,
            each=SHORT,
        )  # fmt: skip
    with pytest.raises(ValueError, match="at least 1 step"):
        fit_loss(loss, network, steps=0, key=KEY)


def test_a_solvers_answers_are_collected_and_fitted():
    solver = GradientDescent(PROGRAMME, budget=32)
    state = problems(PROGRAMME, 300, seed=5)
    ended = eqx.tree_at(lambda s: s.answered, state, state.answered.at[7].set(True))
    answers, spent = collect_answers(solver, ended, key=KEY, batch=64)
    assert len(answers) == 299 and spent.model_steps > 299 * 5
    some, keys = slice(150, 214), jax.random.split(KEY, 300)
    again, _ = solver.decide(jax.tree.map(lambda x: x[some], state), budget=32, key=keys[some])
    np.testing.assert_allclose(answers.answers[149:213], again.action, atol=1e-5)
    np.testing.assert_allclose(answers.value[149:213], again.value, atol=1e-5)
    np.testing.assert_allclose(answers.observations[149:213], state.context[some])
    network = answer_network(PROGRAMME, key=KEY, **SMALL)
    fit = fit_answers(PROGRAMME, network, answers, steps=256, key=KEY, learning_rate=1e-2)
    assert fit.ledger.data == 299 and fit.ledger.fits == 256 and fit.ledger.model_steps == 0
    learned = gap(AnswerPolicy(PROGRAMME, fit.network))
    assert gap(solver) < 1e-4 < learned < 0.4


def test_what_cannot_be_fitted_is_refused():
    network = answer_network(PROGRAMME, key=KEY, **SMALL)
    good = Answers(jnp.zeros((4, 3)), jnp.zeros((4, 3)), jnp.zeros(4))
    bad = eqx.tree_at(lambda a: a.answers, good, good.answers.at[1, 1].set(jnp.nan))
    with pytest.raises(NonFiniteError, match="answers"):
        fit_answers(PROGRAMME, network, bad, steps=1, key=KEY)
    with pytest.raises(BatchMismatchError, match="another task"):
        fit_answers(
            PROGRAMME, network, Answers(good.observations, jnp.zeros((4, 2)), good.value),
            steps=1, key=KEY,
        )  # fmt: skip
    lake = make_task("frozen_lake")
    for attempt in (
        lambda: AnswerPolicy(lake, network),
        lambda: AnswerPolicy(INFERENCE, network),
        lambda: SemiAmortised(lake, network),
        lambda: fit_objective(lake, network, steps=1, key=KEY),
        lambda: fit_inference(PROGRAMME, network, steps=1, key=KEY),
        lambda: collect_answers(GradientDescent(PROGRAMME), ended(), key=KEY),
    ):
        with pytest.raises(UnsuitableTaskError):
            attempt()
    broken = eqx.tree_at(lambda n: n.policy.b, network, jnp.full(3, jnp.nan))
    for decider in (AnswerPolicy(PROGRAMME, broken), SemiAmortised(PROGRAMME, broken)):
        with pytest.raises(NonFiniteError, match="MLP"):
            decider.decide(problems(PROGRAMME), key=KEY)


def ended():
    return eqx.tree_at(lambda s: s.answered, problems(PROGRAMME, 2), jnp.ones(2, bool))


@pytest.mark.parametrize(("direction", "bound"), [("elbo", 0.1), ("forward", 0.25)])
def test_inference_networks_come_near_the_exact_posterior(direction, bound):
    network = answer_network(INFERENCE, key=KEY, scored=False, **SMALL)
    untrained = gap(AnswerPolicy(INFERENCE, network))
    fit = fit_inference(
        INFERENCE, network, steps=512, key=KEY, direction=direction, batch_size=128,
        learning_rate=5e-3,
    )  # fmt: skip
    policy = AnswerPolicy(INFERENCE, fit.network)
    assert gap(policy) < bound < 3 < untrained
    decision, _ = policy.decide(problems(INFERENCE), key=KEY)
    assert (decision.value == 0).all()
    assert fit.ledger.model_steps == (512 * 128 if direction == "elbo" else 0)
    # The bound lies below the evidence by the divergence, on average over contexts and samples.
    if direction == "elbo":
        assert -8 < fit.metrics["elbo"][-1] < -4


def test_steps_put_right_what_the_network_gets_wrong(guess):
    semi = SemiAmortised(PROGRAMME, guess.network)
    cold = GradientDescent(PROGRAMME)
    warm = [gap(semi, k) for k in (0, 1, 2, 4, 64)]
    assert warm[0] == pytest.approx(gap(AnswerPolicy(PROGRAMME, guess.network)), abs=1e-5)
    assert all(a >= b - 1e-6 for a, b in itertools.pairwise(warm))
    assert warm[-1] < 1e-5 and warm[1] < gap(cold, 2) / 5
    state = problems(PROGRAMME)
    turned, _ = semi.decide(state, objective=misere(PROGRAMME.objective), budget=40, key=KEY)
    assert (np.abs(turned.action) == 1).all()


def test_steps_are_counted_and_limited(guess):
    semi = SemiAmortised(PROGRAMME, guess.network)
    limits = jnp.array([0, 1, 2, 3] * 16)
    for budget, spent in (
        (Budget(limits), [0, 2, 3, 4]),
        (Budget(model_steps=limits), [0, 0, 2, 3]),
    ):
        decision, _ = semi.decide(problems(PROGRAMME), budget=budget, key=KEY)
        np.testing.assert_array_equal(decision.spent.model_steps[:4], spent)
        assert (decision.spent.network_evaluations == 1).all()


def test_deciders_keep_the_contract(guess):
    check_decider(AnswerPolicy(PROGRAMME, guess.network))
    check_decider(SemiAmortised(PROGRAMME, guess.network))


def test_training_through_the_steps_differentiates_them():
    task = make_task("sphere", components=2, dimensions=2)
    network = answer_network(task, key=KEY, **SMALL)
    options = {"steps": 192, "key": KEY, "batch_size": 64, "learning_rate": 1e-2}
    through = fit_through(task, network, through=4, **options)
    before = fit_objective(task, network, **options)
    for key in ("before", "after"):
        assert np.isfinite(through.metrics[key]).all()
    assert through.ledger.model_steps == 5 * 192 * 64
    # Trained for where the steps end, the guess is in the right valley more often.
    ends = [gap(SemiAmortised(task, f.network), 32, 256) for f in (through, before)]
    starts = [gap(SemiAmortised(task, f.network), 0, 256) for f in (through, before)]
    assert ends[0] < ends[1] and starts[0] > starts[1]
    with pytest.raises(ValueError, match="through -1"):
        fit_through(task, network, through=-1, steps=1, key=KEY)
