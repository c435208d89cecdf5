"""A round of the search as a call of the C++ kernels, for the CPU."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from ....core.host import plain, plain_like, restored
from ....core.rows import narrowed
from ..models.base import Step
from ..picker import Picker
from ..round import TALLY_SLOTS, Leaves, Terms, Trees
from ..tree import NODE_SLOTS


def one_round(
    rule: Picker, terms: Terms, trees: Trees, answered: tuple[Leaves, Step] | None,
    forced: Int[Array, "part width"] | int | None,
    noise: UInt32[Array, "part width 2"] | None = None,
) -> tuple[Trees, Float[Array, "part width"] | None, Leaves | None]:  # fmt: skip
    """As `portable.one_round`, for rules that have a kernel."""
    tree, tally = trees
    # As many visits as a node can have, and simulations under way beside them.
    lanes = 0 if forced is None else forced if isinstance(forced, int) else forced.shape[1]
    kernel = rule.kernel(tree.edges.shape[1] + max(lanes, 1))
    rows = tree.size.shape[0] if terms.rows is None else terms.rows.shape[0]
    kept = (tree.edges, tree.nodes, tree.states, tree.size, tally)
    none = {kind: jnp.zeros(0, kind) for kind in ("int32", "uint32", "float32", "bool")}
    listed = None if isinstance(forced, int) else forced
    how = (
        terms.limits, terms.seed, none["int32"] if listed is None else listed,
        none["uint32"] if noise is None else noise, *narrowed((kernel.params, kernel.table)),
        none["int32"] if terms.widths is None else terms.widths,
        jnp.asarray(terms.depth, jnp.int32),
        none["int32"] if terms.rows is None else terms.rows,
    )  # fmt: skip
    lane, states = (0, 0), []
    if forced is not None:
        lane = (rows, forced) if isinstance(forced, int) else forced.shape
        states = [plain_like((lane[0] * lane[1], *x), kind) for x, kind in tree.form.leaves]
    results = [
        *(_like(x.shape, x.dtype) for x in kept),
        _like((rows, 0) if answered is None else answered[0].active.shape, "float32"),
        *(_like(lane, kind) for kind in ("int32", "int32", "int32", "int32", "bool", "uint32")),
        _like((), "int32"), _like(lane, "int32"), *states,
    ]  # fmt: skip
    found, answers, shared = _found(answered, none), [], {i: i for i in range(len(kept))}
    if answered is not None:
        answers = [plain(x) for x in jax.tree.leaves(answered[1].state)]
    if answered is not None and lane == answered[0].active.shape:
        # The next lanes lie where the last ones were, which saves the loop from copying them.
        first = len(kept) + len(how)
        shared |= {first: 6, first + 1: 7, first + 2: 8, first + 3: 10}
    call = jax.ffi.ffi_call(
        "deliberation_round", results, input_output_aliases=shared, vmap_method="sequential"
    )
    *kept, gain, node, action, child, number, active, own, going, depth = (
        out := call(
            *kept, *how, *found, terms.ceilings, terms.known, *answers,
            kind=np.int32(kernel.kind), prove=np.int32(tree.prove),
            by_simulation=np.int32(tree.books.by_simulation), means=np.int32(tree.books.means),
            inserts=np.int32(answered is not None), descends=np.int32(lane[1]),
            shares=np.int32(rule.shares),
        )
    )[: len(results) - len(states)]  # fmt: skip
    edges, nodes, packed, size, tally = kept
    tree = dataclasses.replace(tree, edges=edges, nodes=nodes, states=packed, size=size)
    leaves = None
    if forced is not None:
        found = zip(out[len(results) - len(states) :], tree.form.leaves, strict=True)
        state = [restored(numbers, kind) for numbers, (_, kind) in found]
        state = jax.tree.unflatten(tree.form.structure, state)
        leaves = Leaves(node, action, child, depth, active, number, own, going, state)
    return (tree, tally), None if answered is None else gain, leaves


def keys(start: UInt32[Array, "2"], count: int) -> UInt32[Array, "count 2 2"]:
    """The Threefry keys of so many simulations of mctx's: (to simulate, to expand)."""
    made = _like((count, 2, 2), "uint32")
    return jax.ffi.ffi_call("deliberation_keys", made, vmap_method="sequential")(start)


def _like(shape: tuple[int, ...], kind: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, kind)


def _found(answered: tuple[Leaves, Step] | None, none: dict[str, Array]) -> list[Array]:
    """The last round's leaves and what the model said of them, empty arrays for nothing."""
    i, f, b = none["int32"], none["float32"], none["bool"]
    if answered is None:
        return [i, i, i, b, f, f, f, f, f, b, b, b, b, i, i, i]
    leaves, step = answered
    flags = (step.legal, step.over, step.chance, step.stuck)
    return [
        leaves.node, leaves.action, leaves.child, leaves.active, step.reward, step.discount,
        step.value, step.sign, step.logits, *(b if x is None else x for x in flags),
        i if step.faults is None else step.faults, step.model_steps, step.evaluations,
    ]  # fmt: skip


assert (NODE_SLOTS, TALLY_SLOTS) == (11, 6), "search.cpp numbers these slots by itself"
