"""How close planning in a learned world comes to the same planner with the true rules.

MuZero (tic-tac-toe, Frozen Lake without slipping) beside the same Gumbel search by the rules with
random rollouts, and learned-model MPC (pendulum, CartPole) beside the same cross-entropy planner by
the rules: the same budget and the same first states. The target is that the learned planner is not
worse: its mean reaches the interval of the planner by the rules, and the interval of true less
learned reaches 0 (95 % bootstrap intervals over seeds and episodes).

    python benchmarks/learned_models.py

Prints a table with the verdicts, and writes benchmarks/results/learned_models.json and
learned_models.svg (return against steps in the environment while learning).
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import matplotlib
import numpy as np
from rich.console import Console
from rich.table import Table

from deliberation.core import Decider, Task, UniformRandom, rollout
from deliberation.direct import CEM, ExactSolver, Gumbel, RandomRollouts, TreeSearch, solve
from deliberation.hybrid import MPCSettings, MuZeroSettings, Trained, train_mpc, train_muzero
from deliberation.runs.provenance import machine, versions
from deliberation.stats import bootstrap
from deliberation.tasks import make_task

matplotlib.use("svg")
from matplotlib import pyplot

OUT = Path(__file__).resolve().parent / "results"
COLUMNS = ("System", "Task", "Learned", "True rules", "True less learned", "Steps", "Target")
SIMULATIONS = 64
STAGES = 5
"""Games are played for the curve after so many equal parts of a training by self-play."""


def planner(model: Task) -> CEM:
    """The planner of learned-model MPC, for the learned model and for the rules."""
    return CEM(model, horizon=20, budget=128, population=32)


def by_rules(task: Task) -> TreeSearch:
    """MuZero's search, for the rules; leaves are judged by random rollouts."""
    judge = RandomRollouts()
    return TreeSearch(task, Gumbel(noise=0.0), judge, budget=SIMULATIONS, capacity=SIMULATIONS)


@dataclass(frozen=True)
class Case:
    """One system on one task; an update is worth `steps` steps in the environment."""

    system: str
    task: str
    options: dict[str, Any]
    updates: int
    settings: Any
    rival: Callable[[Task], Decider]
    budget: int | None = None
    steps: int = field(init=False)

    def __post_init__(self) -> None:
        s = self.settings
        plies = s.plies if isinstance(s, MuZeroSettings) else s.steps
        object.__setattr__(self, "steps", s.lanes * plies)

    def train(self, task: Task, seed: int, **more: Any) -> Trained:
        """The decider, what learning spent, and the training."""
        settings: Any = replace(self.settings, updates=self.updates)
        asked = {"key": jax.random.key(seed), "settings": settings}
        if isinstance(self.settings, MuZeroSettings):
            return train_muzero(task, **asked, **more)
        return train_mpc(task, planner=planner, **asked, **more)


def cases(quick: bool) -> list[Case]:
    """What is measured."""
    games = MuZeroSettings(width=128, latent=64)
    few = MPCSettings(gradient_steps=50) if quick else MPCSettings()
    return [
        Case("MuZero", "tic_tac_toe", {}, 8 if quick else 240, games, by_rules, SIMULATIONS),
        Case(
            "MuZero", "frozen_lake", {"slip": 0.0}, 8 if quick else 60,
            MuZeroSettings(), by_rules, SIMULATIONS,
        ),
        Case("learned-model MPC", "pendulum", {"horizon": 100}, 3 if quick else 20, few, planner),
        Case("learned-model MPC", "cartpole", {"horizon": 200}, 3 if quick else 40, few, planner),
    ]  # fmt: skip


