"""Nanoseconds a ply of random playouts, by batch size, on one core.

Writes benchmarks/results/playouts.json with a description of the machine. A playout's plies are
counted row by row, so waiting for the longest game of a batch is part of the price.
"""

import json
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

FLAGS = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {FLAGS}".strip()
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import click  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from deliberation.core.noise import mix, seeds  # noqa: E402
from deliberation.core.task import Task  # noqa: E402
from deliberation.direct.playouts import random_playouts  # noqa: E402
from deliberation.tasks import make_task  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "playouts.json"


def measure(task: Task, batch: int, repeats: int, plies: int) -> dict[str, Any]:
    """The median over `repeats` runs of about `plies` plies each, from the start of the game."""

    @jax.jit
    def play(seed: jax.Array) -> jax.Array:
        state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), batch))
        live = jnp.ones(batch, bool)
        return random_playouts(task, task.objective, state, live, seed).steps.sum()

    first = seeds(jax.random.split(jax.random.key(1), batch))
    calls = max(1, plies // int(play(first)))
    costs = []
    for repeat in range(repeats):
        given = [mix(first, repeat, call) for call in range(calls)]
        jax.block_until_ready(given)
        began = time.perf_counter()
        done = sum(int(play(seed)) for seed in given)
        costs.append((time.perf_counter() - began) * 1e9 / done)
    return {
        "task": repr(task),
        "batch": batch,
        "ns_per_ply": median(costs),
        "least": min(costs),
        "most": max(costs),
        "repeats": repeats,
    }


def machine() -> dict[str, Any]:
    """What was measured on: processor, cores, load, and versions."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load": load,
        "system": platform.system(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "backend": jax.default_backend(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@click.command(help=__doc__)
@click.option("--batches", default="16,128,1024,8192", show_default=True)
@click.option("--repeats", default=7, show_default=True)
@click.option("--plies", default=200_000, show_default=True, help="Plies in each timed run.")
def main(batches: str, repeats: int, plies: int) -> None:
    """Measure, print and write."""
    described, rows = machine(), []
    table = Table("task", "batch", "ns a ply", "range", title="Random playouts on one core")
    for name in ("tic_tac_toe", "connect_four"):
        for batch in map(int, batches.split(",")):
            row = measure(make_task(name), batch, repeats, plies)
            rows.append({"name": name, **row})
            spread = f"{row['least']:.0f}–{row['most']:.0f}"
            table.add_row(name, str(batch), f"{row['ns_per_ply']:.0f}", spread)
    Console().print(table)
    load = described["load"]
    Console().print(
        f"{described['processor']}, load {'unknown' if load is None else f'{load:.1f}'}"
    )
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps({"machine": described, "rows": rows}, indent=2) + "\n"
    partial = RESULTS.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(RESULTS)
    Console().print(f"Written: {RESULTS.relative_to(Path(__file__).parent.parent)}")


if __name__ == "__main__":
    main()
