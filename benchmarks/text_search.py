"""Searching around a small language model on Countdown, at equal numbers of forward passes.

A transformer learns next tokens of paths to targets, then its value head learns how its own samples
were graded. Greedy writing, best of n, a vote, beams and trees then work on problems that are held
out (numbers and targets that no lesson has in any order, no two alike), each with so many forward
passes a problem, the prompt's among them. All know the same: the
grammar (lines are true and of numbers that are there) and the exact grade of a finished answer.
Trees are searched with the prior alone, with the learned value, and over lines. The value was
learned from further samples, whose cost is beside the table.

    python benchmarks/text_search.py

Prints a table with 95 % intervals (of shares: Wilson; of what is added to best of n: a bootstrap
over problems, in pairs) and whether the tree that is named beforehand, `NAMED`, solves 20 points
more than best of n at `AT` passes; writes benchmarks/results/text_search.json, .md and .svg. It is
measured on one training: intervals are over problems. Less than five minutes on two cores.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np

from deliberation.amortised.sequence import LanguageModel, Transformer, fit_next_token
from deliberation.claims.experiments.language.countdown_chosen import same_answer
from deliberation.claims.experiments.language.countdown_searches import held_out, problems_of
from deliberation.claims.experiments.language.countdown_trees import allowed, graded
from deliberation.core.contract.text_model import Sampling
from deliberation.hybrid.text import (
    Diving,
    Searched,
    TextBudget,
    ValuedModel,
    Verifier,
    beam_search,
    best_of_n,
    fit_values,
    majority_vote,
    tree_search,
)
from deliberation.runs.provenance import machine, versions
from deliberation.stats import Claimed, Estimate, bootstrap
from deliberation.tasks.text import Countdown
from deliberation.tasks.text.countdown import lines_to

matplotlib.use("svg")
from matplotlib import pyplot

OUT = Path(__file__).resolve().parent / "results"
TARGET = 0.2
"""So much more of the problems than best of n is to be solved by the tree named beforehand."""
NAMED, AT = "tree, learned value", 256
"""The only tree, and the only passes a problem, of which a verdict is given."""
MANY = 10**6


def parts(task: Countdown) -> tuple[np.ndarray, np.ndarray]:
    """Texts to learn from, and prompts that are held out, each problem once."""
    pool = task.pool("optimal", 100_000)
    held = held_out(task, pool)
    kept = pool[held]
    _, first = np.unique(problems_of(task, kept), return_index=True)
    return pool[~held], kept[np.sort(first), : task.prompt_places]


def learned(
    task: Countdown, texts: np.ndarray, steps: int, lessons: int
) -> tuple[Transformer, dict[str, Any]]:
    """A transformer trained on paths, whose value head knows how its samples fared."""
    pool = jnp.asarray(texts)

    def draw(key: Any) -> Any:
        return pool[jax.random.randint(key, (), 0, len(pool))]

    network = Transformer((task.places,), len(task.symbols), 64, 3, 4, key=jax.random.key(0))
    first = fit_next_token(draw, network, steps=steps, key=jax.random.key(1))
    prompts = np.asarray(pool[:4096, : task.prompt_places])
    written = LanguageModel(first.network).write(
        prompts, key=jax.random.key(2), tokens=task.answer_places, stop=task.end, samples=4
    )
    texts = np.concatenate([np.repeat(prompts, 4, 0), written.tokens], 1)
    grades = graded(task, texts)
    second = fit_values(
        first.network, texts, grades, draw, prompt=task.prompt_places, steps=lessons,
        key=jax.random.key(3), learning_rate=2e-3,
    )  # fmt: skip
    told = {
        "next tokens": first.ledger.as_dict(),
        "values": second.ledger.as_dict(),
        "passes of the samples": written.spent.total().network_evaluations,
        "share of them solved": float(grades.mean()),
    }
    return second.network, told


def searches(task: Countdown, network: Transformer) -> dict[str, Callable[..., Searched]]:
    """Each by its name, of prompts and a number of passes."""
    plain, valued = LanguageModel(network), ValuedModel(network)
    verifier, tokens = Verifier(partial(graded, task)), task.answer_places
    line = task.symbols.index(";")

    def how(passes: int, **more: Any) -> dict[str, Any]:
        return {
            "tokens": tokens, "stop": task.end, "allow": partial(allowed, task),
            "budget": TextBudget(passes=passes), "key": jax.random.key(4), **more,
        }  # fmt: skip

    def answer(text: np.ndarray) -> int | None:
        if text[task.places - 1] != task.end:
            return None
        return int(same_answer(task, text[None, None, task.prompt_places : task.places])[0, 0])

    def beam(prompts: Any, passes: int) -> Searched:
        given = how(passes)
        del given["key"]
        width = max(1, (passes - task.prompt_places) // (tokens - 1))
        return beam_search(plain, prompts, width=width, verifier=verifier, **given)

    def tree(model: Any, **more: Any) -> Callable[..., Searched]:
        return lambda prompts, passes: tree_search(model, prompts, verifier, **how(passes, **more))

    return {
        "greedy": lambda prompts, passes: best_of_n(
            plain, prompts, verifier, n=1, **how(passes, sampling=Sampling(temperature=0))
        ),
        "majority vote": lambda prompts, passes: majority_vote(
            plain, prompts, answer, verifier=verifier, n=max(1, passes // tokens), **how(passes)
        ),
        "best of n": lambda prompts, passes: best_of_n(
            plain, prompts, verifier, n=MANY, **how(passes)
        ),
        "beam": beam,
        "tree, prior alone": tree(plain, rule=Diving(c=1.25)),
        "tree, learned value": tree(valued),
        "tree over lines, learned value": tree(valued, line=line, candidates=4),
    }


def lost(task: Countdown, network: Transformer, prompts: np.ndarray) -> dict[str, Any]:
    """Of texts drawn once a problem: how many are wrong, and how many of these could still have
    been right after each line.

    A search that shares beginnings saves work where many ends follow one beginning; what is lost in
    the first line is to be written anew from there, as by best of n.
    """
    found = best_of_n(
        LanguageModel(network), prompts, Verifier(partial(graded, task)), n=1,
        tokens=task.answer_places, stop=task.end, allow=partial(allowed, task),
        budget=TextBudget(passes=task.places), key=jax.random.key(5),
    )  # fmt: skip
    wrong = found.texts[found.grades < 1]
    open_after = [
        float(np.mean([open_still(task, text, lines) for text in wrong]))
        for lines in range(task.numbers - 1)
    ]
    return {
        "texts": len(prompts),
        "wrong": len(wrong),
        "could still be right after lines": open_after,
    }


def open_still(task: Countdown, text: np.ndarray, lines: int) -> bool:
    """Whether a right answer follows the first lines of a text, all of which are true."""
    left, target = text[: task.numbers].tolist(), int(text[task.numbers + 1])
    for line in range(lines):
        begins = task.prompt_places + 6 * line
        one, _, two, _, result, _ = text[begins : begins + 6].tolist()
        left.remove(one)
        left.remove(two)
        left.append(result)
    return bool(lines_to(tuple(left), target, task.most))


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z = 1.96
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(middle - half), float(middle + half)


def measured(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything that is kept."""
    task, began = Countdown(), time.perf_counter()
    texts, held = parts(task)
    network, training = learned(task, texts, arguments.steps, arguments.lessons)
    trained = time.perf_counter() - began
    prompts, others = np.split(held[: 5 * arguments.problems], [arguments.problems])
    why = lost(task, network, others)
    print(why, flush=True)
    rows = []
    for passes in arguments.passes:
        for name, search in searches(task, network).items():
            if name == "greedy" and passes != arguments.passes[0]:
                continue
            started = time.perf_counter()
            found = search(prompts, passes)
            seconds = time.perf_counter() - started
            most = int(np.max(found.spent.network_evaluations))  # type: ignore[arg-type]
            assert most <= passes, (name, most)
            share = float(found.grades.mean())
            rows.append({
                "search": name, "passes": passes, "solved": share, "grades": found.grades.tolist(),
                "interval": wilson(share, len(prompts)), "tried": float(found.tried.mean()),
                "used": float(np.mean(found.spent.network_evaluations)),  # type: ignore[arg-type]
                "seconds": seconds,
            })  # fmt: skip
            print(f"{passes:5d} {name:32s} {share:.3f} ({seconds:.0f} s)", flush=True)
    return {
        "task": repr(task), "problems": len(prompts), "training": training,
        "training_seconds": trained, "rows": rows, "lost": why,
        "machine": machine(), "versions": versions(),
    }  # fmt: skip


