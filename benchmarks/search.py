"""The search engine against mctx, OpenSpiel's MCTSBot and the limit that no search can pass.

Everything is measured side by side in one run, contestants in turn, and compared by the medians of
the ratios within rounds. Prints targets beside figures, and writes benchmarks/results/search.json,
search.md and search.svg (search_<device>.* on an accelerator, search_jax.* without a compiler for
the native back end or with DELIBERATION_BACKEND=jax). Rows measured earlier on the same
machine are kept unless they are measured again.

    python benchmarks/search.py
    python benchmarks/search.py --rows connect_four_64,latency --rounds 5
    python benchmarks/search.py --quick --out /tmp/search.json
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from _search_report import figure, markdown, show
from _search_rows import PEERS, ROWS, MissingPeerError, Row
from _search_timing import load, ratios, spread
from rich.console import Console

from deliberation.core.errors import DeliberationError
from deliberation.runs.provenance import cores, machine, source, versions
from deliberation.runs.storage import atomic_write
from deliberation.tasks import list_tasks

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
ROUNDS = 15
SWEEPS = 3
PAIRS = 150
CAPACITIES = {"connect_four": (32768, 262144), "othello": (8192, 65536)}
"""Between which memory a node is measured: apart by far more than a process's memory wavers."""
QUICK = {"rounds": 3, "sweeps": 1, "pairs": 10, "largest": 512}


class RowFailedError(DeliberationError, RuntimeError):
    """The process that measured a row ended without an answer."""


