"""The recurrent network whose rounds are a budget, and its training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import (
    ThinkingNetwork,
    fit_thinking,
    network_from_config,
    prefix_sums,
    thinking_loss,
)

KEY = jax.random.key(0)
ROW = jnp.array([1, 0, 1, 1, 0, 0, 1, 0, 1], jnp.int32)


def bits(key):
    return prefix_sums(key, 6)


def test_prefix_sums_are_the_parities_so_far():
    rows, sums = jax.vmap(bits)(jax.random.split(KEY, 64))
    np.testing.assert_array_equal(sums, np.cumsum(rows, 1) % 2)
    assert 0.4 < rows.mean() < 0.6


def test_a_round_carries_two_places_further():
    """What is changed at one end is known so many rounds later at the other, and not before."""
    network = ThinkingNetwork(width=16, key=KEY)
    other = ROW.at[0].set(0)
    for rounds in (0, 1, 2, 3):
        gap = np.abs(network(ROW, rounds) - network(other, rounds)).max(1)
        assert (gap[: 2 + 2 * rounds] > 0).any() and not gap[2 + 2 * rounds :].any()


def test_rounds_in_training_are_those_of_the_call():
    for blocks in (1, 3):
        network = ThinkingNetwork(width=8, blocks=blocks, key=KEY)
        many = network.after(ROW, jnp.int32(1), 3)
        for rounds in (1, 2, 3):
            np.testing.assert_allclose(many[rounds - 1], network(ROW, rounds), atol=1e-5)
    np.testing.assert_array_equal(network(ROW, 3), network(ROW, 9))


def test_nothing_is_learned_from_the_rounds_before():
    network = ThinkingNetwork(width=8, key=KEY)

    def slope(begun):
        grown = jax.grad(lambda n: n.after(ROW, jnp.int32(begun), 4)[-1].sum())(network)
        return np.asarray(grown.enter.w)

    assert not slope(2).any() and slope(-1).any()


def test_the_loss_is_that_of_all_and_of_some_rounds():
    network = ThinkingNetwork(width=8, blocks=2, key=KEY)
    rows, sums = jax.vmap(bits)(jax.random.split(KEY, 4))
    logits = jax.vmap(lambda row: network(row, 2))(rows)
    own = -np.take_along_axis(
        np.asarray(jax.nn.log_softmax(logits)), np.asarray(sums)[..., None], 2
    ).mean()
    assert thinking_loss(network, rows, sums, KEY, 2) == pytest.approx(own, rel=1e-5)


def test_it_learns_and_is_built_anew_from_its_config():
    network = ThinkingNetwork(width=16, key=KEY)
    trained = fit_thinking(bits, network, rounds=4, steps=192, key=KEY, batch_size=32)
    losses = trained.metrics["loss"]
    assert losses[-1] < 0.9 * losses[0]
    assert trained.ledger.data == 192 * 32
    anew = network_from_config(network.config, KEY, ThinkingNetwork)
    np.testing.assert_array_equal(anew(ROW, 5), network(ROW, 5))
    with pytest.raises(ValueError, match="width of at least 1"):
        ThinkingNetwork(width=0, key=KEY)
