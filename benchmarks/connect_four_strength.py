"""How strongly search, a trained network and both together play Connect Four, against exact truth.

Over solved positions in which some but not all moves keep the game's value: the share in which the
decider's move keeps it. Prints a table, and writes benchmarks/results/connect_four_strength.json.

    python benchmarks/connect_four_strength.py --policy policy

If there is no policy in that folder, one is trained first, for five minutes.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path.home() / ".cache" / "deliberation" / "jax")
)

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from deliberation.core import Decider, Ledger
from deliberation.direct import UCT, RandomRollouts, TreeSearch
from deliberation.hybrid import load, train
from deliberation.runs.provenance import machine, versions
from deliberation.stats import proportion
from deliberation.tasks.board.solved import SolvedPositions, solved_connect_four

RESULT = Path(__file__).resolve().parent / "results" / "connect_four_strength.json"
REFERENCE = {25: 0.80, 100: 0.90, 400: 0.91, 6400: 0.93}
"""A well-known C++ engine's UCT with random rollouts on these positions, by simulations."""
COLUMNS = ("Decider", "Simulations", "Keeps the value [95 % interval]", "µs a simulation", "Wanted")
MINUTES = 5.0
ROWS_AT_ONCE = 64
"""Few enough trees at a time for the processor's caches."""
EXPLORATION = 1.0


def measure(
    name: str, decider: Decider, positions: SolvedPositions, simulations: int, wanted: float | None
) -> dict[str, Any]:
    """One line of the table."""
    choose(decider, positions.take(slice(0, ROWS_AT_ONCE)), simulations)  # compiles
    started = time.perf_counter()
    actions, spent = choose(decider, positions, simulations)
    seconds = time.perf_counter() - started
    kept = positions.keeps[np.arange(len(positions)), actions]
    found = proportion(int(kept.sum()), len(kept))
    return {
        "decider": name,
        "simulations": simulations,
        "kept": int(kept.sum()),
        "n": len(kept),
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "wanted": wanted,
        "microseconds_a_simulation": 1e6 * seconds / len(kept) / max(simulations, 1),
        "spent_a_decision": {
            name: None if amount is None else amount / len(kept)
            for name, amount in spent.as_dict().items()
        },
    }


def choose(
    decider: Decider, positions: SolvedPositions, simulations: int
) -> tuple[np.ndarray, Ledger]:
    """The decider's moves, a chunk of positions at a time, and what they cost."""
    keys, moves, spent = jax.random.split(jax.random.key(0), len(positions)), [], Ledger()
    for start in range(0, len(positions), ROWS_AT_ONCE):
        # The last chunk is filled up with copies, so that one shape is compiled.
        rows = np.resize(np.arange(start, min(start + ROWS_AT_ONCE, len(positions))), ROWS_AT_ONCE)
        real = min(ROWS_AT_ONCE, len(positions) - start)
        decision, _ = decider.decide(
            positions.take(rows).states,
            decider.begin(len(rows)),
            budget=simulations,
            key=keys[rows],
        )
        moves.append(np.asarray(decision.action)[:real])
        spent = spent + jax.tree.map(lambda x, n=real: np.asarray(x)[:n].sum(), decision.spent)
    return np.concatenate(moves), spent


def lines(policy: Path, positions: SolvedPositions) -> list[tuple[str, Decider, int, float | None]]:
    """(name, decider, simulations, what is wanted of it) for every line of the table."""
    found: list[tuple[str, Decider, int, float | None]] = []
    for rollouts in (1, 4):
        rule, judge = UCT(c=EXPLORATION), RandomRollouts(count=rollouts)
        for simulations, wanted in REFERENCE.items():
            decider = TreeSearch(positions.task, rule, judge, capacity=max(128, simulations))
            name = f"UCT, {rollouts} rollout{'s' * (rollouts > 1)} a leaf"
            found.append((name, decider, simulations, wanted))
    found.append(("network alone", load(policy, search=False), 0, 0.85))
    hybrid = load(policy)
    found += [("guided search", hybrid, n, 0.95 if n == 64 else None) for n in (16, 64, 256)]
    return found


def random_play(positions: SolvedPositions) -> dict[str, Any]:
    """What uniformly random moves keep in expectation."""
    legal = ~np.isnan(positions.action_scores)
    share = float((positions.keeps.sum(1) / legal.sum(1)).mean())
    return {
        "decider": "random",
        "simulations": 0,
        "n": len(positions),
        "estimate": share,
        "low": share,
        "high": share,
        "wanted": None,
        "microseconds_a_simulation": None,
    }


def cells(line: dict[str, Any]) -> list[str]:
    """One line of the table as text."""
    value = f"{line['estimate']:.3f}"
    if line["high"] > line["low"]:
        value += f" [{line['low']:.3f}, {line['high']:.3f}]"
    pace = line["microseconds_a_simulation"]
    return [
        line["decider"],
        f"{line['simulations']:,}",
        value,
        "" if pace is None or not line["simulations"] else f"{pace:.1f}",
        "" if line["wanted"] is None else f"{line['wanted']:.2f}",
    ]


def show(rows: Sequence[Sequence[str]], caption: str, console: Console) -> None:
    """The table on the terminal."""
    table = Table(*COLUMNS, caption=caption)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def main() -> None:
    """Train if need be, measure, print and write."""
    parser = argparse.ArgumentParser(description="Measure strength at Connect Four.")
    parser.add_argument("--policy", type=Path, default=Path("policy"), help="folder of a policy")
    parser.add_argument("--out", type=Path, default=RESULT, help="where to write the JSON")
    asked = parser.parse_args()
    console = Console()
    if not (asked.policy / "policy.json").exists():
        console.print(f"Training for {MINUTES:g} minutes into {asked.policy}")
        train("connect_four", minutes=MINUTES, folder=asked.policy)
    positions = solved_connect_four()
    positions = positions.take(positions.contested)
    measured = [random_play(positions)]
    for name, decider, simulations, wanted in lines(asked.policy, positions):
        measured.append(measure(name, decider, positions, simulations, wanted))
        console.print("  ".join(cells(measured[-1])), style="dim")
    on = machine()
    caption = (
        f"Share of {len(positions)} solved Connect Four positions whose value the move keeps; "
        f"{on['cores']} cores, {on['processor']}"
    )
    rows = [cells(line) for line in measured]
    show(rows, caption, console)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "caption": caption,
        "columns": COLUMNS,
        "rows": rows,
        "measured": measured,
        "policy": json.loads((asked.policy / "policy.json").read_text(encoding="utf-8")),
        "machine": on,
        "versions": versions(),
    }
    asked.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    console.print(f"Wrote {asked.out}")


if __name__ == "__main__":
    main()
