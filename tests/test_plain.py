"""What a search keeps of a state: bytes, of which the state comes out as it was."""

import jax
import jax.numpy as jnp
import numpy as np

from deliberation.core.host import plain, plain_like, restored
from deliberation.core.keys import is_key
from deliberation.direct.tree_search.tree import NODE_SLOTS, Form, pack, size_in_bytes, unpack

STATE = {
    "keys": jax.random.split(jax.random.key(0), 3),
    "keys of another kind": jax.random.split(jax.random.key(1, impl="unsafe_rbg"), (3, 2)),
    "complex": jnp.arange(6).reshape(3, 2) * (1 - 2j),
    "nothing": jnp.zeros((3, 0, 4)),
    "no flags": jnp.zeros((3, 0), bool),
    "flags": jnp.asarray([[True, False]] * 3),
    "halves": jnp.asarray([1.5, -0.0, jnp.inf], jnp.bfloat16),
    "nibbles": jnp.asarray([[-8, 7]] * 3, jnp.int4),
    "bytes": jnp.arange(3, dtype=jnp.uint8),
}


def numbers(leaf):
    return np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)


def test_states_of_every_type_survive_their_bytes():
    form = Form.of(STATE)
    packed, back = jax.jit(lambda state: (pack(state), unpack(pack(state), form)))(STATE)
    assert packed.shape == (3, 8 + 32 + 16 + 0 + 0 + 2 + 2 + 2 + 1) and packed.dtype == jnp.uint8
    assert size_in_bytes(STATE, 1, 0) == 3 * (packed.shape[1] + 4 * 4 + 4 * NODE_SLOTS + 4)
    for name, leaf in STATE.items():
        assert back[name].dtype == leaf.dtype and back[name].shape == leaf.shape, name
        np.testing.assert_array_equal(numbers(back[name]), numbers(leaf), name)


def test_plain_arrays_are_what_is_said_of_them():
    for name, leaf in STATE.items():
        made, said = plain(leaf), plain_like(leaf.shape, leaf.dtype)
        assert (made.shape, made.dtype) == (said.shape, said.dtype), name
        np.testing.assert_array_equal(numbers(restored(made, leaf.dtype)), numbers(leaf), name)
