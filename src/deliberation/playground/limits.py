"""What a request may cost. What would cost more is refused with the number, before it is begun."""

from .settings import RefusedError

SIMULATIONS = 65_536
"""Of one search."""
STATES = 50_000
"""To be listed for an exact answer."""
MOVES = 1_000
"""Of a position: each is played anew."""
ACTIONS = 512
OBSERVED = 16_384
"""Numbers that a player sees: what a network reads."""
HORIZON = 100_000
WALLS = 200
OPTION = 128
"""A whole number among a task's options, but for horizons and seeds: a size, a count."""
NAME, LAYOUT = 1_500, 1_200
"""Letters of a task's name with its options, and of one word among these, such as a map."""
GAMES = 2_000
"""Of one match."""
PLAYED = SEARCHED = 20_000_000
"""Moves, and simulations, of a whole match, if every game took as long as one may."""
TREES = 2**29
"""Bytes of all trees of search that are held at a time; who comes later waits."""
DIGITS = 20
"""Of a whole number: no one is longer, whatever it begins with."""


def refuse_above(what: str, asked: int, most: int, remedy: str) -> None:
    """Refuse more than the most, by the number. Raises `RefusedError`."""
    if asked > most:
        raise RefusedError(
            f"This would take {asked:,} {what}; the playground allows {most:,}. {remedy}", 413
        )
