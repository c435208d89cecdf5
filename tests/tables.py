"""Worlds given as tables, for the search and its reference alike: random graphs and bandits."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from reference_search import World

from deliberation.core import Objective, Task, Traits
from deliberation.direct import Evaluation, Evaluator

NODES, ACTIONS = 40, 4


class TableRewards(Objective):
    reward: jax.Array
    worth: jax.Array
    players: int = eqx.field(static=True)
    limits: tuple[float, float] = eqx.field(static=True, default=(-math.inf, math.inf))

    def __call__(self, state, action, after):
        gain = self.reward[state, action]
        return jnp.stack([gain, -gain])[: self.players]

    @property
    def discount(self):
        return self.worth

    @property
    def bounds(self):
        return self.limits


class Tables(Task):
    """A state is a node's number; the tables are data, so that one program serves many worlds."""

    child: jax.Array
    legal_: jax.Array
    over: jax.Array
    mover: jax.Array
    rewards: TableRewards

    @property
    def traits(self):
        return Traits(self.rewards.players, self.child.shape[1], max(2, self.child.shape[0]))

    @property
    def objective(self):
        return self.rewards

    def init(self, key):
        return jnp.int32(0)

    def advance(self, state, action, key):
        return self.child[state, action]

    def observe(self, state):
        return state[None].astype(jnp.float32)

    def legal(self, state):
        return self.legal_[state] & ~self.over[state]

    def player(self, state):
        return self.mover[state]

    def terminated(self, state):
        return self.over[state]


class TableEvaluator(Evaluator):
    """Logits and values written down for each node."""

    logits: jax.Array
    value: jax.Array
    has_prior: bool = eqx.field(static=True, default=True)
    passes: int = eqx.field(static=True, default=1)
    flops: float = eqx.field(static=True, default=10.0)

    def __call__(self, task, objective, state, live, seed):
        steps = jnp.zeros(live.shape, jnp.int32)
        return Evaluation(self.logits[state], self.value[state], steps)


def random_world(seed, *, players=2, kind="real"):
    """Rewards at every step (`real`, or `binary`: exact in floats), or `wins`: -1, 0, 1 at the end.

    Children lie a few numbers ahead, so play ends, and paths meet again.
    """
    rng = np.random.default_rng(seed)
    over = rng.random(NODES) < 0.25
    over[0], over[-1] = False, True
    ahead = np.arange(NODES)[:, None] + rng.integers(1, 9, (NODES, ACTIONS))
    child = np.minimum(ahead, NODES - 1).astype(np.int32)
    legal = rng.random((NODES, ACTIONS)) < 0.8
    legal[np.arange(NODES), rng.integers(0, ACTIONS, NODES)] = True
    shape = (NODES, ACTIONS)
    rewards = {
        "real": rng.normal(size=shape),
        "binary": rng.integers(-4, 5, shape) / 4,
        "wins": rng.integers(-1, 2, NODES)[child] * over[child],
    }
    value = rng.normal(size=NODES) if kind == "real" else rng.integers(-4, 5, NODES) / 8
    mover = rng.integers(0, players, NODES)
    return World(
        child,
        rewards[kind].astype(np.float32),
        legal,
        over,
        mover.astype(np.int32),
        rng.normal(size=shape).astype(np.float32),
        value.astype(np.float32),
        discount={"real": 0.9, "binary": 0.5, "wins": 1.0}[kind],
        **({"low": -1.0, "high": 1.0} if kind == "wins" else {}),
    )


def as_task(world):
    """The same world for the search under test: (task, evaluator)."""
    worth = jnp.float32(world.discount)
    rewards = TableRewards(jnp.asarray(world.reward), worth, 2, (world.low, world.high))
    arrays = (world.child, world.legal, world.over, world.player)
    task = Tables(*(jnp.asarray(x) for x in arrays), rewards)
    return task, TableEvaluator(jnp.asarray(world.logits), jnp.asarray(world.value))


def bandit(payoffs, logits=None, value=0.0, **bounds):
    """One step with one action for each payoff, as (task, evaluator); payoffs must not be empty."""
    payoffs = np.asarray(payoffs, np.float32)
    n = len(payoffs)
    world = World(
        np.ones((2, n), np.int32),
        np.stack([payoffs, payoffs * 0]),
        np.ones((2, n), bool),
        np.array([False, True]),
        np.zeros(2, np.int32),
        np.stack([np.zeros(n) if logits is None else np.asarray(logits)] * 2).astype(np.float32),
        np.full(2, value, np.float32),
        **bounds,
    )
    return as_task(world)
