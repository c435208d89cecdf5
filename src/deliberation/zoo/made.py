"""What an entry of the zoo hands over: a decider, its parts, and what making it cost."""

from dataclasses import dataclass, field

from ..core.budget import Budget
from ..core.decider import Decider
from ..core.ledger import Ledger


@dataclass(frozen=True)
class Made:
    """A decider and the same decider with either of its parts switched off.

    `searching` has every learned part off (uniform prior, zero value, the planner alone);
    `learned` has search off (budget 0, the network alone). A part that is missing is None, and
    playing at random stands for it: a planner has `searching` alone, a network `learned` alone.
    `budget` is what `decider` and `searching` are given for a decision. `trained` is what learning
    (or solving beforehand) spent, its seconds included.
    """

    decider: Decider
    searching: Decider | None = None
    learned: Decider | None = None
    budget: Budget | int | None = None
    trained: Ledger = field(default_factory=Ledger)
