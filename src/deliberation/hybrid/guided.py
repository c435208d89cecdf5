"""Search guided by a network, and saved policies as deciders."""

from pathlib import Path
from typing import Any

from ..amortised.files import load_network
from ..amortised.networks import Network
from ..amortised.policy import NetworkPolicy, check_fits
from ..core.budget import Budget
from ..core.decider import Decider
from ..core.task import Task
from ..direct.planner import TreeSearch
from ..direct.rules import Gumbel, Rule
from .guide import NetworkGuide

CAPACITY = 64


def guided_search(
    task: Task,
    network: Network,
    *,
    rule: Rule | str | None = None,
    rollouts: int = 0,
    symmetries: bool = False,
    budget: Budget | int = 64,
    capacity: int = CAPACITY,
    **options: Any,
) -> TreeSearch:
    """A planner initialised with an amortised policy and value.

    `rule` is Gumbel search without noise unless given (Danihelka et al. 2022). `rollouts` random
    playouts are averaged with the network's value at every leaf; with `symmetries` the network is
    averaged over the task's symmetries. Budget 0 answers from the network's prior alone. Trees
    start with room for `capacity` simulations and grow on demand. Other `options` (`prove`,
    `reuse`, `stopping`, `backend`...) go to `TreeSearch`.

    Raises `UnsuitableTaskError` where the network's shapes are not the task's or the task cannot be
    searched.
    """
    check_fits(task, network)
    guide = NetworkGuide.of(task, network, rollouts=rollouts, symmetries=symmetries)
    chosen = Gumbel(noise=0.0) if rule is None else rule
    return TreeSearch(task, chosen, guide, budget=budget, capacity=capacity, **options)


def load(
    path: Path | str, *, search: bool = True, budget: Budget | int = 64, **options: Any
) -> Decider:
    """A saved policy as a decider: guided search, or the network alone with `search=False`.

    `options` go to `guided_search`, on top of those the policy was saved with. Raises
    `PolicyFileError` for a folder without a whole policy; nothing in it is ever executed.
    """
    task, network, info = load_network(path)
    if not search:
        if options:
            raise TypeError(f"The network alone takes no {', '.join(options)}: use search=True.")
        return NetworkPolicy(task, network)
    return guided_search(
        task, network, budget=budget, **{**info.extra.get("search", {}), **options}
    )
