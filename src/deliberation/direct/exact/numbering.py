"""Number rows of integers exactly: equal rows get equal numbers, and nothing is hashed."""

import numpy as np
from jaxtyping import Bool, Int, UInt64


class RowIndex:
    """The distinct rows of an integer matrix, sorted by a 64-bit key that is exact.

    Columns are packed by the range of their values. Where 64 bits do not hold them all, words are
    replaced by their ranks, which again fit two to a key. `first` is where each distinct row first
    occurs; `inverse`, empty unless asked for, is which distinct row each given row is.
    """

    def __init__(self, rows: Int[np.ndarray, "n words"], inverse: bool = False):
        self._low = [int(c.min()) for c in rows.T]
        self._span = [int(c.max()) - low + 1 for c, low in zip(rows.T, self._low, strict=True)]
        self._tables: list[tuple[np.ndarray, np.ndarray]] = []
        key, *words = self._pack(rows)
        for word in words:
            tables = np.unique(key), np.unique(word)
            self._tables.append(tables)
            key = _combine(tables, key, word)
        self.inverse: Int[np.ndarray, " n_or_none"] = np.zeros(0, np.int64)
        if inverse:
            self._keys, self.first, self.inverse = np.unique(
                key, return_index=True, return_inverse=True
            )
        else:
            self._keys, self.first = np.unique(key, return_index=True)

    def find(self, rows: Int[np.ndarray, "m words"]) -> Int[np.ndarray, " m"]:
        """Where each row first occurred among the rows that were numbered; -1 if nowhere."""
        known = self._inside(rows)
        key, *words = self._pack(rows)
        for tables, word in zip(self._tables, words, strict=True):
            known &= _holds(tables[0], key) & _holds(tables[1], word)
            key = _combine(tables, key, word)
        known &= _holds(self._keys, key)
        place = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
        return np.where(known, self.first[place], -1)

    def _inside(self, rows: Int[np.ndarray, "m words"]) -> Bool[np.ndarray, " m"]:
        known = np.ones(len(rows), bool)
        for column, low, span in zip(rows.T, self._low, self._span, strict=True):
            known &= (column >= low) & (column <= low + span - 1)
        return known

    def _pack(self, rows: Int[np.ndarray, "m words"]) -> list[UInt64[np.ndarray, " m"]]:
        """Mixed radix: as many columns to a 64-bit word as fit."""
        words, room = [np.zeros(len(rows), np.uint64)], 1 << 64
        for column, low, span in zip(rows.T, self._low, self._span, strict=True):
            if span > room:
                words.append(np.zeros(len(rows), np.uint64))
                room = 1 << 64
            digit = (column.astype(np.int64) - low).astype(np.uint64)
            words[-1] = words[-1] * np.uint64(span) + digit
            room //= span
        return words


def _combine(
    tables: tuple[np.ndarray, np.ndarray],
    key: UInt64[np.ndarray, " m"],
    word: UInt64[np.ndarray, " m"],
) -> UInt64[np.ndarray, " m"]:
    left, right = (np.searchsorted(t, w) for t, w in zip(tables, (key, word), strict=True))
    return (left * len(tables[1]) + right).astype(np.uint64)


def _holds(
    table: UInt64[np.ndarray, " entries"], key: UInt64[np.ndarray, " m"]
) -> Bool[np.ndarray, " m"]:
    place = np.minimum(np.searchsorted(table, key), len(table) - 1)
    return table[place] == key
