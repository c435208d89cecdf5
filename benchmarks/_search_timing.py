"""Times contestants side by side: a round calls each once, so that all meet the same machine.

A ratio is taken within a round and its median over the rounds, since load comes and goes.
"""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from deliberation.stats import bootstrap

Contestant = Callable[[Any], Any]
"""Answers the same question each time it is called, with a JAX key for its chance."""
Say = Callable[[str], None]
Spread = dict[str, Any]

SLICE = 0.1
"""Seconds that a contestant is given in a round, by calling fast ones more than once."""
MOST_CALLS = 200


def once(contestant: Contestant, keys: Sequence[Any]) -> float:
    """Seconds a call, over one call for each key."""
    import jax

    started = time.perf_counter()
    for key in keys:
        # Blocked on one by one: a decision is wanted before the next one is asked for.
        jax.block_until_ready(contestant(key))
    return (time.perf_counter() - started) / len(keys)


def interleave(
    contestants: Mapping[str, Contestant], rounds: int, say: Say
) -> dict[str, list[float]]:
    """Seconds a call in each round, {contestant: [rounds]}, without compiling and warming up."""
    import jax

    keys = [jax.random.key(i) for i in range(MOST_CALLS)]
    calls = {}
    for name, contestant in contestants.items():
        say(f"compiling {name}")
        once(contestant, keys[:1])
        least = min(once(contestant, keys[:1]) for _ in range(2))
        calls[name] = min(MOST_CALLS, max(1, math.ceil(SLICE / least)))
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}")
        # Each round starts with another contestant, so that none always follows the same one.
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(once(contestants[name], keys[: calls[name]]))
    return seconds


def spread(values: Sequence[float]) -> Spread:
    """The median of what the rounds gave, its 95 % bootstrap interval, and the quartiles.

    Times and their ratios are positive and skewed: the interval is taken on their logarithms. One
    round has none: its ends are None.
    """
    found = bootstrap(np.log(values), np.median)
    known = len(values) > 1
    return {
        "median": math.exp(found.estimate),
        "low": math.exp(found.low) if known else None,
        "high": math.exp(found.high) if known else None,
        "quartiles": np.quantile(values, (0.25, 0.75)).tolist(),
        "rounds": list(values),
    }


def ratios(
    seconds: Mapping[str, Sequence[float]], pairs: Sequence[tuple[str, str]]
) -> dict[str, Spread]:
    """{"a / b": spread of the ratios within rounds}, for pairs of which both were measured."""
    return {
        f"{a} / {b}": spread(np.divide(seconds[a], seconds[b]).tolist())
        for a, b in pairs
        if a in seconds and b in seconds
    }


def load() -> float | None:
    """How many processes wanted to run, over the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
