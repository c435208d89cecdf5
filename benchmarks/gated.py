"""Planning only where it pays: return and compute of gated planning over its cost dial.

On Connect Four (a policy trained by expert iteration, in games from random openings against UCT
with random rollouts) and on a slippery grid (a network taught for a moment in a quarter of the
states, so that it is right in most of them and loses by the rest). Gates are learned from states of
full planning's own play; costs are set on such states and chosen in episodes of other keys than
those that judge. Beside the gate stand the network alone, full planning, and as a control the same
planner with half of its budget everywhere.

    python benchmarks/gated.py --policy policy

If there is no policy in that folder, one is trained first, for two minutes. Prints tables and
whether the chosen cost reaches 95 % of full planning's return at half of its simulations or less,
and in half of its wall time or less; writes benchmarks/results/gated.json and gated.svg.
Simulations are counted in steps of the model: each expands one node. Verdicts go by point
estimates; beside them stands, as information, whether the lower end of the 95 % interval of the
return's share reaches the target too.
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

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table

from deliberation.amortised import MLP, Dataset, NetworkPolicy, fit, load_network
from deliberation.amortised.policies.network import evaluate
from deliberation.core import Budget, Decider, Task, rollout
from deliberation.core.task import batch_size
from deliberation.direct import UCT, RandomRollouts, TreeSearch, value_iteration
from deliberation.hybrid import Gated, GaussianGate, fit_gates, guided_search, train
from deliberation.hybrid.gates.gates import as_logits
from deliberation.runs.provenance import machine, versions
from deliberation.stats import bootstrap
from deliberation.tasks import make_task

matplotlib.use("svg")
from matplotlib import pyplot

OUT = Path(__file__).resolve().parent / "results"
SHARES = (0.3, 0.4, 0.47, 0.53)
"""Of full planning's simulations: the dial's costs are set to spend them on learning states."""
RETURN, SIMULATIONS = 0.95, 0.5
"""The target: at least so much of full planning's return for at most so much of its compute."""
REMEMBERS = {"reuse": True, "capacity": 512}
"""Of Connect Four's planner: stages and moves go on with the tree of the one before."""
COLUMNS = ("Decider", "Return [95 %]", "of full", "Simulations", "of full", "Wall time of full")
CHOOSING, JUDGING = 1, 4
"""Seeds of episodes."""


@dataclass(frozen=True)
class Setting:
    """One task: what plays, how its return is measured, and states to learn and to time on."""

    name: str
    task: Task
    network: Any
    planner: TreeSearch
    budget: int
    looks: tuple[int, ...]
    """After so many simulations a gate decides whether to go on."""
    returns: Callable[[Decider, int, int], tuple[np.ndarray, float]]
    """Returns of so many episodes of a seed, and model steps a decision."""
    learning: Any
    timing: Any