def ask(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What a process of its own measures. Raises `RowFailedError` if it fails."""
    setting = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    # What an earlier run compiled must not help: the sweep counts compiling.
    for name in ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"):
        setting.pop(name, None)
    if spec.get("one_core"):
        setting["XLA_FLAGS"] = f"{setting.get('XLA_FLAGS', '')} {ONE_THREAD}".strip()
        setting |= {"JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as room:
        answer = Path(room, "answer.json")
        command = [sys.executable, str(HERE / "_search_worker.py"), json.dumps(spec), str(answer)]
        done = subprocess.run(command, env=setting, check=False)
        if done.returncode or not answer.exists():
            raise RowFailedError(
                f"Measuring {spec.get('row')} ended with code {done.returncode}; its message is "
                f"above. To see it alone: {' '.join(command[:2])} '{command[2]}' /tmp/answer.json"
            )
        return json.loads(answer.read_text(encoding="utf-8"))


def measure(row: Row, options: Mapping[str, Any]) -> dict[str, Any]:
    """One row, by as many processes as it takes."""
    spec = {"row": row.name, "rounds": options["rounds"], "verbose": options["verbose"]}
    if row.kind == "sweep":
        return sweep(spec, options["sweeps"])
    if row.kind == "memory":
        return memory(spec)
    if row.kind == "uct":
        return ask({**spec, "one_core": True})
    if row.kind == "match":
        return ask({**spec, "pairs": options["pairs"]})
    if row.kind == "sizes" and options["largest"]:
        return ask({**spec, "changes": {"simulations": options["largest"]}})
    return ask(spec)


def sweep(spec: Mapping[str, Any], rounds: int) -> dict[str, Any]:
    """Both sides in turn, each time in a new process."""
    totals: dict[str, list[float]] = {"ours": [], "mctx": []}
    each: dict[str, list[list[float]]] = {"ours": [], "mctx": []}
    found: dict[str, Any] = {}
    for _ in range(rounds):
        for side, total in totals.items():
            found = ask({**spec, "side": side})
            each[side].append(found["seconds"])
            total.append(sum(found["seconds"]))
    return {
        "seconds": {side: spread(taken) for side, taken in totals.items()},
        "ratios": ratios(totals, [("mctx", "ours")]),
        "by_budget": {"budgets": found["budgets"], **each},
        "device": found["device"],
    }


def memory(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Bytes a node by the slope of the process's peak between two capacities."""
    found: dict[str, dict[str, Any]] = {}
    device: Any = None
    for task, capacities in CAPACITIES.items():
        for side in ("ours", "mctx"):
            ends = [
                ask({**spec, "side": side, "capacity": n, "changes": {"task": task}})
                for n in capacities
            ]
            device = ends[0]["device"]
            nodes = (capacities[1] - capacities[0]) * ROWS[spec["row"]].batch
            slope = {k: (ends[1][k] - ends[0][k]) / nodes for k in ("peak", "stated")}
            found.setdefault(task, {})[side] = {
                "measured": slope["peak"],
                "stated": slope["stated"],
            }
    return {"bytes_a_node": found, "device": device}


def described() -> dict[str, Any]:
    """Machine and device."""
    return {**machine(), "cores": cores(), "device": ask({})["device"]}


def place(device: Mapping[str, Any]) -> Path:
    """Where results of this device are kept."""
    if device["platform"] == "cpu":
        return RESULTS / ("search.json" if device["engine"] == "native" else "search_jax.json")
    kind = re.sub(r"[^a-z0-9]+", "_", device["kind"].lower()).strip("_")
    return RESULTS / f"search_{kind}.json"


def earlier(path: Path, on: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of a former run on this very machine."""
    if not path.exists():
        return {}
    known = json.loads(path.read_text(encoding="utf-8"))
    return known["rows"] if known["machine"] == on else {}


def keep(path: Path, content: Mapping[str, Any]) -> None:
    """JSON, Markdown and figure, each in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, (json.dumps(content, indent=1) + "\n").encode())
    atomic_write(path.with_suffix(".md"), markdown(content).encode())
    sizes = content["rows"].get("sizes", {})
    if "mean_depth" in sizes:
        atomic_write(path.with_suffix(".svg"), figure(sizes).encode())


def chosen(text: str) -> list[Row]:
    """The rows asked for. Raises `MissingPeerError`, and click's error for an unknown name."""
    names = list(ROWS) if text == "all" else [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in ROWS]:
        raise click.BadParameter(f"no row {unknown[0]!r}; there are {', '.join(ROWS)}")
    rows = [row for name, row in ROWS.items() if name in names]
    for package in {row.peer for row in rows}:
        if importlib.util.find_spec(PEERS[package]) is None:
            raise MissingPeerError(package)
    return rows


def package_versions() -> dict[str, str | None]:
    """Those of this library's records and of the peers."""
    from importlib.metadata import PackageNotFoundError, version

    found = dict(versions())
    for package in PEERS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def run(rows: list[Row], options: Mapping[str, Any], out: Path | None, console: Console) -> bool:
    """Measure row after row, writing after each; whether all were measured."""
    on = described()
    path = out or place(on["device"])
    commit, dirty = source()
    content: dict[str, Any] = {
        "machine": on,
        "versions": package_versions(),
        "rows": earlier(path, on),
    }
    whole, tasks = True, list_tasks()
    for number, row in enumerate(rows, 1):
        console.print(f"[{number}/{len(rows)}] {row.title}", style="bold", highlight=False)
        if row.task not in tasks:
            console.print(f"  left out: there is no task {row.task!r} yet", style="yellow")
            content["rows"].pop(row.name, None)
            continue
        before, started = load(), time.monotonic()
        try:
            found = measure(row, options)
        except RowFailedError as error:
            console.print(f"  {error}", style="red", highlight=False)
            found, whole = {"failed": str(error)}, False
        stamp = {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "took": round(time.monotonic() - started, 1),
            "load": [before, load()],
            "commit": commit,
            "dirty": dirty,
        }
        content["rows"][row.name] = {**found, **stamp}
        keep(path, content)
        console.print(f"  {stamp['took']:.0f} s", style="dim")
    show(content, console)
    console.print(f"Wrote {path} and what goes with it", highlight=False)
    return whole


@click.command(help=__doc__.replace("\n    python", "\n\n\b\n    python", 1))  # type: ignore[union-attr]
@click.option("--rows", default="all", show_default=True, help="Names, with commas between.")
@click.option("--rounds", default=ROUNDS, show_default=True, type=click.IntRange(1))
@click.option("--quick", is_flag=True, help="Few rounds and small trees: only to see it work.")
@click.option("--pairs", default=PAIRS, show_default=True, help="Openings of the match.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write.")
@click.option("--verbose", is_flag=True, help="Progress within rows also where nobody watches.")
def main(rows: str, rounds: int, quick: bool, pairs: int, out: Path | None, verbose: bool) -> None:
    """Measure, print and write."""
    options = {"rounds": rounds, "sweeps": SWEEPS, "pairs": pairs, "largest": None}
    options = {**options, **(QUICK if quick else {}), "verbose": verbose}
    if quick and out is None:
        out = Path(tempfile.gettempdir()) / "search.json"
    try:
        whole = run(chosen(rows), options, out, Console())
    except DeliberationError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    main()
