"""Worlds given as tables, for the search and its reference alike: random graphs and bandits."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference_search import World

from deliberation.core import Objective, Task, Traits
from deliberation.direct import Evaluation, Evaluator
from deliberation.direct.tree_search import calling
from deliberation.direct.tree_search import decider as planner
from deliberation.direct.tree_search import running as stages

NODES, ACTIONS, ROWS = 40, 4, 16
SMALL = {"capacity": 64}
LIGHT = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
"""Small programs run once or twice: compiling them fast matters more than running them fast."""
run = eqx.filter_jit(planner.plan, compiler_options=LIGHT)
_LIGHTLY = {
    name: eqx.filter_jit(getattr(stages, name).__wrapped__, compiler_options=LIGHT, donate=donate)
    for name, donate in (
        ("begun", "none"),
        ("grown", "all-except-first"),
        ("replanned", "all-except-first"),
        ("answered", "none"),
        ("remembered", "none"),
    )
}
_SEARCHED = jax.jit(calling.searched.__wrapped__, static_argnums=0, compiler_options=LIGHT)


@pytest.fixture(autouse=True)
def compile_lightly(request, monkeypatch):
    """For each test of a module that imports this, except those that ask for `full_speed`."""
    if "full_speed" not in request.fixturenames:
        for name, stage in _LIGHTLY.items():
            monkeypatch.setattr(stages, name, stage)
        monkeypatch.setattr(calling, "searched", _SEARCHED)


@pytest.fixture
def full_speed():
    """Asked for by tests in which running takes longer than compiling."""


class TableRewards(Objective):
    reward: jax.Array
    players: int = eqx.field(static=True)
    worth: jax.Array | float
    limits: jax.Array | tuple[float, float]

    def __call__(self, state, action, after):
        gain = self.reward[state, action]
        return jnp.stack([gain, -gain])[: self.players]

    @property
    def discount(self):
        return self.worth

    @property
    def bounds(self):
        return self.limits[0], self.limits[1]


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

    Children lie a few numbers ahead, so play ends, and paths meet again. Node 1 is live and the
    first child of node 0.
    """
    rng = np.random.default_rng(seed)
    over = rng.random(NODES) < 0.25
    over[:2], over[-1] = False, True
    ahead = np.arange(NODES)[:, None] + rng.integers(1, 9, (NODES, ACTIONS))
    child = np.minimum(ahead, NODES - 1).astype(np.int32)
    legal = rng.random((NODES, ACTIONS)) < 0.8
    legal[np.arange(NODES), rng.integers(0, ACTIONS, NODES)] = True
    child[0, 0], legal[0, 0] = 1, True
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


def as_task(world, plain=False):
    """The same world for the search under test: (task, evaluator).

    Discount and bounds are data, so that worlds share programs; if `plain`, the numbers that
    objectives usually have.
    """
    worth, limits = world.discount, (world.low, world.high)
    if not plain:
        worth, limits = jnp.float32(worth), jnp.array(limits, jnp.float32)
    rewards = TableRewards(jnp.asarray(world.reward), 2, worth, limits)
    arrays = (world.child, world.legal, world.over, world.player)
    task = Tables(*(jnp.asarray(x) for x in arrays), rewards)
    return task, TableEvaluator(jnp.asarray(world.logits), jnp.asarray(world.value))


def bandit(payoffs, logits=None, value=0.0, **bounds):
    """One step with one action for each payoff (at most `ACTIONS`), as (task, evaluator).

    Padded to the shape of the random worlds, so that the same programs serve.
    """
    n, shape = len(payoffs), (NODES, ACTIONS)
    reward, given = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    legal = np.zeros(shape, bool)
    reward[0, :n], given[0, :n], legal[0, :n] = payoffs, logits if logits is not None else 0, True
    world = World(
        np.ones(shape, np.int32),
        reward,
        legal,
        np.arange(NODES) > 0,
        np.zeros(NODES, np.int32),
        given,
        np.full(NODES, value, np.float32),
        **bounds,
    )
    return as_task(world)
