"""The kernel that draws for the tests gives JAX's own bits."""

import os
import subprocess
import sys

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest
import random_bits

DRAW = """
import hashlib, jax, numpy as np
keys = jax.random.split(jax.random.key(7), 5)
drawn = [
    jax.random.key_data(keys),
    jax.vmap(lambda key: jax.random.bits(key, (3, 7)))(keys),
    jax.random.key_data(jax.vmap(jax.random.fold_in)(keys, np.arange(5))),
    jax.random.bits(jax.random.key(1), (0, 3)),
    jax.random.bits(jax.random.key(1), (4096,)),
    jax.jit(jax.random.uniform, static_argnums=1)(keys[2], (2, 1)),
]
print(hashlib.sha256(b"".join(np.asarray(x).tobytes() for x in drawn)).hexdigest())
"""


def test_the_bits_are_jaxs(capsys):
    if random_bits.compile_faster():
        pytest.skip(random_bits.compile_faster())
    exec(DRAW, {})
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    own = subprocess.run(
        [sys.executable, "-c", DRAW], env=environment, check=True, capture_output=True, text=True
    )
    assert capsys.readouterr().out == own.stdout
    assert "tests_threefry" in jax.jit(jax.random.bits).lower(jax.random.key(0)).as_text()


def test_the_bits_are_those_of_the_published_cipher():
    """The last known answers of Random123 (Salmon et al. 2011), for 20 rounds."""
    key = jax.random.wrap_key_data(jnp.array([0x13198A2E, 0x03707344], jnp.uint32))
    count = jnp.array([0x243F6A88, 0x85A308D3], jnp.uint32)
    made = jax.extend.random.threefry_2x32(jax.random.key_data(key), count)
    np.testing.assert_array_equal(made, np.array([0xC4923A9C, 0x483DF7A0], np.uint32))
