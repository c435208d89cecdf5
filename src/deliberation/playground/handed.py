"""Policies that the playground is started with: saved ones, and whatever `audit` takes."""

from pathlib import Path
from typing import NamedTuple

import jax

from ..amortised import NetworkPolicy
from ..amortised.files import load_network
from ..core.decider import Decider
from ..core.errors import DeliberationError, UnsuitableTaskError
from ..tasks import portable_name
from ..zoo.naming import Named, named_decider
from .settings import RefusedError, Settings
from .worlds import batched, world


class Handed(NamedTuple):
    """A policy as the habit of a task; `named` where it was named, and is not a folder."""

    task: str
    policy: Decider
    about: str
    kind: str = "network"
    named: Named | None = None


def handed(settings: Settings) -> list[Handed]:
    """The policies of the command line, each for the tasks that it is for.

    A folder tells its task. What is named otherwise (`package.module:factory`, `sb3:FILE`, an entry
    of the zoo) is made on each task of the command line, and is for those that it answers on.
    Raises `UnsuitableTaskError` where there is none, and what making it raises.
    """
    found: list[Handed] = []
    for text in map(str, settings.policies):
        found += [_saved(Path(text))] if Path(text).is_dir() else _made(settings, text)
    return found


def _saved(folder: Path) -> Handed:
    task, network, _ = load_network(folder)
    return Handed(portable_name(task), NetworkPolicy(task, network), f"saved in {folder.name}")


def _made(settings: Settings, text: str) -> list[Handed]:
    if not settings.tasks:
        raise UnsuitableTaskError(
            f"{text} does not tell which task it is for: name that too, as in "
            f"`deliberate serve my_games.nim:Nim --policy {text}`."
        )
    found: list[Handed] = []
    refusals: list[DeliberationError] = []
    for name in dict.fromkeys(settings.tasks):
        try:
            found.append(_on(name, text, settings.trust))
        except DeliberationError as error:
            refusals.append(error)
    if not found:
        raise refusals[0]
    return found


def _on(name: str, text: str, trust: bool) -> Handed:
    """A policy on a task. Raises what it raises when it is made, or first asked."""
    try:
        task = world(name)
    except RefusedError as error:
        raise UnsuitableTaskError(error.sentence) from error
    made = named_decider(task, text, jax.random.key(0), trust=trust)
    state = batched(task.init(jax.random.key(0)))
    made.decider.decide(state, made.decider.begin(1), budget=made.budget, key=jax.random.key(0))
    return Handed(name, made.decider, f"{text}, named at the start", "policy", made)
