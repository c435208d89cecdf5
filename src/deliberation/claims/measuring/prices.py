"""What computing is paid for, in dollars an hour of one core."""

from collections.abc import Mapping
from typing import Any

import msgspec

DEFAULT = 0.05
"""Dollars an hour of one core: about what clouds ask for a core of a general machine."""


class Prices(msgspec.Struct, frozen=True):
    """Dollars an hour of one core: of those that decide, and of those that train.

    They enter where records are analysed, never where something is measured.
    """

    decision: float = DEFAULT
    training: float = DEFAULT

    @classmethod
    def asked(cls, price: float | None, training: float | None) -> "Prices | None":
        """Those that were asked for: training costs the same unless told. None: none were."""
        if price is None and training is None:
            return None
        decision = DEFAULT if price is None else price
        return cls(decision, decision if training is None else training)

    @classmethod
    def read(cls, manifest: Mapping[str, Any]) -> "Prices":
        """Those of a run's settings; the usual ones where none are told."""
        return cls(**manifest.get("prices", {}))

    def told(self) -> dict[str, float]:
        """As a run's settings hold them."""
        return {"decision": self.decision, "training": self.training}
