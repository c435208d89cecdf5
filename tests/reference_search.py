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
        """(logits, value for the player to move, model steps)."""
        sign = f32(1 if self.player[state] == 0 else -1)
        if not rollouts:
            return self.logits[state], f32(self.value[state]), 0
        total, worth, plies, seed = f32(0), f32(1), 0, mix(seed, 0)
        while not self.over[state]:
            choices = np.flatnonzero(self.legal[state])
            action = choices[int(f32(uniform(mix(seed, plies))) * f32(len(choices)))]
            total += worth * self.reward[state, action]
            worth, plies = worth * f32(self.discount), plies + 1
            state = self.child[state, action]
        return np.zeros_like(self.logits[state]), sign * total, plies


class Node:
    """Statistics of one state in the tree, in its mover's view but for the reward on entering.

    That and `discount` are in the view of the parent's mover. `slot` counts the nodes of the tree;
    `count` and `total` are of the returns from here, the judgement among them; they lie from `low`
    to `high`, which a world with bounds knows beforehand.
    """

    def __init__(self, world, state, slot, reward, discount, logits, value, judged=True):
        self.state, self.slot, self.reward, self.value = state, slot, reward, value
        self.discount, self.count, self.total = f32(discount), int(judged), value
        self.over = bool(world.over[state])
        self.legal = world.legal[state] & (not self.over)
        self.sign = 1 if world.player[state] == 0 else -1
        self.low, self.high = (value, value) if judged else (f32(np.inf), f32(-np.inf))
        if math.isfinite(world.low) and math.isfinite(world.high):
            mine = sorted((self.sign * world.low, self.sign * world.high))
            self.low, self.high = f32(mine[0]), f32(mine[1])
        self.visits = np.zeros(len(self.legal), int)
        self.q = np.zeros(len(self.legal), f32)
        self.children = [None] * len(self.legal)
        self.settled = np.zeros(len(self.legal), bool)
        self.logits = np.full(len(self.legal), -np.inf, f32)
        if self.legal.any():
            self.logits[self.legal] = logits[self.legal] - logits[self.legal].max()

    def meet(self, gain):
        """Widen the range of returns by one."""
        self.low, self.high = min(self.low, gain), max(self.high, gain)

    @property
    def mean(self):
        return self.total / f32(max(1, self.count))

    @property
    def prior(self):
        weights = np.exp(self.logits)
        return weights / weights.sum(dtype=f32)


def scale(node):
    """The middle of the node's returns and half of their range, which is never 0."""
    if not node.low <= node.high:
        return f32(0), f32(1)
    half = f32(0.5) * node.high - f32(0.5) * node.low
    half = max(half, f32(1e-5) * max(abs(node.low), abs(node.high)))
    return f32(0.5) * node.low + f32(0.5) * node.high, half if half > 0 else f32(1)


def masked(node, scores):
    return [s if ok else -np.inf for s, ok in zip(scores, node.legal, strict=True)]


class UCT:
    needs_value = False

    def __init__(self, c=1.0):
        self.c = c

    def interior(self, node):
        total = max(1, node.visits.sum())
        spread = f32(self.c) ** 2 * np.log(f32(total))
        bonus = np.sqrt(spread / np.maximum(node.visits, 1).astype(f32))
        middle, half = scale(node)
        bonus = np.where(node.settled, f32(0), half * bonus)
        return np.where(node.visits > 0, node.q - middle + bonus, f32(np.inf))

    def begin(self, root, budget, seed):
        pass

    def root(self, root, simulation):
        return self.interior(root)

    def answer(self, root):
        if not root.visits.any():
            return root.prior, root.logits
        most = root.visits == root.visits.max()
        return root.visits / root.visits.sum(), np.where(most, root.q, f32(-np.inf))


