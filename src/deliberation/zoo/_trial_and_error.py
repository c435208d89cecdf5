"""How much learners from trial and error learn at each effort."""

from dataclasses import replace
from typing import TypeVar

from ..amortised import DQN, PPO, Tabular

Settings = TypeVar("Settings", PPO, DQN)

UPDATES = {"smoke": 4, "quick": 40, "full": 200}
CAPACITY = 4096


def tabular(effort: str, explore: float = 0.05) -> Tabular:
    """Settings for worlds of some hundred states."""
    return Tabular(updates=UPDATES[effort], capacity=CAPACITY, explore=explore)


def at_effort(settings: Settings, effort: str) -> Settings:
    """With the settings' own updates (quick), twice as many (full), or 4 (smoke)."""
    own = settings.updates
    return replace(settings, updates={"smoke": 4, "quick": own, "full": 2 * own}[effort])