def gain(kept: dict[str, Any], row: dict[str, Any]) -> Estimate:
    """What a search solves more than best of n at the same passes, on the same problems."""
    (best,) = (
        r["grades"] for r in kept["rows"]
        if (r["search"], r["passes"]) == ("best of n", row["passes"])
    )  # fmt: skip
    return bootstrap(np.array(row["grades"]) - np.array(best), bounds=(-1.0, 1.0))


def points(kept: dict[str, Any], row: dict[str, Any]) -> str:
    """The gain in points, with its interval."""
    if row["search"] == "best of n":
        return ""
    more = gain(kept, row)
    return f"{100 * more.estimate:+.0f} [{100 * more.low:+.0f}, {100 * more.high:+.0f}]"


def verdict(kept: dict[str, Any]) -> str:
    """Whether the tree named beforehand meets the target."""
    named = [r for r in kept["rows"] if (r["search"], r["passes"]) == (NAMED, AT)]
    target = f"Target, named beforehand: {NAMED}, solves {100 * TARGET:.0f} points more than best "
    target += f"of n at {AT} passes."
    if not named:
        return f"{target} Not measured."
    found = Claimed(above=TARGET).judge(gain(kept, named[0]))
    said = {"supported": "Met", "refuted": "Not met"}.get(found, "Open")
    return f"{target} {said}: {points(kept, named[0])} points."


