"""A number with its interval, and what the quantity can be."""

import msgspec
import numpy as np

Number = float | int


class Estimate(msgspec.Struct, frozen=True):
    """A number with its interval and how many observations stand behind it.

    NaN means *not known* (no data, or a quantity that is not defined here); it is never 0.
    Infinity means that no bound is known on that side. `freedom`, the degrees of freedom behind
    the interval, says how fast its tails fall (infinite: as a normal distribution's). `censored`
    says that the number is only a bound of what is meant, beyond which nothing was tried.

    `bounds` are what the quantity can be, where that is known: a share lies from 0 to 1. The
    interval itself may reach beyond, and is judged as it is, since its width carries the p-value;
    people are shown the part that lies within (`shown`).
    """

    estimate: float
    low: float
    high: float
    n: int
    freedom: float = float("inf")
    censored: bool = False
    bounds: tuple[float, float] | None = None

    @property
    def shown(self) -> "Estimate":
        """The same with the part of its interval that lies within its bounds: to be read."""
        if self.bounds is None or not self.bounds[0] <= self.estimate <= self.bounds[1]:
            return self
        least, most = self.bounds
        return msgspec.structs.replace(self, low=max(self.low, least), high=min(self.high, most))

    def __repr__(self) -> str:
        if self.n == 0 and np.isnan(self.estimate):
            return "no data n=0"
        ends = self.shown
        shown = f"{self.estimate:.3g} [{ends.low:.3g}, {ends.high:.3g}]"
        return f"{shown} n={self.n}" if self.n else shown  # worked out, from no observation


def nothing(n: int = 0) -> Estimate:
    """The estimate of what is not known."""
    return Estimate(float("nan"), float("nan"), float("nan"), n)


def bounded(estimate: Estimate, least: Number, most: Number) -> Estimate:
    """The same estimate of a quantity that lies from `least` to `most`; its interval is not cut."""
    return msgspec.structs.replace(estimate, bounds=(float(least), float(most)))
