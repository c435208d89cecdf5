"""The classic control tasks are Gymnasium's, step for step, and keep to our contract."""

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core import check_task, misere
from deliberation.core.errors import IllegalActionError
from deliberation.core.task import stopped
from deliberation.tasks import make_task
from deliberation.tasks.control.acrobot import AcrobotState
from deliberation.tasks.control.cartpole import CartPoleState
from deliberation.tasks.control.mountain_car import CarState
from deliberation.tasks.control.pendulum import PendulumState

KEY = jax.random.key(0)


def cartpole_state(env, time):
    return CartPoleState(*jnp.asarray(env.unwrapped.state, jnp.float32), jnp.int32(time))


def pendulum_state(env, time):
    return PendulumState(*jnp.asarray(env.unwrapped.state, jnp.float32), jnp.int32(time))


def car_state(env, time):
    return CarState(*jnp.asarray(env.unwrapped.state, jnp.float32), jnp.int32(time))


def acrobot_state(env, time):
    numbers = jnp.asarray(env.unwrapped.state, jnp.float32)
    return AcrobotState(numbers[:2], numbers[2:], jnp.int32(time))


@pytest.mark.parametrize(
    ("name", "theirs", "read", "steps"),
    [
        ("cartpole", "CartPole-v1", cartpole_state, 800),
        ("pendulum", "Pendulum-v1", pendulum_state, 800),
        ("mountain_car", "MountainCar-v0", car_state, 1000),
        ("acrobot", "Acrobot-v1", acrobot_state, 4000),
    ],
)
def test_every_step_is_gymnasiums(name, theirs, read, steps):
    """Each step starts from Gymnasium's state, so that float32 does not add up."""
    task, env = make_task(name), gymnasium.make(theirs)
    advance, look = jax.jit(task.advance), jax.jit(task.observe)
    reward, over = jax.jit(task.objective), jax.jit(task.terminated)
    cut = jax.jit(task.truncated)
    env.action_space.seed(0)
    env.reset(seed=0)
    time = ended = 0
    for _ in range(steps):
        state, action = read(env, time), env.action_space.sample()
        observed, earned, fell, late, _ = env.step(action)
        time += 1
        after = advance(state, jnp.asarray(action), KEY)
        near = 2e-5 if name == "acrobot" else 2e-6  # four slopes a step, of up to 50 radians/s^2
        np.testing.assert_allclose(look(after), observed, rtol=near, atol=near)
        np.testing.assert_allclose(reward(state, jnp.asarray(action), after)[0], earned, rtol=3e-6)
        assert (bool(over(after)), bool(cut(after))) == (fell, late) and int(after.time) == time
        if fell or late:
            ended, time = ended + 1, 0
            env.reset()
    assert ended >= 4


@pytest.mark.parametrize(
    ("name", "theirs", "read"),
    [("cartpole", "CartPole-v1", cartpole_state), ("pendulum", "Pendulum-v1", pendulum_state)],
)
def test_whole_episodes_are_gymnasiums(name, theirs, read):
    """One balances, one swings. What is unstable doubles its rounding every nine steps."""
    task, env = make_task(name), gymnasium.make(theirs)
    env.reset(seed=3)
    state, advance = read(env, 0), jax.jit(task.advance)
    rng, total, mine, observed = np.random.default_rng(3), 0.0, 0.0, np.zeros(0)
    reward = jax.jit(task.objective)
    steps = 100 if name == "cartpole" else 200
    for step in range(steps):
        if name == "cartpole":
            x, speed, angle, spin = env.unwrapped.state
            action = int(angle + 0.3 * spin + 0.05 * x + 0.1 * speed > 0)
        else:
            action = rng.uniform(-2, 2, 1).astype(np.float32)
        observed, earned, fell, late, _ = env.step(action)
        after = advance(state, jnp.asarray(action), KEY)
        total, mine = total + earned, mine + float(reward(state, jnp.asarray(action), after)[0])
        state = after
        assert not fell and late == (name == "pendulum" and step == 199)
    np.testing.assert_allclose(task.observe(state), observed, atol=2e-3)
    np.testing.assert_allclose(mine, total, rtol=1e-4)
    assert bool(task.truncated(state)) == (name == "pendulum") and not task.terminated(state)


def test_first_states_are_spread_as_gymnasiums():
    """Uniform, so the mean and the spread of each number say it all; 5 standard errors."""
    keys = jax.random.split(KEY, 20_000)
    for name, half in (("cartpole", np.full(4, 0.05)), ("pendulum", np.array([np.pi, 1.0]))):
        states = jax.vmap(make_task(name).init)(keys)
        numbers = np.stack([np.asarray(x) for x in jax.tree.leaves(states)[:-1]], 1)
        assert (np.abs(numbers) <= half).all()
        error = 5 * half / np.sqrt(3 * len(keys))
        np.testing.assert_array_less(np.abs(numbers.mean(0)), error)
        np.testing.assert_allclose(numbers.std(0), half / np.sqrt(3), rtol=0.02)


