"""Searches for a way to combine numbers into a target, as what they look at one after the other.

In depth and in breadth, guided by how far the numbers that are left lie from the target (Gandhi et
al. 2024, "Stream of Search", section 3 and their "sum heuristic").
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

GRANDEST = 999
"""No number is larger."""
BEAM = 5
"""How many places of each depth a search in breadth goes on from."""


class Line(NamedTuple):
    """a sign b = c; signs are numbered + - * /."""

    a: int
    sign: int
    b: int
    c: int


Left = tuple[int, ...]
"""The numbers that are left, in order."""
Path = tuple[Line, ...]
Steps = list[Line | Left]
"""Lines that are tried, and the place from which the next ones are, whenever it is another."""


@functools.lru_cache(maxsize=100_000)
def moves(left: Left, most: int) -> tuple[tuple[Line, Left], ...]:
    """Every line that differs (a sum or product in one order), and what it leaves."""
    found: dict[Line, Left] = {}
    for i, a in enumerate(left):
        for j, b in enumerate(left):
            if i == j:
                continue
            rest = [x for k, x in enumerate(left) if k not in (i, j)]
            for line in _lines(a, b):
                if line.c <= most:
                    found.setdefault(line, tuple(sorted([*rest, line.c])))
    return tuple(found.items())


def _lines(a: int, b: int) -> Iterator[Line]:
    """Those that begin with a; sums and products with the larger number first."""
    if a >= b:
        yield Line(a, 0, b, a + b)
        yield Line(a, 1, b, a - b)
        yield Line(a, 2, b, a * b)
    if b > 0 and a % b == 0:
        yield Line(a, 3, b, a // b)


def lines_to(numbers: Left, target: int, most: int) -> list[Path]:
    """Every path from the numbers to the target, sums and products in both orders."""
    left = tuple(sorted(numbers))
    if len(left) == 1:
        return [()] if left[0] == target else []
    found: list[Path] = []
    for line, after in moves(left, most):
        turned = Line(line.b, line.sign, line.a, line.c)
        ways = {line, turned} if line.sign in (0, 2) else {line}
        for path in lines_to(after, target, most):
            found += [(way, *path) for way in sorted(ways)]
    return found


def away(left: Left, target: int) -> float:
    """The mean distance of the numbers that are left from the target."""
    return sum(abs(x - target) for x in left) / len(left)


def trace(
    kind: str, numbers: Left, target: int, most: int, longest: int
) -> tuple[Steps, Path | None]:
    """What a search looks at until it finds the target, and the path that it found.

    It is given up at `longest` tokens; the path is None where none was found.
    """
    steps: Steps = []
    begin = tuple(sorted(numbers))
    search = _in_depth if kind == "dfs" else _in_breadth
    for step, path in search(begin, target, most):
        steps.append(step)
        if path is not None:
            return steps, path
        if 6 * len(steps) > 2 * longest:
            break
    return steps, None


Seen = Iterator[tuple[Line | Left, Path | None]]
"""A step, and the path where it is the one that ends in the target."""


def _ordered(left: Left, target: int, most: int) -> list[tuple[Line, Left]]:
    return sorted(moves(left, most), key=lambda move: away(move[1], target))


def _in_depth(left: Left, target: int, most: int, path: Path = ()) -> Seen:
    """The nearest first; what was tried at a place is told again only by where one is."""
    for k, (line, after) in enumerate(_ordered(left, target, most)):
        if k and len(left) > 2:
            yield left, None
        if len(after) == 1:
            yield line, (*path, line) if after[0] == target else None
            continue
        yield line, None
        yield after, None
        yield from _in_depth(after, target, most, (*path, line))


def _in_breadth(left: Left, target: int, most: int) -> Seen:
    """All lines of a depth, then the nearest places that they led to."""
    level: list[tuple[Left, Path]] = [(left, ())]
    while level:
        following: dict[Left, Path] = {}
        for here, path in level:
            if path:
                yield here, None
            for line, after in _ordered(here, target, most):
                done = len(after) == 1 and after[0] == target
                yield line, (*path, line) if done else None
                if len(after) > 1:
                    following.setdefault(after, (*path, line))
        nearest = sorted(following, key=lambda place: away(place, target))[:BEAM]
        level = [(place, following[place]) for place in nearest]
