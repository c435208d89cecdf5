"""Learned functions against planted targets; imitation, its ledger, and policies on disk."""

import hashlib
import json
import os
import resource

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from deliberation import (
    Budget,
    Decider,
    Decision,
    Ledger,
    check_decider,
    make_task,
    misere,
    rollout,
)
from deliberation import amortised as am
from deliberation.amortised._convolve import convolve
from deliberation.core import errors

KEY = jax.random.key(7)
TTT = make_task("tic_tac_toe")
FOUR = make_task("connect_four")


class Biased(Decider):
    """A stochastic teacher whose answer is a fixed table of preferences over legal actions."""

    task: object
    preference: jax.Array
    flaw: float = 0.0

    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        legal = jax.vmap(self.task.legal)(state)
        live = ~jax.vmap(self.task.terminated)(state)
        weights = am.masked_softmax(jnp.broadcast_to(self.preference, legal.shape), legal)
        limit = Budget.of(1 if budget is None else budget).rows(len(live))[0]
        spent = Ledger(model_steps=limit * live)
        action = jnp.where(live, weights.argmax(-1), -1)
        value = jnp.where(live, 0.25 + self.flaw, 0.0)
        return Decision(action, weights, value, spent), memory


def small_net(task=TTT, width=32, **options):
    shape = jax.eval_shape(task.observe, jax.eval_shape(task.init, KEY)).shape
    return am.MLP(shape, task.traits.actions, width, 1, key=KEY, **options)


@pytest.fixture(scope="module")
def positions():
    return am.random_positions(TTT, 300, KEY)


@pytest.fixture(scope="module")
def lesson(positions):
    return am.collect(Biased(TTT, jnp.linspace(-1.0, 1.5, 9)), positions, budget=3, key=KEY)


def same(a, b) -> bool:
    equal = jax.tree.map(lambda x, y: bool(np.array_equal(x, y)), a, b)
    return jax.tree.structure(a) == jax.tree.structure(b) and jax.tree.all(equal)


# Networks


def test_mlp_computes_what_its_weights_say():
    net = am.MLP((2,), 2, 2, 1, key=KEY)
    layers = (net.hidden[0].w, net.hidden[0].b, net.policy.w, net.value.w)
    plant = (jnp.eye(2), jnp.array([0.0, 1.0]), jnp.array([[1.0, 2], [3, 4]]), jnp.ones((2, 1)))
    net = eqx.tree_at(lambda n: (n.hidden[0].w, n.hidden[0].b, n.policy.w, n.value.w), net, plant)
    assert layers[0].shape == (2, 2)
    logits, value = net(jnp.array([-5.0, 1.0]))  # hidden = relu(-5, 2) = (0, 2)
    np.testing.assert_allclose(logits, [6.0, 8.0])
    np.testing.assert_allclose(value, np.tanh(2.0), rtol=1e-6)


def test_convolution_agrees_with_sums_by_hand():
    x = np.asarray(jax.random.normal(KEY, (4, 5, 2)))
    w = np.asarray(jax.random.normal(KEY, (3, 3, 2, 3)))
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    wanted = np.zeros((4, 5, 3))
    for r in range(4):
        for c in range(5):
            wanted[r, c] = np.einsum("ijk,ijkl->l", padded[r : r + 3, c : c + 3], w)
    np.testing.assert_allclose(convolve(jnp.asarray(x)[None], jnp.asarray(w))[0], wanted, atol=1e-5)


@pytest.mark.parametrize("batch", [6, 150])
def test_gradient_of_the_convolution_is_xlas_own(batch):
    x, dy = jax.random.normal(KEY, (batch, 4, 5, 2)), jax.random.normal(KEY, (batch, 4, 5, 3))
    w = jax.random.normal(KEY, (3, 3, 2, 3))
    layout = ("NHWC", "HWIO", "NHWC")

    def plain(x, w):
        return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=layout)

    ours = jax.grad(lambda x, w: (convolve(x, w) * dy).sum(), (0, 1))(x, w)
    each = jax.grad(
        lambda x, w: (jax.vmap(lambda b: convolve(b[None], w)[0])(x) * dy).sum(), (0, 1)
    )(x, w)
    theirs = jax.grad(lambda x, w: (plain(x, w) * dy).sum(), (0, 1))(x, w)
    for a, b, c in zip(ours, each, theirs, strict=True):
        np.testing.assert_allclose(a, c, atol=1e-3)
        np.testing.assert_allclose(b, c, atol=1e-3)


