"""Context tree weighting against the brute-force mixture over all trees, and its undoing."""

import itertools
import math

import numpy as np
import pytest

from deliberation.core.errors import TooLargeError
from deliberation.direct import ContextTree
from deliberation.direct.bayes.context_tree import NODE, Forest, fresh_nodes

DEPTH = 3


def trees(depth):
    """Every suffix tree up to a depth as the set of its leaves (contexts, last bit first)."""
    if depth == 0:
        return [[()]]
    below = trees(depth - 1)
    split = [
        [(0, *x) for x in left] + [(1, *x) for x in right]
        for left, right in itertools.product(below, below)
    ]
    return [[()], *split]


def prior(leaves, depth):
    """2^-(nodes - leaves at full depth): one bit for every node, but none where it cannot split."""
    nodes = 2 * len(leaves) - 1
    return 2.0 ** -(nodes - sum(len(leaf) == depth for leaf in leaves))


def kt(zeros, ones):
    """The probability of a sequence by its counts, as an integral over the coin's bias."""
    beta = math.lgamma(zeros + 0.5) + math.lgamma(ones + 0.5) - math.lgamma(zeros + ones + 1)
    return math.exp(beta) / math.pi


def under_tree(leaves, bits):
    padded, counts = (0,) * DEPTH + bits, {leaf: [0, 0] for leaf in leaves}
    for i, bit in enumerate(bits):
        context = padded[i : i + DEPTH][::-1]
        counts[next(leaf for leaf in leaves if context[: len(leaf)] == leaf)][bit] += 1
    return math.prod(kt(*c) for c in counts.values())


def test_all_tree_sources_are_listed_and_their_priors_sum_to_one():
    listed = trees(DEPTH)
    assert len(listed) == 26
    assert sum(prior(leaves, DEPTH) for leaves in listed) == pytest.approx(1)


def test_every_string_has_the_probability_of_the_mixture_over_all_tree_sources():
    listed = [(prior(leaves, DEPTH), leaves) for leaves in trees(DEPTH)]
    for length in range(9):
        total = 0.0
        for bits in itertools.product((0, 1), repeat=length):
            tree = ContextTree(DEPTH)
            for bit in bits:
                tree.update(bit)
            exact = sum(weight * under_tree(leaves, bits) for weight, leaves in listed)
            assert math.exp(tree.log_probability) == pytest.approx(exact, rel=1e-12)
            total += exact
        assert total == pytest.approx(1)


def test_a_tree_without_depth_is_the_estimator_of_krichevsky_and_trofimov():
    tree, odds = ContextTree(0), []
    for bit in (1, 1, 0):
        odds.append(tree.predict())
        tree.update(bit)
    assert odds == [1 / 2, 3 / 4, 5 / 6]
    assert tree.predict() == 2.5 / 4


def test_a_period_longer_than_one_bit_is_learned():
    tree = ContextTree(4)
    for i in range(200):
        tree.update(i % 3 == 0)
    assert tree.predict() < 0.02
    tree.update(0)
    assert tree.predict() > 0.95


def forest(capacity=4096, trees=3, depth=5):
    pool = fresh_nodes(trees, capacity).view(NODE).reshape(-1)
    return Forest(pool, trees, np.zeros(512, np.uint8), 0, depth)


def lived(forest, seed=0, cycles=30):
    rng = np.random.default_rng(seed)
    for _ in range(cycles):
        forest.push(int(rng.integers(4)), 2)
        forest.learn_code(int(rng.integers(8)), 3)
    return forest


def test_what_is_imagined_is_forgotten_to_the_last_bit():
    one = lived(forest())
    before = (one.nodes[: one.size].copy(), one.size, one.length, one.bits[: one.length].copy())
    one.mark()
    for seed in (1, 2):
        lived(one, seed, 10)
        assert one.size > before[1]
        one.revert()
        assert np.array_equal(one.nodes[: one.size], before[0])
        assert (one.size, one.length) == before[1:3]
        assert np.array_equal(one.bits[: one.length], before[3])


def test_a_percept_is_predicted_from_the_action_before_it():
    one = forest()
    rng = np.random.default_rng(0)
    for action in rng.integers(2, size=60).tolist():
        one.push(action, 1)
        one.learn_code(5 if action else 2, 3)
    one.mark()
    for action, code in ((0, 2), (1, 5)):
        one.push(action, 1)
        assert math.exp(one.learn_code(code, 3)) > 0.85
        one.revert()


def test_probabilities_of_all_percepts_sum_to_one_with_and_without_room():
    for capacity in (4096, 40, 3):
        one = lived(forest(capacity))
        one.mark()
        total = 0.0
        for code in range(8):
            total += math.exp(one.learn_code(code, 3))
            one.revert()
        assert total == pytest.approx(1)
        assert one.size <= capacity


def test_a_full_tree_says_what_to_do():
    tree = ContextTree(2, length=2)
    tree.update(0)
    tree.update(1)
    with pytest.raises(TooLargeError, match="length"):
        tree.update(1)