class PUCT(UCT):
    needs_value = True

    def __init__(self, c=1.25, base=19652.0):
        self.c, self.base = c, base

    def interior(self, node):
        total = node.visits.sum()
        rate = f32(self.c + math.log((total + self.base + 1) / self.base))
        q = np.where(node.visits > 0, node.q, node.value)
        middle, half = scale(node)
        rate = half * (rate * np.sqrt(f32(max(1, total))))
        return q - middle + rate * node.prior / (1 + node.visits).astype(f32)


def considered_visits(considered, simulations):
    """The published sequence: how many visits the action to be simulated next already has."""
    return [visits for visits, _, _ in halving(considered, simulations)]


def halving(considered, simulations):
    """[(visits that the next action already has, its place in the phase, size of the phase)]."""
    if considered <= 1:
        return [(n, 0, considered) for n in range(simulations)]
    sequence, visits, left = [], 0, considered
    phases = math.ceil(math.log2(considered))
    while len(sequence) < simulations:
        for _ in range(max(1, simulations // (phases * left))):
            sequence += [(visits, place, left) for place in range(left)]
            visits += 1
        left = max(2, left // 2)
    return sequence[:simulations]


class Gumbel:
    needs_value = True

    def __init__(self, considered=16, noise=1.0, value_scale=0.1, visit_offset=50.0, rescale=True):
        self.considered, self.noise, self.rescale = considered, noise, rescale
        self.value_scale, self.visit_offset = value_scale, visit_offset

    def begin(self, root, budget, seed):
        self.raw = np.array([gumbel(mix(seed, a)) for a in range(len(root.legal))])
        self.g = self.raw * f32(self.noise)
        self.sequence = halving(min(self.considered, root.legal.sum()), budget)
        self.budget, self.begun = budget, 0
        self.phases = max(1, math.ceil(math.log2(max(2, min(self.considered, root.legal.sum())))))

    def improved(self, node):
        """(logits + sigma(completed q), the softmax of it)."""
        visited = node.visits > 0
        completed = node.value
        if visited.any():
            p = node.prior[visited]
            mean = (p * node.q[visited]).sum(dtype=f32) / p.sum(dtype=f32)
            completed = (completed + node.visits.sum() * mean) / (1 + node.visits.sum())
        q = np.where(visited, node.q, completed)
        if self.rescale:
            low, high = q[node.legal].min(), q[node.legal].max()
            width = max(high - low, f32(1e-5) * max(abs(low), abs(high)))
            q = (q - low) / (width if width > 0 else f32(1))
        sigma = (self.visit_offset + node.visits.max()) * self.value_scale * q
        scores = np.where(node.legal, node.logits + sigma, -np.inf)
        weights = np.exp(scores - scores.max())
        return sigma, weights / weights.sum()

    def interior(self, node):
        return self.improved(node)[1] - node.visits / (1 + node.visits.sum())

    def spell(self, left):
        """How many simulations a phase of so many actions takes."""
        return left * max(1, self.budget // max(1, self.phases * left))

    def scores(self, root):
        logits = root.logits - np.log(np.exp(root.logits).sum())
        return self.g + logits + self.improved(root)[0]

    def root(self, root, simulation):
        """The next in turn; who takes part is settled, best first, when a phase begins."""
        visits, place, left = self.sequence[simulation - 1]
        # A phase of two begins anew when it is used up, for the first of its last, partial sweep.
        before = self.sequence[simulation - 2][2] if simulation > 1 else None
        if left != before or simulation - 1 - self.begun >= self.spell(left):
            ranks = [a for a in np.flatnonzero(root.legal) if root.visits[a] == visits]
            scores = self.scores(root)
            self.order = sorted(ranks, key=lambda a: (scores[a], self.raw[a]), reverse=True)
            self.begun = simulation - 1
        return np.where(np.arange(len(root.legal)) == self.order[place], 0.0, -np.inf)

    def answer(self, root):
        most = root.legal & (root.visits == root.visits[root.legal].max())
        return self.improved(root)[1], np.where(most, self.scores(root), -np.inf)


@dataclasses.dataclass
class Result:
    root: Node
    action: int
    weights: np.ndarray
    simulations: int
    model_steps: int
    judged: int
    proved: bool
    nodes: int = 0


def search(world, state, rule, budget, seed, *, prove, rollouts=False, cap=math.inf):
    """Descend, expand, back up, until the budget is spent or the root is proved."""
    prior = not rollouts
    asked = prior or rule.needs_value
    logits, value, steps = world.logits[state] * 0, f32(0), 0
    if asked:
        logits, value, steps = world.judge(state, mix(seed, 0), rollouts)
    root = Node(world, state, 0, f32(0), 1, logits, value, asked)
    rule.begin(root, int(min(budget, cap)), mix(seed, 1))
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
        reward = f32(world.reward[node.state, action] * node.sign)
        turn = 1 if world.player[state] == world.player[node.state] else -1
        result.nodes += 1
        child = node.children[action] = Node(
            world, state, result.nodes, reward, turn * world.discount, logits, value
        )
        if child.over:
            child.value = f32(0)
    proved = child.over or node.settled[action]
    gain = child.reward + child.discount * child.value
    result.proved = back_up(world, path, gain, prove and proved)


def back_up(world, path, gain, exact):
    """Add the return along the path; where a child is proved, its edge holds exactly its worth."""
    q = gain
    for node, action in reversed(path):
        node.visits[action] += 1
        node.q[action] = q
        node.count, node.total = node.count + 1, node.total + gain
        node.meet(gain)
        mean = node.mean
        if exact:
            node.settled[action] = True
            top = max(node.q[node.settled])
            ceiling = world.high if node.sign > 0 else -world.low
            exact = bool(node.settled[node.legal].all()) or top >= ceiling - 1e-5
        if exact:
            node.value = mean = top
        q = node.reward + node.discount * mean
        gain = node.reward + node.discount * gain
    return exact


def plies(node):
    """How long a node's proof is; the longest, if there are several as good."""
    if node is None or not node.settled.any():
        return 0
    top = node.q[node.settled].max()
    best = node.settled & (node.q >= top - 1e-5 * abs(top))
    return 1 + max(plies(child) for child, on in zip(node.children, best, strict=True) if on)


def answer(world, root, rule, proved):
    """A proved root shares its weight among its best actions; others leave out what is beaten.

    What is proved is preferred to a choice of less mean return.
    """
    floor = world.low if root.sign > 0 else -world.high
    top = root.q[root.settled].max(initial=-np.inf)
    top -= 1e-5 * abs(top) if np.isfinite(top) else 0
    hopeless = root.settled & ((root.q <= floor + 1e-5) | (root.q < top))
    if proved:
        q = np.where(root.settled, root.q, -np.inf)
        winners = q >= q.max() - 1e-5 * abs(q.max())
        # Of equals, the longest of losses or draws and the shortest of wins; then by simulations.
        taken = [0 if child is None else child.visits.sum() for child in root.children]
        taken = np.where(winners, taken, 0)
        length = np.array([plies(child) for child in root.children])
        score = length + taken / (1 + taken.max())
        ceiling = world.high if root.sign > 0 else -world.low
        score = -score if q.max() >= ceiling - 1e-5 else score
        return winners / winners.sum(), np.where(winners, score.astype(f32), -np.inf)
    rest = copy.copy(root)
    rest.visits = np.where(hopeless, 0, root.visits)
    rest.q = np.where(hopeless, f32(0), root.q)
    rest.logits = np.where(hopeless, -np.inf, root.logits).astype(f32)
    rest.legal = root.legal & ~hopeless
    weights, preference = rule.answer(rest)
    chosen = np.argmax(np.where(rest.legal, preference, -np.inf))
    if root.visits[chosen] > 0 and root.q[chosen] < top:
        preference = np.where(root.settled & (root.q >= top), f32(0), f32(-np.inf))
    return weights, preference
