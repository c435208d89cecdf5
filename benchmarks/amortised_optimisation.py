"""What amortising an optimiser gains and loses, beside the solver, on problems with known optima.

For each problem: the gap to the optimum of networks that learned to answer (from a solver's
answers, through the objective, by inference), of the same after K gradient steps on the objective,
of a network trained through the steps, and of the same descent from a cold start; and after how
many questions the training has paid, in FLOPs and in seconds. For text: how far a transformer's
loss is above the source's entropy rate. Prints tables, whether each target is met, and for each
learner whether training ever pays. The last is a claim to be tested and no target: where a few
steps of a solver cost less than one pass of a network, it never does, and is refuted. Writes
amortised_optimisation.json and .svg.

    python benchmarks/amortised_optimisation.py --out benchmarks/results
"""

import argparse
import itertools
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path.home() / ".cache" / "deliberation" / "jax")
)

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from deliberation.amortised import (
    AnswerPolicy,
    RecurrentMLP,
    Trained,
    Transformer,
    answer_network,
    collect_answers,
    fit_answers,
    fit_inference,
    fit_next_token,
    fit_objective,
    token_losses,
)
from deliberation.core import Decider, Ledger
from deliberation.direct import GradientDescent
from deliberation.hybrid import SemiAmortised, fit_through
from deliberation.report.figures import standalone_svg
from deliberation.runs.findings import Figure, Panel, Series
from deliberation.runs.plain import plain
from deliberation.runs.provenance import machine, versions
from deliberation.stats import bootstrap, break_even
from deliberation.tasks import make_task

PROBLEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "sphere": ("sphere", {}),
    "convex_programme": ("convex_programme", {}),
    "large_programme": ("convex_programme", {"size": 64, "condition": 100.0}),
    "gaussian_inference": ("gaussian_inference", {}),
}
"""The large programme is there since solving the others costs less than a small network."""
STEPS_AFTER = (0, 1, 2, 4, 8, 16, 32, 64)
SOLVERS = {
    "sphere": {"starts": 16, "budget": 256},
    "convex_programme": {"starts": 1, "budget": 64},
    "large_programme": {"starts": 1, "budget": 256},
    "gaussian_inference": {"starts": 1, "budget": 128},
}
"""Enough to solve: the teacher of regression, and what break-even is measured against."""
RECURRENT = {"large_programme": 5e-3}
"""Problems with so many bounds at play that a plain network of this size is the limit: theirs is
recurrent and trained in half the steps, at this rate."""
THROUGH = {"sphere": 8, "convex_programme": 1, "large_programme": 1, "gaussian_inference": 1}
FLOOR = 1e-7
"""Gaps below single precision are drawn here."""
MARKS = {True: "passes", False: "FALLS SHORT"}


