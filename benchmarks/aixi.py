"""MC-AIXI-CTW learns worlds from nothing: reward a cycle against experience, and the optimum.

Biased rock-paper-scissors, tiger and cheese maze with the horizons and context depths of Veness et
al. (2011), at a fraction of their cycles. At some ages exploration is switched off and the reward a
cycle is measured; Q-learning in a table keyed by the last percept gets as many cycles.
Prints a table with targets, writes aixi.json and aixi.svg.

    python benchmarks/aixi.py --out benchmarks/results
"""

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path.home() / ".cache" / "deliberation" / "jax")
)

import jax
import jax.numpy as jnp
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from rich.console import Console
from rich.table import Table

from deliberation.amortised import Tabular, train_q_learning
from deliberation.core import rollout
from deliberation.core.uniform import UniformRandom
from deliberation.direct import MCAIXI, UCT, BeliefPlanning, HistorySearch, Percepts, learn
from deliberation.runs.provenance import machine, versions
from deliberation.stats import bootstrap
from deliberation.tasks import make_task
from deliberation.tasks.hidden.tiger import tiger_values

RESULTS = Path(__file__).resolve().parent / "results"
WINDOW = 50
"""Cycles that count as one observation: neighbouring rewards are not independent."""
BEHIND = {"MC-AIXI-CTW": "C0", "Q-learning": "C1"}


@dataclass(frozen=True)
class World:
    """One task's settings; `target` is a reward a cycle that must be passed, and why."""

    task: str
    horizon: int
    depth: int
    ages: tuple[int, ...]
    simulations: int
    searching: int
    """Simulations while it is examined; while it grows it makes do with `simulations`."""
    c: float
    """Exploration constant of the search; rewards are scaled to [0, 1]."""
    cycles: int
    """Of an examination."""
    target: float
    why: str


AGES = (1000, 2500, 5000, 10_000)
WORLDS = (
    World("biased_rps", 4, 32, AGES, 100, 500, 0.3, 1000, 0.0, "winning"),
    # Random play behind it makes listening look as bad as opening doors: with a small c the first
    # few simulations decide, however many follow.
    World("tiger", 5, 30, AGES, 100, 1000, 1.0, 1000, -1.0, "only listening"),
    World("cheese_maze", 8, 96, AGES, 100, 500, 0.3, 400, -1.0, "only walking"),
)
LIVES = 2
ENVIRONMENTS = 16
ENDLESS = 1_000_000


def optimum(name: str) -> float:
    """The best reward a cycle in the long run, exact."""
    if name == "biased_rps":
        return 0.25
    if name == "tiger":
        values = tiger_values(0.85, 400, 1.0)
        return float(values[400, 400] - values[300, 400]) / 100
    task = make_task(name, horizon=100)
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(0), 1))
    key, ends = jax.random.key(0), []
    for ahead in (40, 60):
        decision, _ = BeliefPlanning(task, horizon=ahead).decide(state, key=key)
        ends.append(float(decision.value[0]))
    return (ends[1] - ends[0]) / 20


def observed(rewards: np.ndarray) -> dict[str, float]:
    """The mean reward a cycle with its 95 % interval, from windows of cycles."""
    whole = rewards.shape[1] // WINDOW * WINDOW
    windows = rewards[:, :whole].reshape(-1, WINDOW).mean(1)
    found = bootstrap(windows.astype(float))
    return {"estimate": found.estimate, "low": found.low, "high": found.high, "n": found.n}


