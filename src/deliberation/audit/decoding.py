"""Linear read-outs of features, held out by items: how well labels can be told from what is given.

Ridge regression onto one-hot labels (Alain and Bengio 2016 call such read-outs probes), with its
penalty chosen by leaving one out in the training part. Of penalties that do about as well the
greatest is taken, so that where there is nothing to be told the answer is the commonest label.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

PENALTIES = 10.0 ** np.arange(-2, 4)
"""In parts of the features' mean square."""
FOLDS, PARTITIONS = 5, 3
_BIAS = 10.0
"""The constant feature, so large that its weight is hardly penalised."""

Features = Float[np.ndarray, "n units"]


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """Some questions about n items, each with classes of its own: the columns of one matrix.

    `one_hot[i, j, k]` says whether item i is of class k by question j; classes that a question
    does not have are never right.
    """

    one_hot: Float[np.ndarray, "n questions classes"]

    @staticmethod
    def of(classes: Int[np.ndarray, "n questions"]) -> "Labels":
        """From the number of the class by each question."""
        return Labels((classes[..., None] == np.arange(classes.max() + 1)).astype(float))

    def right(
        self, scores: Float[np.ndarray, "some questions classes"], rows: Int[np.ndarray, " some"]
    ) -> Float[np.ndarray, " some"]:
        """The share of the questions whose greatest score is right, for each of some items."""
        there = self.one_hot.any(0)
        chosen = np.where(there, scores, -np.inf).argmax(-1)
        truth = self.one_hot[rows].argmax(-1)
        return (chosen == truth).mean(-1)

    def shaped(
        self, outputs: Float[np.ndarray, "some outputs"]
    ) -> Float[np.ndarray, "some questions classes"]:
        """One output for each class of each question."""
        return outputs.reshape(-1, *self.one_hot.shape[1:])

    def shuffled(self, rng: np.random.Generator) -> "Labels":
        """Those of other items: as often each, and with nothing to be told."""
        return Labels(self.one_hot[rng.permutation(len(self.one_hot))])


def partitions(n: int, rng: np.random.Generator) -> Int[np.ndarray, "partitions n"]:
    """The fold of every item, several times over."""
    return np.array([rng.permutation(np.arange(n) % FOLDS) for _ in range(PARTITIONS)])


@dataclasses.dataclass(frozen=True, eq=False)
class Told:
    """How well one set of features tells one lot of questions.

    `right[p, i]` is the share of item i's questions answered rightly by what was fitted without its
    fold, `within[p, f]` what those without fold f promised by leaving one out.
    """

    right: Float[np.ndarray, "partitions n"]
    within: Float[np.ndarray, "partitions folds"]


def told(
    features: Features, asked: Sequence[Labels], folds: Int[np.ndarray, "partitions n"]
) -> list[Told]:
    """Fit to all folds but one in turn, and answer that one: for each lot of questions."""
    fit = _Fit(standard(features))
    found = [Told(np.zeros(folds.shape), np.zeros((len(folds), FOLDS))) for _ in asked]
    for p, fold in enumerate(folds):
        for f in range(FOLDS):
            train, test = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
            without = fit.without(train, test)
            for labels, mine in zip(asked, found, strict=True):
                dual, mine.within[p, f] = without.chosen(labels)
                scores = fit.kernel[np.ix_(test, train)] @ dual
                mine.right[p, test] = labels.right(labels.shaped(scores), test)
    return found


def best_of(many: list[Told], folds: Int[np.ndarray, "partitions n"]) -> Told:
    """Of several sets of features, for each fold the one that promised most without it."""
    within = np.array([one.within for one in many])
    chosen = within.argmax(0)
    right = np.array([one.right for one in many])
    rows = np.arange(len(folds))[:, None]
    mine = right[chosen[rows, folds], rows, np.arange(folds.shape[1])]
    return Told(mine, within.max(0))


def standard(features: Features) -> Features:
    """Every column with mean 0 and variance 1, or 0 where it does not vary.

    Labels have no part in it, so held-out items may.
    """
    spread = spreads(features)
    return (features - features.mean(0)) / np.where(spread > 0, spread, 1.0)


def spreads(features: Features) -> Float[np.ndarray, " units"]:
    """The standard deviation of every column, exactly 0 where it does not vary."""
    spread = features.std(0)
    return np.where(spread > 1e-9 * float(spread.max(initial=0)), spread, 0.0)


def directions(
    features: Features, beside: Float[np.ndarray, "n others"], labels: Labels
) -> Float[np.ndarray, "units questions classes"]:
    """For each class of each question the weights of the read-out that is fitted to all items.

    Of standardised features, beside others that are told too; less the mean over classes.
    """
    x, rows = standard(np.concatenate([features, beside], 1)), np.arange(len(features))
    dual, _ = _Fit(x).without(rows, rows[:0]).chosen(labels)
    found = labels.shaped((x.T @ dual)[: features.shape[1]])
    return found - found.mean(-1, keepdims=True)


class _Fit:
    """The ridge regressions of all items at every penalty, as the inverses of their kernels."""

    def __init__(self, x: Features):
        self.kernel = x @ x.T / max(x.shape[1], 1) + _BIAS**2
        self.inverses = _inverse(self.kernel + PENALTIES[:, None, None] * np.eye(len(x)))

    def without(self, train: np.ndarray, test: np.ndarray) -> "_Without":
        """The same without some items, by the inverse of a block."""
        g = self.inverses
        inner, across = g[:, train[:, None], train], g[:, train[:, None], test]
        left = np.linalg.solve(g[:, test[:, None], test], np.swapaxes(across, 1, 2))
        return _Without(train, inner - np.einsum("pij,pjk->pik", across, left))


@dataclasses.dataclass(frozen=True, eq=False)
class _Without:
    train: Int[np.ndarray, " n"]
    inverses: Float[np.ndarray, "penalties n n"]

    def chosen(self, labels: Labels) -> tuple[Float[np.ndarray, "n outputs"], float]:
        """The fit at the greatest penalty that does no worse than the best one, within its error,
        by leaving one out; and the share that it gets right so.
        """
        wanted = labels.one_hot[self.train].reshape(len(self.train), -1)
        duals = np.einsum("pij,jk->pik", self.inverses, wanted)
        own = np.einsum("pii->pi", self.inverses)[..., None]
        left = wanted - duals / own
        shares = [labels.right(labels.shaped(scores), self.train) for scores in left]
        means = np.mean(shares, 1)
        top = int(means.argmax())
        error = shares[top].std() / len(self.train) ** 0.5
        place = int(np.flatnonzero(means >= means[top] - error).max())
        return duals[place], float(means[place])


def _inverse(matrices: Float[np.ndarray, "some n n"]) -> Float[np.ndarray, "some n n"]:
    """Of positive definite matrices, by Gauss and Jordan.

    Where all cores are busy the threads of LAPACK wait for each other, for seconds a matrix.
    """
    found = matrices.copy()
    for k in range(found.shape[-1]):
        pivot = 1 / found[:, k, k]
        row, column = found[:, k] * pivot[:, None], found[:, :, k].copy()
        found -= column[:, :, None] * row[:, None]
        found[:, k], found[:, :, k] = row, -column * pivot[:, None]
        found[:, k, k] = pivot
    return found
