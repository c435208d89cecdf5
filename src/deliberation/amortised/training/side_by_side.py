"""Many trainings of one architecture side by side: one compiled program, a row for each seed.

Small networks leave a core idle between operations; trained together they cost little more than
one. What claims say of trainings they say over many, and so every experiment is trained like this.
"""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

from ...core.cache import keep_programs
from ...core.errors import NonFiniteError
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
    optimiser = make_optimiser(weight_decay, clip, decay_biases=True)
    constant = isinstance(learning_rate, float | int)
    schedule = cosine_schedule(float(learning_rate), steps) if constant else learning_rate

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

    At most so many are trained at once, which bounds memory; every part is of one size, so that one
    program serves all. The share that is done is told (`core.telling`). Raises `NonFiniteError`,
    naming the trainings, where any result holds NaN: a training that diverged is no result, and
    leaving it out would choose among trainings.
    """
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
    _refuse_nan(whole, n)
    return whole


def _refuse_nan(found: PyTree, n: int) -> None:
    broken = np.zeros(n, bool)
    for leaf in jax.tree.leaves(eqx.filter(found, eqx.is_inexact_array_like)):
        broken |= np.isnan(np.asarray(leaf).reshape(n, -1)).any(1)
    if broken.any():
        which = ", ".join(map(str, np.flatnonzero(broken)[:8]))
        raise NonFiniteError(
            f"{broken.sum()} of {n} trainings side by side ended with NaN (numbers {which}). Lower "
            "the learning rate; they are not left out, which would choose among trainings."
        )
