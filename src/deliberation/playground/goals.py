"""What may be wanted instead: the objective's features as knobs, and what a change came to.

Every goal of a task is one and the same kind of objective with other numbers in it, so that a
change compiles nothing. What is said of a change is put together from answers of search and of the
network before and after; nothing is said that was not asked, and no chance is told as an effect.
"""

import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..core.objective import Action, Objective
from ..core.task import Task, stopped
from ..tasks.board.mnk import MNK
from . import limits
from .asking import Fields, real
from .settings import RefusedError

MISERE, DRAW = "misere", "draw"
_MOST_KNOBS = 14
"""An objective of more numbers than this is a table, and nobody turns so many knobs."""

_MARKS = {"pit": "P", "mud": "~"}
"""Features of a map, by what they are drawn as."""

Goal = tuple[tuple[str, float], ...]
"""What is wanted otherwise than usual, by the names of knobs; empty: the task's own goal."""


class Turned(Objective):
    """An objective times a weight (misère: -1), and what a draw is worth to the first player.

    Both are data. A draw is an end at which nobody is paid anything.
    """

    of: Objective
    task: Task
    weight: Float[Array, ""]
    draw: Float[Array, ""]

    def __call__(self, state: Any, action: Action, after: Any) -> Float[Array, " players"]:
        """The weighted rewards, and those of a draw."""
        rewards = jnp.asarray(self.of(state, action, after), jnp.float32)
        if rewards.shape[-1] != 2:
            return self.weight * rewards
        drawn = stopped(self.task, after) & (rewards == 0).all()
        return self.weight * rewards + jnp.where(drawn, self.draw, 0.0) * jnp.array([1.0, -1.0])

    @property
    def discount(self) -> float:
        """That of the original."""
        return self.of.discount

    @property
    def bounds(self) -> tuple[float, float]:
        """What holds whatever the weight: the larger bound, either way."""
        most = max(abs(x) for x in self.of.bounds)
        return (-most, most)


def knobs(task: Task) -> list[dict[str, Any]]:
    """What can be wanted otherwise on a task: sliders and toggles, each with its usual value."""
    turned = {
        "name": MISERE, "kind": "toggle", "usual": 0,
        "label": "Losing wins (misère)" if task.traits.players > 1 else "The opposite is wanted",
    }  # fmt: skip
    found: list[dict[str, Any]] = [turned]
    if isinstance(task, MNK):
        label = "A draw, to the first player"
        found.append(_slider(DRAW, label, 0.0, 1.0))
    layout = "".join(getattr(task, "map", ""))
    for name, usual in numbers_of(task).items():
        if layout and _MARKS.get(name, "S") not in layout:
            continue  # There is none of it on the map.
        found.append(_slider(name, name.replace("_", " "), usual, _range(task, usual)))
    return found


def _slider(name: str, label: str, usual: float, most: float) -> dict[str, Any]:
    return {
        "name": name, "kind": "slider", "label": label, "usual": round(usual, 4),
        "low": -most, "high": most, "step": most / 50,
    }  # fmt: skip


def _range(task: Task, usual: float) -> float:
    others = max(map(abs, numbers_of(task).values()))
    return float(f"{max(1.0, others, abs(usual)):.2g}")


def numbers_of(task: Task) -> dict[str, float]:
    """The numbers within a task's objective, by name: weights of features, or rewards."""
    features: Any = getattr(task, "features_named", None)
    if features is not None:
        usual = np.asarray(getattr(task, "usual_weights"), float)  # noqa: B009
        return dict(zip(features, usual.tolist(), strict=True))
    arrays = _arrays(task.objective)
    if sum(np.size(x) for x in arrays) > _MOST_KNOBS:
        return {}
    flat = [float(x) for array in arrays for x in np.asarray(array).ravel()]
    return {f"reward_{i}": value for i, value in enumerate(flat)}


def _arrays(objective: Objective) -> list[Array]:
    return [x for x in jax.tree.leaves(objective) if eqx.is_inexact_array(x)]


def read_goal(task: Task, fields: Fields) -> Goal:
    """The goal that a request asks for, as in goal=misere:1,step:-0.2. Raises `RefusedError`."""
    text = fields.get("goal", "").strip()
    if not text:
        return ()
    offered = {knob["name"]: knob for knob in knobs(task)}
    found = {}
    for part in text.split(","):
        name, colon, value = part.partition(":")
        if name not in offered or not colon:
            raise RefusedError(
                f"{part[:40]!r} changes no goal here: write name:number, with a name of "
                f"{', '.join(offered)}."
            )
        knob = offered[name]
        found[name] = real(name, value, knob.get("low", 0.0), knob.get("high", 1.0))
    changed = {n: v for n, v in found.items() if abs(v - offered[n]["usual"]) > 1e-6}
    return tuple(sorted(changed.items()))


def objective_of(task: Task, goal: Goal) -> Turned:
    """The objective of a goal; that of the empty one is worth what the task's own is."""
    told = dict(goal)
    weight = 1 - 2 * (told.get(MISERE, 0.0) >= 0.5)
    return Turned(
        _weighted(task, told), task, jnp.float32(weight), jnp.float32(told.get(DRAW, 0.0))
    )


