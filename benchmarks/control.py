"""Planners over action sequences on the pendulum, side by side, and what a policy adds to them.

    python benchmarks/control.py
    python benchmarks/control.py --quick --out /tmp/control

Random shooting, the cross-entropy method, MPPI and planning by gradients at equal budgets, then
the second and third begun from a policy that has learned from MPPI; all from the same first states.
The yardstick is the pendulum solved on a fine grid. Prints a table and the targets, and writes
control.json and control.svg. Takes about ten minutes on two quiet cores.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path.home() / ".cache" / "deliberation" / "jax")
)

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _pendulum_grid import Grid
from rich.console import Console
from rich.table import Table

from deliberation.amortised import GaussianPolicy
from deliberation.core import Budget, Decider
from deliberation.direct import CEM, MPPI, GradientPlanning, PlanSearch, RandomShooting
from deliberation.hybrid import ImitationSettings, PolicyPlans, imitate_planner
from deliberation.runs.provenance import machine, versions
from deliberation.stats import bootstrap
from deliberation.tasks.control.pendulum import Pendulum, PendulumState

RESULTS = Path(__file__).resolve().parent / "results"
BUDGETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
JUDGED = 256
"""The budget at which the planners are held to their targets."""
SHARE, HELD, SHIFT = 0.10, 0.95, 2.0
"""Within 10 % of the grid's return; upright at the end in 95 %; half the budget or less."""
UPRIGHT, LAST = 0.95, 50
"""Held: the cosine of the angle never below this in the last 50 actions."""
COLUMNS = ("Decider", "Simulations", "Return [95 %]", "Below the grid", "Held", "ms a decision")


