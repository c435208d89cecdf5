"""Worlds with chance given as tables, their exact values, and a plain search with chance nodes."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import reference_search as reference

from deliberation.core import Objective, Task, Traits

f32 = np.float32


@dataclasses.dataclass
class Odds:
    """Node n's action a leads to `child[n, a, k]` with probability `chance[n, a, k]`.

    It costs `cost[n, a]`, and arriving at a node gives `arrive`, both to player 0. Children have
    larger numbers than their parents; the actions of a node are its first `legal`.
    """

    child: np.ndarray
    chance: np.ndarray
    cost: np.ndarray
    arrive: np.ndarray
    over: np.ndarray
    mover: np.ndarray
    legal: np.ndarray
    logits: np.ndarray
    value: np.ndarray
    discount: float = 1.0
    low: float = -np.inf
    high: float = np.inf

    def exact(self):
        """Values [nodes] and action values [nodes, actions] for player 0, of best play by both."""
        nodes, actions = self.cost.shape
        values, q = np.zeros(nodes), np.zeros((nodes, actions))
        for n in reversed(range(nodes)):
            if self.over[n]:
                continue
            after = self.arrive[self.child[n]] + self.discount * values[self.child[n]]
            q[n] = self.cost[n] + (self.chance[n] * after).sum(-1)
            allowed = q[n][self.legal[n]]
            values[n] = allowed.max() if self.mover[n] == 0 else allowed.min()
        return values, q


class Gains(Objective):
    cost: jax.Array
    arrive: jax.Array
    players: int = eqx.field(static=True)
    worth: jax.Array | float
    limits: tuple[float, float] = eqx.field(static=True)

    def __call__(self, state, action, after):
        gain = self.cost[state, action] + self.arrive[after]
        return jnp.stack([gain, -gain])[: self.players]

    @property
    def discount(self):
        return self.worth

    @property
    def bounds(self):
        return self.limits


class OddsTask(Task):
    """A state is a node's number."""

    child: jax.Array
    chance: jax.Array
    over: jax.Array
    mover: jax.Array
    legal_: jax.Array
    gains: Gains

    @property
    def traits(self):
        nodes, actions, outcomes = self.child.shape
        players = self.gains.players
        return Traits(players, actions, nodes, deterministic=False, outcomes=outcomes)

    @property
    def objective(self):
        return self.gains

    def init(self, key):
        return jnp.int32(0)

    def advance(self, state, action, key):
        drawn = jax.random.categorical(key, jnp.log(self.chance[state, action]))
        return self.child[state, action, drawn]

    def outcomes(self, state, action):
        return self.child[state, action], self.chance[state, action]

    def observe(self, state):
        return jax.nn.one_hot(state, self.over.shape[0])

    def legal(self, state):
        return self.legal_[state] & ~self.over[state]

    def player(self, state):
        return self.mover[state]

    def terminated(self, state):
        return self.over[state]


def as_task(world):
    arrays = (world.child, world.chance, world.over, world.mover, world.legal)
    limits = (world.low, world.high)
    players = 1 + int(world.mover.any())
    gains = Gains(
        jnp.asarray(world.cost), jnp.asarray(world.arrive), players, world.discount, limits
    )
    return OddsTask(*(jnp.asarray(x) for x in arrays), gains)


def build(entries, nodes, actions=2, outcomes=2, **more):
    """A world from {node: {action: [(probability, child), ...]}}; the rest is over."""
    shape = (nodes, actions, outcomes)
    child, chance = np.zeros(shape, np.int32), np.zeros(shape, f32)
    legal, over = np.zeros(shape[:2], bool), np.ones(nodes, bool)
    for n, choices in entries.items():
        over[n] = False
        for a, listed in choices.items():
            legal[n, a] = True
            for k, (p, to) in enumerate(listed):
                chance[n, a, k], child[n, a, k] = p, to
    plain = {
        "cost": np.zeros(shape[:2], f32),
        "arrive": np.zeros(nodes, f32),
        "mover": np.zeros(nodes, np.int32),
        "logits": np.zeros(shape[:2], f32),
        "value": np.zeros(nodes, f32),
    }
    return Odds(child, chance, over=over, legal=legal, **{**plain, **more})


LAYERS, WIDE, ACTIONS, OUTCOMES = 4, 6, 3, 4


