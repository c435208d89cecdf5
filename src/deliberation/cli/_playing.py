"""What `look` and `play` share: their options, and what these stand for."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..core.objective import Objective
    from ..core.task import Task
    from ..zoo.naming import Named

Option = Callable[[Callable[..., Any]], Callable[..., Any]]
OBJECTIVE_HELP = (
    "Another one than the task's: misere, weights of features (goal=0,pit=1), or "
    "package.module:factory."
)
SEED = click.IntRange(0, 2**31 - 1)
"""Seeds that are all different: JAX takes larger ones round to these, or refuses them."""


class Real(click.FloatRange):
    """A number within bounds; `nan` and `inf` are none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number. Fails as options do."""
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is no number to count with.", param, ctx)
        return found


def seed_option() -> Option:
    """Of the first state, of chance, and of deciders."""
    about = "Of the first state, of chance, and of deciders."
    return click.option("--seed", type=SEED, default=0, show_default=True, help=about)


def effort_option() -> Option:
    """How long what is learned is trained first."""
    levels = click.Choice(("smoke", "quick", "full"))
    about = "How long deciders of the zoo that learn are trained first."
    return click.option("--effort", type=levels, default="smoke", show_default=True, help=about)


def trust_option() -> Option:
    """Whether files of others may run code."""
    about = (
        "Read pickles and run code of policies of others (sb3:, hf:), as you trust their makers."
    )
    return click.option("--trust", is_flag=True, help=about)


def objective_option() -> Option:
    """What is wanted."""
    return click.option("--objective", metavar="OBJECTIVE", help=OBJECTIVE_HELP)


def checked_deciders(names: Sequence[str]) -> None:
    """Refuse names of deciders that cannot be, before JAX has anything to do."""
    from ..zoo.naming import check_budget, check_decider_name

    for name in names:
        check_budget(name)
        check_decider_name(name)


def made_deciders(
    task: "Task", names: Sequence[str], seed: int, effort: str, trust: bool = False
) -> "dict[str, Named]":
    """The deciders of these names; those that learn are trained first."""
    import jax

    from ..core.keys import named_key
    from ..zoo.naming import named_decider

    key = jax.random.key(seed)
    return {
        name: named_decider(task, name, named_key(key, f"make {name}"), effort, trust=trust)
        for name in dict.fromkeys(names)
    }


def asked_objective(task: "Task", text: str | None) -> "Objective | None":
    """The objective that was asked for, None for the task's own.

    Raises `TaskOptionError` for what is none of the forms, `TaskImportError` and `WrongKindError`.
    """
    from ..core.errors import TaskOptionError
    from ..core.objective import misere
    from ..tasks.names import is_own

    if text is None:
        return None
    if text == "misere":
        return misere(task.objective)
    if is_own(text):
        return _own(task, text)
    reweighted = getattr(task, "reweighted", None)
    if reweighted is None or "=" not in text:
        offered = "" if reweighted is None else ", or weights of features, as in goal=0,pit=1"
        raise TaskOptionError(
            f"There is no objective {text!r} for {task!r}: give misere, package.module:factory"
            f"{offered}."
        )
    try:
        parts = (part.split("=", 1) for part in text.split(","))
        return reweighted(**{name.strip(): float(value) for name, value in parts})
    except ValueError as error:
        raise TaskOptionError(
            f"{text!r} says no weights of features: {error}. Write them as in goal=0,pit=1."
        ) from error


def _own(task: "Task", text: str) -> "Objective":
    import inspect

    from ..core.errors import WrongKindError
    from ..core.objective import Objective
    from ..tasks.names import find_own

    factory = find_own(text)
    made = factory(task) if inspect.signature(factory).parameters else factory()
    if not isinstance(made, Objective):
        raise WrongKindError(
            f"{text} made {made!r}, which is no objective: let it return a subclass of "
            "deliberation.Objective."
        )
    return made


def write_whole(path: Any, text: str) -> None:
    """Write a file so that it is there wholly or not at all. Raises `StorageError`."""
    import os
    import tempfile
    from pathlib import Path

    from ..core.errors import StorageError

    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(beside, 0o644)
            os.replace(beside, path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(
            f"Writing {path} failed: {error}. Make room or choose another place."
        ) from error