@eqx.filter_jit
def play(
    decider: Decider, state: PendulumState, budget: Budget, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Whole episodes in one compiled loop: returns, and the cosines of all angles on the way."""
    task, batch = decider.task, state.angle.shape[0]

    def turn(carry: tuple[Any, Any], key: jax.Array):
        state, memory = carry
        said, memory = decider.decide(state, memory, budget=budget, key=key)
        after = jax.vmap(task.advance, (0, 0, None))(state, said.action, key)
        reward = jax.vmap(task.objective)(state, said.action, after)[:, 0]
        return (after, memory), (reward, jnp.cos(after.angle))

    keys = jax.random.split(key, task.traits.horizon)
    reward, height = jax.lax.scan(turn, (state, decider.begin(batch)), keys)[1]
    return reward.sum(0), height


def latency(decider: Decider, state: PendulumState, budget: Budget, repeats: int) -> float:
    """Median milliseconds of one decision for one state, as users call it."""
    one = jax.tree.map(lambda x: x[:1], state)
    memory, key, taken = decider.begin(1), jax.random.key(0), []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        decision, _ = decider.decide(one, memory, budget=budget, key=key)
        jax.block_until_ready(decision.action)
        taken.append(time.perf_counter() - started)
    return 1e3 * float(np.median(taken[1:]))


def measure(
    name: str, decider: Decider, state: PendulumState, simulations: int, best: float, repeats: int
) -> dict[str, Any]:
    """One line of the table."""
    budget = Budget(jnp.asarray(simulations))
    returns, height = play(decider, state, budget, jax.random.key(simulations))
    returns = np.asarray(returns, float)
    found = bootstrap(returns)
    return {
        "decider": name,
        "simulations": simulations,
        "return": found.estimate,
        "low": found.low,
        "high": found.high,
        "below_grid": best - found.estimate,
        "held": float((np.asarray(height[-LAST:]) > UPRIGHT).all(0).mean()),
        "milliseconds": latency(decider, state, budget, repeats),
        "returns": returns.tolist(),
    }


def planners(task: Pendulum) -> dict[str, PlanSearch]:
    """Those that learn nothing, with the settings of the library."""
    return {
        "random shooting": RandomShooting(task),
        "CEM": CEM(task, population=32),
        "MPPI": MPPI(task, population=32),
        "gradients": GradientPlanning(task),
    }


def begun(task: Pendulum, network: Any) -> dict[str, PlanSearch]:
    """The same two, begun from a policy."""
    proposals = PolicyPlans(network=network, spread=0.3)
    return {
        "CEM + policy": CEM(task, population=32, proposals=proposals),
        "MPPI + policy": MPPI(task, population=32, proposals=proposals),
    }


def needed(rows: list[dict[str, Any]], name: str, least: float) -> float:
    """The smallest budget from which on a decider's return is at least so good; else infinite."""
    mine = sorted((r for r in rows if r["decider"] == name), key=lambda r: r["simulations"])
    good = float("inf")
    for row in reversed(mine):
        if row["return"] < least:
            break
        good = row["simulations"]
    return good


def judge(rows: list[dict[str, Any]], best: float, judged: int) -> list[dict[str, Any]]:
    """Every target with what was measured."""
    at = {(r["decider"], r["simulations"]): r for r in rows}
    most = max(r["simulations"] for r in rows)
    found = []
    for name in ("CEM", "MPPI"):
        row = at[name, judged]
        share = row["below_grid"] / abs(best)
        for what, got, met in (
            (f"within {SHARE:.0%} of the grid's return at {judged}", share, share <= SHARE),
            (f"upright held in {HELD:.0%} at {judged}", row["held"], row["held"] >= HELD),
        ):
            found.append({"target": f"{name}: {what}", "measured": got, "met": bool(met)})
        least = best - SHARE * abs(best)
        plain, helped = needed(rows, name, least), needed(rows, f"{name} + policy", least)
        # A budget that never suffices is more than the largest tried: the ratio is a lower bound.
        ratio = min(plain, most) / helped if np.isfinite(helped) else 0.0
        found.append(
            {
                "target": f"{name}: {SHIFT:g} times fewer simulations from a policy to within "
                f"{SHARE:.0%} of the grid",
                "measured": ratio,
                "plain": plain if np.isfinite(plain) else None,
                "from_policy": helped if np.isfinite(helped) else None,
                "met": bool(ratio >= SHIFT),
            }
        )
    return found


def draw(rows: list[dict[str, Any]], best: float, alone: float, path: Path) -> None:
    """Return against budget, one line a decider."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2))
    for name in dict.fromkeys(r["decider"] for r in rows if r["simulations"]):
        mine = [r for r in rows if r["decider"] == name and r["simulations"]]
        x = [r["simulations"] for r in mine]
        style = "--" if "policy" in name else "-"
        (line,) = axes.plot(x, [r["return"] for r in mine], style, marker="o", ms=3, label=name)
        low, high = ([r[k] for r in mine] for k in ("low", "high"))
        axes.fill_between(x, low, high, color=line.get_color(), alpha=0.12, lw=0)
    axes.axhline(best, color="black", lw=1, label="solved on a grid")
    axes.axhline(alone, color="grey", lw=1, ls=":", label="the policy alone")
    axes.set_xscale("log", base=2)
    axes.set_xlabel("simulations a decision (plans of 30 actions)")
    axes.set_ylabel("return of an episode")
    axes.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def show(
    rows: list[dict[str, Any]], targets: list[dict[str, Any]], best: float, value: float
) -> None:
    """The table and the verdicts, on the terminal."""
    console, table = Console(), Table(*COLUMNS)
    for r in rows:
        table.add_row(
            r["decider"],
            str(r["simulations"]),
            f"{r['return']:.1f} [{r['low']:.1f}, {r['high']:.1f}]",
            f"{r['below_grid']:.1f}",
            f"{r['held']:.0%}",
            f"{r['milliseconds']:.2f}",
        )
    console.print(table)
    console.print(f"Solved on a grid: {best:.1f} earned, {value:.1f} estimated")
    for t in targets:
        verdict = "pass" if t["met"] else "falls short"
        console.print(f"{verdict}: {t['target']}: {t['measured']:.3g}")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true", help="few episodes and small budgets")
    settings = parser.parse_args()
    quick = settings.quick
    task, episodes, repeats = Pendulum(), 8 if quick else 96, 3 if quick else 20
    budgets, judged = ((1, 4, 16), 16) if quick else (BUDGETS, JUDGED)
    started = time.perf_counter()
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(2026), episodes))
    size = {"angles": 91, "spins": 61, "torques": 9} if quick else {}
    grid = Grid(task, **size)
    earned, value = np.asarray(grid.play(state)[0]), grid.value(state)
    best = float(earned.mean())
    learning = ImitationSettings(updates=4, fits=60) if quick else ImitationSettings(updates=60)
    teacher = planners(task)["MPPI"]
    found = imitate_planner(teacher, key=jax.random.key(1), settings=learning)
    network, spent = found.network, found.ledger
    policy = GaussianPolicy(task, network)
    rows = [measure("policy alone", policy, state, 0, best, repeats)]
    for name, decider in {**planners(task), **begun(task, network)}.items():
        for simulations in budgets:
            rows.append(measure(name, decider, state, simulations, best, repeats))
    targets = judge(rows, best, judged)
    show(rows, targets, best, float(value.mean()))
    settings.out.mkdir(parents=True, exist_ok=True)
    draw(rows, best, rows[0]["return"], settings.out / "control.svg")
    result = {
        "task": repr(task),
        "episodes": episodes,
        "grid": {"earned": best, "estimated": float(value.mean()), "returns": earned.tolist()},
        "trained": spent.as_dict(),
        "rows": rows,
        "targets": targets,
        "seconds": time.perf_counter() - started,
        "machine": machine(),
        "versions": versions(),
    }
    (settings.out / "control.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
