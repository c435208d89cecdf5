"""Whether engines play better as their dials are turned: Stockfish by nodes, GNU Go by levels.

Each setting plays the same engine at a fixed one, from random openings, each opening once with
either side. The score is 1 for a win and -1 for a loss; its interval is over openings. Stockfish's
moves are judged one by one, too: what score is to be expected after them, by 100,000 of its own
nodes. The judge has the network of those it judges, and so favours what that network says at once.
On the same positions and by the same judge stand UCT with random playouts, and how many of its
simulations Stockfish's least effort is worth (1 node, of which it makes a look at each move).
Prints tables, and writes engines.json and engines.md.

    python benchmarks/engines.py [--openings 16] [--go-openings 4] [--positions 64]
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
from deliberation.direct import TreeSearch
from deliberation.runs.provenance import machine, versions
from deliberation.runs.storage import atomic_write
from deliberation.stats import Estimate, bootstrap, search_equivalent
from deliberation.tasks import make_task

NODES, AGAINST_NODES = (1, 10, 100, 1000), 30
LEVELS, AGAINST_LEVEL = (0, 4, 8), 2
OPENING = 4
"""Random moves before the engines take over."""
JUDGED = (*NODES, 10_000)
JUDGE_NODES, SIMULATIONS = 100_000, (1, 4, 16, 64)


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


def on_the_way(engine: EngineDecider, count: int, key: jax.Array) -> State:
    """Positions that the engine plays itself into, up to 24 moves after a random opening."""
    task = engine.task
    plies = np.random.default_rng(0).integers(0, 24, count)
    state = opened(task, count, key)
    for ply in range(int(plies.max())):
        now = jax.random.fold_in(key, ply)
        decision, _ = engine.decide(state, budget=AGAINST_NODES, key=now)
        after = jax.vmap(task.advance)(state, decision.action, jax.random.split(now, count))
        goes = jnp.asarray(ply < plies) & ~jax.vmap(task.terminated)(after)
        state = jax.tree.map(
            lambda x, y, goes=goes: jnp.where(goes.reshape(-1, *[1] * (x.ndim - 1)), y, x),
            state, after,
        )  # fmt: skip
    return state


def expected(judge: EngineDecider, state: State, action: jax.Array, key: jax.Array) -> np.ndarray:
    """The mover's score from -1 to 1 after an action, as the judge expects it."""
    task, count = judge.task, len(action)
    after = jax.vmap(task.advance)(state, action, jax.random.split(key, count))
    over = np.asarray(jax.vmap(task.terminated)(after))
    mover = np.asarray(jax.vmap(task.player)(state))
    won = np.asarray(jax.vmap(task.objective)(state, action, after))[np.arange(count), mover]
    looked, _ = judge.decide(after, budget=JUDGE_NODES, key=key)
    return np.where(over, won, -np.asarray(looked.value))


def judged(engine: EngineDecider, count: int) -> dict[str, Any]:
    """Expected scores after the moves of each setting, and of UCT, on the same positions."""
    task, key = engine.task, jax.random.key(3)
    state = on_the_way(engine, count, key)
    searches = {
        "Stockfish, nodes": (engine, JUDGED),
        "UCT, simulations": (TreeSearch(task, "uct", capacity=SIMULATIONS[-1]), SIMULATIONS),
    }
    scores = {}
    for name, (decider, budgets) in searches.items():
        for budget in budgets:
            decision, _ = decider.decide(state, budget=budget, key=key)
            scores[name, budget] = expected(engine, state, decision.action, key)
            print(name, budget, scores[name, budget].mean(), flush=True)
    first, last = (scores["Stockfish, nodes", n] for n in (JUDGED[0], JUDGED[-1]))
    gained = bootstrap(last - first)
    table = np.stack([scores["UCT, simulations", n] for n in SIMULATIONS])
    worth = search_equivalent(SIMULATIONS, table, first)
    return {
        "positions": count,
        "rows": [[name, budget, *interval(bootstrap(x))] for (name, budget), x in scores.items()],
        "gained": interval(gained),
        "worth": [str(x) for x in interval(worth)],
    }


