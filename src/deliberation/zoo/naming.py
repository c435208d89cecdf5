"""Deciders by name: entries of the zoo, saved policies, one's own, strangers', plain search and
chance."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from jaxtyping import Array, Key

from ..core.budget import Budget
from ..core.decider import Decider
from ..core.errors import (
    BudgetError,
    DeliberationError,
    TaskFactoryError,
    UnknownNameError,
    WrongKindError,
)
from ..core.failures import PASSING, text_of
from ..core.task import Task
from ..core.uniform import UniformRandom
from ..direct import HistorySearch, TreeSearch
from ..hybrid import load
from ..tasks.names import find_own, is_own
from .made import Made
from .registry import entry, list_zoo
from .strangers import is_stranger, stranger

SEARCH = "search"
"""Tree search from the rules alone, whatever the task hides."""
RANDOM = "random"
"""Legal actions drawn evenly."""
SIMULATIONS = 512
MANIFEST = "policy.json"
FORMS = (
    "It may also be the folder of a saved policy, package.module:factory for one of your own, "
    "sb3:ppo.zip, hf:FOLDER of a language model, or an engine (uci:stockfish, gtp:gnugo, gnubg); a "
    "budget stands behind a colon, as in uct:1000."
)


class Named(NamedTuple):
    """A decider as it was asked for: its name, and the budget of a decision (None: its own)."""

    name: str
    decider: Decider
    budget: Budget | int | None


def split_budget(text: str) -> tuple[str, int | None]:
    """The name and the simulations behind its last colon, None where no number stands there."""
    name, colon, tail = text.rpartition(":")
    if colon and name and tail.isdigit():
        return name, int(tail)
    return text, None


def check_decider_name(text: str) -> None:
    """Refuse what cannot be a decider's name, before anything is computed.

    Raises `UnknownNameError` with the nearest name.
    """
    name, _ = split_budget(text)
    known, saved = [SEARCH, RANDOM, *list_zoo()], (Path(name) / MANIFEST).is_file()
    if name not in known and not saved and not is_stranger(name) and not is_own(name):
        raise UnknownNameError("decider", name, known, FORMS)


def named_decider(
    task: Task, text: str, key: Key[Array, ""], effort: str = "smoke", *, trust: bool = False
) -> Named:
    """The decider that `NAME` or `NAME:BUDGET` stands for, on a task; made or trained if need be.

    `effort` is how long entries of the zoo that learn are trained (see `deliberate zoo`); those
    that only search are made as for `quick`. Without `trust` files of others run no code. Raises
    `UnknownNameError`, `UnsuitableTaskError`, `PolicyFileError`, `TaskImportError` and
    `WrongKindError`, and of strangers what their adapters raise.
    """
    check_decider_name(text)
    name, budget = split_budget(text)
    if name == SEARCH:
        return Named(text, usual_search(task), budget)
    if name == RANDOM:
        return Named(text, UniformRandom(task), None)
    if name in list_zoo():
        level = "quick" if list_zoo()[name]["kind"] == "direct" else effort
        made = entry(name).build(task, level, key)
        return Named(text, made.decider, made.budget if budget is None else budget)
    if (Path(name) / MANIFEST).is_file():
        return Named(text, load(name, task=task, budget=budget), None)
    if is_stranger(name):
        return Named(text, stranger(task, name, trust), budget)
    return _own(task, text, name, budget)


def usual_search(task: Task) -> Decider:
    """UCT with random rollouts, over histories where something is hidden or chance is not listed.

    Raises `UnsuitableTaskError` for continuous actions.
    """
    traits = task.traits
    listed = traits.deterministic or traits.outcomes
    if traits.fully_observable and listed and traits.players <= 2:
        return TreeSearch(task, budget=SIMULATIONS)
    return HistorySearch(task, budget=SIMULATIONS)


def _own(task: Task, text: str, name: str, budget: int | None) -> Named:
    factory = find_own(name)
    try:
        made = factory(task) if _takes_task(factory) else factory()
    except (DeliberationError, *PASSING):
        raise
    except BaseException as error:
        raise TaskFactoryError(
            f"{name} raised {type(error).__name__} when called with the task: "
            f"{text_of(error, str)}. Mend it; it "
            "is called with the task and returns a decider."
        ) from error
    if isinstance(made, Made):
        return Named(text, made.decider, made.budget if budget is None else budget)
    if not isinstance(made, Decider):
        raise WrongKindError(
            f"{name} made {text_of(made)} ({type(made).__name__}), which is no decider: let it "
            "return a subclass of deliberation.Decider, or adapters.from_callable(f, task) of a "
            "function of observations (from_torch of a network)."
        )
    return Named(text, made, budget)


def _takes_task(factory: Callable[..., Any]) -> bool:
    try:
        return bool(inspect.signature(factory).parameters)
    except (TypeError, ValueError):
        return True


def check_budget(text: str) -> None:
    """Refuse a budget that is no number: `uct:many`. Raises `BudgetError`."""
    name, colon, tail = text.rpartition(":")
    if colon and name in (SEARCH, *list_zoo()) and not tail.isdigit():
        raise BudgetError(f"{tail!r} is no budget: give a number of simulations, as {name}:500.")