def test_a_batch_through_the_convolution_is_its_rows():
    net = am.ResidualConvolution((6, 7, 2), 7, 8, 2, key=KEY)
    net = jax.tree.map(lambda x: x + 0.1 if eqx.is_array(x) else x, net)
    x = jax.random.normal(KEY, (3, 6, 7, 2))
    for together in (net.batched(x), jax.vmap(net)(x)):
        for row in range(3):
            for a, b in zip(net(x[row]), together, strict=True):
                np.testing.assert_allclose(a, b[row], rtol=1e-4, atol=1e-4)


def test_flops_are_counted_from_the_shapes():
    assert am.flops(am.MLP((6, 7, 2), 7, 128, 2, key=KEY)) == 2 * (
        84 * 128 + 128 * 128 + 128 * 7 + 128
    )
    net = am.ResidualConvolution((6, 7, 2), 7, 16, 3, key=KEY)
    board = 9 * 2 * 16 + 6 * 9 * 16 * 16 + 2 * 16 * 4
    heads = 4 * 42 * 7 + 4 * 42 * 64 + 64
    assert am.flops(net) == 2 * (42 * board + heads)


@pytest.mark.parametrize("kind", ["mlp", "residual_convolution"])
@pytest.mark.parametrize("value_range", [(0.0, 500.0), None])
def test_a_network_is_rebuilt_from_its_config(kind, value_range):
    sizes = {"mlp": {"width": 5, "depth": 3}, "residual_convolution": {"channels": 4, "blocks": 2}}
    span = None if value_range is None else list(value_range)
    config = {"kind": kind, "observation_shape": [3, 3, 2], "actions": 9, "value_range": span}
    net = am.network_from_config({**config, **sizes[kind]}, KEY)
    assert json.loads(json.dumps(net.config)) == {**config, **sizes[kind]}
    again = am.network_from_config(net.config, KEY)
    assert same(eqx.filter(net, eqx.is_array), eqx.filter(again, eqx.is_array))
    value = net(1e6 * jnp.ones((3, 3, 2)))[1]
    if value_range:
        assert 0.0 <= value <= 500.0
        assert am.network_from_config(net.config, KEY)(jnp.zeros((3, 3, 2)))[1] == 250.0
    else:
        assert abs(value) > 500.0


def test_networks_refuse_what_they_cannot_be():
    with pytest.raises(errors.UnknownNameError, match="mlp"):
        am.network_from_config({"kind": "mpl"}, KEY)
    with pytest.raises(ValueError, match="no setting 'depht'"):
        am.network_from_config({"kind": "mlp", "depht": 2}, KEY)
    with pytest.raises(errors.UnsuitableTaskError, match="Use an MLP"):
        am.ResidualConvolution((9,), 9, key=KEY)
    with pytest.raises(ValueError, match="width of at least 1"):
        am.MLP((9,), 9, 0, key=KEY)
    with pytest.raises(ValueError, match="low < high"):
        am.MLP((9,), 9, value_range=(1.0, 1.0), key=KEY)


# The policy


@pytest.mark.parametrize("greedy", [True, False])
def test_the_policy_keeps_the_contract_of_a_decider(greedy):
    check_decider(am.NetworkPolicy(TTT, small_net(), greedy=greedy))


def test_one_forward_pass_whatever_the_objective_or_budget(positions):
    policy = am.NetworkPolicy(TTT, small_net())
    plain, _ = policy.decide(positions, key=KEY)
    pressed, _ = policy.decide(
        positions, key=KEY, objective=misere(TTT.objective), budget=Budget(512)
    )
    assert same(plain.weights, pressed.weights) and same(plain.action, pressed.action)
    np.testing.assert_array_equal(plain.spent.network_evaluations, 1)
    np.testing.assert_array_equal(pressed.spent.flops, am.flops(policy.network))
    with pytest.raises(errors.BatchMismatchError):
        policy.decide(positions, key=KEY, budget=Budget.of(np.ones(3, np.int32)))


