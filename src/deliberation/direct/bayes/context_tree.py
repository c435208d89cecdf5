"""Context tree weighting: an exact Bayes mixture over all bounded prediction suffix trees.

Willems, Shtarkov and Tjalkens (1995), as used by Veness et al. (2011, section 5): KT estimators in
the leaves, P_w = 1/2 P_kt + 1/2 P_w0 P_w1 inside, one tree for each bit of a percept, contexts that
hold actions too. This is the reference in plain Python, on arrays that the C++ kernel
(`kernels/aixi.cpp`) shares: both give the same bits.

A node keeps beta = P_kt / (P_w0 P_w1), so that no probability of a whole history is ever formed:
P_w(x) = (beta P_kt(x) + P_child(x)) / (beta + 1), and beta is multiplied by P_kt(x) / P_child(x).
A node that was met once needs no children: all below it predict alike. It keeps the place in the
history where that was, and gets its child when it is met again, so that trees grow where contexts
differ and not to their full depth at every bit.
"""

import math

import numpy as np
from jaxtyping import Shaped, UInt8, UInt32

from ...core.errors import TooLargeError

NODE = np.dtype([("child", "<i4", 2), ("count", "<i4", 2), ("beta", "<f8")])
"""One node. A child of 0 is none; child[0] < 0 says that the node was met once, for the bit at
place -1 - child[0]."""
WORDS = NODE.itemsize // 4
LEAST, MOST = 1e-300, 1e300
"""Bounds of beta; beyond them one side of the mixture has long been forgotten."""


def fresh_nodes(trees: int, capacity: int) -> UInt32[np.ndarray, "nodes words"]:
    """Room for so many nodes as 32-bit words; the first are the roots, which know nothing."""
    nodes = np.zeros(capacity, NODE)
    nodes["beta"][:trees] = 1.0
    return nodes.view(np.uint32).reshape(capacity, WORDS)


