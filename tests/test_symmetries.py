"""Symmetries may first be asked for anywhere: inside of `jit` too, for every task there is."""

import subprocess
import sys

_INSIDE = """
import jax, jax.numpy as jnp
from deliberation.core.errors import BackendError
from deliberation.tasks import list_tasks, make_task

symmetric = 0
for name in list_tasks():
    try:
        task = make_task(name)
    except BackendError:  # of an extra that is not installed
        continue

    @jax.jit
    def images(state):
        seen = task.observe(state)
        found = [(symmetry.observation(seen), symmetry.actions) for symmetry in task.symmetries]
        return seen, [image for image, _ in found], [jnp.array(a) for _, a in found]

    seen, observations, actions = images(task.init(jax.random.key(0)))
    for image, numbers in zip(observations, actions, strict=True):
        assert image.shape == seen.shape and image.dtype == seen.dtype, name
        assert sorted(numbers.tolist()) == list(range(task.traits.actions)), name
        symmetric += 1
print(symmetric)
"""


def test_symmetries_can_first_be_asked_for_while_tracing():
    """In a process of its own, where no symmetry was computed before."""
    done = subprocess.run([sys.executable, "-c", _INSIDE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) >= 29