def test_finished_rows_cost_nothing_and_answer_nothing():
    state = rollout(TTT, am.NetworkPolicy(TTT, small_net(), greedy=False), key=KEY, batch=4).final
    first = jax.vmap(TTT.init)(jax.random.split(KEY, 4))
    state = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), state, first)
    decision, _ = am.NetworkPolicy(TTT, small_net()).decide(state, key=KEY)
    np.testing.assert_array_equal(decision.action[:4], -1)
    np.testing.assert_array_equal(decision.spent.network_evaluations, [0, 0, 0, 0, 1, 1, 1, 1])
    for zero in (decision.weights[:4], decision.value[:4], decision.spent.seconds[:4]):
        np.testing.assert_array_equal(zero, 0)


def test_sampling_follows_the_weights_and_temperature():
    net = small_net()
    logits = jnp.log(jnp.array([4.0, 2, 1, 1, 1, 1, 1, 1, 4]))
    zero = jnp.zeros_like(net.policy.w)
    net = eqx.tree_at(lambda n: (n.policy.w, n.policy.b), net, (zero, logits))
    state = jax.vmap(TTT.init)(jax.random.split(KEY, 20000))
    warm, _ = am.NetworkPolicy(TTT, net, greedy=False).decide(state, key=KEY)
    share = np.bincount(np.asarray(warm.action), minlength=9) / 20000
    np.testing.assert_allclose(share, np.exp(logits) / 16, atol=0.012)
    cold, _ = am.NetworkPolicy(TTT, net, temperature=0.5).decide(state, key=KEY)
    np.testing.assert_allclose(cold.weights[0], np.exp(logits) ** 2 / 42, rtol=1e-4)
    np.testing.assert_array_equal(cold.action, 0)


def test_a_broken_network_is_refused_and_never_masked_away():
    net = small_net()
    for bad in (jnp.nan, jnp.inf):
        # Only the first action is broken, and it is illegal in these states.
        broken = eqx.tree_at(lambda n: n.policy.b, net, net.policy.b.at[0].set(bad))
        taken = jax.vmap(lambda s: TTT.step(s, jnp.int32(0), KEY))(
            jax.vmap(TTT.init)(jax.random.split(KEY, 2))
        )
        with pytest.raises(errors.NonFiniteError, match="logits"):
            am.NetworkPolicy(TTT, broken).decide(taken, key=KEY)
    with pytest.raises(errors.UnsuitableTaskError, match="3, 3, 2"):
        am.NetworkPolicy(FOUR, net)
    with pytest.raises(ValueError, match="temperature"):
        am.NetworkPolicy(TTT, net, temperature=0.0)


# Data


def test_random_positions_are_live_distinct_and_repeatable(positions):
    assert not jax.vmap(TTT.terminated)(positions).any()
    prints = np.asarray(jax.vmap(TTT.fingerprint)(positions))
    assert len(np.unique(prints, axis=0)) == 300
    assert same(positions, am.random_positions(TTT, 300, KEY))
    np.testing.assert_array_equal(am.random_positions(FOUR, 50, KEY, plies=6).ply, 6)
    late = am.random_positions(TTT, 50, KEY, plies=9)
    assert not jax.vmap(TTT.terminated)(late).any() and late.ply.max() == 8
    one = am.random_positions(TTT, 12, KEY, plies=1)  # there are only nine
    assert len(np.unique(np.asarray(jax.vmap(TTT.fingerprint)(one)), axis=0)) == 9


def test_moments_of_a_game_are_uniform():
    """On 2x2 with two in a row every game lasts three plies: so each of three moments is drawn."""
    task = make_task("mnk", width=2, height=2, k=2, gravity=False)
    ply = np.asarray(am.random_positions(task, 6000, KEY, distinct=False).ply)
    np.testing.assert_allclose(np.bincount(ply, minlength=4) / 6000, [1 / 3] * 3 + [0], atol=0.03)