def learners(name: str, task: Any, steps: int, data: int, seed: int) -> dict[str, Trained]:
    """Every way to learn the answers, with what it spent, its data's solver included."""
    keys = jax.random.split(jax.random.key(seed), 5)
    network, how = answer_network(task, key=keys[0]), {"steps": steps, "key": keys[3]}
    if name in RECURRENT:
        network = RecurrentMLP(network.observation_shape, network.actions, key=keys[0])
        how |= {"steps": steps // 2, "learning_rate": RECURRENT[name]}
    posed = jax.vmap(task.init)(jax.random.split(keys[1], data))
    answers, asked = collect_answers(GradientDescent(task, **SOLVERS[name]), posed, key=keys[2])
    regression = fit_answers(task, network, answers, **how)
    found = {
        "regression": replace(regression, ledger=regression.ledger + asked),
        "objective": fit_objective(task, network, **how),
        f"through {THROUGH[name]}": fit_through(task, network, through=THROUGH[name], **how),
    }
    if name == "gaussian_inference":
        blank = answer_network(task, key=keys[0], scored=False)
        for direction in ("elbo", "forward"):
            found[direction] = fit_inference(task, blank, direction=direction, **how)
    return found


def gaps(task: Any, decider: Decider, state: Any, budget: int) -> tuple[np.ndarray, float]:
    """How far each answer is from the optimum, and the mean number of model steps."""
    decision, _ = decider.decide(state, budget=budget, key=jax.random.key(3))
    earned = -jax.vmap(task.cost)(state.context, decision.action)
    best = jax.vmap(task.objective.optimum)(state)
    return np.asarray(best - earned), float(decision.spent.model_steps.mean())


def flops_of(task: Any) -> float:
    """Floating-point operations of one cost and its gradient, as XLA counts them."""
    state = task.init(jax.random.key(0))
    answer = task.solution(state.context)
    both = jax.jit(jax.value_and_grad(lambda y: task.cost(state.context, y)))
    cost = both.lower(answer).compile().cost_analysis()
    return float((cost[0] if isinstance(cost, list) else cost)["flops"])


def seconds_of(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each call, side by side in every round, after one to warm up."""
    for call in calls.values():
        call()
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            jax.block_until_ready(call()[0].action)
            found[name].append(time.perf_counter() - started)
    return {name: np.array(x) for name, x in found.items()}


def interval(values: np.ndarray) -> dict[str, float]:
    """A mean and its 95 % interval."""
    found = bootstrap(values)
    return {"estimate": found.estimate, "low": found.low, "high": found.high}


def paid_after(
    fit: Trained, task: Any, solve: Decider, cheap: Decider, budget: int, state: Any, rounds: int
) -> dict[str, Any]:
    """Questions after which training has paid, against a solver with so many simulations."""
    a_step, n = flops_of(task), len(state.answered)
    calls = {
        "solve": lambda: solve.decide(state, budget=budget, key=jax.random.key(3)),
        "forward": lambda: cheap.decide(state, key=jax.random.key(3)),
    }
    taken = seconds_of(calls, rounds)
    spent: Ledger = fit.ledger.total()
    solved = float(calls["solve"]()[0].spent.model_steps.mean()) * a_step
    forward = float(calls["forward"]()[0].spent.flops.mean())
    trained = float(spent.flops or 0) + float(spent.model_steps or 0) * a_step
    times = break_even(float(spent.seconds or 0), taken["solve"] / n, taken["forward"] / n)
    return {
        "simulations": budget,
        "training_flops": trained,
        "training_seconds": spent.seconds,
        "solve_flops": solved,
        "forward_flops": forward,
        "solve_seconds": float(np.median(taken["solve"]) / n),
        "forward_seconds": float(np.median(taken["forward"]) / n),
        "queries_by_flops": break_even(trained, solved, forward).estimate,
        "queries_by_seconds": {
            "estimate": times.estimate, "low": times.low, "high": times.high,
        },
    }  # fmt: skip


def measure(name: str, asked: argparse.Namespace) -> dict[str, Any]:
    """All of one problem."""
    of, options = PROBLEMS[name]
    task = make_task(of, **options)
    state = jax.vmap(task.init)(jax.random.split(jax.random.key(1000), asked.questions))
    curves: dict[str, dict[int, list[np.ndarray]]] = {}
    fits: dict[str, Trained] = {}
    for seed in range(asked.seeds):
        fits = learners(name, task, asked.steps, asked.data, seed)
        for label, fit in fits.items():
            semi = SemiAmortised(task, fit.network)
            for k in STEPS_AFTER:
                at = curves.setdefault(label, {}).setdefault(k, [])
                at.append(gaps(task, semi, state, k)[0])
    cold = {"cold start": GradientDescent(task)}
    if SOLVERS[name]["starts"] > 1:
        starts = SOLVERS[name]["starts"]
        cold[f"{starts} cold starts"] = GradientDescent(task, starts=starts)
    for label, decider in cold.items():
        curves[label] = {k: [gaps(task, decider, state, k)[0]] for k in STEPS_AFTER}
    solver = GradientDescent(task, **SOLVERS[name])
    budget = int(SOLVERS[name]["budget"])
    return {
        "task": repr(task),
        "gap": {
            label: {k: interval(np.stack(x)) for k, x in points.items()}
            for label, points in curves.items()
        },
        "solver": interval(gaps(task, solver, state, budget)[0]),
        "flops_a_model_step": flops_of(task),
        "break_even": {
            label: {
                "solved": paid_after(
                    fit, task, solver, AnswerPolicy(task, fit.network), budget, state, asked.rounds
                ),
                "equal gap": _as_good(
                    label, fit, task, cold["cold start"], curves, state, asked.rounds
                ),
            }
            for label, fit in fits.items()
            if not label.startswith("through")
        },
    }


def _as_good(
    label: str, fit: Trained, task: Any, cold: Decider, curves: Any, state: Any, rounds: int
) -> dict[str, Any] | None:
    """Break-even against a descent that is only as long as it takes to do as well; None: never."""
    own = np.mean(curves[label][0])
    enough = [k for k in STEPS_AFTER if np.mean(curves["cold start"][k]) <= own]
    if not enough:
        return None
    cheap = AnswerPolicy(task, fit.network)
    return paid_after(fit, task, cold, cheap, enough[0], state, rounds)


def read_text(asked: argparse.Namespace) -> dict[str, Any]:
    """A transformer's loss above the entropy rate of the source, by width and steps."""
    task = make_task("markov_text")
    texts = jax.vmap(task.text)(jax.random.split(jax.random.key(77), asked.questions))
    context = np.stack([np.asarray(texts)[:, i : i + 2] for i in range(task.length)], 1)
    own = _surprise(task, np.asarray(texts), context)
    found = []
    for width, steps in ((8, asked.text // 4), (16, asked.text // 2), (32, asked.text)):
        network = Transformer(
            (task.order + task.length,), task.vocabulary, width, key=jax.random.key(0)
        )
        fit = fit_next_token(task.text, network, steps=steps, key=jax.random.key(1))
        losses = np.asarray(token_losses(fit.network, texts))[:, task.order :]
        excess = interval((losses - own).mean(1))
        found.append({"width": width, "steps": steps, "flops": fit.ledger.flops, "excess": excess})
    return {"entropy_rate": task.entropy_rate, "own": interval(own.mean(1)), "rows": found}


def _surprise(task: Any, texts: np.ndarray, context: np.ndarray) -> np.ndarray:
    """The source's own surprise at each token, in nats."""

    def one(pair: Any, token: Any) -> Any:
        state = task.init(jax.random.key(0))
        state = type(state)(state.tokens.at[: task.order].set(pair), state.time)
        return -jnp.log(task.next_token(state)[token])

    return np.asarray(jax.jit(jax.vmap(jax.vmap(one)))(context, texts[:, task.order :]))


def targets(problems: dict[str, Any], text: dict[str, Any]) -> list[dict[str, Any]]:
    """What is expected, and whether it was found."""
    found: list[dict[str, Any]] = []

    def say(what: str, value: float, bound: float) -> None:
        found.append({"target": what, "value": value, "bound": bound, "passes": value <= bound})

    for name, measured in problems.items():
        gap = {
            label: {k: p["estimate"] for k, p in c.items()} for label, c in measured["gap"].items()
        }
        # Several starts share the budget, so that each is shorter.
        rises = [
            b - a
            for label, c in gap.items()
            if "cold starts" not in label
            for a, b in itertools.pairwise(c.values())
        ]
        say(f"{name}: a longer descent is never worse", max(rises), 1e-5)
        say(f"{name}: the solver's gap", measured["solver"]["estimate"], 1e-3)
        warm = max(gap["objective"][k] - gap["cold start"][k] for k in (0, 1, 2, 4, 8))
        say(f"{name}: warm less cold start, at worst over K <= 8", warm, 0.0)
    best = {name: m["gap"]["objective"] for name, m in problems.items()}
    for name in ("convex_programme", "large_programme", "gaussian_inference"):
        if name in problems:
            say(f"{name}: objective-based, then 32 steps", best[name][32]["estimate"], 1e-3)
    if "sphere" in problems:
        gap = problems["sphere"]["gap"]
        lead = gap["through 8"][8]["estimate"] - gap["objective"][8]["estimate"]
        say("sphere: trained through 8 steps less objective-based, after 8", lead, 0.0)
    if "gaussian_inference" in problems:
        gap = problems["gaussian_inference"]["gap"]
        say("inference by the ELBO, nats from the best", gap["elbo"][0]["estimate"], 0.01)
    say("text: excess over the entropy rate, nats", text["rows"][-1]["excess"]["estimate"], 0.01)
    say("text: below the entropy rate by, nats", -text["rows"][-1]["excess"]["low"], 0.002)
    return found


def claims(problems: dict[str, Any]) -> list[dict[str, Any]]:
    """Whether training pays after some number of questions: a claim, so "refuted" is a result.

    n* = training / (solve - forward); there is none where a forward pass costs more than solving.
    """
    found = []
    for name, measured in problems.items():
        for label, against in measured["break_even"].items():
            by = against["solved"]
            for unit in ("flops", "seconds"):
                after = by[f"queries_by_{unit}"]
                after = after if unit == "flops" else after["estimate"]
                costs = {k: by[f"{k}_{unit}"] for k in ("training", "solve", "forward")}
                what = {"problem": name, "learner": label, "unit": unit, **costs}
                found.append({**what, "queries": after, "holds": bool(np.isfinite(after))})
    return found


def say_claim(claim: dict[str, Any]) -> str:
    """One claim as a line."""
    verdict = "holds" if claim["holds"] else "REFUTED"
    after = f"after {claim['queries']:.3g} questions" if claim["holds"] else "never"
    return (
        f"{verdict}: {claim['problem']}, {claim['learner']}: training pays in {claim['unit']} "
        f"{after} (solving {claim['solve']:.3g}, a forward pass {claim['forward']:.3g})"
    )


def show(problems: dict[str, Any], text: dict[str, Any], console: Console) -> None:
    """The tables on the terminal."""
    for measured in problems.values():
        table = Table("Start", *(f"K={k}" for k in STEPS_AFTER), title=f"Gap: {measured['task']}")
        for label, curve in measured["gap"].items():
            table.add_row(label, *(f"{p['estimate']:.2g}" for p in curve.values()))
        console.print(table)
        table = Table("Learner", "Against", "n* by FLOPs", "n* by seconds", "training s")
        for label, against in measured["break_even"].items():
            for which, by in against.items():
                if by is None:
                    table.add_row(label, which, "the descent never does as well", "", "")
                    continue
                times = by["queries_by_seconds"]
                shown = f"{times['estimate']:.3g} [{times['low']:.3g}, {times['high']:.3g}]"
                table.add_row(
                    label, f"{which}, K={by['simulations']}", f"{by['queries_by_flops']:.3g}",
                    shown, f"{by['training_seconds']:.1f}",
                )  # fmt: skip
        console.print(table)
    table = Table("Width", "Steps", "Excess loss, nats a token", title="Text")
    for row in text["rows"]:
        e = row["excess"]
        shown = f"{e['estimate']:.4f} [{e['low']:.4f}, {e['high']:.4f}]"
        table.add_row(str(row["width"]), str(row["steps"]), shown)
    console.print(table)


def figure(problems: dict[str, Any]) -> str:
    """Gap against the number of gradient steps, a panel a problem."""
    panels = []
    for name, measured in problems.items():
        series = []
        for label, curve in measured["gap"].items():
            ends = {end: [max(p[end], FLOOR) for p in curve.values()] for end in ("low", "high")}
            y = [max(p["estimate"], FLOOR) for p in curve.values()]
            series.append(Series(label=label, x=[float(k) + 1 for k in curve], y=y, **ends))
        title = name.replace("_", " ")
        panels.append(
            Panel(
                title=title, x_label="gradient steps K, plus one", x_scale="log2",
                y_label="gap to the optimum", y_scale="log10", series=series,
            )
        )  # fmt: skip
    words = "; ".join(
        f"{p.title}: "
        + ", ".join(f"{s.label} from {s.y[0]:.2g} to {s.y[-1]:.2g}" for s in p.series)
        for p in panels
    )
    title = "Amortised, improved and cold: gap to the optimum"
    return standalone_svg(Figure(title=title, panels=panels, alternative=f"{title}. {words}"))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--quick", action="store_true", help="much less of everything")
    parser.add_argument("--only", nargs="*", default=list(PROBLEMS), choices=PROBLEMS)
    asked = parser.parse_args()
    asked.seeds, asked.questions, asked.rounds = (1, 256, 3) if asked.quick else (3, 4096, 9)
    asked.steps, asked.data, asked.text = (1000, 4096, 500) if asked.quick else (6000, 32768, 2000)
    console = Console()
    problems = {}
    for name in asked.only:
        started = time.perf_counter()
        problems[name] = measure(name, asked)
        console.print(f"{name}: {time.perf_counter() - started:.0f} s", style="dim")
    text = read_text(asked)
    show(problems, text, console)
    judged = targets(problems, text)
    for line in judged:
        console.print(
            f"{MARKS[line['passes']]}: {line['target']}: {line['value']:.3g} "
            f"(at most {line['bound']:g})",
            highlight=False,
        )
    tested = claims(problems)
    for claim in tested:
        console.print(say_claim(claim), highlight=False)
    settings = {k: v for k, v in vars(asked).items() if k != "out"}
    content = {
        "settings": settings, "problems": problems, "text": text, "targets": judged,
        "claims": tested,
        "machine": machine(), "versions": versions(),
    }  # fmt: skip
    kept = json.loads(json.dumps(content))  # which makes text of the numbers of steps
    asked.out.mkdir(parents=True, exist_ok=True)
    home = asked.out / "amortised_optimisation"
    home.with_suffix(".json").write_text(
        json.dumps(plain(kept, "the result"), indent=1) + "\n", encoding="utf-8"
    )
    home.with_suffix(".svg").write_text(figure(problems), encoding="utf-8")
    console.print(f"Wrote {home}.json and .svg")


if __name__ == "__main__":
    main()
