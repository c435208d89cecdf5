"""Search guided by a network, and saved policies as deciders."""

from pathlib import Path
from typing import Any

from ...amortised.files.policies import load_network, save_network
from ...amortised.networks.feed_forward import Buildable, Network
from ...amortised.networks.gaussian import GaussianNetwork
from ...amortised.policies.answer import AnswerPolicy
from ...amortised.policies.gaussian import GaussianPolicy
from ...amortised.policies.network import NetworkPolicy, check_fits
from ...amortised.training.trained import Trained
from ...core.budget import Budget
from ...core.decider import Decider
from ...core.errors import UnsuitableTaskError
from ...core.task import Task
from ...direct.control.cross_entropy import CEM
from ...direct.tree_search.decider import TreeSearch
from ...direct.tree_search.rules import Gumbel, Rule
from ..learned_models.latent import LatentNetworks
from ..learned_models.learned_model import Ensemble, LearnedModel
from ..learned_models.mpc import LearnedModelMPC, MakePlanner
from ..learned_models.muzero import MuZero
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
    starts `SemiAmortised`, and a Gaussian one proposes plans to `CEM`; MuZero's networks and the
    ensembles of `train_mpc` become the deciders that they are. `budget` and `options` go
    there, on top of those the policy was saved with; without any the budget is 64. A task that no
    name makes again has to be given as `task`. Raises `PolicyFileError` for a folder without a
    whole policy or whose task cannot be made; nothing in it is ever executed.
    """
    task, network, info = load_network(path, Buildable, task=task)
    if not search and options:
        raise TypeError(f"The network alone takes no {', '.join(options)}: use search=True.")
    asked = {} if budget is None else {"budget": budget}
    options = {"budget": 64, **info.extra.get("search", {}), **asked, **options}
    if isinstance(network, LatentNetworks):
        return MuZero(task, network, **(options if search else {**options, "budget": 0}))
    if isinstance(network, Ensemble):
        if not search:
            raise UnsuitableTaskError(f"{path} holds a model, which has no policy without search.")
        return _by_model(task, network, **options)
    if isinstance(network, GaussianNetwork):
        if not search:
            return GaussianPolicy(task, network)
        return CEM(task, proposals=PolicyPlans(network=network), **options)
    assert isinstance(network, Network)
    if task.traits.discrete:
        return guided_search(task, network, **options) if search else NetworkPolicy(task, network)
    return SemiAmortised(task, network, **options) if search else AnswerPolicy(task, network)


def save(folder: Path | str, trained: Trained) -> Path:
    """Keep what a training gave as a policy that `load` reads: network, task, cost and options.

    Raises `UnsuitableTaskError` for tables and for networks of no task (see `save_network`), and
    what `save_network` raises.
    """
    decider, network = trained.decider, trained.network
    if not isinstance(network, Buildable) or decider is None:
        raise UnsuitableTaskError(
            f"{trained!r} is no network that decides on a task: tables are kept by the `folder` of "
            "their training, and networks of no task by `save_network`."
        )
    search: dict[str, Any] = {}
    if isinstance(decider, MuZero):
        search = {"gamma": decider.gamma, "scale": decider.scale}
    elif isinstance(decider, LearnedModelMPC):
        search = {"spread": decider.model.spread}
    elif isinstance(decider, SemiAmortised):
        search = {"rate": decider.rate}
    return save_network(
        folder, network, decider.task, ledger=trained.ledger, extra={"search": search}
    )


def _by_model(
    task: Task,
    ensemble: Ensemble,
    *,
    budget: Budget | int = 64,
    spread: bool = False,
    planner: MakePlanner | None = None,
    ends: Any = None,
    decode: Any = None,
) -> LearnedModelMPC:
    """Planning by a saved model: by the cross-entropy method unless another planner is made."""
    model = LearnedModel(task, ensemble, spread, ends)
    usual = lambda model: CEM(model, horizon=20, budget=budget, population=32)  # noqa: E731
    return LearnedModelMPC(task, model, planner or usual, decode=decode)
