"""A table of states in JAX: look up, and enter, whole batches inside of compiled loops.

States are told apart by a digest of 64 bits, in open addressing with linear probing (Knuth, TAOCP
vol. 3, section 6.4). Among a million states two share a digest with a chance of about 3e-8.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, UInt32

from ...core.errors import TooLargeError
from ...core.noise import mix
from ...core.task import State, Task

TellApart = Callable[[State], Array]
"""Integers or floats that are equal for states which a table is to treat as one."""


class StateTable(eqx.Module):
    """Which states have been met: a slot for each, from 0 to `capacity` - 1.

    A state that is not in the table, or found no room in it, has the slot `capacity`.
    """

    digests: UInt32[Array, "capacity 2"]
    used: Bool[Array, " capacity"]

    @staticmethod
    def empty(capacity: int) -> "StateTable":
        """A table with room for so many states."""
        if capacity < 1:
            raise ValueError(f"A table needs a capacity of at least 1; got {capacity}.")
        blank = np.zeros((capacity, 2), np.uint32)
        return StateTable(jnp.asarray(blank), jnp.asarray(np.zeros(capacity, np.bool_)))

    @property
    def capacity(self) -> int:
        """How many states have room."""
        return self.used.shape[0]

    @property
    def count(self) -> int:
        """How many states are in the table."""
        return int(self.used.sum())

    def __repr__(self) -> str:
        return f"StateTable({self.count} of {self.capacity} states)"

    def find(self, digests: UInt32[Array, "batch 2"]) -> Int[Array, " batch"]:
        """The slot of each state, `capacity` where it is not known."""

        def seek(now: tuple) -> tuple:
            slot, probes, _ = now
            hit, vacant = self._look(slot, digests)
            going = ~hit & ~vacant & (probes < self.capacity)
            return jnp.where(going, (slot + 1) % self.capacity, slot), probes + going, going

        start = self._home(digests)
        now = (start, jnp.zeros_like(start), jnp.ones(start.shape, jnp.bool_))
        slot, _, _ = jax.lax.while_loop(lambda x: x[2].any(), seek, now)
        return jnp.where(self._look(slot, digests)[0], slot, self.capacity)

    def enter(self, digests: UInt32[Array, "batch 2"]) -> tuple["StateTable", Int[Array, " batch"]]:
        """The table with these states in it too, and their slots; pure.

        Where several rows want one vacant slot, the first has it and the others look again.
        """
        rows = jnp.arange(digests.shape[0], dtype=jnp.int32)

        def seek(now: tuple) -> tuple:
            table, slot, probes, going = now
            hit, vacant = table._look(slot, digests)
            wants = going & vacant
            claims = jnp.full(self.capacity, digests.shape[0], jnp.int32)
            claims = claims.at[jnp.where(wants, slot, self.capacity)].min(rows, mode="drop")
            won = wants & (claims[slot] == rows)
            place = jnp.where(won, slot, self.capacity)
            table = StateTable(
                table.digests.at[place].set(digests, mode="drop"),
                table.used.at[place].set(True, mode="drop"),
            )
            further = going & ~hit & ~vacant
            slot = jnp.where(further, (slot + 1) % self.capacity, slot)
            probes = probes + further
            return table, slot, probes, going & ~hit & ~won & (probes <= self.capacity)

        start = self._home(digests)
        now = (self, start, jnp.zeros_like(start), jnp.ones(start.shape, jnp.bool_))
        table, slot, _, _ = jax.lax.while_loop(lambda x: x[3].any(), seek, now)
        return table, jnp.where(table._look(slot, digests)[0], slot, self.capacity)

    def check_room(self) -> None:
        """Refuse a table that has no room left: states may have gone without a place."""
        if self.count >= self.capacity:
            raise TooLargeError(
                f"More states were met than the table's capacity of {self.capacity}. Raise "
                "`capacity`, or let `tell_apart` treat more states as one."
            )

    def _home(self, digests: UInt32[Array, "batch 2"]) -> Int[Array, " batch"]:
        return (digests[:, 0] % self.capacity).astype(jnp.int32)

    def _look(
        self, slot: Int[Array, " batch"], digests: UInt32[Array, "batch 2"]
    ) -> tuple[Bool[Array, " batch"], Bool[Array, " batch"]]:
        """Whether a slot holds the state, and whether it is vacant."""
        used = self.used[slot]
        return used & (self.digests[slot] == digests).all(-1), ~used


def digest(words: Array) -> UInt32[Array, " 2"]:
    """64 bits of the numbers that tell a state apart."""
    words = jnp.ravel(words)
    if jnp.issubdtype(words.dtype, jnp.floating):
        # Minus zero is zero.
        words = jax.lax.bitcast_convert_type((words + 0).astype(jnp.float32), jnp.int32)
    place = jnp.arange(words.shape[0])
    word = words.astype(jnp.int32).astype(jnp.uint32)
    parts = [mix(mix(word, place), salt).sum(dtype=jnp.uint32) for salt in (1, 2)]
    return mix(jnp.stack(parts), 3)


def digests(
    task: Task, state: State, tell_apart: TellApart | None = None
) -> UInt32[Array, "batch 2"]:
    """A digest for each state of a batch: of its fingerprint, or of `tell_apart`.

    Where something is hidden, it is that of the observation, which is all the player knows.
    """
    if tell_apart is None:
        tell_apart = task.fingerprint if task.traits.fully_observable else task.observe
    look = tell_apart
    return jax.vmap(lambda s: digest(jnp.asarray(look(s))))(state)
