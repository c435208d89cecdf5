"""Every built-in task that can be trained on is: by expert iteration, two iterations in earnest.

The network guides from the first on, so that one search a task is compiled; a first expert without
one is in the tests of expert iteration.
"""

import jax
import numpy as np
import pytest

from deliberation.core.errors import UnsuitableTaskError
from deliberation.direct import TreeSearch
from deliberation.hybrid import Settings, load, train
from deliberation.tasks import list_tasks, make_task

EXTRA = {"half_cheetah"}
"""Needs a package that is no part of the installation."""
TINY = Settings(
    network={"kind": "mlp", "width": 8, "depth": 1},
    lanes=2,
    plies=1,
    warmup_share=0.0,
    simulations=2,
    batch_size=4,
    passes=2.0,
    buffer=16,
)


def trainable(name):
    try:
        TreeSearch(make_task(name))
    except UnsuitableTaskError:
        return False
    return True


@pytest.mark.parametrize("name", [n for n in list_tasks() if n not in EXTRA and trainable(n)])
def test_every_task_is_trained_on_saved_and_loaded(name, tmp_path):
    trained = train(name, settings=TINY, iterations=2, workers=1, folder=tmp_path)
    assert trained.ledger.data == 2 * 2 and trained.ledger.fits > 0
    assert np.isfinite(trained.metrics["policy"]).all()
    policy = load(tmp_path, search=False)
    task = make_task(name)
    states = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 2))
    decision, _ = policy.decide(states, key=jax.random.key(1))
    assert np.asarray(jax.vmap(task.legal)(states))[np.arange(2), decision.action].all()
