"""Keeps the memory of a long run level: compiled programs that pile up are let go.

JAX keeps every program that it compiled until its process ends, each about 1.5 MB of resident
memory and some memory mappings (of which Linux allows 65,530), however short its use was. Those
that are needed again are read from the cache on disk (`core.cache`).
"""

import contextlib
import ctypes
import gc
import os
from collections.abc import Iterator
from pathlib import Path

MEGABYTE = 1 << 20
GROWN = 24 * MEGABYTE
"""Bytes by which a process may grow before its programs are let go."""
SCRATCH = 8 * MEGABYTE
_COMPILED = "/jax/core/compile/backend_compile_duration"


def resident() -> int | None:
    """Bytes of memory that this process holds; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def forget_programs() -> None:
    """Let go of all compiled programs, and give memory that is free back to the system.

    Every function is compiled, or read from disk, when it is called again: those of the caller's,
    too. Nothing is lost but that time.
    """
    import jax

    jax.clear_caches()
    gc.collect()
    give_back()


def give_back() -> None:
    """Give the memory that is free back to the system: glibc keeps it, and compilers free much."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def scratch_given_back(grown: int = SCRATCH) -> Iterator[None]:
    """Within, memory that compiling took goes back to the system at once, where the process has
    grown by so many bytes since that was done last.
    """
    from jax import monitoring

    level = [resident()]

    def compiled(event: str, duration_secs: float, **kwargs: str | int) -> None:
        del duration_secs, kwargs
        if event != _COMPILED or level[0] is None:
            return
        if (resident() or 0) - level[0] > grown:
            give_back()
            level[0] = resident()

    monitoring.register_event_duration_secs_listener(compiled)
    try:
        yield
    finally:
        monitoring.unregister_event_duration_listener(compiled)


class Level:
    """How much memory a run began with; `hold` brings it back there."""

    def __init__(self, grown: int = GROWN):
        self.grown, self.bytes = grown, resident()

    def hold(self, times: int = 1) -> bool:
        """Whether programs were let go, as the process had grown by more than is allowed, or by so
        many times that. What it holds after that is the new level: data that is needed is no reason
        to do it again.
        """
        held = resident()
        if held is None or self.bytes is None or held - self.bytes <= times * self.grown:
            return False
        forget_programs()
        self.bytes = resident()
        return True
