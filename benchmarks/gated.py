"""Planning only where it pays: return and compute of gated planning over its cost dial.

On Connect Four (a policy trained by expert iteration, games against UCT with random rollouts, and
the share of solved positions whose value is kept) and on a slippery grid (a network that imitates
the exact policy in some states, episodes). For each cost of a simulation: the return beside that of
full planning, simulations a decision, and the wall time of a batch of decisions.

    python benchmarks/gated.py --policy policy

If there is no policy in that folder, one is trained first, for two minutes. Prints a table and
whether some cost reaches 95 % of full planning's return at half of its simulations or less; writes
benchmarks/results/gated.json and gated.svg.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path.home() / ".cache" / "deliberation" / "jax")
)

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table

from deliberation.amortised import MLP, Dataset, NetworkPolicy, fit, load_network
from deliberation.core import Decider, Task, rollout
from deliberation.core.task import batch_size
from deliberation.direct import UCT, RandomRollouts, TreeSearch, value_iteration
from deliberation.hybrid import Gated, GaussianGate, fit_gate, guided_search, train
from deliberation.runs.provenance import machine, versions
from deliberation.stats import bootstrap
from deliberation.tasks import make_task
from deliberation.tasks.solved import solved_connect_four

matplotlib.use("svg")
from matplotlib import pyplot

OUT = Path(__file__).resolve().parent / "results"
SHARES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75)
"""Of decisions that are to be planned: they set the costs, by states that are not measured on."""
RETURN, SIMULATIONS = 0.95, 0.5
"""The target: at least so much of full planning's return for at most so much of its compute."""
COLUMNS = ("Decider", "Return [95 %]", "of full", "Simulations", "of full", "ms a batch", "of full")
ROWS = 256
"""States in the batch whose time is taken."""


@dataclass(frozen=True)
class Setting:
    """One task: what plays, how its return is measured, and states to learn and to time on."""

    name: str
    task: Task
    network: Any
    planner: TreeSearch
    budget: int
    returns: Callable[[Decider], tuple[np.ndarray, float]]
    """Returns of episodes, and model steps a decision."""
    learning: Any
    timing: Any


