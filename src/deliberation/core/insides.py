"""What a network computes between an observation and its answer, to be read and to be replaced."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Array as JaxArray
from jaxtyping import Float, Key

Observed = Float[np.ndarray, "n ..."]
Units = Float[np.ndarray, "n units"]


@dataclasses.dataclass(frozen=True, eq=False)
class Insides:
    """The layers of a network by name.

    `read` gives the activations of every layer for a batch of observations; `resume` the network's
    scores of the actions (n, actions) where one layer's activations are replaced by others;
    `untrained` the same architecture at random weights.
    """

    read: Callable[[Observed], Mapping[str, Units]]
    resume: Callable[[Observed, str, Units], Float[np.ndarray, "n actions"]]
    untrained: Callable[[Key[JaxArray, ""]], "Insides"]
