"""Whether a policy's spaces of observations and actions are those of a task."""

from typing import Any

import numpy as np

from ...core.errors import ForeignPolicyError
from ...core.task import Task
from ..gym.form import kind_of
from .shown import probe_shapes, spaces_of

_WRAPPERS = (
    "Adapt the environment that it was trained in, wrappers included: "
    "from_gymnasium(lambda: Wrapper(gymnasium.make(...))), with "
    "gymnasium.wrappers.FrameStackObservation where frames were stacked."
)


def check_spaces(name: str, policy: Any, task: Task) -> None:
    """Raise `ForeignPolicyError` for observations or actions of another form than the task's."""
    ours = spaces_of(task)
    if ours is None:
        _check_plain(name, policy, task)
        return
    for what, theirs, own, same in (
        ("observations", policy.observation_space, ours[0], _seen_alike),
        ("actions", policy.action_space, ours[1], _acted_alike),
    ):
        if not same(theirs, own):
            raise _other(name, what, theirs, own, task)


def _other(name: str, what: str, theirs: Any, ours: Any, task: Task) -> ForeignPolicyError:
    return ForeignPolicyError(
        f"{name} is no policy for {task!r}: its {what} are {theirs}, and the task's are {ours}. "
        + _WRAPPERS
    )


def _check_plain(name: str, policy: Any, task: Task) -> None:
    seen, acts, traits = policy.observation_space, policy.action_space, task.traits
    shape = probe_shapes(task).shape
    if kind_of(seen) != "Box" or seen.shape != shape:
        raise _other(name, "observations", seen, f"arrays of shape {list(shape)}", task)
    if traits.discrete:
        if kind_of(acts) != "Discrete" or acts.n != traits.actions:
            raise _other(name, "actions", acts, f"{traits.actions} numbers", task)
    elif kind_of(acts) != "Box" or acts.shape != traits.shape or not _between(acts, task):
        ours = f"arrays of shape {list(traits.shape)} from {traits.low} to {traits.high}"
        raise _other(name, "actions", acts, ours, task)


def _between(space: Any, task: Task) -> bool:
    low, high = task.traits.low, task.traits.high
    return bool(np.allclose(space.low, low) and np.allclose(space.high, high))


def _seen_alike(theirs: Any, ours: Any) -> bool:
    """Equal but for bounds, and for the place of an image's channels."""
    kind = kind_of(ours)
    if kind_of(theirs) != kind:
        return False
    if kind == "Dict":
        return set(theirs.spaces) == set(ours.spaces) and all(
            _seen_alike(theirs.spaces[name], part) for name, part in ours.spaces.items()
        )
    if kind == "Box":
        turned = len(ours.shape) == 3 and (ours.shape[2], *ours.shape[:2]) == theirs.shape
        return theirs.shape == ours.shape or turned
    return theirs == ours


def _acted_alike(theirs: Any, ours: Any) -> bool:
    if kind_of(theirs) != kind_of(ours) or theirs.shape != ours.shape:
        return False
    if kind_of(ours) == "Box":
        return bool(np.allclose(theirs.low, ours.low) and np.allclose(theirs.high, ours.high))
    return theirs == ours
