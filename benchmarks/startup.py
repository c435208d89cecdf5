"""How long the first answer takes: in a first and a second process, and for further sizes of batch.

`python benchmarks/startup.py` measures it in CPU seconds, which other work on the machine changes
least. Each process is a new one, with caches of its own; `again` is one more that finds what the
first kept.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results"
SIZES = (1, 3, 5, 8, 7, 6)
"""Batches asked about in turn; 7 and 6 are filled up to 8, which is compiled by then."""
REPEATS = 3

DECIDE = """
import json, sys, time
import jax
from deliberation import make_task
from deliberation.direct import HistorySearch, TreeSearch
started = time.process_time()
task = make_task(sys.argv[1])
search = {"tic_tac_toe": TreeSearch, "kuhn_poker": HistorySearch}[sys.argv[1]](task, budget=64)
spent = {}
for size in map(int, sys.argv[2].split(",")):
    states = jax.vmap(task.init)(jax.random.split(jax.random.key(0), size))
    jax.block_until_ready(states)
    before = time.process_time()
    jax.block_until_ready(search.decide(states, key=jax.random.key(1))[0].value)
    spent[size] = time.process_time() - before
print(json.dumps(spent))
"""
THROUGHPUT = """
import json, sys, time
import jax
from deliberation import make_task
from deliberation.core.play import random_positions
from deliberation.direct import HistorySearch
task = make_task(sys.argv[1])
search = HistorySearch(task, budget=256)
found = {}
for batch in (1, 16, 256):
    states = random_positions(task, batch, jax.random.key(0))
    times = []
    for turn in range(8):
        before = time.process_time()
        jax.block_until_ready(search.decide(states, key=jax.random.key(1))[0].value)
        times.append(time.process_time() - before)
    found[batch] = batch * 256 / sorted(times[1:])[3]
print(json.dumps(found))
"""


def main() -> None:
    """Measure, write startup.json and startup.md."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    path = RESULTS / "startup.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for world in ("tic_tac_toe", "kuhn_poker"):
        found.setdefault("decide", {})[world] = first_answers(world)
        keep(path, found)
    for world in ("kuhn_poker", "gridworld_hidden"):
        found.setdefault("simulations", {})[world] = child(THROUGHPUT, [world], {})
        keep(path, found)
    print(told(found))


def keep(path: Path, found: dict[str, Any]) -> None:
    """Write what is measured so far: a run that is stopped keeps it."""
    path.write_text(json.dumps(found, indent=1) + "\n")
    path.with_suffix(".md").write_text(told(found))


def first_answers(world: str) -> dict[str, dict[str, float]]:
    """Median CPU seconds of the first answers, by batch: nothing kept, and what was kept found."""
    rows: dict[str, list[dict[str, float]]] = {"off": [], "first": [], "again": []}
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            sizes = ",".join(map(str, SIZES))
            rows["off"].append(child(DECIDE, [world, sizes], {"DELIBERATION_PROGRAMS": "off"}))
            for name in ("first", "again"):
                kept = {"DELIBERATION_PROGRAMS": folder}
                rows[name].append(child(DECIDE, [world, sizes], kept))
    return {
        name: {size: median(row[size] for row in several) for size in several[0]}
        for name, several in rows.items()
    }


def child(code: str, arguments: list[str], environment: dict[str, str]) -> dict[str, float]:
    """What a new process prints."""
    known = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(
        command, env={**known, **environment}, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def told(found: dict[str, Any]) -> str:
    """The page."""
    sizes = list(map(str, SIZES))
    lines = [
        "# What the first answer costs", "",
        "CPU seconds of the first `decide` with each size of batch, one after the other in one "
        f"process; medians of {REPEATS}. *Off*: without the cache of compiled programs; *first*: "
        "with it, empty; *again*: another process after that. Batches of 7 and 6 are filled up to "
        "8.", "",
        "| | process | " + " | ".join(f"batch {size}" for size in sizes) + " |",
        "|---|---|" + "---|" * len(sizes),
    ]  # fmt: skip
    for world, rows in found.get("decide", {}).items():
        for name, row in rows.items():
            cells = " | ".join(f"{row[size]:.3g}" for size in sizes)
            lines.append(f"| {world} | {name} | {cells} |")
    lines += [
        "", "Simulations of `HistorySearch` for each CPU second, 256 a decision.", "",
        "| | batch 1 | batch 16 | batch 256 |", "|---|---|---|---|",
    ]  # fmt: skip
    for world, row in found.get("simulations", {}).items():
        lines.append(f"| {world} | " + " | ".join(f"{x:,.0f}" for x in row.values()) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
