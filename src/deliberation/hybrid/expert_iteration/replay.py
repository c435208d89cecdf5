"""The latest positions of self-play with what the expert answered there, to draw batches from."""

import jax.numpy as jnp
import numpy as np

from ...amortised.imitation.data import Dataset

COLUMNS = ("observations", "legal", "weights", "value")
Rows = dict[str, np.ndarray]


class Replay:
    """A ring of at most `room` rows on the host; `written` counts all rows that were ever added.

    Observations are kept as int8 until the first that are not whole numbers come.
    """

    def __init__(self, room: int):
        self.room, self.written = room, 0
        self.columns: Rows = {}

    def __len__(self) -> int:
        return min(self.written, self.room)

    def add(self, rows: Rows) -> None:
        """Write rows over the oldest ones."""
        rows = {**rows, "observations": _smallest(rows["observations"])}
        if not self.columns:
            self.columns = {
                n: np.zeros((self.room, *x.shape[1:]), x.dtype) for n, x in rows.items()
            }
        held = self.columns["observations"]
        if held.dtype != rows["observations"].dtype:
            self.columns["observations"] = held.astype(np.float32, copy=False)
        count = len(rows["value"])
        places = np.arange(self.written, self.written + count) % self.room
        for name, column in self.columns.items():
            # Of more rows than there is room for, the last ones stay.
            column[places[-self.room :]] = rows[name][-self.room :]
        self.written += count

    def since(self, first: int) -> Rows:
        """Rows from number `first` (of all ever written) to the latest, in their order."""
        if not self.written - self.room <= first <= self.written:
            raise IndexError(f"Row {first} has been overwritten: {self.written} were written.")
        places = np.arange(first, self.written) % self.room
        return {name: column[places] for name, column in self.columns.items()}

    def dataset(self) -> Dataset:
        """A copy of the whole ring as a data set, of which the first `len(self)` rows are real."""
        arrays = {name: jnp.array(self.columns[name]) for name in COLUMNS}
        return Dataset(**arrays, sample_weights=jnp.ones((self.room, 2)))


def _smallest(observations: np.ndarray) -> np.ndarray:
    small = observations.astype(np.int8)
    return small if np.array_equal(small, observations) else observations.astype(np.float32)
