"""A state as a short text and back: how a record names a position, whatever its task."""

import base64
import zlib
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..errors import ForeignStateError
from ..task import State, Task


def encode(state: State) -> str:
    """One state as text: its arrays' bytes in their order, compressed."""
    leaves = (as_bits(x) for x in jax.tree.leaves(state))
    data = b"".join(np.ascontiguousarray(x).tobytes() for x in leaves)
    return base64.urlsafe_b64encode(zlib.compress(data, 9)).decode()


def decode(task: Task, text: str) -> State:
    """The state of a task in such a text, as NumPy arrays.

    Raises `ForeignStateError` for what has not the form of a state, and for what has it and is no
    position of the task: nobody's move, nothing legal, or nothing that could be shown.
    """
    form = jax.eval_shape(lambda: task.init(jax.random.key(0)))
    bits = jax.eval_shape(lambda: jax.tree.map(as_bits, task.init(jax.random.key(0))))
    leaves = jax.tree.leaves(bits)
    size = sum(x.size * x.dtype.itemsize for x in leaves)
    try:
        data = zlib.decompressobj().decompress(base64.urlsafe_b64decode(text), size + 1)
    except (ValueError, zlib.error) as error:
        raise ForeignStateError(f"{text[:40]!r} holds no state of {task!r}: {error}.") from error
    if len(data) != size:
        raise ForeignStateError(
            f"{text[:40]!r} holds a state of another form than {task!r} has: it was kept by "
            "another version, or of other options."
        )
    found, start = [], 0
    for x in leaves:
        part = data[start : start + x.size * x.dtype.itemsize]
        if x.dtype == bool and any(byte > 1 for byte in part):
            raise _no_position(task, text, "a yes or no is neither")
        found.append(np.frombuffer(part, x.dtype).reshape(x.shape))
        start += len(part)
    keyed = [_as_key(x, like) for x, like in zip(found, jax.tree.leaves(form), strict=True)]
    state = jax.tree.unflatten(jax.tree.structure(form), keyed)
    why = _impossible(task, state)
    if why:
        raise _no_position(task, text, why)
    return state


def _no_position(task: Task, text: str, why: str) -> ForeignStateError:
    return ForeignStateError(f"{text[:40]!r} holds no position of {task!r}: {why}.")


def _impossible(task: Task, state: State) -> str:
    """What shows that arrays of a state's form are no state; empty where nothing does."""
    try:
        player, legal, over, finite = (np.asarray(x) for x in _facts(task, state))
        if not 0 <= player < task.traits.players:
            return f"player {player} is to move"
        if legal.any() == over:
            return "it is over and goes on" if over else "it is not over and nothing is legal"
        if not finite:
            return "what is seen is not finite"
        shown = jax.tree.map(jnp.asarray, state)
        for show in (task.picture, task.table_seen, task.render_seen, task.render):
            show(shown)
    except Exception as error:  # a task meets here what it never made, and may raise anything
        return f"it cannot be shown ({type(error).__name__})"
    return ""


@eqx.filter_jit
def _facts(task: Task, state: State) -> tuple[Array, Array, Array, Array]:
    seen = [
        jnp.isfinite(x).all()
        for x in jax.tree.leaves(task.observe(state))
        if jnp.issubdtype(x.dtype, jnp.inexact)
    ]
    finite = jnp.stack([jnp.bool_(True), *seen]).all()
    return task.player(state), task.legal(state), task.terminated(state), finite


def as_bits(x: Any) -> Any:
    """An array as numbers: of random keys, their words."""
    return jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x


def _as_key(x: np.ndarray, like: Any) -> Any:
    keyed = jnp.issubdtype(like.dtype, jax.dtypes.prng_key)
    return jax.random.wrap_key_data(jnp.asarray(x)) if keyed else x
