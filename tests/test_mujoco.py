"""HalfCheetah in MJX against MuJoCo's own integrator on Gymnasium's model."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core import check_task
from deliberation.core.errors import BackendError
from deliberation.tasks import make_task
from deliberation.tasks.control import mujoco as cheetah

KEY = jax.random.key(0)


def test_what_is_missing_is_named(monkeypatch):
    cheetah._physics.cache_clear()
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(BackendError, match=r"pip install 'deliberation\[mujoco\]'"):
        make_task("half_cheetah")
    monkeypatch.undo()
    cheetah._physics.cache_clear()


@pytest.fixture(scope="module")
def theirs():
    mujoco = pytest.importorskip("mujoco")
    pytest.importorskip("mujoco.mjx")
    return mujoco


def test_the_model_is_gymnasiums(theirs, tmp_path, monkeypatch):
    """As read from the file itself, which also says the total mass."""
    monkeypatch.chdir(tmp_path)
    mine = cheetah.load_model(theirs)
    file = theirs.MjModel.from_xml_path(str(cheetah._model_file()))
    for name in ("body_mass", "body_inertia", "dof_invweight0", "body_invweight0", "geom_size"):
        np.testing.assert_allclose(getattr(mine, name), getattr(file, name), rtol=1e-6)
    assert mine.body_mass.sum() == pytest.approx(14) and mine.opt.timestep == 0.01


def test_steps_and_rewards_are_gymnasiums(theirs):
    """Ten random actions from a random start: to 1e-4, single precision against double."""
    task, model = make_task("half_cheetah", horizon=10), cheetah.load_model(theirs)
    data, state = theirs.MjData(model), task.init(KEY)
    data.qpos[:], data.qvel[:] = state.place, state.speed
    theirs.mj_forward(model, data)
    advance, rng = jax.jit(task.advance), np.random.default_rng(0)
    for _ in range(10):
        assert not task.terminated(state)
        action = rng.uniform(-1, 1, 6).astype(np.float32)
        before = data.qpos[0]
        data.ctrl[:] = action
        theirs.mj_step(model, data, nstep=5)
        after = advance(state, jnp.asarray(action), KEY)
        np.testing.assert_allclose(after.place, data.qpos, atol=1e-4)
        np.testing.assert_allclose(after.speed, data.qvel, atol=5e-3)
        earned = (data.qpos[0] - before) / 0.05 - 0.1 * np.square(action).sum()
        got = task.objective(state, jnp.asarray(action), after)
        np.testing.assert_allclose(got, [earned], atol=2e-3)
        state = after
    seen = np.concatenate([data.qpos[1:], data.qvel])
    np.testing.assert_allclose(task.observe(state), seen, atol=5e-3)
    assert task.truncated(state) and not task.terminated(state)
    assert "HalfCheetah(10" in repr(task) and "m/s" in task.render(state)


def test_it_keeps_the_contract(theirs):
    """To the rounding of a solver that iterates over contacts; two actions, as it is slow."""
    check_task(make_task("half_cheetah", horizon=2), episodes=2, tolerance=1e-2)


def test_gymnasium_itself_agrees(theirs, tmp_path, monkeypatch):
    """The environment as it is made by name, where its viewers' packages are installed."""
    monkeypatch.chdir(tmp_path)  # MuJoCo logs what is deprecated where it runs
    pytest.importorskip("imageio")
    gymnasium = pytest.importorskip("gymnasium")
    env, task = gymnasium.make("HalfCheetah-v5"), make_task("half_cheetah")
    seen, _ = env.reset(seed=0)
    place, speed = env.unwrapped.data.qpos.copy(), env.unwrapped.data.qvel.copy()
    state = cheetah.CheetahState(
        jnp.asarray(place, jnp.float32), jnp.asarray(speed, jnp.float32), jnp.zeros(9), jnp.int32(0)
    )
    np.testing.assert_allclose(task.observe(state), seen, atol=1e-6)
    advance = jax.jit(task.advance)
    for _ in range(3):
        action = env.action_space.sample()
        seen, earned, *_ = env.step(action)
        after = advance(state, jnp.asarray(action), KEY)
        np.testing.assert_allclose(task.observe(after), seen, atol=1e-3)
        got = task.objective(state, jnp.asarray(action), after)
        np.testing.assert_allclose(got, [earned], atol=1e-3)
        state = after
    assert task.traits.horizon == env.spec.max_episode_steps
