"""The loop of updates: it resumes to the same bits, names what diverged, and refuses strangers."""

import errno

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import Tabular
from deliberation.amortised.training import checkpoints
from deliberation.amortised.training.checkpoints import FOLDER
from deliberation.amortised.training.trained import training_identity
from deliberation.amortised.training.updates import (
    TrainingDivergedError,
    UnsavedTrainingError,
    run_updates,
)
from deliberation.core.errors import OutputFolderError, PolicyFileError, StorageError
from deliberation.runs.storage import atomic_write, storage_error


class Carry(eqx.Module):
    weights: jax.Array
    count: jax.Array
    key: jax.Array
    name: str = eqx.field(static=True, default="walk")


def fresh():
    return Carry(jnp.zeros(3), jnp.int32(0), jax.random.key(1))


def walk(carry):
    key, now = jax.random.split(carry.key)
    weights = carry.weights + jax.random.normal(now, (3,))
    return Carry(weights, carry.count + 1, key), {"norm": jnp.linalg.norm(weights)}


def explode(carry):
    after, metrics = walk(carry)
    bad = jnp.where(after.count == 4, jnp.nan, 0.0)
    return eqx.tree_at(lambda c: c.weights, after, after.weights + bad), metrics


def same(a, b):
    return (
        np.array_equal(a.weights, b.weights)
        and a.count == b.count
        and np.array_equal(jax.random.key_data(a.key), jax.random.key_data(b.key))
    )


def test_a_killed_training_ends_with_the_same_bits(tmp_path):
    whole = run_updates(walk, fresh(), updates=10)

    def kill(step, metrics):
        if step == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_updates(walk, fresh(), updates=10, folder=tmp_path, checkpoint_seconds=0.0, watch=kill)
    again = run_updates(walk, fresh(), updates=10, folder=tmp_path)
    assert same(again.carry, whole.carry)
    np.testing.assert_array_equal(again.metrics["norm"], whole.metrics["norm"])
    assert len(list((tmp_path / FOLDER).glob("carry-*"))) == 1
    done = run_updates(explode, fresh(), updates=10, folder=tmp_path)
    assert same(done.carry, whole.carry)


def test_a_finished_training_goes_on_where_more_updates_are_asked_for(tmp_path):
    run_updates(walk, fresh(), updates=6, folder=tmp_path)
    longer = run_updates(walk, fresh(), updates=10, folder=tmp_path)
    whole = run_updates(walk, fresh(), updates=10)
    assert same(longer.carry, whole.carry) and len(longer.metrics["norm"]) == 10
    told = [
        training_identity("walk", jax.random.key(1), settings=Tabular(updates=n)) for n in (6, 10)
    ]
    assert (
        told[0]
        == told[1]
        != training_identity("walk", jax.random.key(1), settings=Tabular(steps=7))
    )


def test_a_full_disk_is_told_before_training_and_loses_nothing_after_it(tmp_path, monkeypatch):
    room = [0]

    def write(path, data):
        room[0] -= 1
        if room[0] < 0:
            raise storage_error(f"write {path}", OSError(errno.ENOSPC, "No space left on device"))
        atomic_write(path, data)

    def full_after(files):
        room[0] = files
        return run_updates(walk, fresh(), updates=6, folder=tmp_path, checkpoint_seconds=0.0)

    monkeypatch.setattr(checkpoints, "atomic_write", write)
    with pytest.raises(StorageError, match="Make room") as caught:
        full_after(0)
    assert not isinstance(caught.value, UnsavedTrainingError)
    with pytest.raises(UnsavedTrainingError, match="Nothing is lost yet") as caught:
        full_after(5)
    whole = run_updates(walk, fresh(), updates=6)
    assert same(caught.value.run.carry, whole.carry)
    # What fitted is intact, and training goes on from there.
    assert same(full_after(99).carry, whole.carry)


def test_an_early_end_by_the_watcher_is_kept(tmp_path):
    half = run_updates(walk, fresh(), updates=10, folder=tmp_path, watch=lambda s, m: s == 5)
    assert half.carry.count == 5 and len(half.metrics["norm"]) == 5
    assert run_updates(walk, fresh(), updates=10, folder=tmp_path).carry.count == 10


def test_nan_stops_with_the_step_the_tensor_and_the_last_good_checkpoint(tmp_path):
    with pytest.raises(TrainingDivergedError, match=r"Update 3 .*weights") as caught:
        run_updates(explode, fresh(), updates=10, folder=tmp_path)
    assert (caught.value.step, caught.value.tensor) == (3, "weights")
    good = run_updates(walk, fresh(), updates=3).carry
    assert same(caught.value.carry, good)
    assert same(run_updates(walk, fresh(), updates=3, folder=tmp_path).carry, good)


def test_a_metric_that_is_not_finite_is_named():
    with pytest.raises(TrainingDivergedError, match="metric loss"):
        run_updates(lambda c: (c, {"loss": jnp.inf * c.count}), fresh(), updates=1)


def test_another_training_and_damage_are_refused(tmp_path):
    run_updates(walk, fresh(), updates=2, folder=tmp_path, identity={"seed": 1})
    with pytest.raises(OutputFolderError, match="other settings"):
        run_updates(walk, fresh(), updates=2, folder=tmp_path, identity={"seed": 2})
    smaller = eqx.tree_at(lambda c: c.weights, fresh(), jnp.zeros(2))
    with pytest.raises(PolicyFileError, match="tensors"):
        run_updates(walk, smaller, updates=2, folder=tmp_path, identity={"seed": 1})
    path = next((tmp_path / FOLDER).glob("carry-*"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(PolicyFileError, match="truncated"):
        run_updates(walk, fresh(), updates=2, folder=tmp_path, identity={"seed": 1})
