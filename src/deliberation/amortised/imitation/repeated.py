"""Examples of which few differ: a batch of them costs no more than those that do."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from .data import Dataset


class Repeated(eqx.Module):
    """A data set whose examples are copies of a few: `which` of `different` each one is.

    To `fit` it is the examples one by one: the same rows are drawn, and the losses and gradients
    are the same up to rounding. The network sees only what differs, though, each with the weight
    that its copies in the batch have together.
    """

    different: Dataset
    which: Int[Array, " n"]

    def __len__(self) -> int:
        return self.which.shape[0]

    def __getitem__(self, rows: Int[Array, " rows"] | np.ndarray) -> Dataset:
        """What is as good as these rows for `loss`: all that differ, weighed by how often."""
        kinds = jnp.arange(len(self.different))
        times = (self.which[rows][:, None] == kinds).mean(0, dtype=jnp.float32)
        # `loss` divides by the number of rows, which is not that of the examples.
        weights = times[:, None] * len(self.different) * self.different.sample_weights
        return eqx.tree_at(lambda d: d.sample_weights, self.different, weights)


def merge_equal(dataset: Dataset, most: int) -> Repeated | None:
    """The same examples with copies kept once; nothing where more than `most` differ.

    Those that differ are filled up to `most`, so that one program serves every data set.
    """
    host: Dataset = jax.tree.map(np.asarray, dataset)
    fields = [getattr(host, field.name) for field in dataclasses.fields(Dataset)]
    known: dict[bytes, int] = {}
    which, first = [], []
    for row in range(len(host)):
        example = b"".join(column[row].tobytes() for column in fields)
        kind = known.setdefault(example, len(known))
        if kind == len(first):
            first.append(row)
        if len(first) > most:
            return None
        which.append(kind)
    different = jax.tree.map(jnp.asarray, host[np.resize(first, most)])
    return Repeated(different, jnp.asarray(np.array(which, np.int32)))
