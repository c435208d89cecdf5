"""What a network computes between a state and its answer, to be read and to be replaced.

`tapped` finds the layers of a module of equinox; those of other frameworks are found where these
are adapted.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from .errors import UnknownNameError, WrongKindError
from .task import State, Task

Units = Float[np.ndarray, "n units"]
Call = Callable[[Any, Any], Array]
"""A module and one thing that it sees give its scores of the actions."""


@dataclasses.dataclass(frozen=True, eq=False)
class Insides:
    """The layers of a network by name, for batches of n states.

    `see` gives the numbers that the network is shown; `read` the activations of every layer;
    `resume` the network's scores of the actions where one layer's activations are replaced by
    others, those of `read` giving its own scores; `untrained` the same architecture at random
    weights.
    """

    see: Callable[[State], Float[np.ndarray, "n numbers"]]
    read: Callable[[State], Mapping[str, Units]]
    resume: Callable[[State, str, Units], Float[np.ndarray, "n actions"]]
    untrained: Callable[[Key[Array, ""]], "Insides"]


def no_insides(what: Any, why: str) -> WrongKindError:
    """The refusal where there are no layers to be read."""
    return WrongKindError(
        f"{what!r} {why}, so no layer of it can be read. Layers are found in deciders made by "
        "from_torch, from_equinox, from_sb3 and text_policy (adapters.insides), and in the "
        "library's own networks (amortised.insides); for anything else hand over "
        "core.Insides(see, read, resume, untrained) with functions of your own."
    )


class _Tape:
    """What layers gave in the call that is being traced, and what one of them is to give."""

    def __init__(self, replaced: dict[str, Array]) -> None:
        self.given: dict[str, Array] = {}
        self.replaced = replaced

    def passed(self, name: str, found: Array) -> Array:
        """What a layer gave, or what it is said to have given."""
        if name in self.replaced:
            found = self.replaced[name].reshape(found.shape).astype(found.dtype)
        self.given[name] = found
        return found


@functools.cache
def _tapped_kind(kind: type) -> type:
    """A kind of layer that notes on a tape what it gives, and passes for the kind that it is."""

    class Tapped(kind):
        tapped_as: str = eqx.field(static=True, default="")
        tape: _Tape | None = eqx.field(static=True, default=None)

        def __call__(self, *args: Any, **options: Any) -> Any:
            found = super().__call__(*args, **options)
            if self.tape is None or not eqx.is_array(found):
                return found
            return self.tape.passed(self.tapped_as, found)

    return Tapped


def _tap(layer: Any, name: str, tape: _Tape) -> Any:
    """The same layer, which notes what it gives."""
    found = object.__new__(_tapped_kind(type(layer)))
    for field in dataclasses.fields(layer):
        object.__setattr__(found, field.name, getattr(layer, field.name))
    object.__setattr__(found, "tapped_as", name)
    object.__setattr__(found, "tape", tape)
    return found


def tapped(
    module: Any,
    call: Call,
    task: Task,
    show: Callable[[State], Any],
    fresh: Callable[[Key[Array, ""]], Any] | None = None,
) -> Insides:
    """The insides of a module of equinox, which is shown `show(state)` of one state of a task.

    `call` gives the scores of one thing seen. `fresh` makes the same module at random weights; by
    default the entries of every array of weights are put in random order, so that only their scale
    is kept. Layers whose activations cannot be told from outside (those within a `jax.vmap` or a
    loop of the module's own) are left out. Raises `WrongKindError` where none is left.
    """
    example = jax.eval_shape(show, jax.eval_shape(task.init, jax.random.key(0)))
    names = _found(module)
    found = tuple(name for name in names if _can_be_followed(module, call, example, name))
    if not found:
        raise no_insides(module, "has no part that is called as a layer and can be followed")

    def see(states: State) -> np.ndarray:
        return flat(_shown(show, states))

    def read(states: State) -> dict[str, np.ndarray]:
        given = _follow(module, call, _shown(show, states), found)[1]
        return {name: np.asarray(given[name], np.float64) for name in found}

    def resume(states: State, layer: str, units: Units) -> np.ndarray:
        if layer not in found:
            raise UnknownNameError("layer", layer, found)
        given = jnp.asarray(units, jnp.float32)
        return np.asarray(_follow(module, call, _shown(show, states), (layer,), given)[0])

    def untrained(key: Key[Array, ""]) -> Insides:
        anew = shuffled(module, key) if fresh is None else fresh(key)
        return tapped(anew, call, task, show, fresh)

    return Insides(see, read, resume, untrained)


@eqx.filter_jit
def _shown(show: Callable[[State], Any], states: State) -> Any:
    return jax.vmap(show)(states)


@eqx.filter_jit
def _follow(
    module: Any, call: Call, seen: Any, layers: tuple[str, ...], units: Any = None
) -> tuple[Array, dict[str, Array]]:
    """Scores and the activations of some layers; of the first of them those given, if any are."""
    if units is None:
        return jax.vmap(lambda s: _taped(module, call, s, layers))(seen)
    return jax.vmap(lambda s, u: _taped(module, call, s, layers, u))(seen, units)


def _taped(
    module: Any, call: Call, seen: Any, layers: tuple[str, ...], units: Any = None
) -> tuple[Array, dict[str, Array]]:
    tape = _Tape({} if units is None else {layers[0]: units})
    scores = call(_with_taps(module, layers, tape), seen)
    return scores, {name: tape.given[name].reshape(-1) for name in layers}


def _can_be_followed(module: Any, call: Call, example: Any, name: str) -> bool:
    """Whether a layer is called, once or more, outside of transformations of the module's own."""
    two = jax.tree.map(lambda x: jax.ShapeDtypeStruct((2, *x.shape), x.dtype), example)
    try:  # in a batch, since alone a tracer that escaped another transformation goes unseen
        jax.eval_shape(jax.vmap(lambda seen: _taped(module, call, seen, (name,))), two)
    except (KeyError, jax.errors.UnexpectedTracerError):
        return False
    return True


def flat(seen: Any) -> Float[np.ndarray, "n numbers"]:
    """What is seen of n states as n rows of numbers, whatever its form."""
    leaves = [np.asarray(x, np.float64) for x in jax.tree.leaves(seen)]
    return np.concatenate([x.reshape(len(x), -1) for x in leaves], 1)


def shuffled(module: Any, key: Key[Array, ""]) -> Any:
    """A module whose weights are put in random order, array by array."""
    leaves, form = jax.tree.flatten(module)
    keys = jax.random.split(key, len(leaves))
    mixed = [
        jax.random.permutation(k, x.reshape(-1)).reshape(x.shape) if eqx.is_inexact_array(x) else x
        for x, k in zip(leaves, keys, strict=True)
    ]
    return jax.tree.unflatten(form, mixed)


def _called(x: Any) -> bool:
    """Whether it is a module that is called and has weights."""
    parts = isinstance(x, eqx.Module) and callable(x)
    return parts and any(map(eqx.is_inexact_array, jax.tree.leaves(x)))


def _is_layer(x: Any) -> bool:
    """Whether it is called, has weights, and holds no part of which the same can be said."""
    within = jax.tree.leaves(x, is_leaf=lambda y: y is not x and _called(y))
    return _called(x) and not any(map(_called, within))


def _found(module: Any) -> list[str]:
    """The paths of the layers within a module."""
    stop = lambda y: y is not module and _is_layer(y)  # noqa: E731
    leaves = jax.tree_util.tree_leaves_with_path(module, is_leaf=stop)
    return [_named(path) for path, part in leaves if _called(part)]


def _named(path: Any) -> str:
    return jax.tree_util.keystr(path).lstrip(".")


def _with_taps(module: Any, layers: tuple[str, ...], tape: _Tape) -> Any:
    """The module with some of its layers noting what they give."""

    def wrap(path: Any, part: Any) -> Any:
        wanted = _called(part) and _named(path) in layers
        return _tap(part, _named(path), tape) if wanted else part

    stop = lambda y: y is not module and _is_layer(y)  # noqa: E731
    return jax.tree_util.tree_map_with_path(wrap, module, is_leaf=stop)
