"""What a state of a Gymnasium environment holds."""

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int, PyTree, UInt8, UInt32


class GymState(eqx.Module):
    """A state of a foreign environment: what it is made of again, and what came with it.

    `memory` are the attributes of the environment, or a handle under which its snapshot may be
    found; then `origin` (the key of the first state) and `history` (actions and keys) make it
    again. `observation` has the structure of the environment's space and `info` the numbers that
    the environment told; `reward` is what the last action earned.
    """

    memory: UInt8[Array, " bytes"]
    origin: UInt32[Array, " 2"]
    history: UInt32[Array, "actions words"]
    observation: PyTree
    reward: Float[Array, ""]
    info: dict[str, Array]
    over: Bool[Array, ""]
    cut: Bool[Array, ""]
    time: Int[Array, ""]