def test_collecting_counts_what_the_teacher_spent(positions, lesson):
    dataset, spent = lesson
    assert len(dataset) == 300 and spent.model_steps == 900 and spent.data == 0
    np.testing.assert_array_equal(dataset.value, 0.25)
    np.testing.assert_array_equal(dataset.observations, jax.vmap(TTT.observe)(positions))
    pieces, again = am.collect(
        Biased(TTT, jnp.linspace(-1.0, 1.5, 9)), positions, budget=3, key=KEY, batch=64
    )
    assert same(pieces, dataset) and again.model_steps == 900
    some = np.arange(300) % 4
    _, each = am.collect(
        Biased(TTT, jnp.zeros(9)), positions, budget=Budget.of(some), key=KEY, batch=128
    )
    assert each.model_steps == some.sum()


def test_finished_states_are_left_out_of_a_lesson(positions):
    over = rollout(TTT, am.NetworkPolicy(TTT, small_net(), greedy=False), key=KEY, batch=3).final
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b[:2]]), over, positions)
    dataset, spent = am.collect(Biased(TTT, jnp.zeros(9)), both, budget=3, key=KEY)
    assert len(dataset) == 2 and spent.model_steps == 6
    with pytest.raises(errors.UnsuitableTaskError, match="finished"):
        am.collect(Biased(TTT, jnp.zeros(9)), over, key=KEY)


def test_data_that_cannot_be_learned_is_refused(positions, lesson):
    d = lesson[0]
    with pytest.raises(errors.NonFiniteError, match="value"):
        am.collect(Biased(TTT, jnp.zeros(9), jnp.nan), positions, key=KEY)
    with pytest.raises(ValueError, match="sum to 1"):
        am.Dataset.of(d.observations, d.legal, d.weights * 0.5, d.value)
    with pytest.raises(ValueError, match="illegal"):
        am.Dataset.of(d.observations, jnp.zeros_like(d.legal), d.weights, d.value)
    with pytest.raises(errors.BatchMismatchError):
        am.Dataset.of(d.observations[1:], d.legal, d.weights, d.value)


def test_augmented_data_is_what_play_on_the_turned_board_gives():
    """Play the image of each action from the start: observations and legal moves must agree."""
    symmetries, n = TTT.symmetries, 40
    actions = np.stack([np.random.default_rng(i).permutation(9)[:4] for i in range(n)])

    def after(moves):
        state = jax.vmap(TTT.init)(jax.random.split(KEY, n))
        for ply in range(4):
            state = jax.vmap(lambda s, a: TTT.advance(s, a, KEY))(state, jnp.asarray(moves[:, ply]))
        return state

    def table(moves, favourite):
        state = after(moves)
        hot = jax.nn.one_hot(jnp.asarray(favourite), 9)
        return am.Dataset(
            jax.vmap(TTT.observe)(state), ~jax.vmap(TTT.observe)(state).any(-1).reshape(n, 9), hot,
            jnp.arange(n) / n, jnp.ones((n, 2)),
        )  # fmt: skip

    whole = am.augment(TTT, table(actions, actions[:, 0]))
    assert len(whole) == 8 * n
    for i, symmetry in enumerate(symmetries, start=1):
        turned = np.asarray(symmetry.actions)[actions]
        assert same(whole[i * n : (i + 1) * n], table(turned, turned[:, 0]))


def test_random_images_are_drawn_evenly_from_the_augmented_data(lesson):
    dataset = lesson[0][np.zeros(4000, np.int32)]
    lopsided = jnp.zeros((3, 3, 2)).at[0, 1, 0].set(1.0).at[2, 2, 1].set(1.0)
    dataset = eqx.tree_at(
        lambda d: d.observations, dataset, jnp.broadcast_to(lopsided, (4000, 3, 3, 2))
    )
    drawn = jax.jit(lambda d: am.random_images(TTT.symmetries, d, KEY))(dataset)
    every = am.augment(TTT, dataset[:1])
    rows = jnp.concatenate([drawn.observations.reshape(4000, -1), drawn.weights], 1)
    kinds = jnp.concatenate([every.observations.reshape(8, -1), every.weights], 1)
    match = (rows[:, None] == kinds[None]).all(-1)
    np.testing.assert_array_equal(match.sum(1), 1)
    np.testing.assert_allclose(match.mean(0), 1 / 8, atol=0.02)


# Learning


