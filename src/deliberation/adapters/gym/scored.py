"""Another goal in a Gymnasium environment: a reward function of the user's, checked as called."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...core.errors import DeliberationError, NonFiniteError, ObjectiveError, WrongKindError
from ...core.objective import Action
from ...core.task import State, is_concrete
from ...tasks.bases import Discounted
from ..bases import UNKNOWN
from .asking import told
from .state import GymState


class Scored(Discounted):
    """Another goal in a foreign environment: a function of what is seen before and after a step.

    `reward(observation, action, next_observation, info)` is computed by JAX and gives one number;
    observations have the structure of the environment's space, and `info` are the numbers that came
    with the second. `gamma` is what a reward is worth a step later, `limits` are the least and
    greatest return, where they are known. For tasks of `from_gymnasium`.

    Raises `ObjectiveError`, which names the function, where it fails or gives no single number, and
    `NonFiniteError` where that is NaN or infinite and can be looked at; searches refuse it
    elsewhere.
    """

    reward: Callable[[Any, Any, Any, Any], Any] = eqx.field(static=True)
    gamma: float = eqx.field(static=True, default=1.0)
    limits: tuple[float, float] = eqx.field(static=True, default=UNKNOWN)

    def __check_init__(self) -> None:
        if not callable(self.reward):
            raise WrongKindError(
                f"Scored({told(self.reward)}) is given no function: write one of observation, "
                "action, next observation and info, which returns the reward."
            )
        low, high = self.limits
        if not (0 <= self.gamma <= 1 and low <= high):
            raise ObjectiveError(
                f"Scored has gamma={self.gamma} and limits={self.limits}: gamma, what a reward is "
                "worth a step later, lies from 0 to 1, and limits are the least return and the "
                "greatest."
            )

    def __call__(self, state: State, action: Action, after: State) -> Float[Array, " players"]:
        """What the function says."""
        if not isinstance(state, GymState):
            raise ObjectiveError(
                f"Scored reads what an environment of Gymnasium shows, and a state here is a "
                f"{type(state).__name__}: use it with tasks of from_gymnasium, and write a "
                "subclass of deliberation.Objective for others."
            )
        try:
            found = self.reward(state.observation, action, after.observation, after.info)
        except DeliberationError:
            raise
        except Exception as error:
            raise _failed(self.reward, error, after) from error
        return _one_number(self.reward, found).reshape(1)


def _name(function: Any) -> str:
    """A function's name, and where it stands."""
    code = getattr(function, "__code__", None)
    place = f" ({code.co_filename}, line {code.co_firstlineno})" if code is not None else ""
    return f"{getattr(function, '__qualname__', None) or told(function)}{place}"


def _failed(function: Any, error: Exception, after: State) -> ObjectiveError:
    kinds = (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError)
    advice = f"`info` has {sorted(after.info)} here."
    if isinstance(error, kinds):
        advice = "JAX computes it for many states at once: write jnp.where in place of `if`."
    return ObjectiveError(
        f"The reward function {_name(function)} raised {type(error).__name__}: "
        f"{str(error).splitlines()[0] if str(error) else ''}. It is called with observation, "
        f"action, next observation and info. {advice}"
    )


def _one_number(function: Any, found: Any) -> Float[Array, ""]:
    """What a function gave, as one number of 32 bits."""
    try:
        value = jnp.asarray(found)
        numeric = value.dtype.kind in "biuf" or value.dtype == jnp.bfloat16
    except (TypeError, ValueError):
        value, numeric = None, False
    if value is None or not numeric or value.size != 1:
        raise ObjectiveError(
            f"The reward function {_name(function)} gave {_shown(found)}, where one number is "
            "expected: the reward of one step."
        )
    if is_concrete(value) and not np.isfinite(np.asarray(value)).all():
        raise NonFiniteError(
            f"The reward function {_name(function)} gave {_shown(found)}: rewards are finite."
        )
    return value.astype(jnp.float32)


def _shown(found: Any) -> str:
    shape = getattr(found, "shape", None)
    return told(found) if not shape else f"an array of shape {tuple(shape)}"
