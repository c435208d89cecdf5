"""How verdicts are shown: always as a symbol and a word, with colour only in addition."""

from collections.abc import Iterable, Mapping

from ..runs.findings import Row

SYMBOLS = {"supported": "✓", "refuted": "✕", "inconclusive": "~"}
COLOURS = {"supported": "green", "refuted": "red", "inconclusive": "yellow"}
ORDER = ("supported", "inconclusive", "refuted")
RULE = (
    "A side of a row is supported if every claim about it is supported on every task to which it "
    "applies, refuted if any is refuted, and else inconclusive; instrument checks are not counted."
)
"""What `overall` does, in words."""


def tally(rows: Iterable[Row]) -> dict[str, int]:
    """How often each verdict was given, in the order supported, inconclusive, refuted."""
    given = [row.verdict for row in rows]
    return {name: n for name in ORDER if (n := given.count(name))}


def overall(rows: Iterable[Row]) -> str | None:
    """The verdict over several rows: refuted by one, inconclusive by one, else supported.

    None where no row carries a verdict: those report a quantity and claim nothing.
    """
    counts = tally(rows)
    return next((name for name in ("refuted", "inconclusive", "supported") if name in counts), None)


def counted(counts: Mapping[str, int]) -> str:
    """All three counts, and of how many: "✓ 3  ~ 1  ✕ 0 of 4"."""
    parts = "  ".join(f"{SYMBOLS[name]} {counts.get(name, 0)}" for name in ORDER)
    return f"{parts} of {sum(counts.values())}"