def test_a_table_of_targets_is_fitted(lesson):
    dataset = lesson[0][:24]
    favourite = jnp.argmax(dataset.legal * jax.random.uniform(KEY, (24, 9)), axis=1)
    value = jnp.linspace(-0.9, 0.9, 24)
    table = am.Dataset.of(dataset.observations, dataset.legal, jax.nn.one_hot(favourite, 9), value)
    fitted = am.fit(
        TTT, small_net(width=64), table, steps=600, batch_size=64, learning_rate=1e-2, key=KEY,
        symmetries=False, weight_decay=0.0,
    )  # fmt: skip
    logits, worth = am.evaluate(fitted.network, table.observations, table.legal)
    np.testing.assert_array_equal(logits.argmax(-1), favourite)
    np.testing.assert_allclose(worth, value, atol=0.02)
    assert am.masked_softmax(logits, table.legal)[jnp.arange(24), favourite].min() > 0.99


@pytest.mark.parametrize("target", ["distribution", "action"])
def test_imitation_converges_to_a_biased_teachers_distribution(lesson, target):
    """Not to the best action: the learned distribution is the teacher's (KL in nats)."""
    dataset, _ = lesson
    if target == "action":
        # Only actions are seen, so every position is asked about many times.
        dataset = dataset[np.tile(np.arange(300), 40)]
    fitted = am.fit(
        TTT, small_net(), dataset, steps=600, batch_size=256, learning_rate=1e-2, key=KEY,
        symmetries=False, target=target,
    )  # fmt: skip

    def divergence(network):
        logits, _ = am.evaluate(network, dataset.observations, dataset.legal)
        told = am.masked_softmax(logits, dataset.legal)
        ratio = jnp.log(jnp.maximum(dataset.weights, 1e-9) / jnp.maximum(told, 1e-9))
        return float((dataset.weights * ratio).sum(-1).mean())

    assert divergence(small_net()) > 0.15
    assert 0 <= divergence(fitted.network) < (0.001 if target == "distribution" else 0.02)
    entropy = -float((dataset.weights * jnp.log(jnp.maximum(dataset.weights, 1e-9))).sum(-1).mean())
    if target == "distribution":
        assert abs(fitted.losses.policy[-50:].mean() - entropy) < 0.02
        assert fitted.losses.value[-1] < 1e-3


def test_symmetries_teach_positions_that_were_never_shown(lesson):
    """One example of a lopsided position: its mirror image is answered only with symmetries."""
    seen = jnp.zeros((1, 3, 3, 2)).at[0, 0, 1, 0].set(1.0).at[0, 2, 2, 1].set(1.0)
    free = ~seen.any(-1).reshape(1, 9)
    one = am.Dataset.of(seen, free, jax.nn.one_hot(jnp.array([6]), 9), jnp.array([0.5]))
    mirrored = am.augment(TTT, one)
    kept = {}
    for symmetries in (True, False):
        fitted = am.fit(
            TTT, small_net(), one, steps=200, batch_size=32, learning_rate=1e-2, key=KEY,
            symmetries=symmetries,
        )  # fmt: skip
        logits, _ = am.evaluate(fitted.network, mirrored.observations, mirrored.legal)
        kept[symmetries] = int((logits.argmax(-1) == mirrored.weights.argmax(-1)).sum())
    assert kept[True] == 8 and kept[False] < 8


def test_equal_keys_give_equal_bits_and_other_keys_do_not(lesson):
    def run(seed):
        net = am.ResidualConvolution((3, 3, 2), 9, 4, 1, key=KEY)
        return am.fit(TTT, net, lesson[0], steps=20, batch_size=16, key=jax.random.key(seed))

    first, again = run(1), run(1)
    assert same(eqx.filter(first.network, eqx.is_array), eqx.filter(again.network, eqx.is_array))
    assert same(first.losses, again.losses) and not same(first.losses, run(2).losses)


def test_the_ledger_of_a_fit_is_exact(lesson):
    net = small_net()
    ledger = am.fit(TTT, net, lesson[0], steps=300, batch_size=8, key=KEY).ledger
    assert (ledger.fits, ledger.data, ledger.network_evaluations) == (300, 300, 2400)
    assert ledger.flops == 3 * am.flops(net) * 2400 and ledger.seconds > 0
    assert ledger.model_steps == 0
    again = am.fit(TTT, net, lesson[0], steps=2, batch_size=8, key=KEY, new=0)
    assert again.ledger.data == 0 and len(again.losses.policy) == 2


