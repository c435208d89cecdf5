"""Worlds with chance and hidden types as tables, and a search of them to read: one row, dicts.

The search keeps its nodes in a dictionary by the history itself, where the fast one has hashes and
arrays; rules, noise and the order of arithmetic are those of `reference_search`.
"""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference_search as reference
from reference_search import best, f32, mix, uniform

from deliberation.core import Objective, Task, Traits
from deliberation.direct import Evaluation, Evaluator
from deliberation.direct.partial_observation import history_search

NODES, ACTIONS, OUTCOMES = 24, 3, 2
LIGHT = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
"""Small programs run once or twice: compiling them fast matters more than running them fast."""
_decide = eqx.filter_jit(history_search._decide.__wrapped__, compiler_options=LIGHT)


@pytest.fixture(autouse=True)
def compile_lightly(monkeypatch):
    """For each test of a module that imports this."""
    monkeypatch.setattr(history_search, "_decide", _decide)


@dataclasses.dataclass
class World:
    """Node n's action a leads to `child[n, a, o]`, o by chance; pay depends on everybody's type.

    A player sees `label[n]` and its own type; what it may do depends on both.
    """

    players: int
    types: int
    child: np.ndarray
    reward: np.ndarray
    legal: np.ndarray
    over: np.ndarray
    mover: np.ndarray
    label: np.ndarray
    logits: np.ndarray
    value: np.ndarray
    discount: float = 0.5

    def code(self, types):
        return sum(t * self.types**p for p, t in enumerate(types))

    def choices(self, state):
        n, types = state
        return self.legal[n, types[self.mover[n]]] & (not self.over[n])

    def step(self, state, action, word):
        n, types = state
        o = int(f32(uniform(word)) * f32(OUTCOMES))
        reward = self.reward[n, action, self.code(types)]
        return (int(self.child[n, action, o]), types), reward.astype(f32)

    def resample(self, state, word):
        n, types = state
        drawn = [int(f32(uniform(mix(word, p))) * f32(self.types)) for p in range(self.players)]
        return n, tuple(types[p] if p == self.mover[n] else t for p, t in enumerate(drawn))


def random_world(seed, players, types=2):
    """Rewards are multiples of a quarter, so that their sums are exact. Node 0 is live."""
    rng = np.random.default_rng(seed)
    over = rng.random(NODES) < 0.2
    over[0], over[-1] = False, True
    ahead = np.arange(NODES)[:, None, None] + rng.integers(1, 6, (NODES, ACTIONS, OUTCOMES))
    legal = rng.random((NODES, types, ACTIONS)) < 0.8
    index = np.ix_(range(NODES), range(types))
    legal[(*index, rng.integers(0, ACTIONS, (NODES, types)))] = True
    reward = rng.integers(-4, 5, (NODES, ACTIONS, types**players, players)) / 4
    if players == 2:
        reward[..., 1] = -reward[..., 0]
    return World(
        players,
        types,
        np.minimum(ahead, NODES - 1).astype(np.int32),
        reward.astype(f32),
        legal,
        over,
        rng.integers(0, players, NODES).astype(np.int32),
        rng.integers(0, 3, NODES).astype(np.int32),
        rng.normal(size=(NODES, ACTIONS)).astype(f32),
        (rng.integers(-4, 5, (NODES, types**players)) / 8).astype(f32),
    )


class Pay(Objective):
    reward: jax.Array
    worth: float
    types: int = eqx.field(static=True)

    def __call__(self, state, action, after):
        return self.reward[state.node, action, code(state.types, self.types)]

    @property
    def discount(self):
        return self.worth


class Hidden(eqx.Module):
    node: jax.Array
    types: jax.Array


def code(types, base):
    return (types * base ** jnp.arange(types.shape[0])).sum()


