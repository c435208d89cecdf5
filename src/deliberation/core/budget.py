"""The effort dial: how much a decider may spend on one decision."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Int

from .errors import BatchMismatchError, BudgetError

UNLIMITED = int(np.iinfo(np.int32).max)


class Budget(eqx.Module):
    """What a decision may use: simulations, model steps, seconds; at least one of them.

    Simulations and model steps are one number for the whole batch or an integer array with one
    number a row. `seconds` is wall time for one call of `decide`, all rows together, for deciders
    that can be interrupted (`TreeSearch`) and outside of `jit` only. Whatever is used up first ends
    the decision. Budgets are data, never part of a compiled program: sweeping them compiles once.
    """

    simulations: int | Int[Array, "*batch"] | None = None
    model_steps: int | Int[Array, "*batch"] | None = None
    seconds: float | int | None = None

    def __check_init__(self) -> None:
        if self.simulations is None and self.model_steps is None and self.seconds is None:
            raise BudgetError("An empty budget: give simulations, model_steps or seconds.")
        _check_seconds(self.seconds)

    @staticmethod
    def of(value: "Budget | int | np.ndarray | Array") -> "Budget":
        """Read a plain number or an array (one number a row) as simulations."""
        if isinstance(value, Budget):
            return value
        if isinstance(value, Tracer | Array | np.ndarray | np.generic):
            _refuse_fractions("simulations", value)
            if isinstance(value, np.ndarray | np.generic):  # JAX would cut it off at 32 bits
                value = np.minimum(value, UNLIMITED)
            return Budget(jnp.asarray(value))
        if isinstance(value, bool) or not isinstance(value, int):
            raise BudgetError(
                f"A budget counts simulations in whole numbers; got {value!r}. Give an int, an "
                "array with one number a row, or Budget(model_steps=...). A limit of time is "
                "Budget(seconds=...)."
            )
        return Budget(value)

    def rows(self, batch: int) -> tuple[Int[Array, " batch"], Int[Array, " batch"]]:
        """(simulations, model steps) for each row; what is not limited reads as `UNLIMITED`.

        Raises `BudgetError` for a limit of seconds: who can keep one asks for `untimed()` rows.
        """
        simulations, steps = self.host_rows(batch)
        return _on_device(simulations), _on_device(steps)

    def host_rows(self, batch: int) -> tuple[Any, Any]:
        """The same as NumPy arrays, so that nothing goes to a device; traced ones as they are."""
        if self.seconds is not None:
            raise BudgetError(
                "This decider counts what it spends and cannot keep a limit of seconds: give "
                "simulations or model_steps instead."
            )
        given = (("simulations", self.simulations), ("model_steps", self.model_steps))
        simulations, steps = (
            _row(name, UNLIMITED if value is None else value, batch) for name, value in given
        )
        return simulations, steps

    def untimed(self, simulations: int) -> "Budget":
        """This budget without `seconds`, and with so many simulations if it names none."""
        named = self.simulations if self.simulations is not None else simulations
        return Budget(named, self.model_steps) if self.seconds is not None else self


def _on_device(row: Any) -> Array:
    """Put there, and not made by `jnp.asarray`, which compiles something for each shape."""
    return row if isinstance(row, Tracer) else jax.device_put(row)


def _check_seconds(seconds: float | int | None) -> None:
    if seconds is None:
        return
    if isinstance(seconds, Tracer | Array | np.ndarray):
        raise BudgetError(
            "budget.seconds is an array: a limit of time is one plain number for the whole batch, "
            "kept by the host, and cannot be part of a compiled program."
        )
    numeric = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not numeric or not 0 < seconds < math.inf:
        raise BudgetError(f"budget.seconds is {seconds!r}: give a positive number.")


def _row(name: str, value: int | Array | np.ndarray, batch: int) -> Any:
    # What can be looked at is, on the host: this comes before every decision.
    if isinstance(value, int):
        value = min(value, UNLIMITED)
    array = value if isinstance(value, Tracer) else np.asarray(value)
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
    if isinstance(array, Tracer):
        return jnp.broadcast_to(array, (batch,)).astype(jnp.int32)
    return np.broadcast_to(np.minimum(array, UNLIMITED), (batch,)).astype(np.int32)


def _refuse_fractions(name: str, array: Array | np.ndarray | np.generic) -> None:
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise BudgetError(f"budget.{name} must be whole numbers, got dtype {array.dtype}.")
