"""Many trainings of one architecture side by side: one compiled program, a row for each seed.

Small networks leave a core idle between operations; trained together they cost little more than
one. What claims say of trainings they say over many, and so every experiment is trained like this.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

from ...core.cache import keep_programs
from ...core.errors import NonFiniteError, WrongKindError
from ...core.telling import tell
from .optimisers import Schedule, cosine_schedule, gradient_steps, init_optimiser, make_optimiser

Loss = Callable[[Any, Key[Array, ""]], Float[Array, ""]]
"""A network and a key give the loss of a batch that is drawn with that key."""
Train = Callable[..., PyTree]


def descended(
    loss: Loss,
    network: Any,
    key: Key[Array, ""],
    *,
    steps: int,
    learning_rate: float | Schedule = 1e-3,
    weight_decay: float = 0.0,
    clip: float = 1.0,
) -> tuple[Any, Float[Array, " steps"]]:
    """A network after so many steps of AdamW, and the loss at each. Pure, for `side_by_side`.

    A number as `learning_rate` is the peak of a cosine; a function gives the rate at each step.
    """
    if steps < 1:
        raise ValueError(f"A training takes at least 1 step; got {steps}.")
    optimiser = make_optimiser(weight_decay, clip, decay_biases=True)
    given: Any = learning_rate
    schedule: Schedule = given if callable(given) else cosine_schedule(given, steps)

    def reported(network: Any, key: Key[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        total = loss(network, key)
        return total, total

    rates = jax.vmap(schedule)(jnp.arange(steps))
    state = init_optimiser(optimiser, network)
    network, _, losses = gradient_steps(
        reported, network, state, optimiser, functools.partial(jax.random.fold_in, key), rates
    )
    return network, losses


def side_by_side(
    train: Train, keys: Key[Array, " trainings"], *shared: Any, most: int = 32
) -> PyTree:
    """What `train(key, *shared)` gives for each key, stacked, on the host.

    `train` gives arrays, and what is `shared` is arrays: of a module, `eqx.filter` makes them. At
    most so many are trained at once, which bounds memory; every part is of one size, so that one
    program serves all. The share that is done is told (`core.telling`).

    Raises `WrongKindError` for keys that are no row of keys, and `NonFiniteError`, naming the
    trainings, where any result holds NaN or infinity: a training that diverged is no result, and
    leaving it out would choose among trainings.
    """
    typed = isinstance(keys, jax.Array) and jnp.issubdtype(keys.dtype, jax.dtypes.prng_key)
    if not typed or keys.ndim != 1 or not len(keys):
        raise WrongKindError(
            f"keys={keys!r}: a row of at least one key, as of jax.random.split(key, trainings)."
        )
    if type(most) is not int or most < 1:
        raise WrongKindError(f"most={most!r}: a whole number of trainings at once, at least 1.")
    n = len(keys)
    room = min(most, n)
    keep_programs()
    program = jax.jit(jax.vmap(train, in_axes=(0, *(None for _ in shared))))
    parts = []
    for start in range(0, n, room):
        rows = np.resize(np.arange(start, min(start + room, n)), room)
        found = jax.tree.map(np.asarray, program(keys[rows], *shared))
        parts.append(jax.tree.map(lambda x, kept=n - start: x[:kept], found))
        tell(min(start + room, n) / n)
    whole = jax.tree.map(lambda *some: np.concatenate(some), *parts)
    _refuse_diverged(whole, n)
    return whole


def _refuse_diverged(found: PyTree, n: int) -> None:
    broken = np.zeros(n, bool)
    for leaf in map(np.asarray, jax.tree.leaves(found)):
        if jnp.issubdtype(leaf.dtype, jnp.inexact):
            broken |= ~np.isfinite(np.abs(leaf.reshape(n, -1)).astype(np.float64)).all(1)
    if broken.any():
        which = ", ".join(map(str, np.flatnonzero(broken)[:8]))
        raise NonFiniteError(
            f"{broken.sum()} of {n} trainings side by side ended with NaN or infinity (numbers "
            f"{which}). Lower the learning rate; they are not left out, which would choose among "
            "trainings."
        )
