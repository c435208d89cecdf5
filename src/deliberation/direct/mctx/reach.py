"""How far a search in mctx's manner goes, and the search itself: one of the engine's.

Simulations are numbered from 0 and the node that simulation i makes has index i + 1, whatever else
happened before: so trees can be compared with mctx's field by field.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from ...core.errors import BudgetError, TooLargeError
from ...core.task import is_concrete
from ..tree_search.backends.choice import BackendName
from ..tree_search.engine import init, proceed
from ..tree_search.limits import Limits
from ..tree_search.tree import LARGEST, MCTX, Tree, size_in_bytes
from .keys import Keys, backend_of
from .model import Constants, RecurrentModel
from .rules import Selection
from .types import LoopFn, RecurrentFn, RootFnOutput

MOST_BYTES = 16 * 2**30


class Reach(NamedTuple):
    """How long, how deep, by which loop and where to search: arguments of every policy."""

    num_simulations: Any
    capacity: int | None
    max_depth: Any
    loop_fn: LoopFn
    backend: BackendName
    max_bytes: int

    def budget(self, batch: int) -> tuple[Int[Array, " batch"], int]:
        """How many simulations each row takes, and how many there is room for.

        A number that is known is its own capacity; one that is traced needs a capacity given.
        """
        simulations, capacity = self.num_simulations, self.capacity
        known = is_concrete(simulations)
        least, most = (int(f(simulations)) for f in (np.min, np.max)) if known else (0, 0)
        if capacity is None:
            if not known:
                raise BudgetError(
                    "num_simulations is traced: say how many simulations there must be room for at "
                    "most, by capacity=, or make the argument static."
                )
            capacity = max(0, most)
        if least < 0 or most > capacity:
            raise BudgetError(
                f"num_simulations must lie between 0 and the capacity of {capacity}; got "
                f"{least if least < 0 else most}."
            )
        if capacity > LARGEST:
            raise TooLargeError(
                f"A tree of {capacity:,} nodes is over the {LARGEST:,} that can be numbered "
                "exactly. Use fewer simulations or a smaller capacity."
            )
        rows = jnp.broadcast_to(jnp.asarray(simulations, jnp.int32), (batch,))
        return jnp.clip(rows, 0, capacity), capacity

    def depth(self, capacity: int) -> int | Int[Array, ""]:
        """How long a path may be; a `max_depth` that is traced stays so."""
        depth = capacity if self.max_depth is None else self.max_depth
        if is_concrete(depth):
            return max(1, min(int(depth), capacity + 1))
        return jnp.clip(jnp.asarray(depth, jnp.int32), 1, capacity + 1)


def run_search(
    params: Any, key: Any, recurrent_fn: RecurrentFn, rule: Selection, root: RootFnOutput,
    reach: Reach, *, chances: bool = False,
) -> Tree:  # fmt: skip
    """Search from the roots; `chances` says that decisions and chance alternate.

    No gradients go through it: what they would meet is a loop of comparisons.
    """
    params, rule, root = _constant((params, rule, root))
    batch, width = root.prior_logits.shape
    rows, capacity = reach.budget(batch)
    _check_size(root, capacity, reach.max_bytes)
    backend = backend_of(key, rule, reach.backend)
    keys = Keys.of(key, capacity, backend)
    rule = rule.planned(rows, capacity, keys)
    model = RecurrentModel(
        params, recurrent_fn, rule, keys.expand, Constants.of(batch), reach.depth(capacity),
        chances, width,
    )  # fmt: skip
    seed = jnp.zeros(batch, jnp.uint32)
    outcome = init(
        model, rule, root, rows, seed, capacity=capacity, evaluate=True, prove=False, books=MCTX
    )
    loop = _loop(reach.loop_fn, capacity)
    if capacity == 0:
        return outcome.tree
    return proceed(model, rule, outcome, Limits(rows, rows), backend=backend, loop=loop).tree


def _loop(loop_fn: LoopFn | None, rounds: int) -> Callable[[Callable, Callable, Any], Any]:
    """A loop for the engine: a user's own takes as many rounds as there is room for."""
    if loop_fn is None or loop_fn is jax.lax.fori_loop:
        return jax.lax.while_loop
    return lambda _, body, start: loop_fn(0, rounds, lambda _, carry: body(carry), start)


def _constant(tree: Any) -> Any:
    """The same without gradients; leaves that are not arrays are left alone."""
    return jax.tree.map(lambda x: jax.lax.stop_gradient(x) if eqx.is_array(x) else x, tree)


def _check_size(root: RootFnOutput, capacity: int, max_bytes: int) -> None:
    batch, width = root.prior_logits.shape
    size = size_in_bytes((root.embedding, root.prior_logits), width, capacity)
    if size > max_bytes:
        raise TooLargeError(
            f"Trees of {capacity} nodes for {batch} rows would take {size:,} bytes, more than "
            f"max_bytes={max_bytes:,}. Use smaller batches or fewer simulations, or raise "
            "max_bytes."
        )
