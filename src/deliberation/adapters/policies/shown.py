"""What the owner of a policy would see of a task's states, and what its actions are in the task.

A policy is asked with what it was trained on: in a Gymnasium environment with that environment's
own observation (a dictionary stays one), elsewhere with `Task.observe`.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Bool

from ...core.errors import ForeignPolicyError
from ...core.failures import in_words
from ...core.task import State, Task
from ..gym import GymTask
from ..gym.form import kind_of

Observe = Callable[[State], Any]
Masks = Callable[[State], Any]


def shown(task: Task, state: State) -> Any:
    """The environment's own observation of one state, or what the task shows."""
    return state.observation if isinstance(task, GymTask) else task.observe(state)


def masked_by_info(task: Task) -> Masks | None:
    """The action mask that a Gymnasium environment tells as `info["action_mask"]`, if it does."""
    if not isinstance(task, GymTask):
        return None
    told = {entry.name: entry.shape for entry in task.world.form.info}
    return _mask_of_info if told.get("action_mask") == (task.traits.actions,) else None


def _mask_of_info(state: Any) -> Bool[Array, " actions"]:
    return state.info["action_mask"] > 0


def spaces_of(task: Task) -> tuple[Any, Any] | None:
    """A Gymnasium environment's own spaces of observations and actions; None for other tasks."""
    if not isinstance(task, GymTask):
        return None
    return task.world.env.observation_space, task.world.env.action_space


def as_owned(task: Task, seen: Any) -> Any:
    """A batch of observations on the host, in the dtypes that the environment itself gives.

    States keep 64-bit numbers in 32 bits, so of those what lies beyond 32 bits is lost.
    """
    spaces = spaces_of(task)
    return seen if spaces is None else _cast(spaces[0], seen)


def _cast(space: Any, seen: Any) -> Any:
    kind = kind_of(space)
    if kind == "Dict":
        return {name: _cast(part, seen[name]) for name, part in space.spaces.items()}
    if kind == "Tuple":
        return tuple(_cast(part, x) for part, x in zip(space.spaces, seen, strict=True))
    return np.asarray(seen, space.dtype)


def to_task(task: Task, action: np.ndarray) -> np.ndarray:
    """A batch of the environment's own actions as actions of the task: see `GymTask.traits`.

    Numbers stay as wide as they came, so that one beyond 32 bits does not become a legal one;
    continuous ones are clipped to the bounds.
    """
    traits = task.traits
    form = task.world.form.action if isinstance(task, GymTask) else None
    if traits.discrete:
        return action - (form.start if form is not None else 0)
    if form is not None and form.spread:
        low, high = (np.reshape(x, form.shape) for x in (form.low, form.high))
        action = 2 * (action.astype(float) - low) / (high - low) - 1
    return np.clip(np.asarray(action, np.float32), traits.low, traits.high)


def form_of(tree: Any) -> str:
    """Shapes and dtypes of a tree of arrays, such as `float32[4]`."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    parts = [f"{jax.tree_util.keystr(path)} {x.dtype}{list(x.shape)}".strip() for path, x in leaves]
    return ", ".join(parts)


def probe_shapes(task: Task) -> jax.ShapeDtypeStruct:
    """The form of what a task shows of a state; nothing is computed."""
    return jax.eval_shape(task.observe, jax.eval_shape(task.init, jax.random.key(0)))


def failed(name: str, error: BaseException, seen: Any, how: str) -> ForeignPolicyError:
    """What is said of a policy that raised an error when it was asked."""
    return ForeignPolicyError(
        f"{name} raised {in_words(error)}, asked with observations {form_of(seen)}. "
        f"It must take them {how}; `observe=` tells what of a state it is "
        "given instead, for instance observe=lambda state: task.observe(state).astype('float32')."
    )
