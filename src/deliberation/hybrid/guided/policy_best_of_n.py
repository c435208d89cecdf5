"""Best of n answers of a learned policy: the least search that one can put on top of a network."""

from typing import Any

from ...amortised.networks.feed_forward import Network
from ...amortised.policies.network import check_fits
from ...core.task import Task
from ...direct.control.best_of_n import BestOfN
from .guide import NetworkGuide


def best_of_policy(task: Task, network: Network, **options: Any) -> BestOfN:
    """Draw candidates from a network's policy and keep the one that the objective likes best.

    Playouts follow the network's policy too; with `depth` they are cut short and count its value
    there. `options` (`budget`, `playouts`, `depth`, `lanes`) go to `BestOfN`. Budget 0 draws from
    the policy itself. Raises `UnsuitableTaskError` where network and task do not fit.
    """
    check_fits(task, network)
    return BestOfN(task, NetworkGuide.of(task, network), **options)
