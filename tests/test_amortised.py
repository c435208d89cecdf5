"""Networks, the policy made of one, and the data to learn from, against values known by hand."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lessons import KEY, TTT, Biased, lesson, positions, same, small_net

from deliberation import Budget, check_decider, make_task, misere, rollout
from deliberation import amortised as am
from deliberation.amortised.networks.convolution import convolve
from deliberation.core import errors

FOUR = make_task("connect_four")


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


def test_one_forward_pass_whatever_the_objective_or_budget():
    policy = am.NetworkPolicy(TTT, small_net())
    plain, _ = policy.decide(positions(), key=KEY)
    pressed, _ = policy.decide(
        positions(), key=KEY, objective=misere(TTT.objective), budget=Budget(512)
    )
    assert same(plain.weights, pressed.weights) and same(plain.action, pressed.action)
    np.testing.assert_array_equal(plain.spent.network_evaluations, 1)
    np.testing.assert_array_equal(pressed.spent.flops, am.flops(policy.network))
    with pytest.raises(errors.BatchMismatchError):
        policy.decide(positions(), key=KEY, budget=Budget.of(np.ones(3, np.int32)))


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


def test_random_positions_are_live_distinct_and_repeatable():
    assert not jax.vmap(TTT.terminated)(positions()).any()
    prints = np.asarray(jax.vmap(TTT.fingerprint)(positions()))
    assert len(np.unique(prints, axis=0)) == 300
    assert same(positions(), am.random_positions(TTT, 300, KEY))
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


def test_collecting_counts_what_the_teacher_spent():
    dataset, spent = lesson()
    assert len(dataset) == 300 and spent.model_steps == 900 and spent.data == 0
    np.testing.assert_array_equal(dataset.value, 0.25)
    np.testing.assert_array_equal(dataset.observations, jax.vmap(TTT.observe)(positions()))
    pieces, again = am.collect(
        Biased(TTT, jnp.linspace(-1.0, 1.5, 9)), positions(), budget=3, key=KEY, batch=64
    )
    assert same(pieces, dataset) and again.model_steps == 900
    some = np.arange(300) % 4
    _, each = am.collect(
        Biased(TTT, jnp.zeros(9)), positions(), budget=Budget.of(some), key=KEY, batch=128
    )
    assert each.model_steps == some.sum()


def test_finished_states_are_left_out_of_a_lesson():
    over = rollout(TTT, am.NetworkPolicy(TTT, small_net(), greedy=False), key=KEY, batch=3).final
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b[:2]]), over, positions())
    dataset, spent = am.collect(Biased(TTT, jnp.zeros(9)), both, budget=3, key=KEY)
    assert len(dataset) == 2 and spent.model_steps == 6
    with pytest.raises(errors.UnsuitableTaskError, match="finished"):
        am.collect(Biased(TTT, jnp.zeros(9)), over, key=KEY)


def test_data_that_cannot_be_learned_is_refused():
    d = lesson()[0]
    with pytest.raises(errors.NonFiniteError, match="value"):
        am.collect(Biased(TTT, jnp.zeros(9), jnp.nan), positions(), key=KEY)
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


def test_random_images_are_drawn_evenly_from_the_augmented_data():
    dataset = lesson()[0][np.zeros(4000, np.int32)]
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
