"""Optimisers and learning rates that all trainings share; the schedules are optax's.

The rate is an argument of each step instead of a part of the optimiser, so that one compiled
program serves every schedule.
"""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

Metrics = dict[str, Float[Array, ""]]
Schedule = Callable[[Any], Any]
"""The learning rate at a step, counted from 0."""


@functools.cache
def make_optimiser(
    weight_decay: float = 1e-4, clip: float = 1.0, *, eps: float = 1e-8, decay_biases: bool = False
) -> optax.GradientTransformation:
    """AdamW without its learning rate, which `descend` takes step by step.

    Gradients are clipped to a global norm of `clip`; biases do not decay unless told to (Loshchilov
    and Hutter 2019). Equal arguments give the same object, so that training is compiled once.
    """
    parts = [optax.clip_by_global_norm(clip), optax.scale_by_adam(eps=eps)]
    if weight_decay:
        mask = None if decay_biases else _matrices
        parts.append(optax.add_decayed_weights(weight_decay, mask=mask))
    return optax.chain(*parts)


def init_optimiser(optimiser: optax.GradientTransformation, network: PyTree) -> PyTree:
    """The optimiser's first state for a network: zeros, made on the host, where none compiles."""
    params = eqx.filter(network, eqx.is_inexact_array)
    form = jax.eval_shape(optimiser.init, params)
    return jax.tree.map(lambda x: jax.device_put(np.zeros(x.shape, x.dtype)), form)


def descend(
    params: PyTree, slope: PyTree, state: PyTree, optimiser: optax.GradientTransformation,
    rate: Array | float,
) -> tuple[PyTree, PyTree]:  # fmt: skip
    """Weights after a step of length `rate` against a gradient, and the optimiser's next state."""
    update, state = optimiser.update(slope, state, params)
    return jax.tree.map(lambda p, u: p - rate * u, params, update), state


def gradient_steps(
    loss: Callable[[Any, Any], tuple[Float[Array, ""], Any]],
    network: Any,
    state: PyTree,
    optimiser: optax.GradientTransformation,
    draw: Callable[[Int[Array, ""]], Any],
    rates: Float[Array, " room"],
    steps: Int[Array, ""] | int | None = None,
    *,
    guarded: bool = False,
) -> tuple[Any, PyTree, Any]:
    """The loop that all gradient descent goes through: network, optimiser's state, what was seen.

    Step i learns from `draw(i)` at the rate `rates[i]`; `steps` are taken, as many as there are
    rates unless given. `loss(network, batch)` gives the loss and arrays to report, which come back
    with a leading axis for the steps (zero beyond `steps`). Pure; to be called inside of `jit`.

    If `guarded`, the network returned is the last one whose loss was finite, and from the first
    loss with NaN or infinity on, reports are NaN.
    """
    params, static = eqx.partition(network, eqx.is_inexact_array)
    gradient = jax.value_and_grad(lambda p, b: loss(eqx.combine(p, static), b), has_aux=True)
    form = jax.eval_shape(lambda p: gradient(p, draw(jnp.int32(0))), params)[0][1]
    room = rates.shape[0]
    blank = jax.tree.map(lambda x: jnp.zeros((room, *x.shape), x.dtype), form)

    def step(now: Int[Array, ""], carry: tuple) -> tuple:
        params, state, history, guard = carry
        (total, seen), slope = gradient(params, draw(now))
        after, state = descend(params, slope, state, optimiser, rates[now])
        if guarded:
            after, seen, guard = _guard(params, after, total, seen, guard)
        history = jax.tree.map(lambda h, x: h.at[now].set(x), history, seen)
        return after, state, history, guard

    guard = (params, jnp.bool_(True)) if guarded else ()
    count = room if steps is None else steps
    params, state, history, _ = jax.lax.fori_loop(0, count, step, (params, state, blank, guard))
    return eqx.combine(params, static), state, history


def _guard(
    params: PyTree, after: PyTree, total: Float[Array, ""], seen: PyTree, guard: tuple
) -> tuple[PyTree, PyTree, tuple]:
    """Once a loss is not finite, everything stands still on the network before it."""
    previous, was = guard
    alive = was & jnp.isfinite(total)
    sound = jnp.stack([jnp.isfinite(x).all() for x in jax.tree.leaves(seen)]).all()
    # The step that fails shows which loss did; where all are finite, their sum overflowed.
    shown = alive | (was & ~sound)
    seen = jax.tree.map(lambda x: jnp.where(shown, x, jnp.nan), seen)
    return _where(alive, after, previous), seen, (_where(alive, params, previous), alive)


def _where(flag: Bool[Array, ""], a: PyTree, b: PyTree) -> PyTree:
    return jax.tree.map(lambda x, y: jnp.where(flag, x, y), a, b)


def cosine_schedule(peak: float, steps: int, *, warmup: int = 0, floor: float = 0.0) -> Schedule:
    """Linear over `warmup` steps up to `peak`, then a cosine down to `floor` times the peak."""
    fall = optax.cosine_decay_schedule(peak, max(steps - warmup, 1), alpha=floor)
    if not warmup:
        return fall
    return optax.join_schedules([rise_schedule(warmup, peak), fall], [warmup])


def rise_schedule(warmup: int, peak: float = 1.0) -> Schedule:
    """By equal steps from `peak` / `warmup` up to `peak` at the last of `warmup` steps, and on."""
    return optax.linear_schedule(peak / max(warmup, 1), peak, max(warmup - 1, 1))


def cosine(steps: int, peak: float, warmup: int = 0) -> Float[np.ndarray, " steps"]:
    """A learning rate a step: linear over `warmup` steps to `peak`, then a cosine down to zero."""
    # The numbers of `cosine_schedule`, without compiling it for each number of steps.
    now = np.arange(steps)
    fall = 0.5 * (1 + np.cos(np.pi * (now - warmup) / max(steps - warmup, 1)))
    return np.where(now < warmup, (now + 1) / max(warmup, 1), fall).astype(np.float32) * peak


def linear_schedule(peak: float, steps: int, *, anneal: bool = True) -> Schedule:
    """From `peak` down to zero in equal steps; `peak` all along where it is not to `anneal`."""
    return optax.linear_schedule(peak, 0.0 if anneal else peak, steps)


def _matrices(params: PyTree) -> PyTree:
    return jax.tree.map(lambda x: jnp.ndim(x) > 1, params)
