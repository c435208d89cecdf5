"""Verdicts as small marks of the page: a symbol and a word, with colour only in addition."""

from collections.abc import Mapping

from .numbers import MISSING
from .verdicts import ORDER, SYMBOLS


def chip(verdict: str | None, count: int | None = None) -> str:
    """A verdict as a symbol and a word, with how often it was given."""
    if verdict not in SYMBOLS:
        return f'<span class="none">{MISSING}</span>'
    times = f" {count}" if count is not None else ""
    symbol = f'<span aria-hidden="true">{SYMBOLS[verdict]}</span>'
    return f'<span class="chip {verdict}">{symbol} {verdict}{times}</span>'


def counts(given: Mapping[str, int]) -> str:
    """All three counts as symbols with numbers, and of how many."""
    parts = " ".join(_count(name, given.get(name, 0)) for name in ORDER)
    return f'<span class="counts">{parts} of {sum(given.values())}</span>'


def few(given: Mapping[str, int]) -> str:
    """Only those verdicts that were given; of a single one, which."""
    alone = sum(given.values()) == 1
    parts = " ".join(_count(name, None if alone else n) for name, n in given.items())
    return f'<span class="counts">{parts}</span>'


def _count(name: str, n: int | None) -> str:
    """A symbol, its word for those who hear the page, and a number."""
    number = "" if n is None else f" {n}"
    return (
        f'<span class="count {name}" title="{name}"><span aria-hidden="true">{SYMBOLS[name]}</span>'
        f'<span class="heard">{name}</span>{number}</span>'
    )