class Forest:
    """One context tree for each bit of a percept, sharing a pool of nodes and one history.

    `nodes` is changed in place and holds at most its own length; where there is no more room, the
    deepest node that there is predicts as a leaf. `bits` is the history, of which `length` bits
    have been written. Tree i sees `depth` + i bits: those of the percept before its own are extra.
    """

    def __init__(
        self,
        nodes: Shaped[np.ndarray, " nodes"],
        size: int,
        bits: UInt8[np.ndarray, " places"],
        length: int,
        depth: int,
    ):
        self.nodes, self.size, self.bits, self.length = nodes, size, bits, length
        self.depth = depth
        self._path: list[int] = []
        self._said: list[float] = []
        self._leaf = False
        self._journal: list[tuple[int, np.ndarray]] | None = None
        self._base, self._start = 0, 0

    def probability(self, tree: int) -> float:
        """How probable a tree thinks it that the next bit is 1."""
        nodes, at, most = self.nodes, tree, self.depth + tree
        self._path, missing = [tree], False
        for d in range(most):
            if nodes["child"][at, 0] < 0 and not self._expand(at, d):
                break
            child = int(nodes["child"][at, self._context(self.length, d)])
            if child == 0:
                missing = self.size < len(nodes)
                break
            self._path.append(child)
            at = child
        self._leaf = not missing
        self._said = [0.5] * (len(self._path) + 1)
        below = 0.5
        for i in reversed(range(len(self._path))):
            own, beta = self._kt(self._path[i], 1), float(nodes["beta"][self._path[i]])
            leaf = self._leaf and i + 1 == len(self._path)
            below = own if leaf else (beta * own + below) / (beta + 1.0)
            self._said[i] = below
        return below

    def learn(self, bit: int) -> None:
        """Learn the bit that `probability` was last asked about and append it to the history."""
        last = len(self._path) - 1
        for i, at in enumerate(self._path):
            self._keep(at)
            if not (self._leaf and i == last):
                below = self._said[i + 1] if bit else 1.0 - self._said[i + 1]
                beta = float(self.nodes["beta"][at]) * self._kt(at, bit) / below
                self.nodes["beta"][at] = min(max(beta, LEAST), MOST)
            self.nodes["count"][at, bit] += 1
        if not self._leaf:
            way = self._context(self.length, last)
            self.nodes["child"][self._path[last], way] = self._make(bit, self.length)
        self._append(bit)

    def push(self, code: int, width: int) -> None:
        """Append a number to the history without learning it, its most significant bit first."""
        for i in reversed(range(width)):
            self._append(code >> i & 1)

    def learn_code(self, code: int, width: int) -> float:
        """Learn a percept of so many bits; returns the logarithm of how probable it was thought."""
        total = 0.0
        for i in range(width):
            one, bit = self.probability(i), code >> (width - 1 - i) & 1
            total += math.log(one if bit else 1.0 - one)
            self.learn(bit)
        return total

    def mark(self) -> None:
        """Remember everything as it is now, for `revert`."""
        self._journal, self._base, self._start = [], self.size, self.length

    def revert(self) -> None:
        """Make everything as it was at the last `mark`, which stays."""
        assert self._journal is not None
        for at, node in reversed(self._journal):
            self.nodes[at] = node
        self._journal.clear()
        self.size, self.length = self._base, self._start

    def _append(self, bit: int) -> None:
        self.bits[self.length] = bit
        self.length += 1

    def _context(self, place: int, d: int) -> int:
        """The bit that lies d before the one just before a place; zeros before all history."""
        at = place - 1 - d
        return 0 if at < 0 else int(self.bits[at])

    def _kt(self, at: int, bit: int) -> float:
        """The estimator of Krichevsky and Trofimov: (n_bit + 1/2) / (n + 1)."""
        count = self.nodes["count"][at]
        return (int(count[bit]) + 0.5) / (float(count[0]) + float(count[1]) + 1.0)

    def _make(self, bit: int, place: int) -> int:
        self.nodes[self.size] = ((-1 - place, 0), (bit == 0, bit == 1), 1.0)
        self.size += 1
        return self.size - 1

    def _expand(self, at: int, d: int) -> bool:
        """Give a node that was met once its child; False if there is no room, or was none."""
        node = self.nodes[at]
        if self.size >= len(self.nodes) or node["count"].sum() != 1:
            return False
        self._keep(at)
        place = -1 - int(node["child"][0])
        self.nodes["child"][at] = 0
        child = self._make(int(node["count"][1]), place)
        self.nodes["child"][at, self._context(place, d)] = child
        return True

    def _keep(self, at: int) -> None:
        if self._journal is not None and at < self._base:
            self._journal.append((at, self.nodes[at].copy()))


class ContextTree:
    """A binary sequence predicted by all suffix trees up to a depth at once, for use by itself.

    There is room for `length` bits.
    """

    def __init__(self, depth: int, length: int = 1024):
        if depth < 0 or length < 1:
            raise ValueError(f"A context tree has a depth of at least 0; got {depth}, {length}.")
        nodes = fresh_nodes(1, 1 + length * (depth + 1)).view(NODE).reshape(-1)
        self._forest = Forest(nodes, 1, np.zeros(length, np.uint8), 0, depth)
        self.log_probability = 0.0
        """Natural logarithm of how probable all bits so far were."""

    def __repr__(self) -> str:
        return f"ContextTree(depth={self._forest.depth}, {self._forest.length} bits)"

    def predict(self) -> float:
        """How probable it is that the next bit is 1."""
        return self._forest.probability(0)

    def update(self, bit: int) -> None:
        """See the next bit. Raises `TooLargeError` once the room is used up."""
        if self._forest.length == len(self._forest.bits):
            raise TooLargeError(f"{self!r} is full: build it with a greater `length`.")
        self.log_probability += self._forest.learn_code(bit, 1)