def grow(world: World, seed: int) -> list[dict[str, Any]]:
    """One agent's lives, examined at every age."""
    task, last = make_task(world.task, horizon=ENDLESS), world.ages[-1]
    agent = MCAIXI(
        task,
        horizon=world.horizon,
        depth=world.depth,
        budget=world.simulations,
        c=world.c,
        life=last + world.cycles + 1,
        capacity=1 << 20,
    )
    lived, age, found = None, 0, []
    for age_next in world.ages:
        growing, judging = jax.random.split(jax.random.fold_in(jax.random.key(seed), age_next))
        started = time.perf_counter()
        # Random at birth, hardly at all in the end, as in the paper over a longer life.
        lived = learn(
            agent, task, age_next - age, growing, runs=LIVES, since=lived, first=age,
            epsilon=0.999, gamma=0.05 ** (1 / last),
        )  # fmt: skip
        learning, started, age = time.perf_counter() - started, time.perf_counter(), age_next
        exam = learn(agent, task, world.cycles, judging, since=lived, budget=world.searching)
        each = (time.perf_counter() - started) / (LIVES * world.cycles * world.searching)
        found.append(
            {
                "learner": "MC-AIXI-CTW",
                "cycles": age,
                **observed(exam.rewards),
                "lives": exam.rewards.mean(1).tolist(),
                "learning_seconds": learning,
                "microseconds_a_simulation": 1e6 * each,
                "nodes": np.asarray(lived.memory.mind.size).tolist(),
            }
        )
    return found


