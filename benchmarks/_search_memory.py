"""Bytes a node of a tree takes: computed from its arrays, and measured on the process.

Measured is the slope of the most memory used during a search, between two capacities in a process
each, so that whatever does not grow with the tree (programs, weights, the interpreter) drops out,
and copies that an engine makes of its tree do not.
"""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
from _search_contestants import Setting, mctx_search, planner
from _search_rows import Row
from _search_timing import Say

FEW = 2
"""Simulations of mctx here: it fills its whole tree before the first one."""


def bytes_a_node(row: Row, asked: dict[str, Any], say: Say) -> dict[str, Any]:
    """The most bytes this process has used after a search with room for `asked["capacity"]`."""
    capacity, side = asked["capacity"], asked["side"]
    say(f"{side}, {row.task}, room for {capacity}")
    setting = Setting.of(replace(row, simulations=capacity))
    key, batch = jax.random.key(0), row.batch
    if side == "ours":
        decider = planner(setting, prove=False, capacity=capacity)
        memory = decider.begin(batch)
        # As many simulations as there is room for: pages never written to are not resident.
        used = _most(
            lambda: decider.decide(setting.state, memory, budget=capacity, key=key)[0].action
        )
        stated = _stated(setting, capacity)
    else:
        search = _mctx_search(setting, capacity)
        used = _most(lambda: search(setting.network, setting.state, key))
        tree = search(setting.network, setting.state, key)[2]
        stated = sum(x.nbytes for x in jax.tree.leaves(tree))
    return {"peak": used, "stated": stated}


def _most(search: Callable[[], Any]) -> int:
    """The most bytes in use while searching, and not while compiling."""
    jax.block_until_ready(search())
    # Linux forgets the process's peak on demand; elsewhere it includes the compiler's.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    jax.block_until_ready(search())
    return peak()


def _stated(setting: Setting, capacity: int) -> int:
    from deliberation.direct.tree_search.tree import size_in_bytes

    return size_in_bytes(setting.state, setting.task.traits.actions, capacity)


def _mctx_search(setting: Setting, capacity: int) -> Callable[..., Any]:
    """mctx with a tree for `capacity` simulations of which only a few are made."""

    def few(low: int, high: int, body: Any, start: Any) -> Any:
        return jax.lax.fori_loop(low, min(high, FEW), body, start)

    return mctx_search(setting.task, setting.row.rule, capacity, loop_fn=few)


def peak() -> int:
    """The most bytes in use so far: of the device where it says so, else of the process."""
    known = jax.devices()[0].memory_stats()
    if known and "peak_bytes_in_use" in known:
        return int(known["peak_bytes_in_use"])
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
