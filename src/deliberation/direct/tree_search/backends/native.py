"""A round of the search as a call of the C++ kernels, for the CPU."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt32

from ....core.rows import narrowed
from ..models.base import Step
from ..round import TALLY_SLOTS, Ask, Leaf, Terms, Turn
from ..rules import Picker
from ..tree import NODE_SLOTS, Tree


def turn(
    rule: Picker,
    terms: Terms,
    tree: Tree,
    tally: Int[Array, "batch 6"],
    asked: tuple[Ask, Step] | None,
    forced: Int[Array, "batch width"] | int | None,
    noise: UInt32[Array, "batch width 2"] | None = None,
) -> Turn:
    """As `portable.turn`, for rules that have a kernel."""
    kernel = rule.kernel(tree.edges.shape[1] + 1)
    assert kernel is not None
    rows = tree.size.shape[0]
    kept = (tree.edges, tree.nodes, tree.states, tree.size, tally)
    none = {kind: jnp.zeros(0, kind) for kind in ("int32", "uint32", "float32", "bool")}
    listed = None if isinstance(forced, int) else forced
    how = (
        terms.limits, terms.seed, none["int32"] if listed is None else listed,
        none["uint32"] if noise is None else noise, *narrowed((kernel.params, kernel.table)),
        none["int32"] if terms.widths is None else terms.widths,
    )  # fmt: skip
    lane, leaves = (0, 0), []
    if forced is not None:
        lane = (rows, forced) if isinstance(forced, int) else forced.shape
        leaves = [_like((lane[0] * lane[1], *x), kind) for x, kind in tree.form.leaves]
    results = [
        *(_like(x.shape, x.dtype) for x in kept),
        _like((rows, 0) if asked is None else asked[0].active.shape, "float32"),
        *(_like(lane, kind) for kind in ("int32", "int32", "int32", "int32", "bool", "uint32")),
        _like((), "int32"), *leaves,
    ]  # fmt: skip
    found, answers, shared = _found(asked, none), [], {i: i for i in range(len(kept))}
    if asked is not None:
        answers = jax.tree.leaves(asked[1].state)
    if asked is not None and lane == asked[0].active.shape:
        # The next lanes lie where the last ones were, which saves the loop from copying them.
        first = len(kept) + len(how)
        shared |= {first: 6, first + 1: 7, first + 2: 8, first + 3: 10}
    call = jax.ffi.ffi_call(
        "deliberation_round", results, input_output_aliases=shared, vmap_method="sequential"
    )
    *kept, gain, node, action, child, number, active, own, going = (
        out := call(
            *kept, *how, *found, terms.ceilings, *answers,
            kind=np.int32(kernel.kind), prove=np.int32(tree.prove), depth=np.int32(terms.depth),
            running=np.int32(tree.running),
            inserts=np.int32(asked is not None), descends=np.int32(lane[1]),
        )
    )[: len(results) - len(leaves)]  # fmt: skip
    edges, nodes, states, size, tally = kept
    tree = Tree(edges, nodes, states, size, tree.form, tree.prove, tree.running)
    ask = None
    if forced is not None:
        before = jax.tree.unflatten(tree.form.structure, out[len(results) - len(leaves) :])
        ask = Ask(Leaf(node, action, child), active, number, own, going, before)
    return Turn(tree, tally, None if asked is None else gain, ask)


def keys(start: UInt32[Array, "2"], count: int) -> UInt32[Array, "count 2 2"]:
    """The Threefry keys of so many simulations of mctx's: (to simulate, to expand)."""
    made = _like((count, 2, 2), "uint32")
    return jax.ffi.ffi_call("deliberation_keys", made, vmap_method="sequential")(start)


def _like(shape: tuple[int, ...], kind: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, kind)


def _found(asked: tuple[Ask, Step] | None, none: dict[str, Array]) -> list[Array]:
    """The last round's lanes and what was found there, empty arrays standing for nothing."""
    i, f, b = none["int32"], none["float32"], none["bool"]
    if asked is None:
        return [i, i, i, b, f, f, f, f, f, b, b, b, b, i, i, i]
    ask, step = asked
    flags = (step.legal, step.over, step.chance, step.stuck)
    return [
        ask.leaf.node, ask.leaf.action, ask.leaf.child, ask.active, step.reward, step.discount,
        step.value, step.sign, step.logits, *(b if x is None else x for x in flags),
        i if step.faults is None else step.faults, step.model_steps, step.evaluations,
    ]  # fmt: skip


assert (NODE_SLOTS, TALLY_SLOTS) == (9, 6), "search.cpp numbers these slots by itself"
