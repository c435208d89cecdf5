"""Learning by imitation, on planted targets: what is learned, what it costs, when it stops."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lessons import KEY, TTT, lesson, same, small_net

from deliberation import amortised as am
from deliberation.amortised.training import cosine_schedule
from deliberation.core import errors
from deliberation.core.errors import OutputFolderError


def test_a_table_of_targets_is_fitted():
    dataset = lesson()[0][:24]
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
def test_imitation_converges_to_a_biased_teachers_distribution(target):
    """Not to the best action: the learned distribution is the teacher's (KL in nats)."""
    dataset, _ = lesson()
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
        assert abs(fitted.metrics["policy"][-50:].mean() - entropy) < 0.02
        assert fitted.metrics["value"][-1] < 1e-3


def test_symmetries_teach_positions_that_were_never_shown():
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


def test_a_killed_fit_ends_with_the_same_bits(tmp_path):
    def run(steps=600, **options):
        net, key = small_net(), jax.random.key(3)
        return am.fit(TTT, net, lesson()[0], steps=steps, batch_size=8, key=key, **options)

    def kill(step, metrics):
        if step == 2:
            raise KeyboardInterrupt

    whole = run()
    with pytest.raises(KeyboardInterrupt):
        run(folder=tmp_path, watch=kill)
    again = run(folder=tmp_path)
    assert same(whole.network, again.network) and same(whole.metrics, again.metrics)
    assert len(again.metrics["policy"]) == again.ledger.fits == 600
    with pytest.raises(OutputFolderError, match="steps was 600, asked is 601"):
        run(steps=601, folder=tmp_path)


def test_equal_keys_give_equal_bits_and_other_keys_do_not():
    def run(seed):
        net = am.ResidualConvolution((3, 3, 2), 9, 4, 1, key=KEY)
        return am.fit(TTT, net, lesson()[0], steps=20, batch_size=16, key=jax.random.key(seed))

    first, again = run(1), run(1)
    assert same(eqx.filter(first.network, eqx.is_array), eqx.filter(again.network, eqx.is_array))
    assert same(first.metrics, again.metrics) and not same(first.metrics, run(2).metrics)


def test_the_ledger_of_a_fit_is_exact():
    net = small_net()
    ledger = am.fit(TTT, net, lesson()[0], steps=300, batch_size=8, key=KEY).ledger
    assert (ledger.fits, ledger.data, ledger.network_evaluations) == (300, 300, 2400)
    assert ledger.flops == 3 * am.flops(net) * 2400 and ledger.seconds > 0
    assert ledger.model_steps == 0
    again = am.fit(TTT, net, lesson()[0], steps=2, batch_size=8, key=KEY, new=0)
    assert again.ledger.data == 0 and len(again.metrics["policy"]) == 2


def test_learning_rates_rise_and_fall():
    rates = am.cosine(100, 0.1, 10)
    np.testing.assert_allclose(rates[[0, 9, 10, 55]], [0.01, 0.1, 0.1, 0.05], rtol=1e-6)
    assert 0 < rates[99] < 1e-4 and (np.diff(rates[10:]) < 0).all()


@pytest.mark.parametrize("warmup", [0, 1, 7])
def test_the_rates_of_a_fit_are_those_of_the_schedule(warmup):
    rates = am.cosine(30, 0.1, warmup)
    schedule = cosine_schedule(0.1, 30, warmup=warmup)(jnp.arange(30))
    np.testing.assert_allclose(rates, schedule, rtol=1e-5, atol=1e-8)


def test_a_training_step_is_adamw_by_hand():
    """The first step of Adam moves every weight by its rate, plus the decay of matrices only."""
    data, net = lesson()[0][:1], jax.tree.map(lambda x: x + 0.1, small_net())
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


def test_a_buffer_filled_in_part_is_read_only_so_far():
    data, net = lesson()[0][:8], small_net()
    spoiled = eqx.tree_at(lambda d: d.value, data, data.value.at[4:].set(jnp.nan))
    optimiser = am.make_optimiser()
    start = (net, am.init_optimiser(optimiser, net), optimiser)
    rates = np.full(5, 1e-3, "f4")
    _, _, losses = am.train_steps(*start, spoiled, KEY, rates, batch_size=64, size=4, steps=3)
    assert np.isfinite(losses.value).all() and (losses.value[:3] > 0).all()
    np.testing.assert_array_equal(losses.policy[3:], 0)
    _, _, losses = am.train_steps(*start, spoiled, KEY, rates, batch_size=64, size=5)
    assert np.isnan(losses.value).all()


