"""How much learners from trial and error learn at each effort."""

from ..amortised import Tabular

UPDATES = {"smoke": 4, "quick": 40, "full": 200}
CAPACITY = 4096


def tabular(effort: str, explore: float = 0.05) -> Tabular:
    """Settings for worlds of some hundred states."""
    return Tabular(updates=UPDATES[effort], capacity=CAPACITY, explore=explore)


def updates_for(effort: str, enough: int) -> int:
    """Updates at an effort, where so many are enough: those, or twice as many to be sure."""
    return {"smoke": 4, "quick": enough, "full": 2 * enough}[effort]
