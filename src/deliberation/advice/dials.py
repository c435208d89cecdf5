"""What a family of candidates hands over to be measured: deciders, their budgets, their recipe."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Array, Key

from ..core.decider import Decider
from ..core.task import Task


@dataclass(frozen=True)
class Dial:
    """A decider and the budgets that it is measured at, cheapest first; none where it has no dial.

    `imports` and `recipe` are the Python that makes it again; in the recipe `{budget}` stands for
    the budget and `{policy}` for the folder of the saved `policy`, if there is one.
    `preparation` is what came before the first decision, in seconds without compiling.
    """

    name: str
    kind: str
    title: str
    decider: Decider
    imports: str
    recipe: str
    budgets: tuple[int, ...] = ()
    preparation: float = 0.0
    policy: Path | None = None
    note: str = ""


@dataclass(frozen=True)
class Making:
    """What a family is made with.

    `seconds` are those of wall time that making may take, `world` what the probe found out about
    the task (see `probing`), `folder` where policies are kept, `training` the number of this one.
    """

    task: Task
    seconds: float
    most: float
    """Seconds of training that the limits allow; infinite where they do not say."""
    world: dict[str, Any]
    folder: Path
    training: int
    key: Key[Array, ""]
    largest: int
    """The largest budget of a planner."""

    @property
    def allowed(self) -> float:
        """Seconds that preparation may take: the limit's, or what there is time for."""
        return min(self.seconds, self.most)

    def ladder(self, first: int = 4, step: int = 4) -> tuple[int, ...]:
        """Budgets from `first` to the largest, each so many times the one before."""
        found = [first]
        while found[-1] * step <= self.largest:
            found.append(found[-1] * step)
        return tuple(found)


Made = Iterator[Dial]
