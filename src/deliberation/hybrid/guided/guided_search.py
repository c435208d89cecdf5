"""Search guided by a network, and saved policies as deciders."""

from pathlib import Path
from typing import Any

from ...amortised.files.policies import load_network
from ...amortised.networks.feed_forward import Buildable, Network
from ...amortised.networks.gaussian import GaussianMLP
from ...amortised.policies.answer import AnswerPolicy
from ...amortised.policies.gaussian import GaussianPolicy
from ...amortised.policies.network import NetworkPolicy, check_fits
from ...core.budget import Budget
from ...core.decider import Decider
from ...core.task import Task
from ...direct.control.cross_entropy import CEM
from ...direct.tree_search.decider import TreeSearch
from ...direct.tree_search.rules import Gumbel, Rule
from ..parametric.semi_amortised import SemiAmortised
from .guide import NetworkGuide
from .policy_plans import PolicyPlans

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
    path: Path | str,
    *,
    task: Task | None = None,
    search: bool = True,
    budget: Budget | int | None = None,
    **options: Any,
) -> Decider:
    """A saved policy as a decider: improved by search, or the network alone with `search=False`.

    With search, a policy over numbered actions guides `guided_search`, one that answers a problem
    starts `SemiAmortised`, and a Gaussian one proposes plans to `CEM`. `budget` and `options` go
    there, on top of those the policy was saved with; without any the budget is 64. A policy of a
    task that is not registered needs that `task`. Raises
    `PolicyFileError` for a folder without a whole policy; nothing in it is ever executed.
    """
    task, network, info = load_network(path, Buildable, task=task)
    if not search and options:
        raise TypeError(f"The network alone takes no {', '.join(options)}: use search=True.")
    asked = {} if budget is None else {"budget": budget}
    options = {"budget": 64, **info.extra.get("search", {}), **asked, **options}
    if isinstance(network, GaussianMLP):
        if not search:
            return GaussianPolicy(task, network)
        return CEM(task, proposals=PolicyPlans(network=network), **options)
    assert isinstance(network, Network)
    if task.traits.discrete:
        return guided_search(task, network, **options) if search else NetworkPolicy(task, network)
    return SemiAmortised(task, network, **options) if search else AnswerPolicy(task, network)
