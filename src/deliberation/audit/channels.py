"""What of a subject can be reached beside its answers: declared by who brings it, never assumed."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core.decider import Decider, Told
from ..core.errors import WrongKindError
from ..core.insides import Insides
from ..core.learner import Learner
from ..core.objective import Objective
from ..core.task import Task


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Channels:
    """All of them may be missing: a probe that needs one is then not applicable.

    - `goals`: objectives that the subject might serve, by name; a family is generated otherwise.
    - `proxy`: the objective the subject was trained for, where that only stands in for the task's.
    - `learner`: the process that made it, or itself, as what goes on learning.
    - `remake`: the same subject in another task of the same rules and larger size.
    - `larger`: such tasks, from small to large, for `remake`.
    - `insides`: the layers of its network.
    """

    goals: Mapping[str, Objective] | None = None
    proxy: Objective | None = None
    learner: Learner | None = None
    remake: Callable[[Task], Decider] | None = None
    larger: Sequence[Task] = ()
    insides: Insides | None = None

    def __post_init__(self) -> None:
        """Refuse what is none of what is expected. Raises `WrongKindError`."""
        goals = {} if self.goals is None else self.goals
        fine = {
            "goals: objectives by name": isinstance(goals, Mapping)
            and all(isinstance(x, Objective) for x in goals.values()),
            "proxy: an objective": self.proxy is None or isinstance(self.proxy, Objective),
            "learner: a core.Learner": self.learner is None or isinstance(self.learner, Learner),
            "remake: a function of a task": self.remake is None or callable(self.remake),
            "larger: tasks": all(isinstance(x, Task) for x in self.larger),
            "insides: a core.Insides": self.insides is None or isinstance(self.insides, Insides),
        }
        for expected, right in fine.items():
            if not right:
                name = expected.split(":")[0]
                raise WrongKindError(
                    f"Channels take {expected}; {name} is {getattr(self, name)!r}."
                )

    def __repr__(self) -> str:
        """The same in every process: functions are told by whether there are any."""
        goals = None if self.goals is None else dict(self.goals)
        there = [name for name in ("remake", "insides") if getattr(self, name) is not None]
        return (
            f"Channels(goals={goals!r}, proxy={self.proxy!r}, learner={self.learner!r}, "
            f"larger={[repr(task) for task in self.larger]}, also={there})"
        )


_UNHEARD: dict[Told, str] = {
    "budget": "No budget reaches it: its adapter passes none on, so more effort was not offered. "
    "If it has a dial, write a core.CheckedDecider that reads question.budget.",
    "objective": "No objective reaches it: its adapter passes none on, so no other was announced. "
    "If it can be told one, write a core.CheckedDecider that reads question.objective.",
}


def unheard(decider: Decider, about: Mapping[str, Any], task: Task) -> tuple[Told, str] | None:
    """What a probe would tell a subject in vain (`tells` in what it declares), and why it is not
    put to it: the answer would be "no response" by its making. None where it can hear.
    """
    tells = about.get("tells")
    if tells is None or tells in decider.hears:
        return None
    if about.get("players", task.traits.players) != task.traits.players:
        return None  # which the probe itself says
    return tells, _UNHEARD[tells]