def random_odds(seed, *, players=2, dyadic=False, discount=1.0):
    """Layers of nodes: play is four actions long at most. Some actions are certain.

    If `dyadic`, probabilities are such that exact ties between outcomes are common.
    """
    rng = np.random.default_rng(seed)
    nodes = LAYERS * WIDE
    shape = (nodes, ACTIONS, OUTCOMES)
    layer = np.arange(nodes) // WIDE
    child = rng.integers(0, WIDE, shape) + WIDE * (layer[:, None, None] + 1)
    chance = rng.dirichlet(np.ones(OUTCOMES), shape[:2])
    if dyadic:
        chance = rng.permuted(np.broadcast_to([0.5, 0.25, 0.25, 0.0], shape), axis=-1)
    certain = rng.random(shape[:2]) < 0.2
    chance[certain] = [0, 1, 0, 0]
    over = (layer == LAYERS - 1) | ((layer > 0) & (rng.random(nodes) < 0.15))
    legal = rng.random(shape[:2]) < 0.8
    legal[np.arange(nodes), rng.integers(0, ACTIONS, nodes)] = True
    real = lambda *size: rng.normal(size=size).astype(f32)  # noqa: E731
    return Odds(
        np.minimum(child, nodes - 1).astype(np.int32),
        chance.astype(f32),
        real(nodes, ACTIONS),
        real(nodes),
        over,
        rng.integers(0, players, nodes).astype(np.int32),
        legal,
        real(nodes, ACTIONS),
        real(nodes),
        discount,
    )


# A plain search with chance nodes: an uncertain action leads to a node of its own


class ChanceWorld(reference.World):
    """Nodes of the world, then one for each (node, action) whose outcome is uncertain.

    A new chance node is judged by an outcome drawn with the noise of the present simulation.
    """

    def __init__(self, world):
        nodes, actions, outcomes = world.child.shape
        width, every = max(actions, outcomes), nodes * (1 + actions)
        child, legal = np.zeros((every, width), np.int32), np.zeros((every, width), bool)
        reward, logits = np.zeros((every, width), f32), np.zeros((every, width), f32)
        number = nodes + np.arange(nodes * actions).reshape(nodes, actions)
        gain = world.cost[..., None] + world.arrive[world.child]
        certain = (world.chance > 0).sum(-1) == 1
        sure = world.chance.argmax(-1)[..., None]
        child[:nodes, :actions] = np.where(
            certain, np.take_along_axis(world.child, sure, 2)[..., 0], number
        )
        reward[:nodes, :actions] = np.where(certain, np.take_along_axis(gain, sure, 2)[..., 0], 0)
        legal[:nodes, :actions], logits[:nodes, :actions] = world.legal, world.logits
        child[nodes:, :outcomes] = world.child.reshape(-1, outcomes)
        reward[nodes:, :outcomes] = gain.reshape(-1, outcomes)
        legal[nodes:, :outcomes] = (world.chance > 0).reshape(-1, outcomes)
        with np.errstate(divide="ignore"):
            logits[nodes:, :outcomes] = np.log(world.chance).reshape(-1, outcomes)
        repeat = lambda x: np.concatenate([x, np.repeat(x, actions)])  # noqa: E731
        super().__init__(
            child, reward, legal, repeat(world.over), repeat(world.mover), logits,
            repeat(world.value), world.discount,
        )  # fmt: skip
        self.nodes, self.now = nodes, 0

    def judge(self, state, seed, rollouts):
        if state < self.nodes:
            return super().judge(state, seed, rollouts)
        noise = [reference.gumbel(reference.mix(self.now, 1, k)) for k in range(OUTCOMES)]
        logits = np.where(self.legal[state], self.logits[state], -np.inf)[:OUTCOMES]
        drawn = int(np.argmax(logits + noise))
        after = self.child[state, drawn]
        sign = 1 if self.player[state] == 0 else -1
        turn = 1 if self.player[after] == self.player[state] else -1
        value = f32(0) if self.over[after] else f32(self.value[after])
        gain = f32(sign * self.reward[state, drawn]) + f32(turn) * value
        return self.logits[state], gain, 0


class Among:
    """A rule of the reference search that leaves chance nodes to chance."""

    def __init__(self, rule, world, seed):
        self.rule, self.world, self.seed = rule, world, seed
        self.needs_value, self.begin, self.answer = rule.needs_value, rule.begin, rule.answer

    def root(self, root, simulation):
        self.world.now = reference.mix(self.seed, simulation)
        return self.rule.root(root, simulation)

    def interior(self, node):
        if node.state < self.world.nodes:
            return self.rule.interior(node)
        return node.prior / (1 + node.visits).astype(f32)


def plain_search(world, state, rule, budget, seed):
    """The reference's search of a world with chance, without proofs."""
    told = ChanceWorld(world)
    return reference.search(told, state, Among(rule, told, seed), budget, seed, prove=False)
