"""PPO and DQN beside stable-baselines3, on four tasks that are Gymnasium's step for step.

    python benchmarks/peers.py                     # whatever is missing, then the report
    python benchmarks/peers.py --who ours --learner dqn --task cartpole --seeds 1
    python benchmarks/peers.py --who ours --first 8 --seeds 13   # on seeds 8 to 12
    python benchmarks/peers.py --who sb3           # needs `pip install .[sb3]`
    python benchmarks/peers.py --report            # from what was measured, without measuring
    python benchmarks/peers.py --anew              # also what was measured at another commit

Each learner trains on each task with each seed, ours with the settings of `for_task` and
stable-baselines3 with those of rl-zoo, and then plays 100 episodes greedily. A training is a cell:
a process of its own on one thread, whose result is kept in peers.jsonl as soon as it is there, so
that a run that was killed goes on where it stopped, and several may work side by side. What was
measured under other settings than today's is measured anew, and with --anew what was measured at
another commit too; until then the report says which rows that concerns. A learner
passes on a task if with every seed its mean return is within 10 % of the figure that rl-zoo
publishes: on seeds that had no say in its settings, where there are five. Writes peers.json and
peers.md.
"""

import argparse
import dataclasses
import functools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from deliberation.runs.provenance import machine, source, versions

