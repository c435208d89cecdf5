"""What was spent, in words: one line, or a table of amounts."""

from collections.abc import Mapping
from typing import Any

from .html import Column, Markup, table
from .numbers import duration, number

UNITS = {
    "model_steps": "model steps",
    "network_evaluations": "network evaluations",
    "fits": "gradient updates",
    "data": "examples",
    "flops": "network operations",
    "seconds": "time",
}


def spent_words(spent: Mapping[str, Any], rows: int = 1) -> str:
    """Amounts in one line, of so many rows together; zeros are left out, the unknown is told."""
    told = [_told(name, amount) for name, amount in spent.items() if amount is None or amount]
    together = f" ({rows} rows together)" if rows > 1 and told else ""
    return f"Spent {', '.join(told) or 'nothing'}{together}."


def spent_table(spent: Mapping[str, Any], caption: str) -> Markup:
    """Every amount in a row of its own."""
    rows = [(UNITS[name], _amount(name, amount)) for name, amount in spent.items()]
    return table(caption, [Column("cost"), Column("amount", numbers=True)], rows)


def _told(name: str, amount: Any) -> str:
    if name == "seconds" and amount is not None:
        return duration(amount)
    unit = UNITS[name].removesuffix("s") if amount == 1 else UNITS[name]
    return f"{_amount(name, amount)} {unit}"


def _amount(name: str, amount: Any) -> str:
    if amount is None:
        return "unknown"
    return duration(amount) if name == "seconds" and amount else number(amount)
