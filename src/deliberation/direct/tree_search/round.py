"""What passes between a search, its model and its back ends; one lane for each simulation."""

import dataclasses

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

Trees = tuple[Tree, Int[Array, "batch 6"]]
"""The trees of a batch, and the tally of each row."""


class Terms(eqx.Module):
    """What a row may spend (simulations, model steps), its seed, and how its tree is walked.

    `ceilings`: from where on a value counts as the best there is, for player 0 and for player 1.
    `known`: the least and the greatest return of player 0 by which rules scale what they explore,
    infinite where they go by the returns that were met. `depth`: no path is longer. `rows`: which
    of the batch take part, each once, in the order of their lanes; None: all.
    """

    limits: Int[Array, "batch 2"]
    seed: UInt32[Array, " batch"]
    ceilings: Float[Array, "2"]
    known: Float[Array, "2"]
    widths: Widths
    depth: int | Int[Array, ""]
    rows: Int[Array, " part"] | None = None

    @property
    def part(self) -> Int[Array, " part"] | slice:
        """The rows that take part, as an index into the batch."""
        return slice(None) if self.rows is None else self.rows

    def left(self, tree: Tree, tally: Int[Array, "batch 6"]) -> Int[Array, " batch"]:
        """How many simulations each row may still take; 0 for rows that have finished.

        The cap on model steps is looked at between rounds, so the last one may pass it. The first
        simulation is always taken (evaluating the root may already have used the steps), and there
        are never more simulations than the cap: those that end in a settled edge take no step.
        """
        simulations, steps = tally[:, SIMULATIONS], tally[:, STEPS]
        most = self.limits.min(1) - simulations
        most = jnp.minimum(most, jnp.maximum(self.limits[:, 1] - steps, simulations == 0))
        most = jnp.minimum(jnp.maximum(most, 0), tree.nodes.shape[1] - tree.size)
        return jnp.where(tally[:, DONE] > 0, 0, most)


class Leaves(eqx.Module):
    """The edges at which the descents of a round ended, and so what the model is asked.

    An edge leaves `node` by `action`; `child` is 0 where nothing was ever found behind it, else the
    node there (negative if the edge is settled). `depth` counts the actions from the root through
    the edge (outcomes of chance are none). `state` is what `node` keeps, a leading axis for all
    lanes of all rows. `number` counts a row's simulations from 1, `seed` is that simulation's own;
    `going` says how many lanes of the whole batch are `active`. The others stand at the root.
    """

    node: Int[Array, "*lanes"]
    action: Int[Array, "*lanes"] | Float[Array, "lanes ..."]
    """An edge's number; for a task's own model, the (maybe continuous) action it stands for."""
    child: Int[Array, "*lanes"]
    depth: Int[Array, "*lanes"]
    active: Bool[Array, "*lanes"]
    number: Int[Array, "*lanes"]
    seed: UInt32[Array, "*lanes"]
    going: Int[Array, ""]
    state: State

    @property
    def new(self) -> Bool[Array, "*lanes"]:
        """Where the model must answer: in the other lanes it may say anything."""
        return self.active & (self.child == 0)

    def flat(self) -> "Leaves":
        """The same with one axis for all lanes of all rows."""
        lanes = ("node", "action", "child", "depth", "active", "number", "seed")
        return dataclasses.replace(self, **{x: getattr(self, x).reshape(-1) for x in lanes})