def test_learning_rates_rise_and_fall():
    rates = am.cosine(100, 0.1, 10)
    np.testing.assert_allclose(rates[[0, 9, 10, 55]], [0.01, 0.1, 0.1, 0.05], rtol=1e-6)
    assert 0 < rates[99] < 1e-4 and (np.diff(rates[10:]) < 0).all()


def test_a_training_step_is_adamw_by_hand(lesson):
    """The first step of Adam moves every weight by its rate, plus the decay of matrices only."""
    data, net = lesson[0][:1], jax.tree.map(lambda x: x + 0.1, small_net())
    optimiser = am.make_optimiser(0.5, clip=1e9)
    args = (net, am.init_optimiser(optimiser, net), optimiser, data, KEY, np.full(1, 0.1, "f4"))
    after, _, _ = am.train_steps(*args, batch_size=4)
    slope = eqx.filter_grad(lambda n: am.loss(n, data)[0])(net)
    for name in ("policy", "value"):
        layer, new, g = (getattr(n, name) for n in (net, after, slope))
        unit = g.w / (jnp.abs(g.w) + 1e-8)
        np.testing.assert_allclose(new.w, layer.w - 0.1 * (unit + 0.5 * layer.w), atol=1e-4)
        unit = g.b / (jnp.abs(g.b) + 1e-8)
        np.testing.assert_allclose(new.b, layer.b - 0.1 * unit, atol=1e-4)


def test_a_buffer_filled_in_part_is_read_only_so_far(lesson):
    data, net = lesson[0][:8], small_net()
    spoiled = eqx.tree_at(lambda d: d.value, data, data.value.at[4:].set(jnp.nan))
    optimiser = am.make_optimiser()
    start = (net, am.init_optimiser(optimiser, net), optimiser)
    rates = np.full(5, 1e-3, "f4")
    _, _, losses = am.train_steps(*start, spoiled, KEY, rates, batch_size=64, size=4, steps=3)
    assert np.isfinite(losses.value).all() and (losses.value[:3] > 0).all()
    np.testing.assert_array_equal(losses.policy[3:], 0)
    _, _, losses = am.train_steps(*start, spoiled, KEY, rates, batch_size=64, size=5)
    assert np.isnan(losses.value).all()


def test_sample_weights_scale_policy_and_value_apart(lesson):
    d = lesson[0][:6]
    flat = am.Dataset.of(d.observations, d.legal, d.weights, d.value)
    half = np.tile([0.5, 0.0], (6, 1)).astype("f4")
    part = am.Dataset.of(d.observations, d.legal, d.weights, d.value, half)
    (total, (policy, value)), (_, (less, nothing)) = (
        am.loss(small_net(), x, 3.0) for x in (flat, part)
    )
    np.testing.assert_allclose([total, less, nothing], [policy + 3 * value, policy / 2, 0], 1e-6)


def test_divergence_names_the_step_and_keeps_the_last_good_network(lesson):
    data = lesson[0]
    with pytest.raises(am.DivergedError, match=r"step \d+") as caught:
        am.fit(TTT, small_net(), data, steps=50, batch_size=32, learning_rate=1e30, key=KEY)
    error = caught.value
    assert isinstance(error, errors.NonFiniteError) and 0 < error.step < 50
    assert np.isfinite(am.loss(error.network, data)[0])
    bad = eqx.tree_at(lambda d: d.value, data, data.value * jnp.nan)
    with pytest.raises(am.DivergedError) as caught:
        am.fit(TTT, small_net(), bad, steps=5, batch_size=32, key=KEY)
    assert caught.value.step == 0 and same(
        eqx.filter(caught.value.network, eqx.is_array), eqx.filter(small_net(), eqx.is_array)
    )
    with pytest.raises(ValueError, match="at least 1"):
        am.fit(TTT, small_net(), data, steps=0, key=KEY)
    with pytest.raises(ValueError, match='"action"'):
        am.fit(TTT, small_net(), data, steps=1, key=KEY, target="actions")


# Files


