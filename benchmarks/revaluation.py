"""Who follows a change of reward, and how far ahead: the matrix of revaluation by depth.

A tree whose first edge pays; then all edges at some depth below the other first edge pay more. The
share of first choices that switch, for plan-until-habit with k actions of planning: exactly 1 where
k is at least the depth of the change, else 0. Beside it the same from value iteration by sweeps,
and the conditions of Momennejad et al. (2017), where planning follows changed rewards and changed
transitions, a successor representation rewards alone, and cached values neither.

    python benchmarks/revaluation.py

Prints the matrix, and writes benchmarks/results/revaluation.json and revaluation.svg.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table

from deliberation.amortised import Tabular, train_q_learning, train_successor
from deliberation.core import Budget
from deliberation.direct import value_iteration
from deliberation.hybrid import PlanUntilHabit, TableHabit
from deliberation.runs.provenance import machine, versions
from deliberation.tasks import make_task
from deliberation.tasks.diagnostic.revaluation import CONDITIONS, ChainState

matplotlib.use("svg")
from matplotlib import pyplot

OUT = Path(__file__).resolve().parent / "results"
KEY = jax.random.key(0)


def node(state):
    """Where in the tree."""
    return state.node


def place(state):
    """Where in the chains."""
    return state.place


def habit_of(task, index):
    """Exact action values under the task's own objective, as a table: perfect training."""
    table = value_iteration(task)
    rows = np.asarray(jax.vmap(index)(table.states))
    values = np.zeros((rows.max() + 1, task.traits.actions), np.float32)
    values[rows] = np.where(np.isfinite(table.action_values), table.action_values, 0.0)
    return TableHabit(values=jnp.asarray(values), index=index)


def starts(task, rows):
    """So many first states."""
    return jax.vmap(task.init)(jax.random.split(KEY, rows))


def planned(depth: int, **options: Any) -> np.ndarray:
    """P(switch) of plan-until-habit: depth of the change by actions planned (0 to `depth`)."""
    task = make_task("reward_tree", depth=depth)
    decider = PlanUntilHabit(task, habit_of(task, node), depth=depth)
    budgets = Budget(jnp.array([decider.expansions(k) for k in range(depth + 1)]))
    found = []
    for changed in range(1, depth + 1):
        objective = task.revalued(changed, **options)
        decision, _ = decider.decide(
            starts(task, depth + 1), objective=objective, budget=budgets, key=KEY
        )
        found.append(np.asarray(decision.weights[:, 1]))
    return np.array(found)


def swept(depth: int) -> np.ndarray:
    """The same from so many sweeps of value iteration, from 1 on."""
    task = make_task("reward_tree", depth=depth)
    start, found = starts(task, 1), []
    for changed in range(1, depth + 1):
        objective, row = task.revalued(changed), []
        for sweeps in range(1, depth + 1):
            table = value_iteration(task, objective, sweeps=sweeps)
            row.append(float(table.policy[table.find(start)[0], 1]))
        found.append(row)
    return np.array(found)


def conditions() -> dict[str, dict[str, float]]:
    """P(switch) in Momennejad's conditions, by planning three actions ahead and by habit."""
    learned = habit_of(make_task("revaluation"), place)
    found: dict[str, dict[str, float]] = {}
    for name, options in CONDITIONS.items():
        task = make_task("revaluation", **options)
        decider = PlanUntilHabit(task, learned, depth=3)
        budget = Budget(jnp.array([decider.expansions(3), 0]))
        decision, _ = decider.decide(starts(task, 2), budget=budget, key=KEY)
        switch = np.asarray(decision.weights[:, 1])
        found[name] = {"planning": float(switch[0]), "habit": float(switch[1])}
    return found


LEARNERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "successor representation": (train_successor, {"places": 16}),
    "Q-learning": (train_q_learning, {}),
}
LESSON = Tabular(updates=4, environments=8, steps=60, capacity=64, decay=0.0, explore=0.5)


def lessons(name: str) -> dict[str, dict[str, Any]]:
    """A learner after both phases of each condition, the second lived through in states 3 and 4.

    P(switch) at the choice before and after the second phase, and what 3 and 4 are worth then.
    """
    train, extra = LEARNERS[name]
    options: dict[str, Any] = {"tell_apart": lambda state: state.place[None], **extra}
    before = train(make_task("revaluation"), key=KEY, settings=LESSON, **options).decider
    middle = ChainState(jnp.array([3, 4]), jnp.array([2, 2]))
    found = {}
    for condition, changed in CONDITIONS.items():
        task = make_task("revaluation", start="middle", **changed)
        after = train(task, key=KEY, settings=LESSON, known=before, **options).decider
        choice = starts(make_task("revaluation"), 1)
        found[condition] = {
            "before": float(before.decide(choice, key=KEY)[0].weights[0, 1]),
            "after": float(after.decide(choice, key=KEY)[0].weights[0, 1]),
            "values of 3 and 4": np.asarray(after.decide(middle, key=KEY)[0].value).tolist(),
        }
    return found