class Hides(Task):
    """A `World` for the search under test."""

    child: jax.Array
    able: jax.Array
    over: jax.Array
    mover: jax.Array
    label: jax.Array
    pay: Pay
    seats: int = eqx.field(static=True)

    @property
    def traits(self):
        hides = self.pay.types > 1
        return Traits(self.seats, ACTIONS, NODES, deterministic=False, fully_observable=not hides)

    @property
    def objective(self):
        return self.pay

    def init(self, key):
        words = jax.random.bits(key, (self.seats,))
        types = (words % self.pay.types).astype(jnp.int32)
        return Hidden(jnp.int32(0), types)

    def advance(self, state, action, key):
        u = unit(jax.random.key_data(key)[0])
        return Hidden(self.child[state.node, action, (u * OUTCOMES).astype(jnp.int32)], state.types)

    def observe(self, state):
        seen = jnp.stack([self.label[state.node], state.types[self.player(state)]])
        seen = seen.astype(jnp.float32)
        # Zeros have a sign that means nothing: that of the hidden types.
        sign = jnp.where(state.types.sum() % 2, -1.0, 1.0)
        return jnp.where(seen == 0, jnp.copysign(seen, sign), seen)

    def legal(self, state):
        mine = state.types[self.player(state)]
        return self.able[state.node, mine] & ~self.over[state.node]

    def player(self, state):
        return self.mover[state.node]

    def terminated(self, state):
        return self.over[state.node]

    def resample(self, state, key):
        seats, word = jnp.arange(self.seats), jax.random.key_data(key)[0]
        drawn = unit(jax.vmap(lambda p: jax_mix(word, p))(seats)) * self.pay.types
        known = seats == self.player(state)
        return Hidden(state.node, jnp.where(known, state.types, drawn.astype(jnp.int32)))


class Table(Evaluator):
    logits: jax.Array
    value: jax.Array
    has_prior: bool = eqx.field(static=True, default=True)
    passes: int = eqx.field(static=True, default=1)
    flops: float = eqx.field(static=True, default=10.0)

    def __call__(self, task, objective, state, live, seed):
        place = jax.vmap(lambda s: code(s.types, task.pay.types))(state)
        steps = jnp.full(live.shape, 3, jnp.int32)
        return Evaluation(self.logits[state.node], self.value[state.node, place], steps)


def as_task(world):
    """The same world for the search under test: (task, evaluator)."""
    pay = Pay(jnp.asarray(world.reward), jnp.float32(world.discount), world.types)
    arrays = (world.child, world.legal, world.over, world.mover, world.label)
    task = Hides(*(jnp.asarray(x) for x in arrays), pay, world.players)
    return task, Table(jnp.asarray(world.logits), jnp.asarray(world.value))


def jax_mix(seed, counter):
    seed = seed + (counter.astype(jnp.uint32) + 1) * jnp.uint32(0x9E3779B9)
    seed = (seed ^ (seed >> 16)) * jnp.uint32(0x7FEB352D)
    seed = (seed ^ (seed >> 15)) * jnp.uint32(0x846CA68B)
    return seed ^ (seed >> 16)


def unit(word):
    return (word >> 8).astype(jnp.float32) * jnp.float32(2**-24)


class Node:
    """Statistics in the view of the node's own player; `sign` and `settled` are for the rules."""

    sign = 1

    def __init__(self, legal, logits, value, judged=True):
        self.legal, self.value = legal, f32(value)
        self.low, self.high = (self.value, self.value) if judged else (f32(np.inf), f32(-np.inf))
        self.visits = np.zeros(len(legal), int)
        self.total = np.zeros(len(legal), f32)
        self.settled = np.zeros(len(legal), bool)
        self.logits = np.full(len(legal), -np.inf, f32)
        self.logits[legal] = logits[legal] - logits[legal].max()

    @property
    def q(self):
        return self.total / np.maximum(self.visits, 1).astype(f32)

    @property
    def prior(self):
        weights = np.exp(self.logits)
        return weights / weights.sum(dtype=f32)


@dataclasses.dataclass
class Result:
    root: Node
    nodes: dict
    action: int
    weights: np.ndarray
    simulations: int
    model_steps: int
    judged: int


