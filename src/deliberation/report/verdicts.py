"""How verdicts are shown: always as a symbol and a word, with colour only in addition."""

from collections.abc import Iterable

from ..runs.findings import Row

SYMBOLS = {"supported": "✓", "refuted": "✕", "inconclusive": "~"}
COLOURS = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}


def tally(rows: Iterable[Row]) -> dict[str, int]:
    """How often each verdict was given, in the order refuted, inconclusive, supported."""
    given = [row.verdict for row in rows]
    return {
        name: n for name in ("supported", "inconclusive", "refuted") if (n := given.count(name))
    }


def overall(rows: Iterable[Row]) -> str | None:
    """The verdict over several rows: refuted by one, inconclusive by one, else supported.

    None where no row carries a verdict: those report a quantity and claim nothing.
    """
    counts = tally(rows)
    return next((name for name in ("refuted", "inconclusive", "supported") if name in counts), None)
