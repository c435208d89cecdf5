"""Whether engines play better as their dials are turned: Stockfish by nodes, GNU Go by levels.

Each setting plays the same engine at a fixed one, from random openings, each opening once with
either side. The score is 1 for a win and -1 for a loss; its interval is over openings. Prints a
table, and writes engines.json and engines.md.

    python benchmarks/engines.py [--openings 16] [--go-openings 4]
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deliberation.adapters import EngineDecider, from_gtp, from_open_spiel, from_uci
from deliberation.core import Task, rollout
from deliberation.core.task import State
from deliberation.runs.provenance import machine, versions
from deliberation.runs.storage import atomic_write
from deliberation.stats import bootstrap
from deliberation.tasks import make_task

NODES, AGAINST_NODES = (1, 10, 100, 1000), 30
LEVELS, AGAINST_LEVEL = (0, 4, 8), 2
OPENING = 4
"""Random moves before the engines take over."""


def opened(task: Task, count: int, key: jax.Array) -> State:
    """Positions after some random moves."""
    first, *later = jax.random.split(key, OPENING + 1)
    state = jax.vmap(task.init)(jax.random.split(first, count))
    for now in later:
        keys = jax.random.split(now, count)
        odds = jnp.where(jax.vmap(task.legal)(state), 0.0, -jnp.inf)
        action = jax.vmap(jax.random.categorical)(keys, odds).astype(jnp.int32)
        state = jax.vmap(task.advance)(state, action, keys)
    return state


def measured(engine: EngineDecider, setting: int, fixed: int, openings: int) -> dict[str, Any]:
    """One setting of the dial against the fixed one: a line of the table."""
    started, key = time.perf_counter(), jax.random.key(7)
    state = opened(engine.task, openings, key)
    seats = [
        rollout(engine.task, engine, key=key, state=state, budget=budgets)
        for budgets in ([setting, fixed], [fixed, setting])
    ]
    scores = np.mean([episodes.returns[:, seat] for seat, episodes in enumerate(seats)], axis=0)
    found = bootstrap(scores)
    steps = [episodes.spent[seat].model_steps for seat, episodes in enumerate(seats)]
    turns = sum(int(episodes.turns[:, seat].sum()) for seat, episodes in enumerate(seats))
    return {
        "setting": setting,
        "against": fixed,
        "games": 2 * openings,
        "score": found.estimate,
        "low": max(found.low, -1.0),
        "high": min(found.high, 1.0),
        "nodes_a_move": None if None in steps else sum(steps) / max(turns, 1),
        "moves": turns,
        "seconds": time.perf_counter() - started,
    }


def lines(engine: EngineDecider, settings: tuple[int, ...], fixed: int, openings: int) -> list:
    """The lines of one engine."""
    found = []
    with engine:
        for setting in settings:
            found.append(measured(engine, setting, fixed, openings))
            print(found[-1], flush=True)
    return found


def page(content: dict[str, Any]) -> str:
    """The results as Markdown."""
    told = [
        "# Engines and their dials",
        "",
        f"Measured on {content['machine']['processor']}, {content['machine']['cores']} cores. "
        f"{content['note']}".strip(),
        "",
        f"Each setting plays the same engine at a fixed one from {OPENING} random moves on, every "
        "opening once with either side. Score: 1 for a win, -1 for a loss; 95 % interval over "
        "openings. An engine's nodes are by its own word: Stockfish finishes what it begins, and "
        "looks at some 30 positions where it is allowed fewer.",
    ]
    for name, (dial, rows) in content["engines"].items():
        told += ["", f"## {name}", "", f"| {dial} | against | games | score | nodes a move |"]
        told.append("|---|---|---|---|---|")
        for row in rows:
            nodes = "unknown" if row["nodes_a_move"] is None else f"{row['nodes_a_move']:,.0f}"
            score = f"{row['score']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"
            told.append(
                f"| {row['setting']:,} | {row['against']} | {row['games']} | {score} | {nodes} |"
            )
    return "\n".join(told) + "\n"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--openings", type=int, default=16)
    parser.add_argument("--go-openings", type=int, default=4)
    parser.add_argument("--only", choices=("chess", "go"), help="keep the other's lines")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results")
    parser.add_argument("--note", default="", help="a sentence about how it was measured")
    asked = parser.parse_args()
    kept = asked.out / "engines.json"
    engines: dict[str, Any] = {}
    if asked.only and kept.exists():
        engines = json.loads(kept.read_text(encoding="utf-8"))["engines"]
    patient = {"timeout": 600.0, "start_timeout": 600.0}
    if asked.only != "go":
        board = from_open_spiel("chess")
        chess = from_uci("stockfish", board, options={"Hash": 1}, **patient)
        found = lines(chess, NODES, AGAINST_NODES, asked.openings)
        engines["Stockfish on chess"] = ["nodes", found]
    if asked.only != "chess":
        go = from_gtp("gnugo", make_task("go_9x9(size=7)"), **patient)
        engines["GNU Go on 7x7"] = ["level", lines(go, LEVELS, AGAINST_LEVEL, asked.go_openings)]
    content = {
        "engines": engines, "note": asked.note, "machine": machine(), "versions": versions()
    }  # fmt: skip
    told = json.dumps(content, indent=1) + "\n"
    atomic_write(kept, told.encode())
    atomic_write(asked.out / "engines.md", page(content).encode())
    print(page(content))


if __name__ == "__main__":
    main()
