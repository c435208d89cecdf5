"""Any function that answers as `predict` of stable-baselines3 does: `from_callable`."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ...core.errors import ForeignPolicyError, WrongKindError
from ...core.task import Task, check_is_task
from .expected import Score, reproduced
from .host import Asked, HostPolicy, Model, Said, adapted, probe, seeded
from .shown import Masks, Observe, form_of, masked_by_info


def from_callable(
    predict: Any,
    task: Task,
    *,
    deterministic: bool = True,
    batched: bool = True,
    observe: Observe | None = None,
    masks: Masks | None = None,
    expect: Score | float | int | None = None,
    name: str | None = None,
) -> HostPolicy:
    """A decider from `predict(observation, state=None, episode_start=None, deterministic=False)`.

    That is the form of stable-baselines3: it returns `(action, state)`; an action alone will do,
    and so will a function of the observation alone. Observations are NumPy arrays with the batch
    in front (a Gymnasium environment's own, a dictionary as a dictionary; elsewhere
    `Task.observe`), or single ones where it is not `batched`.

    - A recurrent `state` (arrays, wherever their batch axis is) is the decider's memory. It is None
      and `episode_start` true where an episode begins; afterwards `episode_start` is false.
    - `deterministic` is passed on; True is what `evaluate_policy` scores by default. Otherwise it
      is asked row by row, with the global generators of Python, NumPy and PyTorch seeded by each
      row's key, so that the key decides.
    - One with a parameter `action_masks` (as of sb3-contrib) is told what is legal: by the task,
      and by `masks(state)`, by default an environment's `info["action_mask"]`. Any other that
      chooses an illegal action is refused when it does.
    - `observe(state)`, computed by JAX, replaces what it is shown of a state.
    - `expect` is a score that it must reproduce here: see `Score`.

    Continuous actions are clipped to the bounds. The weights are all on the action and the value
    is 0, since it tells no others; what it spends is unknown. Raises `ForeignPolicyError` where it
    fails or answers in another form, `NonFiniteError`, `UnreproducedScoreError`, and
    `IllegalActionError` from `decide`.
    """
    check_is_task(task)
    if not callable(predict):
        raise WrongKindError(
            f"{predict!r} is no function of an observation: hand over `model.predict`, or the "
            "like, as it is called."
        )
    label = name or _told(predict)
    model = Predict(predict, label, deterministic, batched)
    if masks is None and model.masked:
        masks = masked_by_info(task)
    model.find_memory(task, observe, masks)
    return reproduced(adapted(task, model, observe, masks), expect)


def _told(predict: Callable[..., Any]) -> str:
    owner = getattr(predict, "__self__", None)
    name = getattr(predict, "__name__", type(predict).__name__)
    return name if owner is None else f"{type(owner).__name__}.{name}"


class Predict(Model):
    """A function in the form of `predict`; whatever parameters it lacks are not passed."""

    remembers = True

    def __init__(self, predict: Callable[..., Any], name: str, deterministic: bool, batched: bool):
        self.predict, self.name, self.batched = predict, name, batched
        self.one_by_one = not (batched and deterministic)
        self.takes = _parameters(predict)
        self.masked = "action_masks" in self.takes
        self.options = {"deterministic": deterministic} if "deterministic" in self.takes else {}
        self.axes: list[int] = []
        self.dtypes: list[Any] = []
        self.structure: Any = jax.tree.structure(None)

    def find_memory(self, task: Task, observe: Observe | None, masks: Masks | None) -> None:
        """Learn the form of its state from first decisions: which axis of it counts rows."""
        asked, states = probe(task, observe, 3, masks), []
        for count in (2, 3) if self.batched else (1, 1):
            some = asked.only(slice(0, count))
            with seeded(some.words[0]), self.blamed(some):
                states.append(self._called(some, None)[1])
        (few, _), (many, self.structure) = map(jax.tree.flatten, states)
        for x, y in zip(map(np.asarray, few), map(np.asarray, many), strict=True):
            axis = self._rows_axis(x.shape, y.shape) if self.batched else 0
            row = y.shape[:axis] + y.shape[axis + 1 :] if self.batched else y.shape
            self.axes.append(axis)
            self.dtypes.append(y.dtype)
            kept = jax.dtypes.canonicalize_dtype(y.dtype)
            self.carried = (*self.carried, jax.ShapeDtypeStruct(row, kept))

    def _rows_axis(self, few: tuple[int, ...], many: tuple[int, ...]) -> int:
        changed = [i for i, (a, b) in enumerate(zip(few, many, strict=False)) if a != b]
        if len(few) != len(many) or len(changed) != 1 or many[changed[0]] != 3:
            raise ForeignPolicyError(
                f"{self.name} returns a state of shape {list(few)} for 2 rows and {list(many)} for "
                "3: one axis must count the rows, so that each keeps its own. If it takes one "
                "observation at a time, say batched=False."
            )
        return changed[0]

    def answer(self, asked: Asked) -> Said:
        """Ask for rows where an episode begins apart from the others: those have no state yet."""
        actions: list[Any] = [None] * asked.count
        kept = [x.copy() for x in asked.carried]
        for begun in (True, False):
            rows = np.flatnonzero(asked.first == begun)
            if not len(rows):
                continue
            some = asked.only(rows)
            action, state = self._called(some, None if begun else self._state(some.carried))
            if action.shape[:1] != rows.shape:
                raise ForeignPolicyError(
                    f"{self.name} answers {form_of(action)} to {len(rows)} observations: there "
                    "must be one action a row. If it takes one observation at a time, say "
                    "batched=False."
                )
            for row, one in zip(rows, action, strict=True):
                actions[row] = one
            for old, new in zip(kept, self._rows_of(state), strict=True):
                old[rows] = new
        return Said(np.stack(actions), carried=kept)

    def _called(self, asked: Asked, state: Any) -> tuple[np.ndarray, Any]:
        """Actions with the batch in front, and the state as the function gives it."""
        given = asked if self.batched else asked.only(0)
        wanted = {"state": state, "episode_start": given.first, "action_masks": given.legal}
        told = {name: x for name, x in wanted.items() if name in self.takes}
        found = self.predict(given.observation, **told, **self.options)
        action, after = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
        action = np.asarray(action)
        return (action if self.batched else action[None]), after

    def _state(self, carried: list[np.ndarray]) -> Any:
        """The state as the function takes it, from rows."""
        leaves = [
            np.moveaxis(x, 0, axis) if self.batched else x[0]
            for x, axis in zip(carried, self.axes, strict=True)
        ]
        typed = [x.astype(dtype) for x, dtype in zip(leaves, self.dtypes, strict=True)]
        return jax.tree.unflatten(self.structure, typed)

    def _rows_of(self, state: Any) -> list[np.ndarray]:
        """Rows of what the function gives as its state."""
        leaves, structure = jax.tree.flatten(state)
        if structure != self.structure:
            raise ForeignPolicyError(
                f"{self.name} returned a state {structure}, and before one {self.structure}: what "
                "it carries must keep its form."
            )
        arrays = map(np.asarray, leaves)
        if not self.batched:
            return [x[None] for x in arrays]
        return [np.moveaxis(x, axis, 0) for x, axis in zip(arrays, self.axes, strict=True)]


def _parameters(predict: Callable[..., Any]) -> frozenset[str]:
    """Which of the parameters of `predict` a function takes by name."""
    known = frozenset(("state", "episode_start", "deterministic"))
    try:
        found = inspect.signature(predict).parameters
    except (TypeError, ValueError):  # a built-in function says nothing
        return frozenset()
    if any(x.kind is inspect.Parameter.VAR_KEYWORD for x in found.values()):
        return known
    return frozenset(found) & (known | {"action_masks"})
