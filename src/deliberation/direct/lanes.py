"""What passes between a search and its back ends: one lane for each simulation of a round."""

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int

from .tree import Tree

IDLE = -2
"""Forced action of a lane that takes no part."""
FREE = -1
"""Forced action of a lane whose root action the rule chooses."""

Widths = Int[Array, " visits"] | None
"""How many of its actions a node offers, by its visits (progressive widening); None: all."""


class Leaf(eqx.Module):
    """Where a descent ended: an edge without a child (0), or a settled one (negative)."""

    node: Int[Array, "*lanes"]
    action: Int[Array, "*lanes"]
    child: Int[Array, "*lanes"]


class Inserted(eqx.Module):
    """The tree after a round, the rows whose root got settled by it, and each lane's return.

    `gain` is the return along the lane's root edge for the root's mover; 0 for idle lanes.
    """

    tree: Tree
    done: Bool[Array, " batch"]
    gain: Float[Array, "batch width"]