def _weighted(task: Task, told: dict[str, float]) -> Objective:
    numbers = numbers_of(task)
    if not numbers:
        return task.objective
    values = [told.get(name, usual) for name, usual in numbers.items()]
    if hasattr(task, "objective_of"):
        return task.objective_of(jnp.asarray(values, jnp.float32))  # type: ignore[attr-defined]
    left = list(values)

    def taken(array: Array) -> Array:
        part = [left.pop(0) for _ in range(np.size(array))]
        return jnp.asarray(part, array.dtype).reshape(array.shape)

    return jax.tree.map(lambda x: taken(x) if eqx.is_inexact_array(x) else x, task.objective)


def read_walls(task: Task, fields: Fields) -> tuple[int, ...]:
    """The cells whose walls are put up, or taken away. Raises `RefusedError`."""
    text = fields.get("walls", "").strip()
    if not text:
        return ()
    if not hasattr(task, "with_walls"):
        raise RefusedError("There are no walls to be moved in this task.")
    words = text.split(".")
    limits.refuse_above("walls to be moved", len(words), limits.WALLS, "Move fewer.")
    cells = _cells(task)
    if not all(
        w.isascii() and w.isdecimal() and len(w) <= limits.DIGITS and int(w) < cells for w in words
    ):
        raise RefusedError(
            f"walls are numbers of cells from 0 to {cells - 1}, parted by full stops."
        )
    return tuple(sorted({int(w) for w in words}))


def _cells(task: Task) -> int:
    return jax.eval_shape(task.init, jax.random.key(0)).walls.shape[0]


def with_walls(task: Any, state: Any, cells: tuple[int, ...]) -> Any:
    """The state with these walls put up where there was none, and taken away where there was."""
    if not cells:
        return state
    stand = np.asarray(state.walls)
    shut = tuple(c for c in cells if not stand[c])
    return task.with_walls(state, shut=shut, opened=tuple(c for c in cells if stand[c]))


Choices = tuple[list[str], list[str]]
"""What search chooses before a change and after it, in several askings; the shown one is first."""


def sentence(
    what: str,
    search: Choices | None,
    network: tuple[str, str] | None,
    *,
    told: bool = False,
    seen: bool = False,
    exact: tuple[set[str], set[str]] | None = None,
    who: str = "network",
) -> str:
    """What a change came to; None for what was not asked or is not there.

    `network` is its choice before and after, really asked both times; `told` says that it is told
    the goal, `seen` that a part of the change (walls) stands in what it observes, and `who` what it
    is. `exact` are the best actions of both.
    """
    parts = [] if search is None else [_searched(*search)]
    followed = search is not None and told_apart(*search)
    if network is not None:
        parts.append(_networked(*network, told=told, seen=seen, followed=followed, who=who))
    said = f"{what}: {'; '.join(parts) or 'nobody has answered yet'}."
    if exact is None:
        return said
    if exact[0] == exact[1]:
        return f"{said} The best answers are the same as before."
    return f"{said} The best answers changed, too."


def _searched(before: list[str], after: list[str]) -> str:
    now = after[0]
    if set(before) == set(after) == {now}:
        return f"search still chooses {now}"
    if now in before:
        return f"search chooses {now}, as it does before the change, too, in some askings"
    if told_apart(before, after):
        return f"search followed and now chooses {now}"
    return f"search chooses {now}, but at this effort its choice varies by chance"


def told_apart(before: list[str], after: list[str]) -> bool:
    """Whether two sets of choices have nothing in common, and that would hardly be by chance.

    By chance: where the same choices are dealt out anew in all ways, at most one in twenty has
    nothing in common. Where everybody chose something else, all of them have.
    """
    if set(before) & set(after):
        return False
    every, size = before + after, len(before)
    dealt = [set(some) for some in itertools.combinations(range(len(every)), size)]
    apart = sum(
        not {every[i] for i in some} & {every[i] for i in range(len(every)) if i not in some}
        for some in dealt
    )
    return apart <= 0.05 * len(dealt)


def _networked(before: str, after: str, *, told: bool, seen: bool, followed: bool, who: str) -> str:
    """What was found of its two answers, and whether it could know of the change."""
    chooses = f"{'now' if before != after else 'still'} chooses {after}"
    if told:
        return f"the {who}, which is told the goal, {chooses}"
    if seen:
        return f"the {who}, which sees walls but no goal, {chooses}"
    if before != after:
        return f"the {who}, which is not told the goal, chose {before} and {chooses}"
    did = "did not" if followed else "does not follow"
    return f"the {who} {did}: it is not told the goal, and chooses {after} before and after"


def what_changed(goal: Goal, walls: tuple[int, ...]) -> str:
    """The subject of that sentence."""
    if goal and walls:
        return "The goal and the walls changed"
    if walls:
        return "The walls changed" if len(walls) > 1 else "A wall changed"
    return "The goal changed"
