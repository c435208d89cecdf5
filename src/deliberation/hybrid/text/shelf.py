"""What a model remembers of the nodes of a tree, so that a child costs the tokens that it adds."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from ...core.contract.text_model import Memory, TextModel
from .verifying import Logits


class Place(NamedTuple):
    """Where the memory of one text lies: a batch that was read at once, and the row in it."""

    block: int
    row: int


class Shelf:
    """Batches of memories, from which any rows are read on together.

    Where the model cannot put memories side by side (`TextModel.gather`) they are read on one batch
    at a time, with the same result.
    """

    def __init__(self, model: TextModel):
        self.model = model
        self.blocks: list[Memory] = []

    def keep(self, memory: Memory, rows: int) -> list[Place]:
        """Put a batch of memories away; the place of each row."""
        self.blocks.append(memory)
        return [Place(len(self.blocks) - 1, i) for i in range(rows)]

    def take(self, places: list[Place]) -> list[tuple[Int[np.ndarray, " n"], Memory]]:
        """Memories of these places in as few batches as can be: which places, and the memory."""
        used = sorted({p.block for p in places})
        if len(used) > 1:
            whole = self.model.gather([(self.blocks[p.block], p.row) for p in places])
            if whole is not None:
                return [(np.arange(len(places)), whole)]
        found = []
        for block in used:
            at = np.array([i for i, p in enumerate(places) if p.block == block])
            rows = np.array([places[i].row for i in at])
            found.append((at, self.model.pick(self.blocks[block], rows)))
        return found

    def values(self, places: list[Place]) -> Float[np.ndarray, " n"] | None:
        """What the model says that texts are worth, where it says that."""
        told = {p.block: self.model.values(self.blocks[p.block]) for p in places}
        if any(x is None for x in told.values()):
            return None
        return np.array([told[p.block][p.row] for p in places])  # type: ignore[index]

    def extend(
        self, places: list[Place], tokens: Int[np.ndarray, " n"]
    ) -> tuple[Logits, list[Place]]:
        """Read one more token after each: logits, and where the memories lie."""
        logits = np.zeros((len(places), self.model.vocabulary), np.float32)
        new: list[Place] = [Place(-1, -1)] * len(places)
        for at, memory in self.take(places):
            found, after = self.model.extend(memory, tokens[at])
            logits[at] = found
            for i, place in zip(at, self.keep(after, len(at)), strict=True):
                new[i] = place
        return logits, new


def row_bytes(memory: Memory, rows: int) -> int:
    """How much one row of a memory takes, as far as it can be told."""
    return sum(int(getattr(x, "nbytes", 0)) for x in jax.tree.leaves(memory)) // max(1, rows)
