"""What a search asks of whatever chooses its way down: a rule of this library, or one of mctx's."""

import abc
import dataclasses
from typing import Any, NamedTuple, TypeVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from ...core.noise import Seed
from .round import FREE
from .tree import NodeView, Tree

Scores = Float[Array, "batch actions"]
Schedule = Any
Number = float | Float[Array, ""]
"""A setting: a plain number is part of the compiled program, an array can be swept without."""


AnyPicker = TypeVar("AnyPicker", bound="Picker")


class Kernel(NamedTuple):
    """A rule as the native back end knows it.

    `kind` is its number in search.cpp, `params` its settings there, and `table` what depends on a
    node's visits alone, so that both back ends have it to the bit.
    """

    kind: int
    params: Float[Array, " params"]
    table: Float[Array, " visits"]


class Descent(NamedTuple):
    """Where the lanes of a round are on their way down: at `node` of `rows`, `depth` edges down.

    `noise` holds two random words for each lane.
    """

    tree: Tree
    rows: Int[Array, " lanes"]
    node: Int[Array, " lanes"]
    noise: UInt32[Array, "lanes 2"]
    depth: Int[Array, ""]

    @property
    def here(self) -> NodeView:
        """The statistics of the nodes."""
        return self.tree.at(self.rows, self.node)


class Picker(eqx.Module):
    """What the engine asks of a rule, whichever library the rule follows.

    `needs_value` says whether the rule uses the values that nodes were evaluated at: the root is
    then evaluated even by an evaluator without a prior.
    """

    needs_value: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def pick(self, at: Descent) -> tuple[Int[Array, " lanes"], UInt32[Array, "lanes 2"]] | None:
        """The actions at these nodes, and the noise for the nodes below.

        None leaves it to the engine: the best action by `Rule.interior` that is legal, exact ties
        broken at random.
        """

    @property
    def native(self) -> bool:
        """Whether the rule has a `kernel`, so that the native back end serves it."""
        return type(self).kernel is not Picker.kernel

    def kernel(self, visits: int) -> Kernel:
        """This rule's native form, with a table up to so many visits."""
        raise NotImplementedError(f"{type(self).__name__} has no native form for {visits} visits.")

    def lane_widths(self, actions: int) -> tuple[int, ...]:
        """How many simulations of a row may run side by side, falling as the search goes on."""
        del actions
        return (1,)

    @property
    def shares(self) -> bool:
        """Whether lanes of a row may take the same path, each seeing those before it as visits."""
        return False

    def in_round(
        self, number: Int[Array, "batch width"]
    ) -> tuple["Picker", UInt32[Array, "batch width 2"] | None]:
        """The rule as it stands in the simulations of these numbers, and random words for them.

        None: words made of the search's own seeds.
        """
        del number
        return self, None

    @property
    def plans_root(self) -> bool:
        """Whether the rule chooses the root's simulations by itself, in `next_lanes`."""
        return type(self).next_lanes is not Picker.next_lanes

    def begin(self, root: NodeView, budget: Int[Array, " batch"], seed: Seed) -> Schedule:
        """What the rule keeps about the root from one round to the next."""
        del root, budget, seed
        return None

    def next_lanes(
        self, root: NodeView, schedule: Schedule, width: int
    ) -> tuple[Int[Array, "batch width"], Schedule]:
        """The root actions of the next round: `FREE` leaves one to `pick`, `IDLE` skips it.

        Forced actions of one row differ from one another; by default one lane, free.
        """
        return jnp.full((root.visits.shape[0], width), FREE, jnp.int32), schedule

    def waits(self, schedule: Schedule, width: int) -> Bool[Array, " batch"] | bool:
        """Rows whose next round is for a narrower width than the one before `width`."""
        del schedule, width
        return False


def within(rule: AnyPicker, most: Number) -> AnyPicker:
    """The rule for a search in which no return is above `most` (infinite: unknown).

    What a rule knows of that by itself is its field `greatest`, if it has one.
    """
    own = getattr(rule, "greatest", None)
    if own is None:
        return rule
    lesser = jnp.minimum(*(jnp.asarray(x, jnp.float32) for x in (own, most)))
    return dataclasses.replace(rule, greatest=lesser)