def tabular(world: World, seed: int) -> list[dict[str, Any]]:
    """Q-learning with as many cycles, in episodes of 100; it sees the last percept."""
    task = make_task(world.task, horizon=100)
    percepts = Percepts.of(task)

    def last(state: Any) -> jax.Array:
        kind = state.result if world.task == "biased_rps" else state.gain
        return jnp.stack([percepts.sense(state), kind])

    found = []
    for age in (world.ages[0], world.ages[-2], world.ages[-1]):
        settings = Tabular(
            updates=10, environments=ENVIRONMENTS, steps=max(1, age // ENVIRONMENTS // 10),
            capacity=256, discount=0.95,
        )  # fmt: skip
        growing, judging = jax.random.split(jax.random.fold_in(jax.random.key(seed), age))
        policy = train_q_learning(task, key=growing, settings=settings, tell_apart=last).decider
        rewards = rollout(task, policy, key=judging, batch=40).returns / 100
        estimate = bootstrap(rewards[:, 0].astype(float))
        bounds = {"low": estimate.low, "high": estimate.high, "n": estimate.n}
        entry = {"learner": "Q-learning", "cycles": age, "estimate": estimate.estimate}
        found.append({**entry, **bounds})
    return found


def by_chance(world: World) -> float:
    """The reward a cycle of random actions."""
    task = make_task(world.task, horizon=100)
    played = rollout(task, UniformRandom(task), key=jax.random.key(1), batch=64)
    return float(played.returns.mean()) / 100


def searched() -> list[dict[str, Any]]:
    """HistorySearch, which knows the rules, beside the exact optimum of the same episodes."""
    found = []
    # Constants of the order of the range of returns, as rho-UCT scales them.
    for name, horizon, budget, c in (("tiger", 8, 2000, 300.0), ("cheese_maze", 8, 2000, 160.0)):
        task = make_task(name, horizon=horizon)
        deciders = {
            "BeliefPlanning": BeliefPlanning(task),
            "HistorySearch": HistorySearch(task, UCT(c=c), budget=budget),
        }
        for who, decider in deciders.items():
            returns = rollout(task, decider, key=jax.random.key(5), batch=256).returns[:, 0]
            estimate = bootstrap(returns.astype(float))
            bounds = {"estimate": estimate.estimate, "low": estimate.low, "high": estimate.high}
            found.append({"task": f"{name}, {horizon} actions", "decider": who, **bounds})
    return found


def judged(name: str, world: World, measured: list[dict[str, Any]]) -> dict[str, Any]:
    """The last examination against its target: the interval's lower end must be above it."""
    end = [line for line in measured if line["learner"] == name][-1]
    verdict = "met" if end["low"] > world.target else "falls short"
    return {"target": world.target, "why": world.why, "verdict": verdict, **end}


def show(results: list[dict[str, Any]], known: list[dict[str, Any]], console: Console) -> None:
    """Everything as two tables."""
    table = Table(title="Reward a cycle, exploration off [95 % interval]")
    for column in ("Task", "Learner", "Cycles", "Reward a cycle", "Chance", "Optimum", "µs a sim."):
        table.add_column(column)
    for result in results:
        for line in result["measured"]:
            micro = line.get("microseconds_a_simulation")
            table.add_row(
                result["task"], line["learner"], str(line["cycles"]),
                f"{line['estimate']:.3f} [{line['low']:.3f}, {line['high']:.3f}]",
                f"{result['chance']:.3f}", f"{result['optimum']:.3f}",
                "" if micro is None else f"{micro:.0f}",
            )  # fmt: skip
    console.print(table)
    table = Table(title="Where the rules are known: return of an episode")
    for column in ("Task", "Decider", "Return [95 % interval]"):
        table.add_column(column)
    for line in known:
        interval = f"{line['estimate']:.2f} [{line['low']:.2f}, {line['high']:.2f}]"
        table.add_row(line["task"], line["decider"], interval)
    console.print(table)
    for result in results:
        j = result["judged"]
        console.print(
            f"{result['task']}: {j['estimate']:.3f} a cycle after {j['cycles']} cycles, "
            f"target above {j['target']:g} ({j['why']}): {j['verdict']}"
            + (f"; {1 + j['estimate']:.3f} where a draw counts 1" if j["why"] == "winning" else "")
        )


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Learning curves, a panel a task."""
    figure, axes = plt.subplots(1, len(results), figsize=(4 * len(results), 3.2))
    for axis, result in zip(np.atleast_1d(axes), results, strict=True):
        for name, colour in BEHIND.items():
            lines = [line for line in result["measured"] if line["learner"] == name]
            x, y, low, high = (
                np.array([line[k] for line in lines]) for k in ("cycles", "estimate", "low", "high")
            )
            axis.plot(x, y, "o-", color=colour, label=name, markersize=3)
            axis.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        axis.axhline(result["optimum"], color="black", linestyle="--", label="optimum")
        axis.axhline(result["target"], color="grey", linestyle=":", label=result["judged"]["why"])
        axis.set(title=result["task"], xlabel="cycles lived", xscale="log")
        lowest = np.nanmin([line["low"] for line in result["measured"][1:]])
        span = result["optimum"] - lowest
        axis.set_ylim(lowest - 0.1 * span, result["optimum"] + 0.1 * span)
    np.atleast_1d(axes)[0].set_ylabel("reward a cycle")
    np.atleast_1d(axes)[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def smaller(world: World) -> World:
    """The same in seconds, to see that it works."""
    kept = {k: getattr(world, k) for k in ("task", "horizon", "depth", "c", "target", "why")}
    return World(**kept, ages=(100, 300), simulations=10, searching=20, cycles=100)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Measure how MC-AIXI-CTW learns.")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for aixi.json and .svg")
    parser.add_argument("--quick", action="store_true", help="tiny settings, to see that it works")
    parser.add_argument("--only", choices=[world.task for world in WORLDS], help="one world alone")
    asked = parser.parse_args()
    console, started, results = Console(), time.perf_counter(), []
    for full in WORLDS:
        if asked.only not in (None, full.task):
            continue
        world = smaller(full) if asked.quick else full
        measured = [*grow(world, 0), *tabular(world, 0)]
        results.append(
            {
                "task": world.task,
                "settings": {k: getattr(world, k) for k in world.__dataclass_fields__},
                "optimum": optimum(world.task),
                "chance": by_chance(world),
                "target": world.target,
                "measured": measured,
                "judged": judged("MC-AIXI-CTW", world, measured),
            }
        )
        verdict, seconds = results[-1]["judged"]["verdict"], time.perf_counter() - started
        console.print(f"{world.task}: {verdict}, {seconds:.0f} s", style="dim")
    known = searched()
    show(results, known, console)
    asked.out.mkdir(parents=True, exist_ok=True)
    content = {
        "results": results,
        "known_rules": known,
        "seconds": time.perf_counter() - started,
        "machine": machine(),
        "versions": versions(),
    }
    # Where all windows were alike there is no interval, and JSON has no NaN.
    plain = json.loads(json.dumps(content), parse_constant=lambda _: None)
    (asked.out / "aixi.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    draw(results, asked.out / "aixi.svg")
    console.print(f"Wrote {asked.out / 'aixi.json'} and aixi.svg")


if __name__ == "__main__":
    main()
