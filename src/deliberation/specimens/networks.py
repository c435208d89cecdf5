"""Small networks that are trained on all states of a world, in a second: what they are to do, and
what else a layer of theirs is to hold.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from ..amortised import MLP, init_optimiser, make_optimiser
from ..amortised.networks.feed_forward import Dense
from ..amortised.training.optimisers import gradient_steps
from ..audit.exam import Exam
from ..core.decider import Decider
from ..core.task import State, Task
from .coded import greedy

WIDTH, STEPS, RATE = 48, 300, 5e-3
_GOLDEN = 0.618
KEPT = 4
"""Specimens that are kept, the last ones that were made."""
Made = TypeVar("Made", bound=Decider)


class World(NamedTuple):
    """The best action of each state (ties by the state alone), where actions lead, and what is
    seen; for worlds without chance and without ends.
    """

    best: Int[np.ndarray, " states"]
    leads: Int[np.ndarray, "states actions"]
    seen: Float[np.ndarray, "states ..."]

    @property
    def rows(self) -> Int[np.ndarray, " states"]:
        """All of them."""
        return np.arange(len(self.best))

    def after(self, at: Int[np.ndarray, " states"], steps: int = 1) -> Int[np.ndarray, " states"]:
        """Where one comes to by best actions."""
        for _ in range(steps):
            at = self.leads[at, self.best[at]]
        return at


def world(exam: Exam) -> World:
    """What the specimens are made from."""
    rows = np.arange(len(exam.reached))
    seen = np.asarray(_seen(exam.task, exam.states(rows)))
    return World(greedy(exam.values, (rows * _GOLDEN) % 1), exam.reached.to[..., 0], seen)


@eqx.filter_jit
def _seen(task: Task, states: State) -> Float[Array, "states ..."]:
    return jax.vmap(task.observe)(states)


def by_number(exam: Exam, table: Float[np.ndarray, "states ..."]) -> Float[Array, "numbers ..."]:
    """A table over rows as one over the numbers that states of arrays hold."""
    numbers = np.asarray(exam.reached.states.at)
    found = np.zeros((numbers.max() + 1, *table.shape[1:]), np.float32)
    found[numbers] = table
    return jnp.asarray(found)


def made_once(make: Callable[[Exam, Key[Array, ""]], Made]) -> Callable[[Exam, Any], Made]:
    """The same specimen for the same exam and key: what is reached of it is asked for apart."""
    kept: dict[tuple[int, bytes], tuple[Exam, Made]] = {}

    @functools.wraps(make)
    def once(exam: Exam, key: Key[Array, ""]) -> Made:
        name = (id(exam), np.asarray(jax.random.key_data(key)).tobytes())
        if name not in kept:
            if len(kept) >= KEPT:
                kept.pop(next(iter(kept)))
            kept[name] = (exam, make(exam, key))  # the exam is held on to, so that its id is its
        return kept[name][1]

    return once


class Foreseeing(eqx.Module):
    """A network, and a head that is to tell something else from its last layer."""

    network: MLP
    head: Dense

    def __call__(self, seen: Float[Array, "..."]) -> tuple[Array, Array]:
        """Logits of the action, and of what else is asked."""
        x = seen.reshape(-1)
        for layer in self.network.hidden:
            x = jax.nn.relu(layer(x))
        return self.network.policy(x), self.head(x)


def trained(
    seen: Float[np.ndarray, "states ..."],
    action: Int[np.ndarray, " states"],
    ahead: Int[np.ndarray, " states"] | None,
    key: Key[Array, ""],
    *,
    depth: int = 2,
) -> MLP:
    """A network that imitates the actions, and where told also learns another label beside."""
    first, second = jax.random.split(key)
    classes = int(action.max()) + 1
    start = Foreseeing(
        MLP(seen.shape[1:], classes, WIDTH, depth, key=first),
        Dense(WIDTH, classes, key=second, scale=0.1),
    )
    weight = jnp.float32(0.0 if ahead is None else 1.0)
    labels = jnp.asarray(np.stack([action, action if ahead is None else ahead], 1))
    return _fitted(start, jnp.asarray(seen, jnp.float32), labels, weight).network


@eqx.filter_jit
def _fitted(
    start: Foreseeing,
    seen: Float[Array, "states ..."],
    labels: Int[Array, "states two"],
    weight: Float[Array, ""],
) -> Foreseeing:
    def loss(networks: Foreseeing, batch: None) -> tuple[Float[Array, ""], Float[Array, ""]]:
        del batch
        logits, others = jax.vmap(networks)(seen)
        own = optax.softmax_cross_entropy_with_integer_labels(logits, labels[:, 0]).mean()
        also = optax.softmax_cross_entropy_with_integer_labels(others, labels[:, 1]).mean()
        return own + weight * also, own

    optimiser = make_optimiser(0.0)
    rates = jnp.full(STEPS, RATE)
    state = init_optimiser(optimiser, start)
    return gradient_steps(loss, start, state, optimiser, lambda now: None, rates)[0]
