"""A tree search to read and to hold the fast one against: one row, Python objects, no batches.

It shares nothing with `deliberation` but the definition of the counter-based noise, written anew
here. Arithmetic is in single precision and in the order of the fast search, so that on rewards
which are exact in binary both agree to the bit.
"""

import copy
import dataclasses
import math

import numpy as np

f32 = np.float32
WORD = 0xFFFFFFFF


def mix(seed, *counters):
    for counter in counters:
        seed = (seed + (counter + 1) * 0x9E3779B9) & WORD
        seed = ((seed ^ (seed >> 16)) * 0x7FEB352D) & WORD
        seed = ((seed ^ (seed >> 15)) * 0x846CA68B) & WORD
        seed = seed ^ (seed >> 16)
    return seed


def uniform(seed):
    return (seed >> 8) * 2.0**-24


def gumbel(seed):
    return f32(-math.log(-math.log(((seed >> 9) + 0.5) * 2.0**-23)))


def best(scores, seed):
    """The best action, exact ties by noise. `scores` has minus infinity where illegal."""
    top = max(scores)
    ties = [a for a, s in enumerate(scores) if s == top]
    return max(ties, key=lambda a: (f32(1) + f32(uniform(mix(seed, a))), -a))


@dataclasses.dataclass
class World:
    """A graph of states as tables; node n's action a leads to `child[n][a]` for `reward[n][a]`."""

    child: np.ndarray
    reward: np.ndarray
    legal: np.ndarray
    over: np.ndarray
    player: np.ndarray
    logits: np.ndarray
    value: np.ndarray
    discount: float = 1.0
    low: float = -math.inf
    high: float = math.inf

    def judge(self, state, seed, rollouts):
        """(logits, value for player 0, model steps)."""
        if not rollouts:
            sign = 1 if self.player[state] == 0 else -1
            return self.logits[state], f32(self.value[state] * sign), 0
        total, worth, plies, seed = f32(0), f32(1), 0, mix(seed, 0)
        while not self.over[state]:
            choices = np.flatnonzero(self.legal[state])
            action = choices[int(f32(uniform(mix(seed, plies))) * f32(len(choices)))]
            total += worth * self.reward[state, action]
            worth, plies = worth * f32(self.discount), plies + 1
            state = self.child[state, action]
        return np.zeros_like(self.logits[state]), total, plies


class Node:
    """Statistics of one state in the tree, player 0's view; `slot` is the simulation it is from."""

    def __init__(self, world, state, slot, reward, logits, value):
        self.state, self.slot, self.reward, self.value = state, slot, reward, value
        self.over = bool(world.over[state])
        self.legal = world.legal[state] & (not self.over)
        self.sign = 1 if world.player[state] == 0 else -1
        self.visits = np.zeros(len(self.legal), int)
        self.total = np.zeros(len(self.legal), f32)
        self.children = [None] * len(self.legal)
        self.settled = np.zeros(len(self.legal), bool)
        self.logits = np.full(len(self.legal), -np.inf, f32)
        if self.legal.any():
            self.logits[self.legal] = logits[self.legal] - logits[self.legal].max()

    @property
    def q(self):
        return self.total * f32(self.sign) / np.maximum(self.visits, 1).astype(f32)

    @property
    def prior(self):
        weights = np.exp(self.logits)
        return weights / weights.sum(dtype=f32)


def masked(node, scores):
    return [s if ok else -np.inf for s, ok in zip(scores, node.legal, strict=True)]


class UCT:
    needs_value = False

    def __init__(self, c=1.0):
        self.c = c

    def interior(self, node):
        total = max(1, node.visits.sum())
        bonus = f32(self.c) * np.sqrt(np.log(f32(total)) / np.maximum(node.visits, 1).astype(f32))
        bonus = np.where(node.settled, f32(0), bonus)
        return np.where(node.visits > 0, node.q + bonus, f32(np.inf))

    def begin(self, root, budget, seed):
        pass

    def root(self, root, simulation):
        return self.interior(root)

    def answer(self, root):
        if not root.visits.any():
            return root.prior, root.logits
        tie = 0.5 * root.q / (1 + np.abs(root.q)) * (root.visits > 0)
        return root.visits / root.visits.sum(), (root.visits + tie).astype(f32)


class PUCT(UCT):
    needs_value = True

    def __init__(self, c=1.25, base=19652.0):
        self.c, self.base = c, base

    def interior(self, node):
        total = node.visits.sum()
        rate = f32(self.c + math.log((total + self.base + 1) / self.base))
        q = np.where(node.visits > 0, node.q, f32(node.sign) * node.value)
        return q + rate * node.prior * np.sqrt(f32(max(1, total))) / (1 + node.visits).astype(f32)


