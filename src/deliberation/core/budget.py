"""The effort dial: how much a decider may spend on one decision."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Int

from .errors import BatchMismatchError, BudgetError

UNLIMITED = int(np.iinfo(np.int32).max)


class Budget(eqx.Module):
    """Simulations a decision may use, and optionally a cap on model steps.

    Each is one number for the whole batch or an integer array with one number a row. Budgets are
    data, never part of a compiled program: sweeping them compiles once.
    """

    simulations: int | Int[Array, "*batch"]
    model_steps: int | Int[Array, "*batch"] | None = None

    @staticmethod
    def of(value: "Budget | int | np.ndarray | Array") -> "Budget":
        """Read a plain number or an array (one number a row) as simulations."""
        if isinstance(value, Budget):
            return value
        if isinstance(value, bool | float):
            raise BudgetError(f"A budget counts simulations in whole numbers; got {value!r}.")
        if not isinstance(value, int):
            value = jnp.asarray(value)
            _refuse_fractions("simulations", value)
        return Budget(value)

    def rows(self, batch: int) -> tuple[Int[Array, " batch"], Int[Array, " batch"]]:
        """(simulations, model steps) for each row; no cap on model steps reads as `UNLIMITED`."""
        steps = UNLIMITED if self.model_steps is None else self.model_steps
        return _row("simulations", self.simulations, batch), _row("model_steps", steps, batch)


def _row(name: str, value: int | Array | np.ndarray, batch: int) -> Int[Array, " batch"]:
    array = jnp.asarray(value)
    _refuse_fractions(name, array)
    if array.ndim > 1 or (array.ndim == 1 and array.shape[0] != batch):
        raise BatchMismatchError(
            f"budget.{name} has shape {array.shape} for a batch of {batch}: "
            "give one number, or one for each row."
        )
    if not isinstance(array, Tracer) and bool((array < 0).any()):
        raise BudgetError(
            f"budget.{name} is {int(array.min())}: a budget cannot be negative. "
            "Use 0 to answer from a prior alone."
        )
    return jnp.broadcast_to(array, (batch,)).astype(jnp.int32)


def _refuse_fractions(name: str, array: Array) -> None:
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise BudgetError(f"budget.{name} must be whole numbers, got dtype {array.dtype}.")