def test_first_states_of_the_car_and_the_acrobot():
    keys = jax.random.split(KEY, 20_000)
    x = np.asarray(jax.vmap(make_task("mountain_car").init)(keys).x)
    assert x.min() >= -0.6 and x.max() <= -0.4 and abs(x.mean() + 0.5) < 0.01
    hanging = jax.vmap(make_task("acrobot").init)(keys)
    numbers = np.concatenate([hanging.angles, hanging.spins], 1)
    assert (np.abs(numbers) <= 0.1).all() and (np.abs(numbers.mean(0)) < 0.01).all()
    np.testing.assert_allclose(numbers.std(0), 0.1 / np.sqrt(3), rtol=0.02)


def test_the_car_is_stopped_by_the_wall_and_gets_out_by_swinging():
    task = make_task("mountain_car")
    at_wall = task.step(CarState(jnp.float32(-1.19), jnp.float32(-0.05), jnp.int32(0)), 0, KEY)
    assert float(at_wall.x) == np.float32(-1.2) and float(at_wall.speed) == 0
    state, total, advance = task.init(KEY), 0.0, jax.jit(task.advance)
    while not bool(stopped(task, state)):
        action = jnp.where(state.speed >= 0, 2, 0)
        after = advance(state, action, KEY)
        state, total = after, total + float(task.objective(state, action, after)[0])
    assert float(state.x) >= 0.5 and int(state.time) == -total < 200


def test_time_limits():
    pole, state = make_task("cartpole"), CartPoleState(*jnp.zeros(4), jnp.int32(499))
    assert not pole.terminated(state) and float(pole.objective.heuristic(state)) == 1.0
    after = pole.advance(state, jnp.int32(0), KEY)
    assert pole.truncated(after) and not pole.terminated(after) and pole.legal(after).all()
    assert float(pole.objective.heuristic(pole.advance(after, jnp.int32(1), KEY))) == 0.0
    assert make_task("pendulum", horizon=7).traits.horizon == 7
    fallen = CartPoleState(*jnp.array([0.0, 0, 0.3, 0]), jnp.int32(3))
    assert float(pole.objective.heuristic(fallen)) == 0.0 and pole.terminated(fallen)


@pytest.mark.parametrize("options", [{}, {"horizon": 30, "gravity": 9.81}])
def test_gradients_flow_through_the_pendulum(options):
    """Reverse mode against central differences of the return of six torques."""
    task = make_task("pendulum", **options)

    def earned(torques):
        def step(state, torque):
            after = task.advance(state, torque, KEY)
            return after, task.objective(state, torque, after)[0]

        start = PendulumState(jnp.float32(2.0), jnp.float32(0.3), jnp.int32(0))
        return jax.lax.scan(step, start, torques)[1].sum()

    torques = jnp.array([[0.5], [-1.0], [2.0], [-2.0], [0.3], [1.1]])
    slope = jax.jit(jax.grad(earned))(torques)
    nudge = 0.02 * jnp.eye(6)[:, :, None]
    change = jax.vmap(earned)(torques + nudge) - jax.vmap(earned)(torques - nudge)
    np.testing.assert_allclose(slope[:, 0], change / 0.04, rtol=0.02, atol=2e-3)
    assert (np.abs(slope[:-1]) > 1e-3).all()


def test_contract():
    check_task(make_task("cartpole"), episodes=16)
    check_task(make_task("pendulum", horizon=25), episodes=8)
    check_task(make_task("mountain_car", horizon=30), episodes=8)
    check_task(make_task("acrobot", horizon=30), episodes=8)


def test_wrong_use_is_refused():
    task = make_task("pendulum")
    with pytest.raises(IllegalActionError, match=r"from -2\.0 to 2\.0"):
        task.step(task.init(KEY), jnp.array([2.5]), KEY)
    for bad in ({"horizon": 0}, {"gravity": float("nan")}):
        with pytest.raises(ValueError, match="Pendulum needs"):
            make_task("pendulum", **bad)
    with pytest.raises(ValueError, match="CartPole needs"):
        make_task("cartpole", horizon=0)
    low, high = misere(task.objective).bounds
    assert low == 0 and high == pytest.approx(200 * 16.2736044)
    assert "degrees" in task.render(task.init(KEY))
    assert "CartPole(500" in repr(make_task("cartpole"))