def connect_four(policy: Path, minutes: float) -> Setting:
    """Points in games from random openings against a planner that has learned nothing."""
    if not (policy / "policy.json").exists():
        train("connect_four", minutes=minutes, folder=policy)
    task, network, info = load_network(policy)
    options = {"rule": "puct", "budget": 256, **REMEMBERS, **info.extra.get("search", {})}
    planner = guided_search(task, network, **options)
    rival = TreeSearch(task, UCT(c=1.0), RandomRollouts(), budget=200, capacity=256)

    def returns(decider: Decider, games: int, seed: int) -> tuple[np.ndarray, float]:
        found, steps, decisions = [], 0.0, 0
        for seat in (0, 1):
            state = opened(task, games // 2, jax.random.key(2 * seed + seat))
            seats = [decider, rival] if seat == 0 else [rival, decider]
            played = rollout(task, seats, key=jax.random.key(seed), state=state)
            # In points: a win 1, a draw a half, so that shares of them mean something.
            found.append((1 + played.returns[:, seat]) / 2)
            steps += played.spent[seat].total().model_steps
            # Openings are of an even number of moves, so player 0 has the even ones.
            decisions += int((played.actions[:, seat::2] >= 0).sum())
        return np.concatenate(found), steps / decisions

    opening = opened(task, 128, jax.random.key(5))
    learning, timing = visited(task, [planner, rival], opening, (512, 256))
    return Setting("connect_four", task, network, planner, 256, (32, 96), returns, learning, timing)


def visited(task: Task, seats: Sequence[Decider], state: Any, sizes: tuple[int, int]) -> list[Any]:
    """Two lots of states of one play in which the first seat is to move, in random order."""
    seen, rows, key = [], batch_size(state), jax.random.key(4)
    for _ in range(task.traits.horizon):
        live = ~np.asarray(jax.vmap(task.terminated)(state))
        if not live.any():
            break
        mover = np.where(live, np.asarray(jax.vmap(task.player)(state)), -1)
        seen.append(jax.tree.map(lambda x, mine=mover == 0: np.asarray(x)[mine], state))
        key, think, move = jax.random.split(key, 3)
        action = np.zeros(rows, np.int32)
        for p in set(mover.tolist()) - {-1}:
            said, _ = seats[p].decide(state, key=think)
            action = np.where(mover == p, np.asarray(said.action), action)
        after = jax.vmap(task.advance)(state, jnp.asarray(action), jax.random.split(move, rows))
        state = jax.tree.map(lambda x, y, on=live: jnp.where(_wide(on, x), x, y), after, state)
    every = jax.tree.map(lambda *x: np.concatenate(x), *seen)
    order = np.resize(np.random.default_rng(0).permutation(batch_size(every)), sum(sizes))
    parts = order[: sizes[0]], order[sizes[0] :]
    return [jax.tree.map(lambda x, part=part: jnp.asarray(x[part]), every) for part in parts]


def _wide(mask: np.ndarray, like: Any) -> np.ndarray:
    return mask.reshape(-1, *[1] * (like.ndim - 1))


def opened(task: Task, rows: int, key: Any) -> Any:
    """Boards after four random moves; nobody has won by then."""
    state = jax.vmap(task.init)(jax.random.split(key, rows))
    for move in range(4):
        keys = jax.random.split(jax.random.fold_in(key, move), rows)
        legal = jax.vmap(task.legal)(state)
        action = jax.vmap(jax.random.categorical)(keys, jnp.where(legal, 0.0, -jnp.inf))
        state = jax.vmap(task.advance)(state, action.astype(jnp.int32), keys)
    return state


def grid(steps: int) -> Setting:
    """Episodes on a slippery grid, with a network that was taught in a quarter of the states."""
    task = make_task("gridworld_slippery")
    table = value_iteration(task)
    live = np.random.default_rng(0).permutation(np.flatnonzero(~table.reached.terminal))
    taught = live[: len(live) // 4]
    rows = jax.tree.map(lambda x: jnp.asarray(x)[taught], table.states)
    observations, legal = (jax.jit(jax.vmap(f))(rows) for f in (task.observe, task.legal))
    values, policy = (x[taught].astype(np.float32) for x in (table.values, table.policy))
    data = Dataset.of(observations, legal, policy, values)
    network = MLP(
        observations.shape[1:], task.traits.actions, 32, 1, value_range=task.objective.bounds,
        key=jax.random.key(1),
    )  # fmt: skip
    network = fit(task, network, data, steps=steps, key=jax.random.key(2)).network
    planner = guided_search(task, network, rule="puct", budget=64)

    def returns(decider: Decider, episodes: int, seed: int) -> tuple[np.ndarray, float]:
        played = rollout(task, decider, key=jax.random.key(seed), batch=episodes)
        return played.returns[:, 0], played.spent[0].total().model_steps / played.lengths.sum()

    start = jax.vmap(task.init)(jax.random.split(jax.random.key(5), 1024))
    learning, timing = visited(task, [planner], start, (4096, 1024))
    # One gate and no look on the way: on so few states the habit's doubt says enough, and what the
    # rest of a search gains over its beginning is too noisy to be learned.
    return Setting(
        "gridworld_slippery", task, network, planner, 64, (), returns, learning, timing
    )  # fmt: skip


def dialled(
    setting: Setting, gates: Sequence[GaussianGate], shares: Sequence[float]
) -> dict[str, Gated]:
    """Deciders whose costs make them spend such shares of full planning on the learning states."""
    task, planner, states = setting.task, setting.planner, setting.learning
    legal = jax.vmap(task.legal)(states)
    logits, _ = evaluate(setting.network, jax.vmap(task.observe)(states), legal)
    habit, revised = jnp.argmax(logits, axis=-1), jnp.zeros(batch_size(states), bool)
    worth, stages, begin = [], [], 0
    memory = planner.begin(len(revised))
    for gate, end in zip(gates, (*setting.looks, setting.budget), strict=True):
        worth.append(np.asarray(gate(logits, legal, revised)) / (end - begin))
        # As Gated plays them: each stage goes on with the tree of the one before.
        said, memory = planner.decide(states, memory, budget=end - begin, key=jax.random.key(8))
        logits, revised, begin = as_logits(said.weights, legal), said.action != habit, end
        stages.append(np.asarray(said.spent.model_steps, float))
    costs = np.geomspace(1e-6, 1.0, 601)
    # A row goes on for as long as every gate so far let it.
    going = np.minimum.accumulate(worth, axis=0)[None] > costs[:, None, None]
    share = (going * np.stack(stages)).sum(1).mean(1) / np.sum(stages, axis=0).mean()
    chosen = {float(costs[np.flatnonzero(share <= most)[0]]) for most in shares}
    return {
        f"gated, cost {cost:.2g}": Gated(
            setting.network, planner, gates, looks=setting.looks, cost=cost, budget=setting.budget
        )
        for cost in sorted(chosen)
    }


def timed(deciders: dict[str, Decider], state: Any, repeats: int = 5) -> dict[str, float]:
    """Milliseconds of a batch of decisions: medians of rounds in which all take turns."""
    rows, taken = batch_size(state), {name: [] for name in deciders}
    for _ in range(repeats + 1):
        for name, decider in deciders.items():
            started = time.perf_counter()
            decision, _ = decider.decide(state, decider.begin(rows), key=jax.random.key(0))
            jax.block_until_ready(decision.action)
            taken[name].append(1e3 * (time.perf_counter() - started))
    return {name: float(np.median(x[1:])) for name, x in taken.items()}


def sweep(setting: Setting, console: Console, episodes: tuple[int, int]) -> dict[str, Any]:
    """The dial and a choice on it by some episodes; the choice and its rivals judged by others."""
    gates, learned = fit_gates(
        setting.task, setting.network, setting.planner, setting.learning,
        budget=setting.budget, looks=setting.looks, key=jax.random.key(5),
    )  # fmt: skip
    named = dialled(setting, gates, SHARES)
    fixed = {
        "network alone": NetworkPolicy(setting.task, setting.network),
        "half the budget": _with_budget(setting.planner, setting.budget // 2),
        "full planning": setting.planner,
    }
    rows = played({**named, **fixed}, setting, episodes[0], CHOOSING, console)
    best = best_of([r for r in rows if r["decider"] in named])
    deciders = {best: named[best], **fixed}
    judged = played(deciders, setting, episodes[1], JUDGING, console)
    times = timed(deciders, setting.timing)
    for row in judged:
        row["ms"] = times[row["decider"]]
        row["of_ms"] = row["ms"] / times["full planning"]
    mine = judged[0]
    return {
        "task": repr(setting.task), "budget": setting.budget, "looks": setting.looks,
        "dial": rows, "rows": judged, "gate_learning": learned.as_dict(),
        "gates": [{"scale": g.scale.tolist(), "spread": g.spread.tolist()} for g in gates],
        "return_low_reaches": bool(mine["of_return_low"] >= RETURN),
        "passed": bool(mine["of_return"] >= RETURN and mine["of_simulations"] <= SIMULATIONS),
        "passed_wall_time": bool(mine["of_return"] >= RETURN and mine["of_ms"] <= SIMULATIONS),
    }  # fmt: skip


def best_of(dial: Sequence[dict[str, Any]]) -> str:
    """The best of those that cost no more than the target (or the cheapest, to fall short by)."""
    able = [row for row in dial if row["of_simulations"] <= SIMULATIONS]
    if not able:
        return min(dial, key=lambda r: r["of_simulations"])["decider"]
    return max(able, key=lambda r: r["return"])["decider"]


def _with_budget(planner: TreeSearch, budget: int) -> TreeSearch:
    return eqx.tree_at(lambda p: p.budget, planner, Budget.of(budget))


def played(
    deciders: dict[str, Decider], setting: Setting, episodes: int, seed: int, console: Console
) -> list[dict[str, Any]]:
    """A row for each: its return and simulations, with shares of the last one's and intervals."""
    found = {}
    for name, decider in deciders.items():
        found[name] = setting.returns(decider, episodes, seed)
        console.print(f"{setting.name}: {name}, return {found[name][0].mean():.3f}", style="dim")
    full, most = found["full planning"]
    rng, rows = np.random.default_rng(0), []
    # Episodes begin alike, so that shares are resampled in pairs.
    draws = rng.integers(0, episodes, (2000, episodes))
    for name, (returns, steps) in found.items():
        interval = bootstrap(returns, seed=0)
        share = returns[draws].mean(1) / full[draws].mean(1)
        low, high = np.quantile(share, (0.025, 0.975))
        rows.append({
            "decider": name, "return": float(returns.mean()), "low": interval.low,
            "high": interval.high, "of_return": float(returns.mean() / full.mean()),
            "of_return_low": float(low), "of_return_high": float(high),
            "simulations": float(steps), "of_simulations": float(steps / most),
            "episodes": episodes,
        })  # fmt: skip
    return rows


def cells(row: dict[str, Any]) -> list[str]:
    """One line of a table as text."""
    return [
        row["decider"],
        f"{row['return']:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
        f"{row['of_return']:.1%} [{row['of_return_low']:.1%}, {row['of_return_high']:.1%}]",
        f"{row['simulations']:.1f}",
        f"{row['of_simulations']:.1%}",
        f"{row['of_ms']:.1%}" if "of_ms" in row else "",
    ]


def draw(found: dict[str, Any], path: Path) -> None:
    """Return against simulations, both as shares of full planning's, a panel for each task."""
    figure, panels = pyplot.subplots(
        1, len(found), figsize=(4.2 * len(found), 3.4), layout="constrained", squeeze=False
    )
    for axes, (name, result) in zip(panels[0], found.items(), strict=True):
        rows = [r for r in result["dial"] if not r["decider"].startswith("half")]
        half = next(r for r in result["dial"] if r["decider"].startswith("half"))
        rows = sorted(rows, key=lambda r: r["of_simulations"])
        axes.plot(*zip(*((r["of_simulations"], r["of_return"]) for r in rows), strict=True), "o-")
        axes.plot(half["of_simulations"], half["of_return"], "s", label="half the budget")
        mine = result["rows"][0]
        axes.plot(mine["of_simulations"], mine["of_return"], "*", ms=12, label="chosen, judged")
        axes.legend(loc="lower right", fontsize=7)
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
    makers = {
        "connect_four": lambda: connect_four(asked.policy, 0.2 if asked.quick else 2.0),
        "grid": lambda: grid(700),
    }
    sizes = {"connect_four": (256, 1024), "grid": (512, 1024)}
    for name, make in makers.items():
        if asked.only not in (None, name):
            continue
        setting = make()
        found[setting.name] = sweep(setting, console, (32, 32) if asked.quick else sizes[name])
    for name, result in found.items():
        for part, title in (("dial", "the dial, to choose by"), ("rows", "judged")):
            table = Table(*COLUMNS, title=f"{name}: {title}")
            for row in result[part]:
                table.add_row(*cells(row))
            console.print(table)
        for what, key in (("simulations", "passed"), ("wall time", "passed_wall_time")):
            verdict = "pass" if result[key] else "FALLS SHORT"
            told = f"{RETURN:.0%} of the return for {SIMULATIONS:.0%} of the {what}"
            console.print(f"{verdict}: {name}, {told}")
        reaches = "reaches" if result["return_low_reaches"] else "does not reach"
        low = f"{result['rows'][0]['of_return_low']:.1%}"
        console.print(f"{name}, lower end of the interval: {low}, {reaches} {RETURN:.0%}")
    asked.out.mkdir(parents=True, exist_ok=True)
    path = asked.out / "gated.json"
    content = {"tasks": found, "machine": machine(), "versions": versions()}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draw(found, asked.out / "gated.svg")
    console.print(f"Wrote {path}")


if __name__ == "__main__":
    main()