EPISODES, SEEDS, SHARE = 100, 5, 0.10
PUBLISHED = {
    ("ppo", "cartpole"): 500.0,
    ("ppo", "pendulum"): -172.0,
    ("dqn", "cartpole"): 500.0,
    ("dqn", "acrobot"): -77.0,
    ("dqn", "mountain_car"): -101.0,
    ("ppo", "acrobot"): -74.0,
    ("ppo", "mountain_car"): -110.0,
}
"""rl-zoo's benchmark.md, rounded; in the order of what stable-baselines3's training takes."""
OURS, FRESH = "this library", "this library, fresh seeds"
CHOSEN = {("ppo", "mountain_car"): 8, ("dqn", "cartpole"): 8, ("dqn", "acrobot"): 24}
"""So many of the first seeds had a say in our settings; elsewhere `SEEDS`."""
WHO = ("ours", "sb3")
ALONE = {
    "OMP_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}
Cell = tuple[str, str, str, int]
Run = dict[str, Any]
"""The cell, returns, steps and seconds; the settings, and the commit (None: not a checkout's)."""


def main() -> None:
    """Measure what is missing, print and write; or one training, when called by itself."""
    parser = argparse.ArgumentParser(description="Measure PPO and DQN beside stable-baselines3.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--who", choices=WHO, help="one of the libraries")
    parser.add_argument("--learner", choices=("ppo", "dqn"))
    parser.add_argument("--task", choices=sorted({task for _, task in PUBLISHED}))
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="seeds below this one")
    parser.add_argument("--report", action="store_true", help="write the report only")
    parser.add_argument("--anew", action="store_true", help="also what is of another commit")
    parser.add_argument("--one", nargs=4, metavar="CELL", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        who, learner, task, seed = asked.one
        learn = learn_ours if who == "ours" else learn_sb3
        print(json.dumps(learn(learner, task, int(seed))))
        return
    cells = [
        (who, learner, task, seed)
        for who in WHO
        for learner, task in PUBLISHED
        for seed in range(asked.first, asked.seeds)
        if asked.who in (None, who)
        and asked.learner in (None, learner)
        and asked.task in (None, task)
    ]
    if not asked.report:
        measure(asked.out, cells, anew=asked.anew)
    report(asked.out)


def measure(out: Path, cells: list[Cell], *, anew: bool = False) -> None:
    """Train every cell that has no result of today's, one after the other, and say how it went."""
    (commit, dirty), found = source(), known(out)
    left = [cell for cell in cells if not stands(found.get(cell), cell, commit if anew else None)]
    started = time.monotonic()
    for number, cell in enumerate(left):
        command = [sys.executable, __file__, "--one", *map(str, cell)]
        done = subprocess.run(
            command, env={**os.environ, **ALONE}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{cell} failed:\n{done.stderr[-2000:]}")
        told = {"settings": settings_of(*cell[:3]), "commit": commit, "dirty": dirty}
        found = {"cell": cell, **told, **json.loads(done.stdout.splitlines()[-1])}
        with (out / "peers.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
        passed = time.monotonic() - started
        rest = passed / (number + 1) * (len(left) - number - 1) / 60
        print(
            f"{number + 1} of {len(left)}: {' '.join(map(str, cell))}: mean return "
            f"{np.mean(found['returns']):.1f} in {found['seconds']:.0f} s; "
            f"about {rest:.0f} min left",
            flush=True,
        )


def known(out: Path) -> dict[Cell, Run]:
    """The latest result of each cell: those of a report, and those that came since."""
    found: list[Run] = []
    if (out / "peers.json").exists():
        found += json.loads((out / "peers.json").read_text("utf-8"))["runs"]
    if (out / "peers.jsonl").exists():
        found += map(json.loads, (out / "peers.jsonl").read_text("utf-8").splitlines())
    return {tuple(run["cell"]): run for run in found}


def stands(run: Run | None, cell: Cell, commit: str | None = None) -> bool:
    """Whether a result is of today's settings, and where a commit is given of that one.

    A result that does not say what settings it is of is of others.
    """
    if run is None or run.get("settings") != settings_of(*cell[:3]):
        return False
    return commit is None or (run.get("commit") == commit and not run.get("dirty"))


@functools.cache
def settings_of(who: str, learner: str, task: str) -> dict[str, Any]:
    """All that a training is told beside its seed, as JSON reads it back."""
    if who == "sb3":
        from _peers_sb3 import SETTINGS

        return json.loads(json.dumps(SETTINGS[learner, task]))
    from deliberation.amortised import DQN, PPO

    kind = PPO if learner == "ppo" else DQN
    return json.loads(json.dumps(dataclasses.asdict(kind.for_task(task))))


def learn_ours(learner: str, name: str, seed: int) -> dict[str, Any]:
    """PPO or DQN of this library with its settings for the task."""
    import jax

    from deliberation.amortised import DQN, PPO, train_dqn, train_ppo
    from deliberation.core import rollout
    from deliberation.tasks import make_task

    task, key = make_task(name), jax.random.key(seed)
    started = time.perf_counter()
    if learner == "ppo":
        found = train_ppo(task, key=key, settings=PPO.for_task(task))
    else:
        found = train_dqn(task, key=key, settings=DQN.for_task(task))
    seconds = time.perf_counter() - started
    played = rollout(task, found.decider, key=jax.random.key(10_000 + seed), batch=EPISODES)
    return {
        "returns": played.returns[:, 0].tolist(),
        "steps": int(found.ledger.total().model_steps or 0),
        "seconds": seconds,
    }


def learn_sb3(learner: str, task: str, seed: int) -> dict[str, Any]:
    """The same learner of stable-baselines3."""
    from _peers_sb3 import learn

    return learn(learner, task, seed, EPISODES)


def report(out: Path) -> None:
    """The table and the verdicts, from all results there are."""
    runs = standing(known(out))
    older = sorted({" ".join(cell[:3]) for cell, run in runs.items() if not stands(run, cell)})
    lines = [
        "| learner | task | published | who | seeds | worst seed | mean | best seed | within 10 % "
        "| steps | median s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    verdicts = []
    for pair, figure in PUBLISHED.items():
        told = {name: told_of(name, pair, some, figure) for name, some in groups(runs, pair)}
        lines += [line for line, _, _ in told.values()]
        enough = [name for name in (FRESH, OURS) if name in told and told[name][2] >= SEEDS]
        near, count = told[enough[0]][1:] if enough else (0, 0)
        word = "passes" if 0 < near == count else "falls short"
        kind = "fresh seeds" if FRESH in enough else "seeds"
        verdicts.append(f"{word}: {' on '.join(pair)}: {near} of {count} {kind}")
    on = machine()
    head = (
        f"Mean returns of the greedy policy over {EPISODES} episodes, one training a seed. "
        f"Measured on {on['processor']}, one thread a training, beside other work: seconds tell "
        "the order of magnitude only. *Within 10 %* means no worse than 10 % below what rl-zoo "
        "publishes, which is from one training each. Our settings were chosen on the seeds of the "
        "first row; *fresh* ones had no say. Rows may be of several commits (peers.json). They "
        "take more steps than stable-baselines3's, "
        "except for PPO on Acrobot and MountainCar."
    )
    page = "\n".join(
        ["# PPO and DQN beside stable-baselines3", "", head, "", *lines, "", *verdicts]
    )
    if older:
        page += "\n\nMeasured under other settings than today's: " + ", ".join(older) + "."
    print(page)
    content = {
        "runs": list(runs.values()), "verdicts": verdicts, "machine": on, "versions": versions()
    }  # fmt: skip
    text = json.dumps(content).replace('{"cell"', '\n{"cell"')
    (out / "peers.json").write_text(text + "\n", encoding="utf-8")
    (out / "peers.md").write_text(page + "\n", encoding="utf-8")


def standing(runs: dict[Cell, Run]) -> dict[Cell, Run]:
    """Of each learner on a task the runs of today's settings; others only where there are none."""
    today = {cell for cell, run in runs.items() if stands(run, cell)}
    fresh = {cell[:3] for cell in today}
    return {cell: run for cell, run in runs.items() if cell in today or cell[:3] not in fresh}


def groups(runs: dict[Cell, Run], pair: tuple[str, str]) -> list[tuple[str, list[Run]]]:
    """The runs of a learner on a task: ours on the seeds it was fitted to, on fresh ones, sb3's."""
    named: dict[str, list[Run]] = {OURS: [], FRESH: [], "stable-baselines3": []}
    for (who, learner, task, seed), run in runs.items():
        if (learner, task) == pair:
            fresh = seed >= CHOSEN.get(pair, SEEDS)
            ours = FRESH if fresh else OURS
            named[ours if who == "ours" else "stable-baselines3"].append(run)
    return [(name, some) for name, some in named.items() if some]


def told_of(
    name: str, pair: tuple[str, str], some: list[Run], figure: float
) -> tuple[str, int, int]:
    """(a row of the table, how many seeds are within 10 %, how many there are)."""
    means = np.array([np.mean(run["returns"]) for run in some])
    near = int((means >= figure - SHARE * abs(figure)).sum())
    seconds = np.median([run["seconds"] for run in some])
    row = (
        f"| {' | '.join(pair)} | {figure:g} | {name} | {len(some)} | {means.min():.1f} "
        f"| {means.mean():.1f} | {means.max():.1f} | {near} of {len(some)} "
        f"| {some[0]['steps']:,} | {seconds:.0f} |"
    )
    return row, near, len(some)


if __name__ == "__main__":
    main()
