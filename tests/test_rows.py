"""Rows of trees of arrays, and what is greatest of each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised.training.updates import HASTY
from deliberation.core.answering import answer
from deliberation.core.errors import WrongKindError
from deliberation.core.rows import greatest


def test_what_is_greatest_is_told_with_its_gradient():
    x = jnp.array([[1.0, 3.0, -jnp.inf], [2.0, 2.0, 1.0], [-jnp.inf] * 3])
    np.testing.assert_array_equal(greatest(x), [3.0, 2.0, -jnp.inf])
    np.testing.assert_array_equal(
        jax.grad(lambda x: greatest(x).sum())(x[:2]), [[0, 1, 0], [1, 0, 0]]
    )


@pytest.mark.parametrize("options", [{}, HASTY])
def test_its_gradient_is_right_where_a_program_rounds_twice(options):
    base = jax.random.normal(jax.random.key(0), (16, 4))

    def earned(by):
        scores = by[0] * base + by[1:]
        return (scores + greatest(scores)[jnp.arange(64).reshape(16, 4) % 16]).sum()

    by = jnp.array([0.2, 0.1, -0.1, 0.1, -0.1])
    found = jax.jit(jax.grad(earned)).lower(by).compile(compiler_options=options)(by)
    top = np.asarray(by[0] * base + by[1:]).argmax(1)
    first = base.sum() + 4 * np.asarray(base)[np.arange(16), top].sum()
    each = 16 + 4 * np.bincount(top, minlength=4)
    np.testing.assert_allclose(found, [first, *each], rtol=1e-5)


def answered(xp, action, **counts):
    """Two rows, of which the second is over; on the host, or on the device."""
    live, rest = xp.array([True, False]), (None, np.zeros(2, np.float32))
    return answer(live, action, *rest, **counts)


MOST = 2**31 - 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("xp", [np, jnp])
@pytest.mark.parametrize(
    "count, kept",
    [
        (np.array([2**31, 2**32 + 5]), MOST), (np.array([2**31 + 7] * 2, np.uint32), MOST),
        (np.array([2**63] * 2, np.uint64), MOST), (np.array([1e300] * 2), MOST),
        (np.array([np.inf] * 2, np.float32), MOST), (jnp.array([2.0**31] * 2), MOST),
        (2**40, MOST), (2**70, MOST), (1e300, MOST), (MOST, MOST), (7, 7), (7.5, 7),
        (np.array([9, 9], np.int8), 9), (jnp.array([9.0, 9.0]), 9),
    ],
)  # fmt: skip
def test_counts_beyond_32_bits_stay_at_the_end(xp, count, kept):
    action = np.array([1, 1])
    spent = answered(xp, action, model_steps=count, network_evaluations=count, flops=count).spent
    for found in (spent.model_steps, spent.network_evaluations):
        assert found.dtype == jnp.int32 and found.tolist() == [kept, 0]
    given = np.ravel(count)[0]
    wanted = np.float32(min(float(given), float(np.finfo(np.float32).max)))
    assert spent.flops.dtype == jnp.float32 and spent.flops.tolist() == [wanted, 0]


@pytest.mark.parametrize("xp", [np, jnp])
def test_booleans_are_numbers_of_actions_and_complex_ones_are_none(xp):
    chosen = answered(xp, xp.array([True, True])).action
    assert chosen.dtype == jnp.int32 and chosen.tolist() == [1, -1]
    assert answered(xp, xp.array([0.5, 0.5])).action.tolist() == [0.5, 0]
    with pytest.raises(WrongKindError, match="got complex"):
        answered(xp, xp.array([1 + 1j, 0]))