def judged(switched: dict[str, dict[str, float]], learners: dict[str, Any]) -> dict[str, bool]:
    """Whether each follows exactly the changes that it should (rewards, transitions, control)."""

    def row(who: str) -> tuple[float, ...]:
        return tuple(switched[name][who] for name in CONDITIONS)

    wanted = {
        "planning": (1, 1, 0), "successor representation": (1, 0, 0), "Q-learning": (0, 0, 0),
        "habit": (0, 0, 0),
    }  # fmt: skip
    checks = {
        f"Momennejad: {who} {pattern}": row(who) == pattern for who, pattern in wanted.items()
    }
    lived = {"reward revaluation": (1, 10), "transition revaluation": (1, 10), "control": (10, 1)}
    every = [(name, part) for told in learners.values() for name, part in told.items()]
    checks["the second phase was learned at 3 and 4"] = all(
        np.allclose(part["values of 3 and 4"], lived[name], atol=1e-4) for name, part in every
    )
    checks["nobody switches before it"] = all(part["before"] == 0 for _, part in every)
    return checks


def show(matrix: np.ndarray, console: Console) -> None:
    """The matrix on the terminal."""
    depth = len(matrix)
    table = Table(
        "Change at depth", *(f"k = {k}" for k in range(depth + 1)),
        caption="P(switch) by actions planned before habit; last row: the effective depth",
    )  # fmt: skip
    for changed, row in enumerate(matrix, 1):
        table.add_row(str(changed), *(f"{x:g}" for x in row))
    table.add_row("sum", *(f"{x:g}" for x in matrix.sum(0)))
    console.print(table)


def draw(matrix: np.ndarray, path: Path) -> None:
    """The matrix as a figure."""
    figure, axes = pyplot.subplots(figsize=(4.2, 3.6), layout="constrained")
    image = axes.imshow(matrix, vmin=0, vmax=1, cmap="Blues", origin="upper")
    axes.set_xticks(range(matrix.shape[1]))
    axes.set_yticks(range(len(matrix)), [str(d + 1) for d in range(len(matrix))])
    axes.set(xlabel="actions planned before habit", ylabel="depth of the change")
    figure.colorbar(image, label="P(switch)", ticks=[0, 1])
    figure.savefig(path)
    pyplot.close(figure)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Measure revaluation by depth.")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the results")
    parser.add_argument("--depth", type=int, default=6, help="depth of the tree")
    parser.add_argument("--quick", action="store_true", help="a tree of depth 3")
    asked = parser.parse_args()
    console, began = Console(), time.perf_counter()
    depth = 3 if asked.quick else asked.depth
    matrix, control = planned(depth), planned(depth, everywhere=True)
    by_sweeps, momennejad = swept(depth), conditions()
    learners = {name: lessons(name) for name in LEARNERS}
    for who, told in learners.items():
        for name, part in told.items():
            momennejad[name][who] = part["after"]
    exact = (np.arange(depth + 1) >= np.arange(1, depth + 1)[:, None]).astype(float)
    checks = {
        "the matrix is lower-triangular, exactly": bool((matrix == exact).all()),
        "an irrelevant change moves nobody": bool((control == 0).all()),
        "value iteration by sweeps agrees": bool((by_sweeps == exact[:, 1:]).all()),
        **judged(momennejad, learners),
    }
    show(matrix, console)
    for name, row in momennejad.items():
        console.print(f"{name}: " + ", ".join(f"{who} {x:g}" for who, x in row.items()))
    for name, passed in checks.items():
        console.print(f"{'pass' if passed else 'FALLS SHORT'}: {name}")
    asked.out.mkdir(parents=True, exist_ok=True)
    content = {
        "matrix": matrix.tolist(), "control": control.tolist(), "sweeps": by_sweeps.tolist(),
        "momennejad": momennejad, "learners": learners, "checks": checks,
        "seconds": time.perf_counter() - began, "machine": machine(), "versions": versions(),
    }  # fmt: skip
    path = asked.out / "revaluation.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draw(matrix, asked.out / "revaluation.svg")
    console.print(f"Wrote {path}")


if __name__ == "__main__":
    main()
