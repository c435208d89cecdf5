"""Rows spread over four devices are answered as on one: here four parts of one processor."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

from deliberation.core.errors import BatchMismatchError
from deliberation.direct import TreeSearch, shard_rows
from deliberation.tasks import make_task

PROGRAM = """
import jax, numpy as np
import jax.numpy as jnp
from deliberation.amortised import MLP, NetworkPolicy
from deliberation.core import Budget, UniformRandom
from deliberation.core.errors import NonFiniteError
from deliberation.direct import Gumbel, TreeSearch, shard_rows
from deliberation.hybrid import guided_search
from deliberation.tasks import make_task

assert jax.device_count() == 4
mesh = jax.make_mesh((4,), ("rows",))
task = make_task("connect_four")
state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 32))
network = MLP((6, 7, 2), 7, width=16, depth=1, key=jax.random.key(1))
budget = Budget(jnp.arange(32, dtype=jnp.int32) % 5 * 9 + 1)


def same(one, other):
    for (path, a), b in zip(jax.tree.leaves_with_path(one), jax.tree.leaves(other), strict=True):
        if ".seconds" not in jax.tree_util.keystr(path):
            np.testing.assert_array_equal(a, b, err_msg=jax.tree_util.keystr(path))


for search in (
    TreeSearch(task, "uct", capacity=64),
    guided_search(task, network, rule=Gumbel(lanes=(4, 2)), capacity=64),
    TreeSearch(task, "uct", capacity=128, reuse=True),
    UniformRandom(task),
):
    many = shard_rows(search, mesh)
    one, other = search.begin(32), many.begin(32)
    for turn in range(2):
        key = jax.random.key(turn)
        first, one = search.decide(state, one, budget=budget, key=key)
        second, other = many.decide(state, other, budget=budget, key=key)
        same((first, one), (second, other))
        assert len(second.action.sharding.device_set) == 4

alone, key = TreeSearch(task, budget=9), jax.random.key(5)
inside = jax.jit(lambda s, k: shard_rows(alone, mesh).decide(s, key=k)[0])
same(inside(state, key), alone.decide(state, key=key)[0])

broken = jax.tree.map(lambda x: x * jnp.nan, network)
try:
    shard_rows(guided_search(task, broken), mesh).decide(state, budget=2, key=jax.random.key(0))
except NonFiniteError as error:
    print("refused", error)
"""


def test_answers_do_not_depend_on_how_many_devices_share_the_rows():
    # First, for after a word that is no flag, as other tests have left there, nothing is read.
    flags = f"--xla_force_host_platform_device_count=4 {os.environ.get('XLA_FLAGS', '')}"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False,
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert "refused In row 0" in done.stdout


def test_rows_that_cannot_be_spread_evenly_are_refused():
    task = make_task("tic_tac_toe")
    mesh = Mesh(np.array(jax.devices()[:1]), ("rows",))
    many = shard_rows(TreeSearch(task), mesh)
    none = jax.tree.map(lambda x: x[None][:0], task.init(jax.random.key(0)))
    with pytest.raises(BatchMismatchError, match="0 rows cannot be spread"):
        many.decide(none, key=jax.random.key(0))
    assert many.task is task
