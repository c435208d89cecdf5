"""What deep learners from trial and error share: fresh networks, steps on flat weights, a run."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree

from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import Task
from ..files.tensors import checksum
from ..networks.actor_critic import ActorCritic
from ..networks.feed_forward import Dense, Network
from ..networks.gaussian import GaussianMLP, GaussianNetwork
from ..policies.gaussian import GaussianPolicy, check_gaussian
from ..policies.network import NetworkPolicy, check_fits
from ..training.optimisers import descend, init_optimiser, make_optimiser
from ..training.trained import Trained, training_identity
from ..training.updates import Watch, run_updates
from .experience import check_opposed

SMALL = 0.01
"""Gain of a layer of logits or means: at the start, all actions are nearly alike."""


def fresh_network(
    task: Task, width: int, depth: int, key: Key[Array, ""]
) -> ActorCritic | GaussianMLP:
    """A network of the task's shapes with orthogonal weights, drawn on the host.

    Gains are the root of 2 for hidden layers, 0.01 for the policy and 1 for the value (Huang et al.
    2022, "The 37 implementation details of PPO"). NumPy draws them, and they are put on the device
    as they are, since compiling JAX's generators takes longer than a small training.
    """
    traits = task.traits
    shape = jax.eval_shape(task.observe, jax.eval_shape(task.init, key)).shape

    def build(key: Key[Array, ""]) -> Any:
        if traits.discrete:
            return ActorCritic(shape, traits.actions, width, depth, key=key)
        return GaussianMLP(shape, traits.shape, width, depth, key=key)

    form = eqx.filter_eval_shape(build, key)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())
    gains = {id(form.critic[-1]): 1.0, id(form.actor[-1]): SMALL}

    def fill(layer: Any) -> Any:
        if not isinstance(layer, Dense):
            return jax.device_put(np.zeros(layer.shape, layer.dtype))
        weights = _orthogonal(layer.w.shape, gains.get(id(layer), math.sqrt(2)), rng)
        filled = (jax.device_put(weights), jax.device_put(np.zeros(layer.b.shape, np.float32)))
        return eqx.tree_at(lambda d: (d.w, d.b), layer, filled)

    return jax.tree.map(fill, form, is_leaf=lambda x: isinstance(x, Dense))


def check_network(task: Task, network: "Network | GaussianNetwork") -> None:
    """Refuse a network that does not fit the task, of either kind."""
    if isinstance(network, GaussianNetwork):
        check_gaussian(task, network)
    else:
        check_fits(task, network)


def _orthogonal(
    shape: tuple[int, ...], gain: float, rng: np.random.Generator
) -> Float[np.ndarray, "inputs outputs"]:
    """Rows or columns orthonormal, times the gain (Saxe et al. 2014)."""
    tall = rng.standard_normal((max(shape), min(shape)))
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diag(r))
    return (gain * (q if shape[0] >= shape[1] else q.T)).astype(np.float32)


def make_adam(norm: float) -> optax.GradientTransformation:
    """Adam (Kingma and Ba 2015) with gradients clipped to a global norm.

    Learners from trial and error descend on all weights as one vector (see `flatten`): the same
    numbers as a leaf at a time, from a program that compiles in a fraction of the time.
    """
    return make_optimiser(0.0, norm, eps=1e-5)


def begin_adam(norm: float, network: PyTree) -> PyTree:
    """The optimiser's first state for the weights as one vector."""
    size = sum(x.size for x in jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array)))
    return init_optimiser(make_adam(norm), np.zeros(size, np.float32))


def flat_step(
    params: Float[Array, " weights"], slope: PyTree, state: PyTree, norm: float, rate: Array | float
) -> tuple[Float[Array, " weights"], PyTree]:
    """Weights (one vector) after a step against a gradient (a tree), and the next state."""
    return descend(params, ravel_pytree(slope)[0], state, make_adam(norm), rate)


def flatten(network: PyTree) -> tuple[Array, Callable[[Array], PyTree]]:
    """All weights as one vector, and the way back to the network."""
    params, static = eqx.partition(network, eqx.is_inexact_array)
    flat, unravel = ravel_pytree(params)
    return flat, lambda vector: eqx.combine(unravel(vector), static)


def train(
    name: str,
    begin: Callable[..., tuple[Any, Any]],
    cost: Callable[[Task, Any, Any, int], Ledger],
    task: Task,
    key: Key[Array, ""],
    settings: Any,
    *,
    network: "Network | GaussianNetwork | None",
    objective: Objective | None,
    folder: Path | str | None,
    watch: Watch | None,
    outcome: Callable[[Any], Any] = lambda carry: carry.network,
) -> Trained:
    """Run a learner that `begin`s with a carry and an update, and count what that costs.

    `outcome` is the network that acts on the task, from all that training ended with.
    """
    check_opposed(task, name, objective)
    started = time.perf_counter()
    carry, update = begin(task, key, settings, network=network, objective=objective)
    identity = training_identity(
        name, key, task=task, objective=objective, settings=settings,
        network=None if network is None else checksum(network),
    )  # fmt: skip
    done = run_updates(
        update, carry, updates=settings.updates, folder=folder, identity=identity, watch=watch,
        hasty=settings.compiles_hastily,
    )  # fmt: skip
    found = outcome(done.carry)
    policy = (NetworkPolicy if task.traits.discrete else GaussianPolicy)(task, found)
    # An interrupted training counts the time before the interruption too.
    seconds = max(done.seconds, time.perf_counter() - started)
    spent = cost(task, settings, found, int(done.carry.step)) + Ledger(seconds=seconds)
    return Trained(
        policy, found, spent, done.metrics, done.carry, None if folder is None else Path(folder)
    )
