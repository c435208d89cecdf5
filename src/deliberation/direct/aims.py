"""Telling objectives apart by what they are: their class and their contents, in every process."""

import functools
import hashlib
import inspect
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt32

from ..core.noise import mix
from ..core.objective import Objective


def aim_of(objective: Objective) -> UInt32[Array, "2"]:
    """Two words that stand for an objective: its class, its settings, the numbers in its arrays.

    The same in every process, so that a memory that was saved is recognised. Arrays may be traced.
    """
    arrays: list[Array] = []
    form = hashlib.sha256()
    for part in _described(objective, arrays, ()):
        form.update(part.encode() + b"\0")
    word = jnp.asarray(np.frombuffer(form.digest()[:8], np.uint32))
    for part, array in enumerate(arrays):
        words = _words(array)
        place = jnp.arange(words.size, dtype=jnp.int32)
        word = mix(mix(word[:, None], part, place) + words, 0).sum(1, dtype=jnp.uint32)
    return word


def _words(array: Array) -> UInt32[Array, " words"]:
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    if array.dtype == jnp.bool_:
        array = array.astype(jnp.uint8)
    return jax.lax.bitcast_convert_type(array, jnp.uint8).ravel().astype(jnp.uint32)


def _described(thing: Any, arrays: list[Array], within: tuple[int, ...]) -> Iterator[str]:
    """What a thing is, part by part; its arrays are put aside, only their form is told."""
    if isinstance(thing, jax.Array | np.ndarray | np.generic):
        arrays.append(jnp.asarray(thing))
        yield f"array {arrays[-1].dtype} {arrays[-1].shape}"
        return
    yield f"{type(thing).__module__}.{type(thing).__qualname__}"
    if id(thing) in within:
        return  # A cycle: what is inside has been told.
    for part in _parts(thing):
        if isinstance(part, str):
            yield part
        else:
            yield from _described(part[0], arrays, (*within, id(thing)))


def _parts(thing: Any) -> Iterator[str | tuple[Any]]:
    """Of a thing: words about it, and (wrapped) the things that it is made of."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield from ((key,), (value,))
    elif isinstance(thing, list | tuple):
        yield str(len(thing))
        yield from ((x,) for x in thing)
    elif isinstance(thing, set | frozenset):
        yield from sorted(map(repr, thing))
    elif isinstance(thing, functools.partial):
        yield from ((thing.func,), (thing.args,), (thing.keywords,))
    elif isinstance(thing, types.MethodType):
        yield from ((thing.__func__,), (thing.__self__,))
    elif isinstance(thing, types.FunctionType):
        code, seen = thing.__code__, inspect.getclosurevars(thing)
        yield from (thing.__qualname__, code.co_code.hex(), repr(code.co_names))
        yield repr([x for x in code.co_consts if not isinstance(x, types.CodeType)])
        yield from ((seen.nonlocals,), (thing.__defaults__,), (thing.__kwdefaults__,))
    elif isinstance(thing, type | types.ModuleType | types.BuiltinFunctionType):
        yield f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', thing.__name__)}"
    elif is_dataclass(thing):
        for field in fields(thing):
            yield from (field.name, (getattr(thing, field.name, None),))
    elif hasattr(thing, "__dict__") and vars(thing):
        yield (vars(thing),)
    else:
        yield repr(thing)
