"""What a model remembers of the nodes of a tree, so that a child costs the tokens that it adds."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from ...core.contract.text_model import Memory, TextModel
from .verifying import Logits


class Place(NamedTuple):
    """Where the memory of one text lies: a batch that was read at once, and the row in it."""

    block: int
    row: int


class Shelf:
    """Batches of memories, from which any rows are read on together.

    Memories that are trees of arrays with a row for each text are put side by side by their rows;
    others are read on one batch at a time, with the same result.
    """

    def __init__(self, model: TextModel):
        self.model = model
        self.blocks: list[Memory] = []
        self.leaves: list[list[np.ndarray] | None] = []

    def keep(self, memory: Memory, rows: int) -> list[Place]:
        """Put a batch of memories away; the place of each row."""
        leaves = [_plain(x) for x in jax.tree.leaves(memory)]
        fits = leaves and all(x is not None and x.ndim and len(x) == rows for x in leaves)
        self.leaves.append(leaves if fits else None)  # type: ignore[arg-type]
        self.blocks.append(memory)
        return [Place(len(self.blocks) - 1, i) for i in range(rows)]

    def take(self, places: list[Place]) -> list[tuple[Int[np.ndarray, " n"], Memory]]:
        """Memories of these places in as few batches as can be: which places, and the memory."""
        used = sorted({p.block for p in places})
        if len(used) > 1 and self._alike(used):
            count = len(self.leaves[used[0]])  # type: ignore[arg-type]
            stacked = [
                np.stack([self.leaves[p.block][i][p.row] for p in places])  # type: ignore[index]
                for i in range(count)
            ]
            structure = jax.tree.structure(self.blocks[used[0]])
            return [(np.arange(len(places)), jax.tree.unflatten(structure, stacked))]
        found = []
        for block in used:
            at = np.array([i for i, p in enumerate(places) if p.block == block])
            rows = np.array([places[i].row for i in at])
            found.append((at, self.model.pick(self.blocks[block], rows)))
        return found

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

    def _alike(self, used: list[int]) -> bool:
        forms = set()
        for block in used:
            leaves = self.leaves[block]
            if leaves is None:
                return False
            shapes = tuple((x.shape[1:], x.dtype) for x in leaves)
            forms.add((jax.tree.structure(self.blocks[block]), shapes))
        return len(forms) == 1


def row_bytes(memory: Memory, rows: int) -> int:
    """How much one row of a memory takes, as far as it can be told."""
    return sum(int(getattr(x, "nbytes", 0)) for x in jax.tree.leaves(memory)) // max(1, rows)


def _plain(leaf: Any) -> np.ndarray | None:
    return np.asarray(leaf) if isinstance(leaf, np.ndarray | jax.Array) else None
