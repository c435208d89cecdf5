"""How much the tabular entries learn at each effort."""

from ..amortised import Tabular

UPDATES = {"smoke": 4, "quick": 40, "full": 200}
CAPACITY = 4096


def tabular(effort: str, explore: float = 0.05) -> Tabular:
    """Settings for worlds of some hundred states."""
    return Tabular(updates=UPDATES[effort], capacity=CAPACITY, explore=explore)
