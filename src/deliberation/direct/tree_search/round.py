"""What passes between a search and its back ends: one lane for each simulation of a round."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from ...core.task import State
from .tree import Tree

IDLE = -2
"""Forced action of a lane that takes no part."""
FREE = -1
"""Forced action of a lane whose root action the rule chooses."""

Widths = Int[Array, " visits"] | None
"""How many of its actions a node offers, by its visits (progressive widening); None: all."""


SIMULATIONS, STEPS, EVALUATIONS, FAULTS, STUCK, DONE = range(6)
"""Slots of a row's tally: what it spent, what was not finite (in the bits of `faults.FAULT_OF`),
whether something led nowhere, and whether the root is proved."""
TALLY_SLOTS = 6


class Leaf(eqx.Module):
    """Where a descent ended: an edge without a child (0), or a settled one (negative)."""

    node: Int[Array, "*lanes"]
    action: Int[Array, "*lanes"]
    child: Int[Array, "*lanes"]


class Terms(eqx.Module):
    """What a row may spend (simulations, model steps), its seed, and how its tree is walked.

    `ceilings`: from where on a value counts as the best there is, for player 0 and for player 1.
    """

    limits: Int[Array, "batch 2"]
    seed: UInt32[Array, " batch"]
    ceilings: Float[Array, "2"]
    widths: Widths
    depth: int = eqx.field(static=True)

    def left(self, tree: Tree, tally: Int[Array, "batch 6"]) -> Int[Array, " batch"]:
        """How many simulations each row may still take; 0 for rows that have finished.

        The cap on model steps is looked at between rounds, so the last one may pass it. The first
        simulation is always taken (judging the root may already have used the steps), and there
        are never more simulations than the cap: those that end in a settled edge take no step.
        """
        simulations, steps = tally[:, SIMULATIONS], tally[:, STEPS]
        most = self.limits.min(1) - simulations
        most = jnp.minimum(most, jnp.maximum(self.limits[:, 1] - steps, simulations == 0))
        most = jnp.minimum(jnp.maximum(most, 0), tree.nodes.shape[1] - tree.size)
        return jnp.where(tally[:, DONE] > 0, 0, most)


class Ask(eqx.Module):
    """What the model is asked in a round: where each lane stands, and along which edge it goes.

    `number` counts a row's simulations from 1 and `noise` is that simulation's; `going` says how
    many lanes of the whole batch are `active`. Idle lanes stand at their root.
    """

    leaf: Leaf
    active: Bool[Array, "batch width"]
    number: Int[Array, "batch width"]
    noise: UInt32[Array, "batch width"]
    going: Int[Array, ""]
    before: State


class Turn(eqx.Module):
    """After a round: the trees and tallies, each lane's return, and what is asked next.

    `gain` is the return along the lane's root edge for the root's mover, 0 for idle lanes; None if
    nothing was inserted, as `ask` is if nothing was to be asked.
    """

    tree: Tree
    tally: Int[Array, "batch 6"]
    gain: Float[Array, "batch width"] | None
    ask: Ask | None