def connect_four(policy: Path, games: int, budget: int, minutes: float) -> Setting:
    """Points in games from random openings against a planner that has learned nothing."""
    if not (policy / "policy.json").exists():
        train("connect_four", minutes=minutes, out=policy)
    task, network, info = load_network(policy)
    planner = guided_search(task, network, budget=budget, **info.extra.get("search", {}))
    rival = TreeSearch(task, UCT(c=1.0), RandomRollouts(), budget=200, capacity=256)

    def returns(decider: Decider) -> tuple[np.ndarray, float]:
        found, steps, decisions = [], 0.0, 0
        for seat in (0, 1):
            state = opened(task, games // 2, jax.random.key(seat))
            seats = [decider, rival] if seat == 0 else [rival, decider]
            played = rollout(task, seats, key=jax.random.key(7), state=state)
            # In points: a win 1, a draw a half, so that shares of them mean something.
            found.append((1 + played.returns[:, seat]) / 2)
            steps += played.spent[seat].total().model_steps
            # Openings are of an even number of moves, so player 0 has the even ones.
            decisions += int((played.actions[:, seat::2] >= 0).sum())
        return np.concatenate(found), steps / decisions

    solved = solved_connect_four()
    learning = solved.take(~solved.contested).states
    learning = jax.tree.map(lambda x: jnp.asarray(x[:ROWS]), learning)
    timing = jax.tree.map(lambda x: jnp.asarray(x[:ROWS]), solved.take(solved.contested).states)
    return Setting("connect_four", task, network, planner, budget, returns, learning, timing)


def opened(task: Task, rows: int, key: Any) -> Any:
    """Boards after four random moves; nobody has won by then."""
    state = jax.vmap(task.init)(jax.random.split(key, rows))
    for move in range(4):
        keys = jax.random.split(jax.random.fold_in(key, move), rows)
        legal = jax.vmap(task.legal)(state)
        action = jax.vmap(jax.random.categorical)(keys, jnp.where(legal, 0.0, -jnp.inf))
        state = jax.vmap(task.advance)(state, action.astype(jnp.int32), keys)
    return state


def grid(episodes: int, budget: int, known: float, steps: int) -> Setting:
    """Episodes on a slippery grid, with a network that was taught in a share of the states."""
    task = make_task("gridworld_slippery")
    table = value_iteration(task)
    live = np.flatnonzero(~table.reached.terminal)
    order = np.random.default_rng(0).permutation(live)
    taught = order[: max(64, int(known * len(order)))]
    rows = jax.tree.map(lambda x: jnp.asarray(x)[taught], table.states)
    observations = jax.jit(jax.vmap(task.observe))(rows)
    legal, values = jax.jit(jax.vmap(task.legal))(rows), table.values[taught]
    data = Dataset.of(
        observations, legal, table.policy[taught].astype(np.float32), values.astype(np.float32)
    )
    low, high = task.objective.bounds
    network = MLP(
        observations.shape[1:], task.traits.actions, 32, 1, value_range=(low, high),
        key=jax.random.key(1),
    )  # fmt: skip
    network = fit(task, network, data, steps=steps, key=jax.random.key(2)).network
    planner = guided_search(task, network, budget=budget)

    def returns(decider: Decider) -> tuple[np.ndarray, float]:
        played = rollout(task, decider, key=jax.random.key(3), batch=episodes)
        return played.returns[:, 0], played.spent[0].total().model_steps / played.lengths.sum()

    learning, timing = (
        jax.tree.map(lambda x, part=part: jnp.asarray(x)[np.resize(part, ROWS)], table.states)
        for part in (order[len(taught) :: 2], order[len(taught) + 1 :: 2])
    )
    return Setting("gridworld_slippery", task, network, planner, budget, returns, learning, timing)


def costs(setting: Setting, gate: GaussianGate) -> dict[float, float]:
    """The cost of a simulation at which so large a share of the learning states is planned."""
    observations = jax.vmap(setting.task.observe)(setting.learning)
    logits, _ = setting.network.batched(observations.astype(jnp.float32))
    gain = np.asarray(gate(logits, jax.vmap(setting.task.legal)(setting.learning)))
    return {share: float(np.quantile(gain, 1 - share)) / setting.budget for share in SHARES}


def measure(name: str, decider: Decider, setting: Setting, **extra: Any) -> dict[str, Any]:
    """One line: return with its interval, simulations a decision, milliseconds a batch."""
    found, steps = setting.returns(decider)
    interval = bootstrap(found, seed=0)
    return {
        "decider": name, "return": float(found.mean()), "low": interval.low,
        "high": interval.high, "simulations": steps, "ms": milliseconds(decider, setting.timing),
        "returns": found.tolist(), **extra,
    }  # fmt: skip


def milliseconds(decider: Decider, state: Any, repeats: int = 5) -> float:
    """The median time of a batch of decisions, once everything is compiled."""
    rows, taken = batch_size(state), []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        decision, _ = decider.decide(state, decider.begin(rows), key=jax.random.key(0))
        jax.block_until_ready(decision.action)
        taken.append(1e3 * (time.perf_counter() - started))
    return float(np.median(taken[1:]))


def sweep(setting: Setting, console: Console, shares: Sequence[float]) -> dict[str, Any]:
    """The network alone, full planning, and the dial between them."""
    gate, learned = fit_gate(
        setting.task, setting.network, setting.planner, setting.learning,
        budget=setting.budget, key=jax.random.key(5),
    )  # fmt: skip
    full = measure("full planning", setting.planner, setting)
    alone = measure("network alone", NetworkPolicy(setting.task, setting.network), setting)
    rows, dial = [alone], costs(setting, gate)
    for share in shares:
        cost = dial[share]
        gated = Gated(setting.network, setting.planner, gate, cost=cost, budget=setting.budget)
        rows.append(measure(f"gated, cost {cost:.2g}", gated, setting, cost=cost))
        console.print("  ".join(cells(rows[-1], full)), style="dim")
    rows.append(full)
    for row in rows:
        # Where full planning earns nothing there is nothing to have a share of.
        row["of_return"] = row["return"] / full["return"] if full["return"] > 0 else 0.0
        row["of_simulations"] = row["simulations"] / full["simulations"]
        row["of_ms"] = row["ms"] / full["ms"]
    # The dial alone: where the network does as well by itself, that is no merit of the gate.
    dialled = [r for r in rows if "cost" in r]
    met = [r for r in dialled if r["of_return"] >= RETURN and r["of_simulations"] <= SIMULATIONS]
    return {
        "task": repr(setting.task), "budget": setting.budget, "rows": rows,
        "gate": {"scale": float(gate.scale), "spread": float(gate.spread)},
        "gate_learning": learned.as_dict(), "passed": bool(met),
        "least": min((r["of_simulations"] for r in met), default=None),
    }  # fmt: skip


def cells(row: dict[str, Any], full: dict[str, Any]) -> list[str]:
    """One line of the table as text."""
    return [
        row["decider"],
        f"{row['return']:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
        f"{row['return'] / full['return']:.1%}" if full["return"] > 0 else "",
        f"{row['simulations']:.1f}",
        f"{row['simulations'] / full['simulations']:.1%}",
        f"{row['ms']:.1f}",
        f"{row['ms'] / full['ms']:.1%}",
    ]


def draw(found: dict[str, Any], path: Path) -> None:
    """Return against simulations, both as shares of full planning's, a panel for each task."""
    figure, panels = pyplot.subplots(
        1, len(found), figsize=(4.2 * len(found), 3.4), layout="constrained", squeeze=False
    )
    for axes, (name, result) in zip(panels[0], found.items(), strict=True):
        rows = sorted(result["rows"], key=lambda r: r["of_simulations"])
        axes.plot(*zip(*((r["of_simulations"], r["of_return"]) for r in rows), strict=True), "o-")
        axes.axhline(RETURN, lw=0.8, ls="--", color="grey")
        axes.axvline(SIMULATIONS, lw=0.8, ls="--", color="grey")
        axes.set(title=name, xlabel="simulations, share of full planning's")
        axes.set_ylabel("return, share of full planning's")
    figure.savefig(path)
    pyplot.close(figure)


def main() -> None:
    """Train if need be, measure, print and write."""
    parser = argparse.ArgumentParser(description="Measure gated planning over its cost dial.")
    parser.add_argument("--policy", type=Path, default=Path("policy"), help="a policy's folder")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the results")
    parser.add_argument("--only", choices=["connect_four", "grid"], help="one of the tasks")
    parser.add_argument("--quick", action="store_true", help="few games and costs")
    asked = parser.parse_args()
    console, found = Console(), {}
    games, episodes = (32, 64) if asked.quick else (512, 512)
    shares = SHARES[2::3] if asked.quick else SHARES
    makers = {
        "connect_four": lambda: connect_four(asked.policy, games, 64, 0.2 if asked.quick else 2.0),
        "grid": lambda: grid(episodes, 32, 0.25, 600),
    }
    for name, make in makers.items():
        if asked.only not in (None, name):
            continue
        setting = make()
        found[setting.name] = sweep(setting, console, shares)
    for name, result in found.items():
        full = result["rows"][-1]
        table = Table(*COLUMNS, caption=f"{name}, {result['budget']} simulations when planned")
        for row in result["rows"]:
            table.add_row(*cells(row, full))
        console.print(table)
        verdict = "pass" if result["passed"] else "FALLS SHORT"
        console.print(f"{verdict}: {name}, {RETURN:.0%} of the return for {SIMULATIONS:.0%}")
    asked.out.mkdir(parents=True, exist_ok=True)
    path = asked.out / "gated.json"
    content = {"tasks": found, "machine": machine(), "versions": versions()}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draw(found, asked.out / "gated.svg")
    console.print(f"Wrote {path}")


if __name__ == "__main__":
    main()