def considered_visits(considered, simulations):
    """The published sequence: how many visits the action to be simulated next already has."""
    if considered <= 1:
        return list(range(simulations))
    sequence, visits, left = [], [0] * considered, considered
    phases = math.ceil(math.log2(considered))
    while len(sequence) < simulations:
        for _ in range(max(1, simulations // (phases * left))):
            sequence += visits[:left]
            visits[:left] = [v + 1 for v in visits[:left]]
        left = max(2, left // 2)
    return sequence[:simulations]


class Gumbel:
    needs_value = True

    def __init__(self, considered=16, noise=1.0, value_scale=0.1, visit_offset=50.0, rescale=True):
        self.considered, self.noise, self.rescale = considered, noise, rescale
        self.value_scale, self.visit_offset = value_scale, visit_offset

    def begin(self, root, budget, seed):
        self.g = np.array([gumbel(mix(seed, a)) for a in range(len(root.legal))]) * f32(self.noise)
        self.sequence = considered_visits(min(self.considered, root.legal.sum()), budget)

    def improved(self, node):
        """(logits + sigma(completed q), the softmax of it)."""
        visited = node.visits > 0
        completed = node.sign * node.value
        if visited.any():
            p = node.prior[visited]
            mean = (p * node.q[visited]).sum(dtype=f32) / p.sum(dtype=f32)
            completed = (completed + node.visits.sum() * mean) / (1 + node.visits.sum())
        q = np.where(visited, node.q, completed)
        if self.rescale:
            low, high = q[node.legal].min(), q[node.legal].max()
            q = (q - low) / max(high - low, 1e-8)
        sigma = (self.visit_offset + node.visits.max()) * self.value_scale * q
        scores = np.where(node.legal, node.logits + sigma, -np.inf)
        weights = np.exp(scores - scores.max())
        return sigma, weights / weights.sum()

    def interior(self, node):
        return self.improved(node)[1] - node.visits / (1 + node.visits.sum())

    def halving(self, root, visits):
        turn = root.legal & (root.visits == visits)
        logits = root.logits - np.log(np.exp(root.logits).sum())
        return np.where(turn, self.g + logits + self.improved(root)[0], -np.inf)

    def root(self, root, simulation):
        return self.halving(root, self.sequence[simulation - 1])

    def answer(self, root):
        return self.improved(root)[1], self.halving(root, root.visits.max())


@dataclasses.dataclass
class Result:
    root: Node
    action: int
    weights: np.ndarray
    simulations: int
    model_steps: int
    judged: int
    proved: bool


def search(world, state, rule, budget, seed, *, prove, rollouts=False, cap=math.inf):
    """Descend, expand, back up, until the budget is spent or the root is proved."""
    prior = not rollouts
    asked = prior or rule.needs_value
    logits, value, steps = world.logits[state] * 0, f32(0), 0
    if asked:
        logits, value, steps = world.judge(state, mix(seed, 0), rollouts)
    root = Node(world, state, 0, f32(0), logits, value)
    rule.begin(root, budget, mix(seed, 1))
    result = Result(root, -1, root.prior * 0, 0, steps, int(asked), False)
    while result.simulations < min(budget, cap) and not result.proved:
        if result.simulations and result.model_steps >= cap:
            break
        result.simulations += 1
        simulate(world, root, rule, mix(seed, result.simulations), result, prove, rollouts)
    weights, preference = answer(world, root, rule, result.proved)
    result.weights, result.action = weights, best(masked(root, preference), mix(seed, 2))
    return result


def simulate(world, root, rule, now, result, prove, rollouts):
    node, path = root, []
    scores = rule.root(root, result.simulations)
    while True:
        action = best(masked(node, scores), mix(now, node.slot))
        path.append((node, action))
        child = node.children[action]
        if child is None or child.over or node.settled[action]:
            break
        node, scores = child, rule.interior(child)
    if child is None:
        state = world.child[node.state, action]
        logits, value, steps = None, f32(0), 0
        if not world.over[state]:
            logits, value, steps = world.judge(state, mix(now, 2), rollouts)
            result.judged += 1
        result.model_steps += 1 + steps
        reward = f32(world.reward[node.state, action])
        child = node.children[action] = Node(
            world, state, result.simulations, reward, logits, value
        )
        if child.over:
            child.value = f32(0)
    proved = child.over or node.settled[action]
    gain = child.reward + f32(world.discount) * child.value
    result.proved = back_up(world, path, gain, prove and proved)


def back_up(world, path, gain, exact):
    """Add the return along the path; where a child is proved, its edge holds exactly its worth."""
    worth = gain
    for node, action in reversed(path):
        node.visits[action] += 1
        node.total[action] += gain
        if exact:
            node.settled[action] = True
            node.total[action] = f32(node.visits[action]) * worth
            top = max(node.q[node.settled])
            ceiling = world.high if node.sign > 0 else -world.low
            exact = bool(node.settled[node.legal].all()) or top >= ceiling - 1e-5
        if exact:
            node.value = f32(node.sign) * top
            worth = node.reward + f32(world.discount) * node.value
        gain = node.reward + f32(world.discount) * gain
    return exact


def answer(world, root, rule, proved):
    """A proved root shares its weight among its best actions; others leave lost actions out."""
    floor = world.low if root.sign > 0 else -world.high
    hopeless = root.settled & (root.q <= floor + 1e-5)
    if proved:
        q = np.where(root.settled, root.q, -np.inf)
        winners = q >= q.max() - 1e-5 * abs(q.max())
        return winners / winners.sum(), q
    rest = copy.copy(root)
    rest.visits = np.where(hopeless, 0, root.visits)
    rest.total = np.where(hopeless, f32(0), root.total)
    rest.logits = np.where(hopeless, -np.inf, root.logits).astype(f32)
    rest.legal = root.legal & ~hopeless
    return rule.answer(rest)