def interval(found: Estimate) -> list[float]:
    """An estimate and the ends of its interval."""
    return [found.estimate, found.low, found.high]


def judged_page(found: dict[str, Any]) -> list[str]:
    """The judged moves as Markdown."""
    gained, low, high = found["gained"]
    worth = [float(x) for x in found["worth"]]
    bound, least = (
        f"more than {SIMULATIONS[-1]}" if np.isinf(x) else f"{x:,.0f}" for x in worth[:2]
    )
    told = [
        "", "## Stockfish's moves, judged", "",
        f"The score to be expected after a move (1 won, -1 lost), by {JUDGE_NODES:,} nodes of "
        "Stockfish itself, which favours what its network says at once; "
        f"{found['positions']} positions of Stockfish's own games, the same for all; 95 % "
        "interval over positions.", "",
        "| who | budget | expected score |", "|---|---|---|",
    ]  # fmt: skip
    told += [
        f"| {who} | {budget:,} | {mean:+.3f} [{a:+.3f}, {b:+.3f}] |"
        for who, budget, mean, a, b in found["rows"]
    ]
    told += [
        "",
        f"From {JUDGED[0]} to {JUDGED[-1]:,} nodes Stockfish gains {gained:+.3f} "
        f"[{low:+.3f}, {high:+.3f}] (paired). At {NODES[0]} node it is worth {bound} simulations "
        f"of UCT with random playouts (95 %: {least}). More nodes need not be better "
        "where they end in the middle of an iteration: what Stockfish then plays is what it plays "
        "over its own pipe.",
    ]
    return told


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
            low, high = max(row["low"], -1.0), min(row["high"], 1.0)  # none lies beyond
            score = f"{row['score']:+.2f} [{low:+.2f}, {high:+.2f}]"
            told.append(
                f"| {row['setting']:,} | {row['against']} | {row['games']} | {score} | {nodes} |"
            )
    if content.get("judged"):
        told += judged_page(content["judged"])
    return "\n".join(told) + "\n"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--openings", type=int, default=16)
    parser.add_argument("--go-openings", type=int, default=4)
    parser.add_argument("--positions", type=int, default=64)
    parser.add_argument("--only", choices=("chess", "go", "judged"), help="keep the others' lines")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results")
    parser.add_argument("--note", default="", help="a sentence about how it was measured")
    asked = parser.parse_args()
    kept = asked.out / "engines.json"
    known = json.loads(kept.read_text(encoding="utf-8")) if asked.only and kept.exists() else {}
    engines, by_judge = known.get("engines", {}), known.get("judged")
    patient = {"timeout": 600.0, "start_timeout": 600.0}
    board = from_open_spiel("chess")
    if asked.only in (None, "chess"):
        chess = from_uci("stockfish", board, options={"Hash": 1}, **patient)
        found = lines(chess, NODES, AGAINST_NODES, asked.openings)
        engines["Stockfish on chess"] = ["nodes", found]
    if asked.only in (None, "judged"):
        with from_uci("stockfish", board, options={"Hash": 16}, **patient) as chess:
            by_judge = judged(chess, asked.positions)
    if asked.only in (None, "go"):
        go = from_gtp("gnugo", make_task("go_9x9(size=7)"), **patient)
        engines["GNU Go on 7x7"] = ["level", lines(go, LEVELS, AGAINST_LEVEL, asked.go_openings)]
    content = {
        "engines": engines, "judged": by_judge, "note": asked.note, "machine": machine(),
        "versions": versions(),
    }  # fmt: skip
    told = json.dumps(content, indent=1) + "\n"
    atomic_write(kept, told.encode())
    atomic_write(asked.out / "engines.md", page(content).encode())
    print(page(content))


if __name__ == "__main__":
    main()