class Search:
    def __init__(self, world, rule, kind, rollouts):
        self.world, self.rule, self.kind, self.rollouts = world, rule, kind, rollouts

    def name(self, state, past):
        """What tells the mover where it is."""
        n, types = state
        mover = self.world.mover[n]
        sees = {
            "histories": (self.world.label[n], types[mover]),
            "actions": (),
            "states": (n, *types),
        }[self.kind]
        now = (mover, *self.world.choices(state), *sees)
        if self.kind == "states":
            return now
        shared = self.kind == "actions" and self.world.types == 1
        return (*past[0 if shared else mover], now)

    def judge(self, state, seed):
        """(logits, a value for each player, model steps)."""
        world, (n, types) = self.world, state
        if not self.rollouts:
            mine, value = world.mover[n], world.value[n, world.code(types)]
            values = [value if p == mine else -value for p in range(world.players)]
            return world.logits[n], np.array(values, f32), 3
        total, steps = np.zeros(world.players, f32), 0
        for i in range(self.rollouts):
            worth, plies, playing = f32(1), 0, state
            while not world.over[playing[0]]:
                now = mix(mix(seed, i), plies)
                choices = np.flatnonzero(world.choices(playing))
                action = choices[int(f32(uniform(now)) * f32(len(choices)))]
                playing, reward = world.step(playing, action, now)
                total += worth * reward
                worth, plies = worth * f32(world.discount), plies + 1
            steps += plies
        return np.zeros_like(world.logits[n]), total / f32(self.rollouts), steps

    def run(self, state, budget, seed, cap=math.inf):
        world, mover = self.world, self.world.mover[state[0]]
        logits, values, steps, judged = world.logits[0] * 0, np.zeros(world.players), 0, 0
        if not self.rollouts or self.rule.needs_value:
            sample = world.resample(state, mix(seed, 3))
            logits, values, steps = self.judge(sample, mix(seed, 0))
            judged = 1
        root = Node(world.choices(state), logits, values[mover], judged > 0)
        self.rule.begin(root, int(min(budget, cap)), mix(seed, 1))
        nothing = [(p,) for p in range(world.players)]
        nodes = {self.name(state, nothing): root}
        result = Result(root, nodes, -1, root.prior * 0, 0, steps, judged)
        while result.simulations < min(budget, cap):
            if result.simulations and result.model_steps >= cap:
                break
            result.simulations += 1
            self.simulate(state, result, mix(seed, 4, result.simulations))
        result.weights, preference = self.rule.answer(root)
        result.action = best(masked(root, preference), mix(seed, 2))
        return result

    def simulate(self, root, result, seed):
        world, nodes = self.world, result.nodes
        state, path = world.resample(root, mix(seed, 0)), []
        past = [(p,) for p in range(world.players)]
        name, node, depth = self.name(state, past), result.root, 0
        scores = self.rule.root(node, result.simulations)
        while True:
            now, mover = mix(seed, 3, depth), world.mover[state[0]]
            action = best(masked(node, scores), mix(now, 0))
            state, reward = world.step(state, action, now)
            path.append((node, action, mover, reward))
            shared = self.kind == "actions" and world.types == 1
            past[0 if shared else mover] = (*name, action)
            depth += 1
            if world.over[state[0]]:
                gains = np.zeros(world.players, f32)
                break
            name = self.name(state, past)
            if name not in nodes:
                logits, gains, steps = self.judge(state, mix(seed, 2))
                nodes[name] = Node(world.choices(state), logits, gains[world.mover[state[0]]])
                result.model_steps += steps
                result.judged += 1
                break
            node = nodes[name]
            scores = self.rule.interior(node)
        result.model_steps += depth
        for node, action, mover, reward in reversed(path):
            gains = reward + f32(world.discount) * gains
            node.visits[action] += 1
            node.total[action] += gains[mover]
            node.low, node.high = min(node.low, gains[mover]), max(node.high, gains[mover])


def masked(node, scores):
    return [s if ok else -np.inf for s, ok in zip(scores, node.legal, strict=True)]


RULES = {"uct": reference.UCT, "puct": reference.PUCT, "gumbel": reference.Gumbel}
