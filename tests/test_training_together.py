"""One training alone ends where it ends among others, also where trainings hold several fits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from deliberation.amortised import MLP, descended, fit_loss, side_by_side
from deliberation.claims.experiments.map import one_objective
from deliberation.core.errors import NonFiniteError, WrongKindError

KEYS = jax.random.split(jax.random.key(3), 8)
SUBJECTS, MAZES = 4, 24


def fitted(key):
    """Objectives fitted to arbitrary answers in mazes of the training's own."""
    place, answer, learn = jax.random.split(key, 3)
    mazes = one_objective.drawn(place, MAZES, 0.15, 0.4)
    noise = 3 * jax.random.normal(answer, (SUBJECTS, *mazes[2].shape[:3]))

    def fit(truth):
        def loss(worth, _):
            return -one_objective.told(mazes, truth, one_objective.soft(mazes, mazes[1] @ worth))

        return descended(loss, jnp.zeros(one_objective.KINDS), learn, steps=5, learning_rate=0.1)[0]

    return jax.vmap(fit)(jax.nn.log_softmax(noise))


def line(key):
    """A line fitted to noise, without an inner batch."""
    make, learn = jax.random.split(key)

    def loss(line, key):
        x = jax.random.normal(key, (16, 3))
        return jnp.mean((x @ line - jnp.sin(x).sum(1)) ** 2)

    return descended(loss, jax.random.normal(make, (3,)), learn, steps=9, learning_rate=0.1)[0]


@functools.cache
def alone(train):
    return side_by_side(train, KEYS[:1])[0]


@pytest.mark.parametrize("together", range(2, 9))
@pytest.mark.parametrize("train", [fitted, line])
def test_a_training_among_others_is_the_training_alone(train, together):
    found = side_by_side(train, KEYS[:together], most=8)
    np.testing.assert_allclose(found[0], alone(train), atol=2e-5)


@pytest.mark.parametrize(
    ("keys", "most"),
    [(jax.random.split(jax.random.key(0), 0), 4), (jax.random.key(0), 4), (jnp.arange(3), 4),
     (jax.random.split(jax.random.key(0), 2), 0), (jax.random.split(jax.random.key(0), 2), 2.5)],
)  # fmt: skip
def test_what_is_no_row_of_keys_is_refused(keys, most):
    with pytest.raises((WrongKindError, TypeCheckError)):
        side_by_side(jax.random.uniform, keys, most=most)


@pytest.mark.parametrize("odd", [jnp.nan, jnp.inf])
@pytest.mark.parametrize("kind", [jnp.float32, jnp.bfloat16])
def test_trainings_that_diverged_are_no_results(odd, kind):
    def train(key):
        found = jax.random.uniform(key)
        return jnp.where(found > 0.5, odd, found).astype(kind)

    keys = jax.random.split(jax.random.key(0), 5)
    which = int((jax.vmap(jax.random.uniform)(keys) > 0.5).sum())
    with pytest.raises(NonFiniteError, match=f"{which} of 5 trainings"):
        side_by_side(train, keys, most=2)
    assert side_by_side(lambda key: jax.random.uniform(key) > 2, keys, most=2).tolist() == [0] * 5


def test_trainings_of_one_loss_are_compiled_once():
    traced = []

    def loss(line, key):
        traced.append(0)
        x = jax.random.normal(key, (16, 3))
        return jnp.mean((jax.vmap(line)(x)[1] - jnp.sin(x).sum(1)) ** 2), {}

    def ends(seed, steps=9):
        key = jax.random.key(seed)
        network = MLP((3,), 2, 4, key=key)
        return float(fit_loss(loss, network, steps=steps, key=key).metrics["loss"][-1])

    first, count = ends(0), len(traced)
    assert ends(1) != first and len(traced) == count
    assert ends(0) == first and ends(0, steps=8) != first and len(traced) > count
