"""The arrays of a tree by name, in the form that a file of tensors can hold, and back."""

import functools
import hashlib
import types
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ...core.host import plain
from ...core.host import restored as from_numbers


def named_arrays(tree: PyTree) -> dict[str, Array]:
    """The arrays of a tree by their path, in the tree's order."""
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(tree, eqx.is_array))
    return {jax.tree_util.keystr(path, simple=True, separator="."): x for path, x in leaves}


def checksum(tree: PyTree) -> str:
    """What tells the arrays of a tree from others: a SHA-256 of their names and numbers."""
    found = hashlib.sha256()
    for name, leaf in named_arrays(tree).items():
        found.update(name.encode() + np.asarray(plain(leaf)).tobytes())
    return found.hexdigest()


def description(thing: PyTree) -> str:
    """What tells a task or an objective from others: its fields, and a digest of its arrays.

    For the identity of a training: the short form that people read leaves out too much.
    """
    return f"{eqx.tree_pformat(thing, width=10**6)} {checksum(thing)}"


def function_description(
    function: Callable[..., Any] | None, _within: tuple[Any, ...] = ()
) -> str | None:
    """What tells a function that a training was given from others: its name, and a digest of it.

    The digest is of what it computes (code and constants), and of what it holds: the variables of a
    function around it, defaults, the arguments of a `functools.partial`, the fields of a module
    whose method it is. What it looks up by a global name is told by that name alone. None for none.
    """
    if function is None:
        return None
    if isinstance(function, functools.partial):
        inner = function_description(function.func, _within)
        return (
            f"partial of {inner} with {_digest(_told([function.args, function.keywords], _within))}"
        )
    if isinstance(function, types.MethodType):
        inner = function_description(function.__func__, _within)
        return f"{inner} of {_told(function.__self__, _within)}"
    name = f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', '?')}"
    inner = getattr(function, "__wrapped__", function)
    if not isinstance(inner, types.FunctionType):
        return _told(function, _within) if isinstance(function, eqx.Module) else name
    if inner in _within:
        return f"{name} itself"  # it calls itself, or what calls it
    held = [_content(cell) for cell in inner.__closure__ or ()]
    rest = [held, inner.__defaults__, inner.__kwdefaults__]
    return f"{name} {_digest(_code(inner.__code__) + _told(rest, (*_within, inner)))}"


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return "not set yet"


def _code(code: types.CodeType) -> str:
    """What a function computes; neither where it is written nor on which line."""
    return f"{code.co_code.hex()} {code.co_names} {[_constant(x) for x in code.co_consts]}"


def _constant(thing: Any) -> str:
    """A constant of code, in one spelling in every process."""
    if isinstance(thing, types.CodeType):
        return _code(thing)
    if isinstance(thing, tuple):
        return f"[{', '.join(map(_constant, thing))}]"
    if isinstance(thing, frozenset):
        return f"{{{', '.join(sorted(map(_constant, thing)))}}}"
    return repr(thing)


def _told(thing: Any, within: tuple[Any, ...]) -> str:
    """What tells anything that a function holds from others; functions as above."""
    if isinstance(thing, types.FunctionType | types.MethodType | functools.partial):
        return str(function_description(thing, within))
    if isinstance(thing, tuple | list):
        return f"[{', '.join(_told(x, within) for x in thing)}]"
    if isinstance(thing, set | frozenset):
        return f"{{{', '.join(sorted(_told(x, within) for x in thing))}}}"
    if isinstance(thing, dict):
        pairs = sorted(f"{key!r}: {_told(value, within)}" for key, value in thing.items())
        return f"{{{', '.join(pairs)}}}"
    if type(thing).__repr__ is object.__repr__:
        return f"a {type(thing).__module__}.{type(thing).__qualname__}"  # else its address
    return description(thing)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def restored(found: np.ndarray, like: Array) -> Array:
    """What `core.host.plain` made numbers of, of the form of `like`."""
    wanted = plain(like)
    return from_numbers(jnp.asarray(found, wanted.dtype).reshape(wanted.shape), like.dtype)