def table(kept: dict[str, Any]) -> str:
    """As Markdown, with the verdict."""
    lines = [
        f"{kept['task']}; {kept['problems']} problems held out, {kept['training_seconds']:.0f} s "
        "of training. Solved [95 %], at so many forward passes a problem:",
        "",
        "| Search | Passes | Solved | Less best of n, points | Used | Finished texts | Seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in kept["rows"]:
        low, high = row["interval"]
        lines.append(
            f"| {row['search']} | {row['passes']} | {row['solved']:.2f} [{low:.2f}, {high:.2f}] | "
            f"{points(kept, row)} | {row['used']:.0f} | {row['tried']:.1f} | {row['seconds']:.0f} |"
        )
    lines += ["", verdict(kept)]
    why = kept["lost"]
    told = ", ".join(
        f"{100 * share:.0f} % after {lines}"
        for lines, share in enumerate(why["could still be right after lines"])
        if lines
    )
    lines += [
        "",
        f"Of {why['texts']} texts drawn once a problem {why['wrong']} are wrong. A right answer "
        f"could still follow in {told} of their lines: the rest is lost by then.",
    ]
    return "\n".join(lines) + "\n"


def drawing(kept: dict[str, Any], path: Path) -> None:
    """Shares solved over passes."""
    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for name in dict.fromkeys(row["search"] for row in kept["rows"]):
        mine = [row for row in kept["rows"] if row["search"] == name]
        solved = np.array([row["solved"] for row in mine])
        spread = np.abs(np.array([row["interval"] for row in mine]).T - solved)
        axes.errorbar([row["passes"] for row in mine], solved, spread, label=name, marker="o")
    axes.set(xscale="log", xlabel="Forward passes a problem", ylabel="Problems solved")
    axes.set_ylim(0, 1)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--lessons", type=int, default=800)
    parser.add_argument("--passes", type=int, nargs="+", default=[64, 256])
    kept = measured(parser.parse_args())
    text = table(kept)
    print(text)
    (OUT / "text_search.json").write_text(json.dumps(kept, indent=1) + "\n")
    (OUT / "text_search.md").write_text(text)
    drawing(kept, OUT / "text_search.svg")


if __name__ == "__main__":
    main()
