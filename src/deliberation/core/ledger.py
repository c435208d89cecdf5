"""What was spent, on training and on decisions. Unknown is not zero."""

from typing import Any

import equinox as eqx
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Num

Amount = float | int | Num[Array, "*batch"] | Num[np.ndarray, "*batch"] | None


class Ledger(eqx.Module):
    """Amounts spent; each a number, an array with one entry a row, or None for *unknown*.

    model_steps: calls of a task's `step` (true or learned). network_evaluations: forward passes,
    one for each input. fits: gradient updates. data: training examples seen for the first time.
    flops: floating-point operations of networks (the currency of Jones 2021); what the rules
    themselves compute is counted in model steps. seconds: wall time; of decisions, that of
    compiling is left out.
    Adding is associative, `Ledger()` is its zero, and unknown plus anything is unknown.

    In a decision each row counts what it would have spent by itself, so that counts, like answers,
    depend on no neighbour, and keep to the row's own budget (a simulation once begun is finished).
    What a decider works out once for several rows, or keeps to save time, is charged to each; what
    it carries in its `memory` was paid for when it came there. Seconds are measured, and shared.

    Counts are the decider's own word: nothing checks that one which reports no model steps takes
    none. Where that matters, measure the wall time of its calls beside them (`core.clock.now`).
    """

    model_steps: Amount = 0
    network_evaluations: Amount = 0
    fits: Amount = 0
    data: Amount = 0
    flops: Amount = 0
    seconds: Amount = 0

    def __add__(self, other: "Ledger") -> "Ledger":
        return Ledger(
            *(
                None if a is None or b is None else a + b
                for a, b in zip(self._amounts(), other._amounts(), strict=True)
            )
        )

    def total(self) -> "Ledger":
        """Sum over the batch, as Python numbers."""
        return Ledger(*(None if a is None else exact_sum(a) for a in self._amounts()))

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for a record; unknown amounts are null."""
        return dict(zip(self.__dataclass_fields__, self.total()._amounts(), strict=True))

    def __repr__(self) -> str:
        """What was spent, zeros left out; of many rows the sum, and the least and the most."""
        pairs = zip(self.__dataclass_fields__, self._amounts(), strict=True)
        told = {name: _told(amount) for name, amount in pairs}
        spent = ", ".join(f"{name}={amount}" for name, amount in told.items() if amount != "0")
        return f"Ledger({spent or 'nothing'})"

    def _amounts(self) -> list[Amount]:
        return [getattr(self, name) for name in self.__dataclass_fields__]


def _told(amount: Amount) -> str:
    """One amount in words, short whatever its batch."""
    if amount is None:
        return "unknown"
    if isinstance(amount, Tracer):
        return f"{amount.dtype}{list(amount.shape)}"
    rows = np.asarray(amount)
    total = _number(exact_sum(rows))
    if rows.ndim == 0 or not rows.any():
        return total
    low, high = _number(rows.min().item()), _number(rows.max().item())
    each = f"{rows.size} x {low}" if low == high else f"{rows.size} of {low} to {high}"
    return f"{total} ({each})"


def _number(amount: float | int) -> str:
    return f"{amount:.4g}" if isinstance(amount, float) else str(amount)


def exact_sum(amounts: float | int | Num[Array, "*batch"] | np.ndarray) -> float | int:
    """Add up in 64 bits: a training run's FLOPs overflow int32 and round in float32."""
    array = np.asarray(amounts)
    if array.ndim == 0:
        return array.item()
    wide = np.float64 if np.issubdtype(array.dtype, np.floating) else np.int64
    return array.sum(dtype=wide).item()