def save(folder, network=None, **options):
    network = small_net() if network is None else network
    return am.save_network(folder, network, "tic_tac_toe", **options)


def weights_of(folder):
    return folder / json.loads((folder / "policy.json").read_text())["files"]["weights"]["name"]


def resign(folder, **changes):
    """Rewrite the manifest with changes and a correct signature, as a newer release might."""
    path = folder / "policy.json"
    content = {**json.loads(path.read_text()), **changes}
    rest = {k: v for k, v in sorted(content.items()) if k != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(content))


def replace_weights(folder, payload):
    digest = hashlib.sha256(payload).hexdigest()
    name = f"weights-{digest[:16]}.safetensors"
    (folder / name).write_bytes(payload)
    resign(folder, files={"weights": {"name": name, "sha256": digest}})


def assert_refused(folder, match):
    with pytest.raises(errors.PolicyFileError, match=match) as caught:
        am.load_network(folder)
    assert str(folder) in str(caught.value)


def test_a_policy_comes_back_as_it_was_saved(tmp_path):
    net = am.ResidualConvolution((4, 5, 2), 5, 4, 1, key=KEY)
    moments = {"mu.0": np.arange(3, dtype=np.float32), "count": np.int32(7)}
    path = am.save_network(
        tmp_path / "p", net, "connect_four", {"width": 5, "height": 4},
        ledger=Ledger(fits=3, flops=1.5e12, model_steps=None), extra={"note": [1, "é"]},
        files={"optimiser": moments},
    )  # fmt: skip
    assert path.name == "policy.json" and len(list((tmp_path / "p").iterdir())) == 3
    task, again, info = am.load_network(tmp_path / "p")
    assert repr(task) == "MNK(5x4, k=4, gravity)" and again.config == net.config
    assert same(eqx.filter(net, eqx.is_array), eqx.filter(again, eqx.is_array))
    assert info.extra == {"note": [1, "é"]} and info.task_options == {"width": 5, "height": 4}
    assert (info.ledger.fits, info.ledger.flops, info.ledger.model_steps) == (3, 1.5e12, None)
    assert same(info.tensors["optimiser"], {k: np.asarray(v) for k, v in moments.items()})
    am.NetworkPolicy(task, again).decide(jax.vmap(task.init)(jax.random.split(KEY, 2)), key=KEY)


def test_saving_again_replaces_the_policy_and_its_files_only(tmp_path):
    save(tmp_path, extra={"round": 1})
    (tmp_path / "notes.safetensors").write_text("mine")
    stray = tmp_path / f"weights-{'0' * 16}.safetensors"
    stray.write_bytes(b"left by a save that was killed")
    os.utime(stray, (1, 1))
    old = weights_of(tmp_path)
    save(tmp_path, small_net(width=3), extra={"round": 2})
    assert am.load_network(tmp_path)[2].extra == {"round": 2}
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {"policy.json", "notes.safetensors", weights_of(tmp_path).name}
    assert not old.exists()


def test_a_killed_save_leaves_the_old_policy(tmp_path, monkeypatch):
    """Cut the save off at each rename: the old policy loads until the last one is done."""
    save(tmp_path, extra={"round": 1})
    replace = os.replace
    for survive in range(3):
        done = []

        def cut(source, target, survive=survive, done=done):
            if len(done) == survive:
                raise KeyboardInterrupt
            done.append(replace(source, target))

        monkeypatch.setattr(os, "replace", cut)
        try:
            save(tmp_path, small_net(width=3 + survive), extra={"round": 2})
        except KeyboardInterrupt:
            assert survive < 2
        assert am.load_network(tmp_path)[2].extra == {"round": 2 if survive == 2 else 1}


def test_a_full_disk_leaves_the_old_policy(tmp_path):
    save(tmp_path / "else", small_net(width=400))  # compiles what it needs, before room is short
    save(tmp_path, extra={"round": 1})
    before, large = sorted(p.name for p in tmp_path.iterdir()), small_net(width=400)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))  # as real as a full disk
    try:
        with pytest.raises(errors.StorageError, match="intact"):
            save(tmp_path, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert am.load_network(tmp_path)[2].extra == {"round": 1}
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.StorageError):
        save(tmp_path / "file" / "p")


