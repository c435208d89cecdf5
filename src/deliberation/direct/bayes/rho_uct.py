"""rho-UCT: Monte Carlo tree search in which a mixture over histories is the model.

Veness et al. (2011), section 4, algorithms 1 to 4. A life is told to a learner percept by percept;
before each action it is searched from what has been learned, every simulation learning from what
it imagines and forgetting it again. Rewards beyond those that a task can give count as the nearest
it can. This is the reference in plain Python; `kernels/aixi.cpp` does the same some hundred times
as fast, bit for bit.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8, UInt32

from ..tree_search.backends.choice import backend_name, why_not_native
from .context_tree import NODE, WORDS, Forest

NOTHING, LEARN, SEE = range(3)
"""What to do with a percept: leave it, learn it, or only note it as context."""


class Terms(NamedTuple):
    """The sizes of one agent: context, encodings, rewards, horizon m and exploration constant C."""

    depth: int
    action_bits: int
    percept_bits: int
    reward_bits: int
    low: int
    high: int
    horizon: int
    c: float


class Mind(NamedTuple):
    """What each row has learned: trees of `size` nodes, and `length` bits of history."""

    nodes: UInt32[Array, "batch nodes 6"]
    size: Int[Array, " batch"]
    history: UInt8[Array, "batch places"]
    length: Int[Array, " batch"]


class Found(NamedTuple):
    """Visits of each action at the root, and the mean return of `horizon` cycles after it."""

    visits: Int[Array, "batch actions"]
    values: Float[Array, "batch actions"]


def live(
    terms: Terms,
    mind: Mind,
    orders: Int[Array, "batch 4"],
    legal: Bool[Array, "batch actions"],
    seeds: UInt32[Array, " batch"],
) -> tuple[Mind, Found]:
    """One cycle of each row: what `orders` tell is learned, then simulations are made.

    An order is (what to do: `NOTHING`, `LEARN` or `SEE`; the last action; the percept that came of
    it; how many simulations). A row without room for more history learns nothing more.
    """
    rows, actions = legal.shape
    kept = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in mind)
    shapes = (
        *kept,
        jax.ShapeDtypeStruct((rows, actions), jnp.int32),
        jax.ShapeDtypeStruct((rows, actions), jnp.float32),
    )
    if native():
        call = jax.ffi.ffi_call(
            "deliberation_aixi", shapes, input_output_aliases={i: i for i in range(4)},
            vmap_method="sequential",
        )  # fmt: skip
        options = {k: np.int32(v) for k, v in terms._asdict().items() if k != "c"}
        out = call(*mind, orders, legal, seeds, **options, c=np.float32(terms.c))
    else:
        out = jax.pure_callback(
            lambda *given: _live(terms, *map(np.asarray, given)),
            shapes, *mind, orders, legal, seeds, vmap_method="sequential",
        )  # fmt: skip
    return Mind(*out[:4]), Found(*out[4:])


def native() -> bool:
    """Whether the C++ kernel serves this process; as `backend.backend_name` decides."""
    return backend_name() == "native" and not _kernel()


def _kernel() -> str:
    from ..kernels.build import AIXI, AIXI_HANDLERS, load

    return why_not_native() or load(AIXI, AIXI_HANDLERS)


def _live(
    terms: Terms,
    nodes: np.ndarray,
    size: np.ndarray,
    history: np.ndarray,
    length: np.ndarray,
    orders: np.ndarray,
    legal: np.ndarray,
    seeds: np.ndarray,
) -> tuple[np.ndarray, ...]:
    nodes, size, history, length = (x.copy() for x in (nodes, size, history, length))
    visits, values = np.zeros(legal.shape, np.int32), np.zeros(legal.shape, np.float32)
    each = terms.action_bits + terms.percept_bits
    for row, (does, action, percept, simulations) in enumerate(orders.tolist()):
        pool = nodes[row].reshape(-1, WORDS).view(NODE).reshape(-1)
        forest = Forest(pool, int(size[row]), history[row], int(length[row]), terms.depth)
        if does and forest.length + each * (terms.horizon + 1) <= history.shape[1]:
            forest.push(action, terms.action_bits)
            tell = forest.learn_code if does == LEARN else forest.push
            tell(percept, terms.percept_bits)
        size[row], length[row] = forest.size, forest.length
        search = _Search(terms, forest, legal[row].tolist(), int(seeds[row]))
        for _ in range(simulations):
            search.simulate()
        visits[row] = search.visits[0]
        for a, n in enumerate(search.visits[0]):
            back = search.totals[0][a] / n + float(terms.horizon) * terms.low if n else 0.0
            values[row, a] = back
    return nodes, size, history, length, visits, values


class _Search:
    """The tree of one search; edges of decision nodes are chance nodes."""

    def __init__(self, terms: Terms, forest: Forest, legal: list[bool], seed: int):
        self.terms, self.forest, self.legal = terms, forest, legal
        self.seed, self.drawn = seed, 0
        self.seen, self.visits, self.totals = [0], [[0] * len(legal)], [[0.0] * len(legal)]
        self.children: dict[tuple[int, int, int], int] = {}
        forest.mark()

    def simulate(self) -> None:
        """Algorithm 2: down the tree, then at random to the horizon, and back up."""
        terms, forest, node = self.terms, self.forest, 0
        way: list[tuple[int, int]] = []
        rewards: list[float] = []
        inside = True
        for t in range(terms.horizon):
            action = self._select(node, t) if inside else self._below(len(self.legal))
            forest.push(action, terms.action_bits)
            percept = self._percept()
            told = percept & (2**terms.reward_bits - 1)
            rewards.append(float(min(told, terms.high - terms.low)))
            if inside:
                way.append((node, action))
                inside = (node, action, percept) in self.children
                node = self.children.get((node, action, percept)) or self._add(
                    node, action, percept
                )
        back = 0.0
        for t in reversed(range(terms.horizon)):
            back += rewards[t]
            if t < len(way):
                at, action = way[t]
                self.seen[at] += 1
                self.visits[at][action] += 1
                self.totals[at][action] += back
        forest.revert()

    def _select(self, node: int, t: int) -> int:
        """Definition 6, UCB with rewards scaled to [0, 1]; ties are broken at random."""
        terms, visits, totals = self.terms, self.visits[node], self.totals[node]
        scale = float(terms.horizon - t) * float(terms.high - terms.low)
        best, ties, chosen = -1.0, 0, -1
        c = float(np.float32(terms.c))
        for a, n in enumerate(visits):
            if t == 0 and not self.legal[a]:
                continue
            score = math.inf
            if n > 0:
                bonus = math.sqrt(math.log(float(self.seen[node])) / n)
                score = totals[a] / n / scale + c * bonus
            if score > best:
                best, ties = score, 0
            if score == best:
                ties += 1
                if ties == 1 or self._below(ties) == 0:
                    chosen = a
        return chosen

    def _percept(self) -> int:
        code = 0
        for i in range(self.terms.percept_bits):
            one = self.forest.probability(i)
            bit = int(self._uniform() < one)
            self.forest.learn(bit)
            code = 2 * code + bit
        return code

    def _add(self, node: int, action: int, percept: int) -> int:
        self.seen.append(1)
        self.visits.append([0] * len(self.legal))
        self.totals.append([0.0] * len(self.legal))
        self.children[node, action, percept] = len(self.seen) - 1
        return len(self.seen) - 1

    def _uniform(self) -> float:
        """As `core.noise`: the finaliser "lowbias32", on a counter."""
        self.drawn += 1
        x = (self.seed + self.drawn * 0x9E3779B9) & 0xFFFFFFFF
        x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
        x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
        return ((x ^ (x >> 16)) >> 8) * 2.0**-24

    def _below(self, n: int) -> int:
        return min(int(self._uniform() * n), n - 1)
