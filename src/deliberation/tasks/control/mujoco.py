"""HalfCheetah: run forwards on two legs, in MuJoCo's physics on JAX (MJX).

The model file, rewards, first states and frame skip are those of Gymnasium's HalfCheetah-v5 (Towers
et al. 2024; the body is Wawrzynski's 2009). Needs the extra `deliberation[mujoco]`: mujoco and
mujoco-mjx at equal versions. MJX computes in single precision, so that paths part after some tens
of steps, as any two integrators' do where feet hit the ground.
"""

import functools
import importlib.util
import math
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.errors import BackendError
from ...core.objective import Objective
from ...core.task import Traits
from ..bases import CutTask, SoloObjective, taken

TASKS = {
    "half_cheetah": {
        "summary": "Run forwards on two legs (HalfCheetah-v5, MuJoCo); option horizon",
        "factory": "HalfCheetah",
        "continuous": True,
        "options": {"horizon": 1000},
    },
}

FRAMES, SECONDS = 5, 0.05
"""Steps of physics in an action, and how long they last together."""
KILOGRAMS = 14
NOISE, EFFORT = 0.1, 0.1
"""The spread of first states, and the cost of a squared torque."""


class CheetahState(eqx.Module):
    """Positions and speeds (the first of each is that of running), what the solver of contacts
    starts from, and the actions taken."""

    place: Float[Array, " 9"]
    speed: Float[Array, " 9"]
    guess: Float[Array, " 9"]
    time: Int[Array, ""]


class RunsForwards(SoloObjective):
    """Metres a second forwards, minus a tenth of the squared torques."""

    def reward(
        self, state: CheetahState, action: Float[Array, " 6"], after: CheetahState
    ) -> Float[Array, ""]:
        """The speed is that over the whole action."""
        forwards = (after.place[0] - state.place[0]) / SECONDS
        return forwards - EFFORT * jnp.square(action).sum()


class HalfCheetah(CutTask):
    """An action is six torques from -1 to 1: thigh, shin and foot, behind and in front.

    Nothing ends an episode; it is cut after `horizon` actions of 50 milliseconds. Raises
    `BackendError` where MuJoCo or MJX is missing, or where their versions differ.
    """

    horizon: int = eqx.field(static=True, default=1000)

    def __check_init__(self) -> None:
        _physics()

    @property
    def traits(self) -> Traits:
        """One player, six torques; no chance but in the first state."""
        return Traits(players=1, actions=1, horizon=self.horizon, discrete=False, shape=(6,))

    @property
    def objective(self) -> Objective:
        """Forwards, with little effort."""
        return RunsForwards()

    def init(self, key: Key[Array, ""]) -> CheetahState:
        """Standing, every position and speed a little off."""
        first, second = jax.random.split(key)
        off = jax.random.uniform(first, (9,), minval=-NOISE, maxval=NOISE)
        speed = NOISE * jax.random.normal(second, (9,))
        return CheetahState(off, speed, jnp.zeros(9), jnp.int32(0))

    def advance(
        self, state: CheetahState, action: Float[Array, " 6"], key: Key[Array, ""]
    ) -> CheetahState:
        """Five steps of physics under the same torques."""
        del key
        end = _moved(state.place, state.speed, state.guess, action)
        return CheetahState(end.qpos, end.qvel, end.qacc_warmstart, state.time + 1)

    def observe(self, state: CheetahState) -> Float[Array, " 17"]:
        """Positions but for how far it has run, and speeds, as in Gymnasium."""
        return jnp.concatenate([state.place[1:], state.speed])

    def terminated(self, state: CheetahState) -> Bool[Array, ""]:
        """Never: falling over is allowed."""
        del state
        return jnp.bool_(False)

    def render(self, state: CheetahState) -> str:
        """How far and how fast it has run, and how it lies."""
        return (
            f"at {float(state.place[0]):+.2f} m, {float(state.speed[0]):+.2f} m/s, leaning by "
            f"{math.degrees(float(state.place[2])):+.0f} degrees\n"
            f"{taken(state.time, self.horizon)}"
        )


@jax.jit
def _moved(place: Array, speed: Array, guess: Array, torques: Array) -> Any:
    """Compiled by itself, or each action outside of a compiled loop would compile anew."""
    mjx, model, blank = _physics()
    start = blank.replace(qpos=place, qvel=speed, qacc_warmstart=guess, ctrl=torques)
    return jax.lax.fori_loop(0, FRAMES, lambda _, data: mjx.step(model, data), start)


@functools.cache
def _physics() -> tuple[Any, Any, Any]:
    """MJX, its model of the cheetah, and blank data for it."""
    try:
        import mujoco
        from mujoco import mjx
    except (ImportError, AttributeError) as error:
        raise BackendError(
            "HalfCheetah needs MuJoCo and MJX at equal versions: pip install "
            f"'deliberation[mujoco]' ({error})."
        ) from error
    with jax.ensure_compile_time_eval():
        model = mjx.put_model(load_model(mujoco))
        blank = mjx.make_data(model)
    return mjx, model, blank


def load_model(mujoco: Any) -> Any:
    """MuJoCo's own model of the cheetah, from Gymnasium's file.

    The total mass is set by a call, for the file's way of saying it is deprecated and would leave a
    log in the working directory.
    """
    text = _model_file().read_text()
    said = f' settotalmass="{KILOGRAMS}"'
    if said not in text:
        return mujoco.MjModel.from_xml_string(text)
    model = mujoco.MjModel.from_xml_string(text.replace(said, ""))
    mujoco.mj_setTotalmass(model, KILOGRAMS)
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def _model_file() -> Path:
    """Found without importing Gymnasium's viewers."""
    found = importlib.util.find_spec("gymnasium")
    if found is None or found.origin is None:
        raise BackendError("HalfCheetah reads Gymnasium's model file: pip install gymnasium.")
    return Path(found.origin).parent / "envs" / "mujoco" / "assets" / "half_cheetah.xml"
