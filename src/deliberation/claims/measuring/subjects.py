"""Whom claims are about: deciders by importable reference, "package.module:function".

A subject is a function of the task, of the folder of a trained policy (None where it needs none),
and of options (JSON values), which gives a `Decider`. Those here are what most claims compare;
any other reference works as well, `zoo` among them for every entry of the zoo.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from ...amortised import AnswerPolicy, NetworkPolicy, load_network
from ...core.decider import Decider
from ...core.task import Task
from ...core.uniform import UniformRandom
from ...direct import (
    CEM,
    UCT,
    Gumbel,
    HistorySearch,
    NoEvaluation,
    TreeSearch,
    ValueOfComputation,
)
from ...hybrid import Gated, fit_gates, guided_search
from ...runs.worker import load
from ...tasks.remembered import shown_with_memory
from .split import lessons

HERE = "deliberation.claims.measuring.subjects"


def make(reference: str, task: Task, folder: Path | None, options: dict[str, Any]) -> Decider:
    """The decider behind a reference. Raises `CellError` where there is none."""
    function: Callable[..., Decider] = load(reference)
    return function(task, folder, **options)


def random(task: Task, folder: Path | None = None) -> Decider:
    """Every legal action alike."""
    del folder
    return UniformRandom(task)


def planner(task: Task, folder: Path | None = None, **options: Any) -> Decider:
    """Search from the rules alone, as the task wants it.

    UCT with random rollouts where all is seen and actions can be counted, the same over histories
    where something is hidden, the cross-entropy method over plans where actions are continuous.
    """
    del folder
    traits = task.traits
    if not traits.discrete:
        usual: dict[str, Any] = {"population": 32, "horizon": min(30, traits.horizon)}
        return CEM(task, **{**usual, **options})
    if not traits.fully_observable:
        return HistorySearch(task, **options)
    return TreeSearch(task, "uct", **options)


def even(task: Task, folder: Path | None = None) -> Decider:
    """The same search with an exploration so great that it spreads its simulations evenly."""
    del folder
    return TreeSearch(task, UCT(c=1e3))


def blind(task: Task, folder: Path | None = None) -> Decider:
    """Guided search with every learned part off: uniform prior, zero value."""
    del folder
    return TreeSearch(task, Gumbel(noise=0.0), NoEvaluation())


def network(task: Task, folder: Path | None = None) -> Decider:
    """A network alone: one forward pass a decision, over all that was seen where some is hidden.

    There the decider's task is the one with memory (`Remembered`).
    """
    shown = shown_with_memory(task)
    _, found, _ = load_network(_needed(folder), task=shown)
    return NetworkPolicy(shown, found) if task.traits.discrete else AnswerPolicy(task, found)


def guided(task: Task, folder: Path | None = None) -> Decider:
    """Search that the network guides."""
    _, found, _ = load_network(_needed(folder), task=task)
    return guided_search(task, found)


def gated(
    task: Task, folder: Path | None = None, *, budget: int = 16, cost: float = 2e-3
) -> Decider:
    """The network, and search that it guides only where that is expected to pay.

    The gate learns what search gains from positions that nothing is tested on.
    """
    _, found, _ = load_network(_needed(folder), task=task)
    search = guided_search(task, found, budget=budget)
    states = lessons(task, 512, jax.random.key(7))
    gates, _ = fit_gates(task, found, search, states, budget=budget, key=jax.random.key(8))
    return Gated(found, search, gates, cost=cost, budget=budget)


def economical(
    task: Task, folder: Path | None = None, *, cost: float = 1e-3, prove: bool = True
) -> Decider:
    """Search that stops where another simulation is not worth its cost."""
    del folder
    return TreeSearch(task, "uct", stopping=ValueOfComputation(cost), prove=prove)


def zoo(
    task: Task, folder: Path | None = None, *, entry: str, effort: str = "quick", seed: int = 0
) -> Decider:
    """An entry of the zoo, made and trained anew."""
    del folder
    from ...zoo.registry import entry as find

    return find(entry).build(task, effort, jax.random.key(seed)).decider


def stable_baselines3(
    task: Task, folder: Path | None = None, *, path: str, **options: Any
) -> Decider:
    """A model of stable-baselines3 by the path of its archive; see `adapters.from_sb3`."""
    del folder
    from ...adapters import from_sb3

    return from_sb3(path, task, **options)


def _needed(folder: Path | None) -> Path:
    if folder is None:
        raise ValueError("This subject is a trained policy: name the cell that trains it.")
    return folder