def play(task: Task, decider: Decider, budget: int | None, episodes: int, seed: int) -> np.ndarray:
    """Returns [episodes]; of two players, half against perfect and half against random play."""
    key = jax.random.key(1000 + seed)
    if task.traits.players == 1:
        return rollout(task, decider, key=key, batch=episodes, budget=budget).returns[:, 0]
    found = []
    for rival in (ExactSolver(task, solve(task)), UniformRandom(task)):
        for seat in range(2):
            seats: list[Decider] = [rival, rival]
            budgets: list[int | None] = [None, None]
            seats[seat], budgets[seat] = decider, budget
            key, now = jax.random.split(key)
            played = rollout(task, seats, key=now, batch=episodes // 4, budget=budgets)
            found.append(played.returns[:, seat])
    return np.concatenate(found)


def learn(
    case: Case, task: Task, seed: int, episodes: int
) -> tuple[Decider, list[float], list[float], float]:
    """A trained decider, its learning curve (steps, returns), and the seconds of learning.

    In games a decider is measured on the way, since self-play says nothing about strength; else
    the curve is of the episodes lived, with all their exploration.
    """
    if task.traits.players == 1:
        trained = case.train(task, seed)
        decider, spent = trained.decider, trained.ledger
        score = trained.metrics["score"]
        steps = (np.arange(len(score)) + 1) * case.steps
        return decider, steps.tolist(), score.tolist(), float(spent.seconds)
    xs, ys = [], []
    with tempfile.TemporaryDirectory() as folder:
        for stage in range(1, STAGES + 1):
            until = round(case.updates * stage / STAGES)
            found = case.train(
                task, seed, folder=folder, watch=lambda step, metrics, n=until: step >= n
            )
            decider, spent = found.decider, found.ledger
            xs.append(until * case.steps)
            ys.append(float(play(task, decider, case.budget, episodes, seed).mean()))
    return decider, xs, ys, float(spent.seconds)


def measure(case: Case, seeds: int, episodes: int) -> dict[str, Any]:
    """One line of the table."""
    task = make_task(case.task, **case.options)
    learned, true, curves, seconds = [], [], [], []
    for seed in range(seeds):
        decider, steps, curve, took = learn(case, task, seed, episodes)
        learned.append(play(task, decider, case.budget, episodes, seed))
        true.append(play(task, case.rival(task), case.budget, episodes, seed))
        curves.append(curve)
        seconds.append(took)
    mine, rules = np.array(learned), np.array(true)
    gap = bootstrap(rules - mine)
    by_the_rules = bootstrap(rules, bounds=task.objective.bounds)
    # Where no episode differs there is nothing to resample: a number is what it is.
    low, bar = (x.low if np.isfinite(x.low) else x.estimate for x in (gap, by_the_rules))
    return {
        "system": case.system,
        "task": repr(task),
        "learned": _plain(bootstrap(mine, bounds=task.objective.bounds)),
        "true": _plain(by_the_rules),
        "difference": _plain(gap),
        "passes": bool(low <= 0 and mine.mean() >= bar),
        "environment_steps": case.updates * case.steps,
        "training_seconds": seconds,
        "curve": {"steps": steps, "returns": curves},
        "seeds": seeds,
        "episodes": episodes,
    }


def _plain(found: Any) -> dict[str, float | None]:
    values = {"estimate": found.estimate, "low": found.low, "high": found.high}
    return {k: float(v) if np.isfinite(v) else None for k, v in values.items()}


def cells(line: dict[str, Any]) -> list[str]:
    """One line of the table as text."""

    def shown(found: dict[str, float | None]) -> str:
        value = f"{found['estimate']:.2f}"
        if found["low"] is None or found["high"] is None:
            return value
        return f"{value} [{found['low']:.2f}, {found['high']:.2f}]"

    verdict = "pass" if line["passes"] else "falls short"
    numbers = [shown(line[name]) for name in ("learned", "true", "difference")]
    return [line["system"], line["task"], *numbers, f"{line['environment_steps']:,}", verdict]


def draw(lines: list[dict[str, Any]], path: Path) -> None:
    """Learning curves: the mean over seeds, all seeds between, and the planner by the rules."""
    size = (3.6 * len(lines), 3.2)
    figure, grid = pyplot.subplots(1, len(lines), figsize=size, squeeze=False)
    axes = grid[0]
    for axis, line in zip(axes, lines, strict=True):
        steps, returns = line["curve"]["steps"], np.array(line["curve"]["returns"])
        axis.plot(steps, returns.mean(0), label="while learning")
        axis.fill_between(steps, returns.min(0), returns.max(0), alpha=0.25)
        axis.axhline(line["true"]["estimate"], ls="--", color="black", label="true rules")
        axis.axhline(line["learned"]["estimate"], ls=":", label="learned, in the end")
        axis.set_title(f"{line['system']}\n{line['task']}", fontsize=9)
        axis.set_xlabel("steps in the environment")
        axis.set_ylabel("return")
    axes[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Learned models beside the true rules.")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the results")
    parser.add_argument("--quick", action="store_true", help="a few updates, to see that it runs")
    parser.add_argument("--only", default="", help="part of a task's name")
    asked = parser.parse_args()
    console, started = Console(), time.perf_counter()
    seeds, episodes = (2, 8) if asked.quick else (3, 40)
    measured = []
    for case in cases(asked.quick):
        if asked.only in case.task:
            measured.append(measure(case, seeds, episodes))
            console.print("  ".join(cells(measured[-1])), style="dim", highlight=False)
    on, seconds = machine(), time.perf_counter() - started
    caption = (
        f"{seeds} seeds, {episodes} episodes each; 95 % bootstrap intervals; {seconds:.0f} s on "
        f"{on['cores']} cores, {on['processor']}"
    )
    table = Table(*COLUMNS, caption=caption)
    for line in measured:
        table.add_row(*cells(line))
    console.print(table)
    asked.out.mkdir(parents=True, exist_ok=True)
    content = {"caption": caption, "columns": COLUMNS, "rows": [cells(x) for x in measured],
               "measured": measured, "quick": asked.quick, "seconds": seconds, "machine": on,
               "versions": versions()}  # fmt: skip
    path = asked.out / "learned_models.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draw(measured, path.with_suffix(".svg"))
    console.print(f"Wrote {path} and {path.with_suffix('.svg')}")


if __name__ == "__main__":
    main()
