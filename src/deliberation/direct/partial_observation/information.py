"""What tells the nodes of a search over histories apart, and the table that finds them again.

A history is two words of 32 bits. Two histories of a search that differ get the same words with a
chance of about 2^-64 a pair: in a million simulations, less than once in ten million searches.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, UInt32

from ...core.noise import mix
from ...core.task import State, Task

HISTORIES, ACTIONS, STATES = NODES = ("histories", "actions", "states")
"""What tells nodes apart: what their player did and saw, only what was done, or the state."""
MISSING = -1

Hash = UInt32[Array, "batch 2"]
Pasts = UInt32[Array, "batch seats 2"]
Words = Int[Array, "batch words"]


def origin(task: Task, batch: int, nodes: str) -> Pasts:
    """Histories in which nothing has happened yet, one a player.

    Where only actions count and nothing is hidden, all players remember the same, and one history
    serves them.
    """
    shared = nodes != HISTORIES and task.traits.fully_observable
    seats = jnp.arange(1 if shared else task.traits.players)
    lanes = jnp.stack([mix(jnp.uint32(lane), seats) for lane in (1, 2)], axis=-1)
    return jnp.broadcast_to(lanes, (batch, *lanes.shape))


def meet(task: Task, pasts: Pasts, state: State, nodes: str) -> Hash:
    """The mover's history with what it sees now: the name of the node it is at.

    It always knows that it is its turn and what it may do.
    """
    mover = jax.vmap(task.player)(state).astype(jnp.int32)
    legal = jax.vmap(task.legal)(state).astype(jnp.int32)
    parts = [mover[:, None], legal, words_seen(task, state, nodes)]
    seat = jnp.minimum(mover, pasts.shape[1] - 1)
    past = pasts[jnp.arange(pasts.shape[0]), seat]
    return _absorb(past, jnp.concatenate(parts, axis=1))


def words_seen(task: Task, state: State, nodes: str) -> Words:
    """What the mover sees beside its turn and what it may do, as far as it tells nodes apart."""
    if nodes == HISTORIES:
        return _words(jax.vmap(task.observe)(state))
    if nodes == STATES:
        return _words(jax.vmap(task.fingerprint)(state))
    return jnp.zeros((jax.tree.leaves(state)[0].shape[0], 0), jnp.int32)


def remember(
    pasts: Pasts, key: Hash, action: Int[Array, " batch"], mover: Int[Array, " batch"], nodes: str
) -> Pasts:
    """Add a move made at the node named `key` to the history of whoever made it."""
    if nodes == STATES:
        return pasts
    seats = pasts.shape[1]
    mine = (jnp.arange(seats) == mover[:, None]) | (seats == 1)
    return jnp.where(mine[..., None], _absorb(key, action[:, None])[:, None], pasts)


def _absorb(history: Hash, words: Words) -> Hash:
    """The hash of a history followed by some words."""
    places, lanes = jnp.arange(words.shape[1]), []
    for lane in range(2):
        salt = mix(jnp.uint32(lane + 3), places)
        sums = mix(salt, words).sum(1, dtype=jnp.uint32)
        lanes.append(mix(history[:, lane], jax.lax.bitcast_convert_type(sums, jnp.int32)))
    return jnp.stack(lanes, axis=-1)


def _words(x: Array) -> Words:
    """The bits of numbers, a word or more each; minus zero is zero."""
    if jnp.issubdtype(x.dtype, jnp.floating):
        # Adding 0 would do, but is simplified away by the compiler.
        x = jnp.where(x == 0, 0, x).astype(jnp.promote_types(x.dtype, jnp.float32))
    elif x.dtype.itemsize < 4:
        x = x.astype(jnp.int32)
    return jax.lax.bitcast_convert_type(x, jnp.int32).reshape(x.shape[0], -1)


def slots(capacity: int) -> int:
    """Slots of a table for `capacity` nodes beside the root: never more than half are taken."""
    return 1 << (2 * (capacity + 1) - 1).bit_length()


def find(
    table: Int[Array, "batch slots"],
    keys: UInt32[Array, "batch nodes 2"],
    key: Hash,
    wanted: Bool[Array, " batch"],
) -> tuple[Int[Array, " batch"], Int[Array, " batch"]]:
    """The node of a name in each row where it is wanted, or `MISSING`, and its place in the table.

    Linear probing: the place of a missing name is the free slot that it may take.
    """
    rows, last = jnp.arange(key.shape[0]), table.shape[1] - 1

    def look(slot: Int[Array, " batch"]) -> tuple[Int[Array, " batch"], Bool[Array, " batch"]]:
        node = table[rows, slot]
        return node, wanted & (node != MISSING) & (keys[rows, node] != key).any(-1)

    def probe(carry: tuple) -> tuple:
        slot, _, other = carry
        slot = jnp.where(other, (slot + 1) & last, slot)
        return slot, *look(slot)

    slot = (key[:, 0] & jnp.uint32(last)).astype(jnp.int32)
    slot, node, _ = jax.lax.while_loop(lambda carry: carry[2].any(), probe, (slot, *look(slot)))
    return node, slot
