"""What the amortised optimisers of the zoo share: one network, and how long it is trained."""

from jaxtyping import Array, Key

from ..amortised import Trained, answer_network
from ..amortised.networks.feed_forward import MLP
from ..core.ledger import Ledger
from ..core.task import Task
from .made import Made

STEPS = {"smoke": 200, "quick": 2000, "full": 20000}


def network(task: Task, key: Key[Array, ""], *, scored: bool = True) -> MLP:
    """Two layers of 128 units."""
    return answer_network(task, key=key, scored=scored)


def made(fit: Trained, before: Ledger | None = None) -> Made:
    """The network alone; `before` is what its data cost."""
    return Made(fit.decider, learned=fit.decider, trained=(before or Ledger()) + fit.ledger)