def test_missing_and_damaged_files_are_named(tmp_path):
    assert_refused(tmp_path, r"policy\.json is missing")
    save(tmp_path)
    path, text = tmp_path / "policy.json", (tmp_path / "policy.json").read_text()
    for cut in (0, 1, len(text) // 2, len(text) - 3):
        path.write_text(text[:cut])
        assert_refused(tmp_path, r"policy\.json is not JSON")
    path.write_text(text.replace('"width": 32', '"width": 33'))
    assert_refused(tmp_path, r"policy\.json was altered")
    path.write_text("[" * 100_000)
    assert_refused(tmp_path, r"policy\.json is not JSON")
    path.write_text('{"format": "something else"}')
    assert_refused(tmp_path, "not a policy of this library")
    with pytest.raises(errors.OutputFolderError, match="Move it"):
        save(tmp_path)
    path.write_text(text)
    weights = weights_of(tmp_path)
    whole = weights.read_bytes()
    for payload in (whole[:-1], whole[: len(whole) // 2], b"", whole[:-1] + b"\0", whole + b"\0"):
        weights.write_bytes(payload)
        assert_refused(tmp_path, rf"{weights.name} is truncated or altered")
    weights.unlink()
    assert_refused(tmp_path, rf"{weights.name} is missing")
    weights.write_bytes(whole)
    am.load_network(tmp_path)


def test_a_manifest_that_says_the_impossible_is_refused(tmp_path):
    save(tmp_path)
    good = json.loads((tmp_path / "policy.json").read_text())
    network, weights = good["network"], good["files"]["weights"]
    outside = {"weights": {**weights, "name": "../weights-0123456789abcdef.safetensors"}}
    for changes, match in [
        ({"version": 2}, "version 2; this release reads version 1"),
        ({"files": {}}, "no file of weights"),
        ({"files": outside}, "impossible file"),
        ({"task": {"name": "tic_tac_to", "options": {}}}, "tic_tac_toe"),
        ({"task": {"name": "tic_tac_toe", "options": {"depth": 3}}}, "depth"),
        ({"task": {"name": "connect_four", "options": {}}}, "observations"),
        ({"network": {**network, "kind": "magic"}}, "magic"),
        ({"network": {**network, "width": 33}}, "the network needs"),
        ({"network": {**network, "depth": 2}}, "lacks tensor 'hidden.1.b'"),
        ({"ledger": {"watts": 3}}, "unknown kind of spending"),
        ({"surprise": 1}, "surprise"),
    ]:
        resign(tmp_path, **{**good, **changes})
        assert_refused(tmp_path, match)
        (tmp_path / "policy.json").write_text(json.dumps(good))


def test_weights_of_another_shape_type_or_not_finite_are_refused(tmp_path):
    save(tmp_path)
    tensors = safetensors.numpy.load(weights_of(tmp_path).read_bytes())
    bias = tensors["policy.b"]
    for changed, match in [
        (bias[:-1], r"policy.b as float32\[8\], the network needs float32\[9\]"),
        (bias.astype(np.float64), "float64"),
        (bias * np.nan, "NaN or infinity in policy.b"),
    ]:
        replace_weights(tmp_path, safetensors.numpy.save({**tensors, "policy.b": changed}))
        assert_refused(tmp_path, match)
    replace_weights(tmp_path, safetensors.numpy.save({**tensors, "spare": bias}))
    assert_refused(tmp_path, "unexpected tensor 'spare'")
    replace_weights(tmp_path, b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    assert_refused(tmp_path, "is not safetensors")


def test_what_cannot_be_loaded_again_is_not_saved(tmp_path):
    save(tmp_path, extra={"round": 1})
    net = small_net()
    with pytest.raises(errors.NonFiniteError, match=r"policy\.b"):
        save(tmp_path, eqx.tree_at(lambda n: n.policy.b, net, net.policy.b * jnp.nan))
    with pytest.raises(ValueError, match="plain JSON"):
        save(tmp_path, extra={"function": print})
    with pytest.raises(ValueError, match="a-z"):
        save(tmp_path, files={"../x": {"a": np.zeros(1)}})
    assert am.load_network(tmp_path)[2].extra == {"round": 1}
