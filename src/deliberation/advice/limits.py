"""What a person knows before deciding: how many decisions, how fast, how long to train, at what
price. Quantities are numbers, or text with a unit: `10ms`, `1e6`, `2h`, `$0.05`.

Nothing heavy is imported, so that the command line refuses bad input at once.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from ..core.errors import DeliberationError

UNITS: dict[str, Mapping[str, float]] = {
    "time": {
        "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0,
        "h": 3600.0, "d": 86400.0,
    },
    "count": {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9},
    "days": {"": 1.0, "d": 1.0, "w": 7.0, "y": 365.0},
    "dollars": {"": 1.0},
}  # fmt: skip
"""Factors to seconds, to a number, to days and to dollars, by the kind of quantity."""
FORMS = {
    "time": "a number with a unit, as in 10ms, 1.5s, 10m or 2h",
    "count": "a number, as in 5000, 1e6 or 2M",
    "days": "a number of days, as in 30, 4w or 1y",
    "dollars": "dollars, as in 0.05 or $0.05",
}
DAY = 86400.0
PRICE = 0.05
"""Dollars an hour of one core: about what clouds ask for a core of a general machine."""
DAYS = 365.0
TOLERANCE = 0.05
"""Part of the way from random play to the best that was measured that counts as no difference."""
_NUMBER = re.compile(r"\s*\$?\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([a-zA-Zµ]*)\s*")


class UnitError(DeliberationError, ValueError):
    """A quantity that cannot be read, has no unit where it needs one, or lies out of range."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a decider, in plain units; `Limits.of` reads them with units and checks.

    `latency` (seconds) bounds nine in ten decisions, `training_budget` (seconds) what comes before
    the first one: training, or solving. None: no limit. Prices are dollars an hour of one core.
    `smallest` is the difference in score that begins to matter, in units of return; None: a
    twentieth of the way from random play to the best measured, and at least a tenth of the standard
    deviation of random play's returns.
    """

    decisions_a_day: float = 1e4
    days: float = DAYS
    latency: float | None = None
    training_budget: float | None = None
    price: float = PRICE
    training_price: float = PRICE
    smallest: float | None = None

    @classmethod
    def of(
        cls,
        *,
        decisions_a_day: Any = None,
        days: Any = None,
        latency: Any = None,
        training_budget: Any = None,
        price: Any = None,
        training_price: Any = None,
        smallest: Any = None,
    ) -> "Limits":
        """Limits from numbers or text with units; numbers are seconds, days and dollars.

        Raises `UnitError`, which says what was wrong with which quantity and how to write it.
        """
        read = {
            "decisions_a_day": _read("decisions a day", decisions_a_day, "count"),
            "days": _read("days", days, "days"),
            "latency": _read("latency", latency, "time"),
            "training_budget": _read("training budget", training_budget, "time"),
            "price": _read("price", price, "dollars"),
            "training_price": _read("training price", training_price, "dollars"),
            "smallest": _read("smallest difference", smallest, "count"),
        }
        if read["training_price"] is None and read["price"] is not None:
            read["training_price"] = read["price"]
        return cls(**{name: value for name, value in read.items() if value is not None})

    @property
    def decisions(self) -> float:
        """How many decisions there will be in all."""
        return self.decisions_a_day * self.days


def _read(name: str, value: Any, kind: str) -> float | None:
    return None if value is None else quantity(value, kind, name)


def quantity(value: Any, kind: str, name: str) -> float:
    """A positive number from a number, or from text with a unit of a kind ("time", "count"...).

    Plain numbers are seconds where a time is meant; text needs a unit there, since `10` alone could
    be milliseconds or minutes. Raises `UnitError`.
    """
    wrong = f"The {name} {value!r}"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnitError(f"{wrong} is no quantity: give {FORMS[kind]}.")
    number = _parsed(value, kind, wrong) if isinstance(value, str) else float(value)
    if not math.isfinite(number) or number <= 0:
        raise UnitError(f"{wrong} must be above 0 and finite: give {FORMS[kind]}.")
    return number


def _parsed(text: str, kind: str, wrong: str) -> float:
    found = _NUMBER.fullmatch(text)
    if found is None or ("$" in text and kind != "dollars"):
        raise UnitError(f"{wrong} cannot be read: give {FORMS[kind]}.")
    units = UNITS[kind]
    unit = found[2] if found[2] in units else found[2].lower()
    if unit in units:
        return float(found[1]) * units[unit]
    known = ", ".join(name for name in units if name and name != "µs")
    if not found[2]:
        raise UnitError(f"{wrong} has no unit: give {FORMS[kind]} (units: {known}).")
    hint = f" (units: {known})" if known else ""
    raise UnitError(f"{wrong} has the unknown unit {found[2]!r}: give {FORMS[kind]}{hint}.")