def test_sample_weights_scale_policy_and_value_apart():
    d = lesson()[0][:6]
    flat = am.Dataset.of(d.observations, d.legal, d.weights, d.value)
    half = np.tile([0.5, 0.0], (6, 1)).astype("f4")
    part = am.Dataset.of(d.observations, d.legal, d.weights, d.value, half)
    (total, (policy, value)), (_, (less, nothing)) = (
        am.loss(small_net(), x, 3.0) for x in (flat, part)
    )
    np.testing.assert_allclose([total, less, nothing], [policy + 3 * value, policy / 2, 0], 1e-6)


def test_divergence_names_the_step_and_keeps_the_last_good_network():
    data = lesson()[0]
    with pytest.raises(am.DivergedError, match=r"step \d+") as caught:
        am.fit(TTT, small_net(), data, steps=50, batch_size=32, learning_rate=1e30, key=KEY)
    error = caught.value
    assert isinstance(error, errors.NonFiniteError) and 0 < error.step < 50
    assert np.isfinite(am.loss(error.network, data)[0])
    bad = eqx.tree_at(lambda d: d.value, data, data.value * jnp.nan)
    with pytest.raises(am.DivergedError) as caught:
        am.fit(TTT, small_net(), bad, steps=5, batch_size=32, key=KEY)
    assert caught.value.tensor == "value loss" and "in the value loss" in str(caught.value)
    bad = eqx.tree_at(lambda d: d.weights, data, data.weights * jnp.nan)
    with pytest.raises(am.DivergedError, match="policy loss"):
        am.fit(TTT, small_net(), bad, steps=5, batch_size=32, key=KEY)
    assert caught.value.step == 0 and same(
        eqx.filter(caught.value.network, eqx.is_array), eqx.filter(small_net(), eqx.is_array)
    )
    with pytest.raises(ValueError, match="at least 1"):
        am.fit(TTT, small_net(), data, steps=0, key=KEY)
    with pytest.raises(ValueError, match='"action"'):
        am.fit(TTT, small_net(), data, steps=1, key=KEY, target="actions")


def test_copies_of_a_few_examples_are_learned_from_at_once():
    """Merged examples teach what they teach one by one, up to rounding, and are counted alike."""
    few = lesson()[0][:7]
    many = few[np.resize(np.arange(7), 500)]
    merged = am.merge_equal(many, 8)
    assert merged is not None and (len(merged), len(merged.different)) == (500, 8)
    how = {"steps": 40, "batch_size": 64, "key": KEY, "symmetries": False}
    alone, together = (am.fit(TTT, small_net(), data, **how) for data in (many, merged))
    for name in ("policy", "value"):
        np.testing.assert_allclose(alone.metrics[name], together.metrics[name], rtol=1e-3)
    # Seconds are the clock's.
    counts = [(f.ledger.data, f.ledger.fits, f.ledger.flops) for f in (alone, together)]
    assert counts[0] == counts[1]
    assert am.merge_equal(lesson()[0][:9], 8) is None
    for wrong in ({"symmetries": True}, {"symmetries": False, "target": "action"}):
        with pytest.raises(ValueError, match="Copies of one example"):
            am.fit(TTT, small_net(), merged, **{**how, **wrong})


def test_merged_examples_count_as_often_as_they_were_drawn():
    dataset = lesson()[0][:5]
    weighed = eqx.tree_at(lambda d: d.sample_weights, dataset, jnp.arange(10.0).reshape(5, 2) + 1.0)
    copies = weighed[np.array([3, 0, 1, 0, 2, 4, 4, 4])]
    merged = am.merge_equal(copies, 6)
    assert merged is not None
    rows = jnp.array([0, 1, 1, 3, 5, 7, 2])
    same_loss = [am.loss(small_net(), batch)[1] for batch in (copies[rows], merged[rows])]
    np.testing.assert_allclose(*same_loss, rtol=1e-6)
