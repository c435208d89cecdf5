"""A decider: states in, decisions out, in batches, with what it spent."""

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, Key

from .budget import Budget
from .errors import NonFiniteError
from .keys import KeyLike, as_typed_keys
from .ledger import Ledger
from .objective import Objective
from .root import RootStatistics
from .task import Actions, State, Task, is_concrete

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Memory = Any
"""What a decider carries from one decision to the next: a pytree of arrays with one row for each
row of the batch, or None when it carries nothing."""
Told = Literal["budget", "objective"]
"""What can be told to a decider beside the state."""


class Decision(eqx.Module):
    """One answer a row. `weights` is a distribution over actions, zero where illegal.

    Where actions are continuous, it is one over the `candidates`, or over the action alone (a
    single 1) where there are none. `value` is the expected return for the player to move; `spent`
    holds one entry a row, by the decider's own word (see `Ledger`). Rows that are terminal get
    action -1 (continuous: zeros), zero weights and zero value. `root` is what a search found out
    about each action, None where nothing was searched or no such statistics are kept.
    """

    action: Actions
    weights: Float[Array, "batch actions"]
    value: Float[Array, " batch"]
    spent: Ledger
    candidates: Float[Array, "batch actions ..."] | None = None
    root: RootStatistics | None = None

    def __repr__(self) -> str:
        return f"Decision(action={self.action}, value={self.value}, spent={self.spent.total()})"

    def _repr_html_(self) -> str | None:
        """For a notebook; nothing while it is traced, or of decisions under several axes."""
        if not is_concrete(self) or np.ndim(self.weights) != 2:
            return None
        from .display.decisions import decision_html

        return decision_html(self)

    def plot(self, row: int = 0, names: Sequence[str] = ()) -> "Figure":
        """A figure of one row: its weights; where it searched, visits and values, too.

        `names` are those of the actions (`task.action_names`). Raises `BatchMismatchError`.
        """
        from .display.decisions import decision_panels
        from .display.figures import figure_of

        return figure_of(decision_panels(self, row, names), columns=3)


class Decider(eqx.Module):
    """Whatever chooses: a planner, a network, a table, a hybrid. One call for all of them.

    That one of them ignores `objective` or `budget` is a finding, not an interface, where they
    reach it. One that was made elsewhere may have no way to be told: it `hears` neither, and that
    its answers are the same whatever is told is then no finding.
    """

    task: eqx.AbstractVar[Task]
    hears: ClassVar[frozenset[Told]] = frozenset(("budget", "objective"))
    """What of these reaches whoever chooses; `check_decider` holds it to what it leaves out."""

    def begin(self, batch: int) -> Memory:
        """The memory before the first decision of a batch of episodes."""
        del batch
        return None

    @abc.abstractmethod
    def decide(
        self,
        state: State,
        memory: Memory = None,
        *,
        objective: Objective | None = None,
        budget: Budget | int | None = None,
        key: KeyLike,
    ) -> tuple[Decision, Memory]:
        """Choose for every row of a batch of states.

        `key` is one key, or one for each row: then a row's answer does not depend on its
        neighbours. Raises `RandomKeyError`, `BudgetError`, `BatchMismatchError`,
        `NonFiniteError`, `NoLegalActionError` outside of `jit`.
        """


def row_keys(key: KeyLike, batch: int) -> Key[Array, " batch"]:
    """One key a row from one key, or the keys given if there are as many as rows.

    Raises `RandomKeyError` for what is no key, and `BatchMismatchError`.
    """
    return as_typed_keys(key, batch)


def check_finite(where: str, **arrays: Array | np.ndarray) -> None:
    """Refuse NaN or infinity, naming the first array and row that has it. A no-op under `jit`."""
    if not is_concrete(arrays):
        return
    for name, array in arrays.items():
        # On the host, where nothing is compiled for each shape.
        bad = ~np.isfinite(np.asarray(array, np.float64))
        if bad.any():
            row = int(np.argmax(bad.reshape(bad.shape[0], -1).any(axis=1)))
            raise NonFiniteError(
                f"{where} gave NaN or infinity in its {name}, first in row {row}. Check the "
                "network's weights (a diverged training run?) and the objective's rewards."
            )
