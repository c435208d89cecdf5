"""The random keys of a search in mctx's manner: two for each simulation."""

from types import ModuleType
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, UInt32

from ...core.keys import is_key
from ..tree_search.backends import portable
from ..tree_search.backends.choice import BackendName, backend_for
from ..tree_search.picker import Picker

FRY = "threefry2x32"


class Keys(eqx.Module):
    """The keys of every simulation: to descend with, and to give to the model.

    `words` says that the back end splits the keys itself (`simulate` then holds raw words), `fry`
    that they are Threefry's.
    """

    simulate: Any
    expand: Any
    words: bool = eqx.field(static=True)
    fry: bool = eqx.field(static=True)

    @staticmethod
    def of(key: Any, count: int, backend: ModuleType) -> "Keys":
        """Split from the search's key one after another, as mctx does."""
        count = max(1, count)
        if backend is not portable:
            made = backend.keys(_data(key), count)
            expand = made[:, 1]
            if is_key(key):
                expand = jax.random.wrap_key_data(expand, impl=FRY)
            return Keys(made[:, 0], expand, True, True)

        def split(key: Any, _: None) -> tuple[Any, tuple[Any, Any]]:
            first, simulate, expand = jax.random.split(key, 3)
            return first, (simulate, expand)

        _, (simulate, expand) = jax.lax.scan(split, key, length=count)
        return Keys(simulate, expand, False, is_fry(key))

    def noise(self, number: Int[Array, "batch 1"]) -> UInt32[Array, "batch 1 2"]:
        """What the simulation of this number is to draw from: its words, or a key for each row."""
        batch, key = number.shape[0], at(self.simulate, number)
        if self.words:
            return jnp.broadcast_to(key, (batch, 1, 2))
        keys = jax.random.split(key, batch)
        # Generators that are not Threefry seed one for each row.
        rows = _data(keys) if self.fry else jax.vmap(lambda k: jax.random.bits(k, (2,)))(keys)
        return rows[:, None].astype(jnp.uint32)


def at(each: Any, number: Int[Array, "*lanes"]) -> Any:
    """What belongs to the simulation of this number (from 1), of arrays with one entry for each.

    Rows that are still simulating are all at the same one; finished rows stay at lower numbers.
    """
    # Indices that are out of bounds, after the last simulation, are clamped.
    last = jnp.maximum(number.max() - 1, 0)
    return jax.tree.map(lambda x: x[last], each)


def backend_of(key: Any, rule: Picker, wanted: BackendName) -> ModuleType:
    """The back end that serves this rule with this key.

    The kernels split Threefry's keys, in the way that has been JAX's default since 0.5.
    """
    if is_fry(key) and getattr(jax.config, "jax_threefry_partitionable", True):
        return backend_for(rule, wanted)
    return portable


def is_fry(key: Any) -> bool:
    """Whether a key is one of Threefry's."""
    return str(jax.random.key_impl(key)) == FRY


def _data(key: Any) -> Array:
    return jax.random.key_data(key) if is_key(key) else key
