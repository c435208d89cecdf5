"""Wall time without the time in which JAX compiles: what a decision takes once it is compiled.

Otherwise the first decision of every shape would be told to cost a thousand times the second.
"""

import threading
import time
from typing import Any

import jax.monitoring

_COMPILING = "/jax/core/compile/"
_KEPT = 4096
"""Compilations remembered, one inside of another; far more than are ever open at a time."""


class _Compiled(threading.local):
    """How long this thread has compiled, and when: a program may be compiled inside of another."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.spans: list[tuple[float, float]] = []

    def ended(self, duration: float) -> None:
        """Something was compiled until now; what was compiled meanwhile is part of it."""
        end = time.perf_counter()
        begin = end - duration
        while self.spans and self.spans[-1][1] > begin:
            inner = self.spans.pop()
            self.seconds -= inner[1] - inner[0]
            begin = min(begin, inner[0])
        self.spans.append((begin, end))
        self.seconds += end - begin
        del self.spans[:-_KEPT]


_compiled = _Compiled()


def _heard(event: str, duration_secs: float, **kwargs: Any) -> None:
    del kwargs
    if event.startswith(_COMPILING):
        _compiled.ended(duration_secs)


jax.monitoring.register_event_duration_secs_listener(_heard)


def now() -> float:
    """Seconds of wall time, those in which this thread compiled left out; for differences."""
    return time.perf_counter() - _compiled.seconds
