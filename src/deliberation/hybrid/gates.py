"""Gates: from a network's answer alone, what would planning be expected to gain?

The value of computation is the expected improvement of the decision it may change (Russell and
Wefald 1991). Before any search there is one witness: by how much the prior prefers its first action
to its second. A gate turns that into units of return, by two numbers learned from decisions that
were planned.
"""

import abc
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from ..amortised.networks import Network, flops
from ..amortised.policy import FORBIDDEN, evaluate
from ..core.budget import Budget
from ..core.decider import Decider, row_keys
from ..core.ledger import Ledger
from ..core.task import State, Task, batch_size
from ..direct.stopping import expected_excess


class Gate(eqx.Module):
    """The expected gain of planning a row, in units of return."""

    @abc.abstractmethod
    def __call__(
        self, logits: Float[Array, "batch actions"], legal: Bool[Array, "batch actions"]
    ) -> Float[Array, " batch"]:
        """From the network's logits, `FORBIDDEN` where illegal; 0 where nothing is to choose."""


class GaussianGate(Gate):
    """gain = scale s f(-m / s), f(z) = z Phi(z) + phi(z).

    m, the margin, is how many nats the first action of the prior has on the second; s (`spread`,
    in nats) how uncertain such margins are, and `scale` what a nat is worth in return: the Gaussian
    value of perfect information about which of the two is better (see
    `direct.ValueOfComputation`). Both numbers are data; `fit_gate` learns them.
    """

    scale: Float[Array, ""]
    spread: Float[Array, ""]

    def __init__(self, scale: float | Array = 1.0, spread: float | Array = 1.0):
        self.scale = jnp.asarray(scale, jnp.float32)
        self.spread = jnp.asarray(spread, jnp.float32)
        if not bool((self.scale >= 0) & (self.spread > 0) & jnp.isfinite(self.spread)):
            raise ValueError(f"A gate needs scale >= 0 and spread > 0; got {scale}, {spread}.")

    def __call__(
        self, logits: Float[Array, "batch actions"], legal: Bool[Array, "batch actions"]
    ) -> Float[Array, " batch"]:
        """Largest where the prior is undecided between its first two actions."""
        return self.scale * _excess(margins(logits, legal), self.spread)


def margins(
    logits: Float[Array, "batch actions"], legal: Bool[Array, "batch actions"]
) -> Float[Array, " batch"]:
    """Log-probability of the first action over that of the second; infinite without a second."""
    two = jax.lax.top_k(jnp.where(legal, logits, FORBIDDEN), min(2, legal.shape[1]))[0]
    return jnp.where(legal.sum(-1) > 1, two[:, 0] - two[:, -1], jnp.inf)


def _excess(margin: Float[Array, "*rows"], spread: Float[Array, ""]) -> Float[Array, "*rows"]:
    z = jnp.where(jnp.isfinite(margin), -margin / spread, -1e3)
    return spread * expected_excess(z)


def fit_gate(
    task: Task,
    network: Network,
    planner: Decider,
    state: State,
    *,
    budget: Budget | int,
    key: Key[Array, ""],
) -> tuple[GaussianGate, Ledger]:
    """A gate for a network and a planner, learned from what planning gained in a batch of states.

    Where the planner chooses another action than the network, both are taken and the planner is
    asked for the value of where they lead: the difference is what planning gained. Scale and spread
    are those of least squares. Returns the gate and what it took to learn.
    """
    started = time.perf_counter()
    batch = batch_size(state)
    first, then, chance = jax.random.split(key, 3)
    planned, _ = planner.decide(state, planner.begin(batch), budget=budget, key=first)
    logits, legal = _looked(task, network, state)
    own = jnp.argmax(logits, axis=-1).astype(jnp.int32)
    changed = np.flatnonzero(np.asarray((planned.action != own) & (planned.action >= 0)))
    gain, spent = np.zeros(batch), planned.spent.total()
    if len(changed):
        # Both actions in one batch, so that one program is compiled.
        rows = jnp.asarray(np.tile(changed, 2))
        action = jnp.concatenate([planned.action[changed], own[changed]])
        some = jax.tree.map(lambda x: x[rows], state)
        after, reward, sign, other = _taken(task, some, action, row_keys(chance, len(rows)))
        looked, _ = planner.decide(after, planner.begin(len(rows)), budget=budget, key=then)
        worth = sign * reward + task.objective.discount * sign * other * looked.value
        better, worse = np.asarray(worth).reshape(2, -1)
        gain[changed] = better - worse
        spent = spent + looked.spent.total()
    gate = _least_squares(np.asarray(margins(logits, legal)), gain)
    seconds = time.perf_counter() - started
    steps = (spent.model_steps or 0) + 2 * len(changed)
    cost = Ledger(
        model_steps=steps,
        network_evaluations=(spent.network_evaluations or 0) + batch,
        fits=1,
        data=batch,
        flops=(spent.flops or 0) + batch * flops(network),
        seconds=seconds,
    )
    return gate, cost


def _least_squares(
    margin: Float[np.ndarray, " batch"], gain: Float[np.ndarray, " batch"]
) -> GaussianGate:
    """The best scale for each spread of a fine grid, and the best of those."""
    spreads = np.geomspace(0.05, 20.0, 61)
    shapes = np.stack([np.asarray(_excess(jnp.asarray(margin), jnp.float32(s))) for s in spreads])
    scales = np.maximum(shapes @ gain / np.maximum((shapes**2).sum(1), 1e-12), 0.0)
    errors = ((scales[:, None] * shapes - gain) ** 2).sum(1)
    best = int(np.argmin(errors))
    return GaussianGate(float(scales[best]), float(spreads[best]))


@eqx.filter_jit
def _looked(
    task: Task, network: Network, state: State
) -> tuple[Float[Array, "batch actions"], Bool[Array, "batch actions"]]:
    legal = jax.vmap(task.legal)(state)
    return evaluate(network, jax.vmap(task.observe)(state), legal)[0], legal


@eqx.filter_jit
def _taken(
    task: Task, state: State, action: Array, keys: Key[Array, " rows"]
) -> tuple[State, Array, Array, Array]:
    """After an action: the state, player 0's reward, and the signs of who moved and who moves."""
    after = jax.vmap(task.advance)(state, action, keys)
    reward = jax.vmap(task.objective)(state, action, after)[:, 0]
    before, then = (jnp.where(jax.vmap(task.player)(s) == 0, 1.0, -1.0) for s in (state, after))
    return after, reward, before, then
