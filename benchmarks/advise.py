"""Whether `deliberate advise` is right: ten worlds of which the right answer is known beforehand.

    python benchmarks/advise.py --effort quick
    python benchmarks/advise.py --effort smoke --only "coins, whatever is chosen"

Runs `advise` on each world of `advised_worlds.py`, in folders under --out, so that a run that is
killed goes on where it stopped; prints a table, and writes benchmarks/results/advise.json and
advise.md. Nine of ten have to be right. How often the rule errs on made-up measurements of several
sizes, where nothing but the rule is at work, stands beside it.
"""

import argparse
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path.home() / ".cache" / "deliberation" / "jax")
)
# The worlds have to be found by the worker processes, too.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).resolve().parent), *filter(None, [os.environ.get("PYTHONPATH")])]
)

import joblib
import numpy as np
from advised_worlds import FEW, MANY, WORLDS, World

from deliberation.advice import Advice, Limits, Option, advise, choose
from deliberation.advice.words import headline, pays
from deliberation.runs.provenance import machine, versions

RESULTS = Path(__file__).resolve().parent / "results"
WANTED = 0.9
ROUNDS = 100
NOISES = (0.1, 0.3, 0.6)
"""Standard deviations of returns, where random play earns 0 and the best 0.9."""


def measured(world: World, advice: Advice, seconds: float) -> dict[str, Any]:
    """What is kept of one world."""
    choice = advice.choice
    return {
        "world": world.name, "task": world.task, "limits": world.limits, "answer": world.answer,
        "why": world.why, "verdict": advice.verdict, "right": advice.verdict == world.answer,
        "recommended": advice.recommended, "same_verdict": choice.same_verdict,
        "told": headline(advice), "pays": pays(advice), "load": advice.world["load"],
        "wall_seconds": seconds,
        "options": {
            o.name: [o.score.estimate, o.score.low, o.score.high, o.latency.estimate,
                     o.preparation.estimate, o.total.estimate, o.fits]
            for o in choice.options
        },
        "left": advice.left,
    }  # fmt: skip


def planted(kind: str, noise: float, seed: int) -> list[Option]:
    """Made-up measurements: random play, a look, four budgets of a search, a network, and both."""
    rng = np.random.default_rng(seed)
    level = 0.0 if kind == "neither" else 1.0
    network = 0.5 if kind == "both" else 0.9

    def option(name: str, of: str, mean: float, seconds: float, before: float = 0.0) -> Option:
        trainings = 2 if before else 1
        scores = level * mean + noise * rng.standard_normal((trainings, 128))
        clock = seconds * np.exp(0.1 * rng.standard_normal((trainings, 40)))
        return Option(name, of, scores, clock, np.full(trainings, before))

    searches = [
        option(f"search {b}", "plan", mean, 1e-4 * b)
        for b, mean in zip((4, 16, 64, 256), (0.3, 0.6, 0.8, 0.9), strict=True)
    ]
    learned = [option("network", "learn", network, 2e-4, 60.0),
               option("both 8", "both", 0.9, 2e-3, 60.0)]  # fmt: skip
    baselines = [option("random", "random", 0, 1e-4), option("look", "look", 0, 2e-4)]
    return [*baselines, *searches, *learned]


def rates() -> list[dict[str, Any]]:
    """How often the rule gives each answer on made-up measurements."""
    limits = {"plan": FEW, "learn": MANY, "both": {**MANY, "latency": "5ms"}, "neither": MANY}
    found = []
    for noise in NOISES:
        for kind, asked in limits.items():
            verdicts = Counter(
                choose(planted(kind, noise, seed), Limits.of(**asked), draws=200, seed=seed).verdict
                for seed in range(ROUNDS)
            )
            found.append({"noise": noise, "answer": kind, "right": verdicts[kind] / ROUNDS})
    return found


def markdown(worlds: list[dict[str, Any]], of: list[dict[str, Any]], effort: str) -> str:
    """Both tables."""
    right = sum(world["right"] for world in worlds)
    processor, cores = machine()["processor"], machine()["cores"]
    busy = max((world["load"] for world in worlds), default=0.0)
    lines = [
        f"{right} of {len(worlds)} worlds right; effort {effort}, {processor}, {cores} cores, "
        f"load up to {busy:.1f} a core (beside other work where above 1).",
        "",
        "| World | Right answer | Advice | Sure | |",
        "|---|---|---|---|---|",
    ]
    for world in worlds:
        mark = "✓" if world["right"] else "✗"
        lines.append(
            f"| {world['world']}: {world['why']} | {world['answer']} | {world['told']} "
            f"{world['pays'] if world['verdict'] != 'neither' else ''} | "
            f"{world['same_verdict']:.2f} | {mark} |"
        )
    lines += ["", f"The rule alone, {ROUNDS} made-up measurements each:", ""]
    lines += ["| Noise of a return | Right answer | Part that is right |", "|---|---|---|"]
    lines += [f"| {one['noise']:g} | {one['answer']} | {one['right']:.2f} |" for one in of]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--effort", choices=("smoke", "quick", "full"), default="quick")
    parser.add_argument("--time", help="of each world, as in 2m; that of the effort by default")
    parser.add_argument("--only", action="append", help="the name of a world; repeatable")
    parser.add_argument("--out", type=Path, default=Path("advised"))
    parser.add_argument("--here", action="store_true", help="in this process alone")
    asked = parser.parse_args()
    found: list[dict[str, Any]] = []
    for world in WORLDS:
        if asked.only and world.name not in asked.only:
            continue
        begun = time.monotonic()
        folder = asked.out / world.name.replace(" ", "_").replace(",", "")
        how = {"effort": asked.effort, "time": asked.time, "out": folder}
        if asked.here:
            with joblib.parallel_config("sequential"):
                advice = advise(world.task, **world.limits, **how, jobs=1)
        else:
            advice = advise(world.task, **world.limits, **how)
        found.append(measured(world, advice, time.monotonic() - begun))
        keep(found, [], asked.effort)
        print(f"{world.name}: {advice!r} (right: {world.answer})", flush=True)
    keep(found, rates(), asked.effort)


def keep(worlds: list[dict[str, Any]], of: list[dict[str, Any]], effort: str) -> None:
    """Write what is known so far; `of` are the rates of the rule."""
    content = {"effort": effort, "worlds": worlds, "rates": of, "wanted": WANTED,
               "versions": versions(), "machine": machine()}  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "advise.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    (RESULTS / "advise.md").write_text(markdown(worlds, of, effort), "utf-8")


if __name__ == "__main__":
    main()
