"""Measures one row of `search.py` in a process of its own; the answer is JSON in a file.

    python benchmarks/_search_worker.py '{"row": "connect_four_64", "rounds": 5}' answer.json

A process a row: no row inherits another's compiled programs, memory or settings.
"""

import importlib.util
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

ASKED: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
if ASKED.get("one_core") and hasattr(os, "sched_setaffinity"):
    # Before JAX counts the cores.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import jax  # noqa: E402
import numpy as np  # noqa: E402
from _search_contestants import (  # noqa: E402
    DROP_IN,
    Setting,
    limit,
    mctx_search,
    ours,
    ours_as_mctx,
    ours_inside,
    ours_portable,
    planner,
    theirs,
)
from _search_memory import bytes_a_node  # noqa: E402
from _search_rows import BUDGETS, ROWS, Row  # noqa: E402
from _search_sizes import by_size  # noqa: E402
from _search_spiel import estimated, play_match, their_decisions, uct  # noqa: E402
from _search_timing import Say, interleave, ratios, spread  # noqa: E402

from deliberation.direct.tree_search.backends.choice import backend_name  # noqa: E402

PAIRS = (
    ("mctx", "ours"),
    ("ours", "limit"),
    ("mctx", "limit"),
    ("ours in jit", "limit"),
    ("ours with proofs", "ours"),
    ("mctx", "ours in pure JAX"),
    ("mctx", "ours as mctx"),
)


def search(row: Row, asked: dict[str, Any], say: Say) -> dict[str, Any]:
    """Milliseconds a call of all contestants, interleaved."""
    setting = Setting.of(row)
    contestants = {
        "ours": ours(setting),
        "mctx": theirs(setting),
        "limit": limit(setting),
        "ours in jit": ours_inside(setting),
        "ours with proofs": ours(setting, prove=True),
    }
    if backend_name() != "jax":
        contestants["ours in pure JAX"] = ours_portable(setting)
    if importlib.util.find_spec(DROP_IN):
        contestants["ours as mctx"] = ours_as_mctx(setting)
    seconds = interleave(contestants, asked["rounds"], say)
    key = jax.random.key(0)
    spent = contestants["ours"](key).spent
    visits = mctx_search(setting.task, row.rule, row.simulations)(
        setting.network, setting.state, key
    )[2].node_visits[:, 0]
    return {
        "seconds": {name: spread(found) for name, found in seconds.items()},
        "ratios": ratios(seconds, PAIRS),
        "calls": {
            # Ours judges no terminal state, so it may ask for less; the batch waits all the same.
            "ours: network evaluations": float(np.mean(spent.network_evaluations)),
            "mctx: network evaluations": float(np.mean(visits)),
            "limit: network evaluations": row.simulations + 1,
        },
    }


def sweep(row: Row, asked: dict[str, Any], say: Say) -> dict[str, Any]:
    """Seconds for each budget of one side, compiling included, in a process that knows nothing."""
    setting = Setting.of(row)
    jax.block_until_ready((setting.state, jax.random.key(0)))
    if asked["side"] == "ours":
        decider = planner(setting, prove=False, capacity=max(BUDGETS))
        memory = decider.begin(row.batch)

        def answer(budget: int, key: jax.Array) -> Any:
            return decider.decide(setting.state, memory, budget=budget, key=key)[0]

    else:

        def answer(budget: int, key: jax.Array) -> Any:
            found = mctx_search(setting.task, row.rule, budget)(setting.network, setting.state, key)
            return found[:2]

    taken = []
    for i, budget in enumerate(BUDGETS):
        say(f"{asked['side']}, {budget} simulations")
        key = jax.random.key(i)
        started = time.perf_counter()
        jax.block_until_ready(answer(budget, key))
        taken.append(time.perf_counter() - started)
    return {"budgets": BUDGETS, "seconds": taken}


def uct_per_core(row: Row, asked: dict[str, Any], say: Say) -> dict[str, Any]:
    """Simulations a second of both on one core: ours in a batch, theirs a state at a time."""
    setting = Setting.of(row)
    decider = uct(setting.task, row.simulations, solve=False)
    memory = decider.begin(row.batch)
    contestants = {
        "ours": lambda key: decider.decide(setting.state, memory, key=key)[0],
        "open_spiel": their_decisions(setting.moves, row.simulations),
    }
    seconds = interleave(contestants, asked["rounds"], say)
    done = row.batch * row.simulations
    return {
        "simulations_a_second": {
            name: spread([done / s for s in found]) for name, found in seconds.items()
        },
        "seconds": {name: spread(found) for name, found in seconds.items()},
        "ratios": ratios(seconds, [("open_spiel", "ours")]),
    }


def match(row: Row, asked: dict[str, Any], say: Say) -> dict[str, Any]:
    """Scores with and without proofs on both sides."""
    found = {}
    for solve in (False, True):
        name = "with proofs" if solve else "without proofs"
        score = play_match(
            asked["pairs"], row.simulations, solve=solve, say=lambda x, n=name: say(f"{n}: {x}")
        )
        found[name] = estimated(score)
    return {"match": found}


KINDS = {
    "search": search,
    "sweep": sweep,
    "uct": uct_per_core,
    "sizes": by_size,
    "memory": bytes_a_node,
    "match": match,
}


def say(text: str) -> None:
    """Progress, one line that is written over where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K  {text}", end="", file=sys.stderr, flush=True)
    elif ASKED.get("verbose"):
        print(f"  {text}", file=sys.stderr, flush=True)


def device() -> dict[str, Any]:
    """What JAX computes on here, and which back end walks our trees (built now if need be)."""
    first = jax.devices()[0]
    return {
        "platform": first.platform,
        "kind": first.device_kind,
        "count": jax.device_count(),
        "engine": backend_name(),
    }


def main() -> None:
    """Measure what is asked and write it down; without a row, only say what this runs on."""
    found = {}
    if "row" in ASKED:
        row = replace(ROWS[ASKED["row"]], **ASKED.get("changes", {}))
        found = KINDS[row.kind](row, ASKED, say)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    Path(sys.argv[2]).write_text(json.dumps({**found, "device": device()}), encoding="utf-8")


if __name__ == "__main__":
    main()
