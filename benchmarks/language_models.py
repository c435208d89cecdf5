"""Our transformer beside the same one in plain PyTorch, and a stranger's beside its own `generate`.

    python benchmarks/language_models.py            # all sections, some three minutes
    python benchmarks/language_models.py train      # one of them; the others are kept
    python benchmarks/language_models.py write --rounds 9
    python benchmarks/language_models.py --busy     # on a machine that others use, too

Both have the same weights: that they give the same loss and write the same tokens is checked before
anything is timed. They take turns within every round, on all cores; ratios are medians over rounds
of the ratio within a round. With --busy each computes on one thread and CPU seconds are counted.
Needs torch, and transformers for "generate". Writes benchmarks/results/language_models.json and
.md, a section for each command.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

OUT = Path(__file__).resolve().parent / "results"
LENGTH, VOCABULARY, HEADS, BATCH = 128, 64, 4, 32
SIZES = ((64, 2), (128, 4))
"""Width and depth."""
STEPS, PROMPT = 8, 16
"""Steps of training that are timed as one; tokens of a prompt, after which the rest is written."""
OURS, PLAIN = "this library", "plain PyTorch"
Run = Callable[[], Any]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; all unless named")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--busy", action="store_true", help="CPU seconds on one thread each")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    if unknown := set(asked.sections) - set(SECTIONS):
        parser.error(f"no section {sorted(unknown)[0]!r}; there are {', '.join(SECTIONS)}")
    if asked.busy:  # before JAX is imported
        one = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {one}".strip()
    for name in asked.sections or SECTIONS:
        keep(asked.out, name, SECTIONS[name](asked.rounds, asked.busy), asked.busy)
    print((asked.out / "language_models.md").read_text())


def train(rounds: int, busy: bool) -> list[dict[str, Any]]:
    """Milliseconds a step of training."""
    rows = []
    for width, depth in SIZES:
        network, plain, texts = made(width, depth, busy)
        step = our_training(network, texts)
        first, theirs = float(step()[0]), plain.train(texts, 1)
        if abs(first - theirs) > 1e-4:
            raise SystemExit(f"The losses differ before training: {first} and {theirs}.")
        runs = {
            OURS: step,
            PLAIN: lambda p=plain, t=texts: p.train(t, STEPS),
        }
        rows.append(row(width, depth, turns(runs, rounds, busy, each=STEPS)))
    return rows


def write(rounds: int, busy: bool) -> list[dict[str, Any]]:
    """Milliseconds a batch of texts for each token written."""
    from deliberation.amortised import LanguageModel
    from deliberation.core.contract import Sampling

    rows, tokens = [], LENGTH - PROMPT
    for width, depth in SIZES:
        network, plain, texts = made(width, depth, busy)
        model, prompts = LanguageModel(network), np.asarray(texts)[:, :PROMPT]
        greedy: dict[str, Any] = {"key": None, "tokens": tokens, "sampling": Sampling(0.0)}
        greedy["key"] = key(2)
        runs = {
            OURS: lambda m=model, p=prompts, g=greedy: m.write(p, **g).tokens,
            PLAIN: lambda m=plain, p=prompts: m.write(p, tokens),
        }
        equal = float((runs[OURS]() == runs[PLAIN]()).all(1).mean())
        if equal < 0.9:  # a tie within rounding may part two texts for good
            raise SystemExit(f"Only {equal:.2f} of the texts written are the same.")
        found = row(width, depth, turns(runs, rounds, busy, each=tokens))
        rows.append({**found, "same texts": equal})
    return rows


def generate(rounds: int, busy: bool) -> list[dict[str, Any]]:
    """Tokens a second that a model of transformers writes here, and by its own `generate`."""
    from _language_transformers import rows

    return rows(rounds, busy)


SECTIONS = {"train": train, "write": write, "generate": generate}


def key(number: int) -> Any:
    """A random key."""
    import jax

    return jax.random.key(number)


def made(width: int, depth: int, busy: bool) -> tuple[Any, Any, Any]:
    """Our network, the contestant with its weights, and a batch of texts."""
    import equinox as eqx
    import jax
    from _language_torch import Contestant

    from deliberation.amortised import Transformer

    network = eqx.filter_jit(Transformer)((LENGTH,), VOCABULARY, width, depth, HEADS, key=key(0))
    # As after training: the likeliest token is likelier than the others by more than rounding.
    network = eqx.tree_at(lambda n: n.policy.w, network, 10 * network.policy.w)
    texts = jax.random.randint(key(1), (BATCH, LENGTH), 0, VOCABULARY)
    sizes = {"length": LENGTH, "vocabulary": VOCABULARY, "width": width, "depth": depth}
    plain = Contestant({**sizes, "heads": HEADS}, threads=1 if busy else os.cpu_count() or 1)
    plain.load(network)
    return network, plain, np.array(texts)


def our_training(network: Any, texts: Any) -> Run:
    """Steps as `fit_loss` takes them; each call begins anew from the same network."""
    import equinox as eqx
    import jax.numpy as jnp

    from deliberation.amortised import next_token_loss
    from deliberation.amortised.training.optimisers import (
        gradient_steps,
        init_optimiser,
        make_optimiser,
    )

    optimiser, texts = make_optimiser(0.01, decay_biases=True), jnp.asarray(texts)
    state, rates = init_optimiser(optimiser, network), jnp.full(STEPS, 1e-3)

    def loss(network: Any, texts: Any) -> Any:
        total = next_token_loss(network, texts)
        return total, total

    @eqx.filter_jit
    def steps(network: Any, state: Any, texts: Any) -> Any:
        return gradient_steps(loss, network, state, optimiser, lambda now: texts, rates)

    return lambda: np.asarray(steps(network, state, texts)[2])


def turns(runs: dict[str, Run], rounds: int, busy: bool, each: int) -> dict[str, Any]:
    """Medians of milliseconds, and of the ratio to ours within a round with its quartiles."""
    clock = time.process_time if busy else time.perf_counter
    for run in runs.values():
        run()  # compiles

    def timed(run: Run) -> float:
        began = clock()
        run()
        return 1e3 * (clock() - began) / each

    taken = [{name: timed(run) for name, run in runs.items()} for _ in range(rounds)]
    ratios = {n: [t[n] / t[OURS] for t in taken] for n in runs if n != OURS}
    return {
        "milliseconds": {n: float(np.median([t[n] for t in taken])) for n in runs},
        "times ours": {n: float(np.median(r)) for n, r in ratios.items()},
        "quartiles": {n: np.quantile(r, [0.25, 0.75]).tolist() for n, r in ratios.items()},
        "rounds": rounds,
    }


def row(width: int, depth: int, found: dict[str, Any]) -> dict[str, Any]:
    """One row of a section."""
    shown = {"width": width, "depth": depth, "context": LENGTH, "batch": BATCH, **found}
    print(shown, flush=True)
    return shown


def keep(out: Path, name: str, rows: list[dict[str, Any]], busy: bool) -> None:
    """Write a section beside those that were measured before."""
    from importlib.metadata import version

    from deliberation.runs.plain import plain
    from deliberation.runs.provenance import machine, source, versions
    from deliberation.runs.storage import atomic_write

    path = out / "language_models.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    content[name] = {
        "rows": rows, "clock": "CPU seconds, one thread each" if busy else "seconds, all cores",
        "commit": source(), "machine": machine(),
        "versions": {**versions(), "torch": version("torch")},
    }  # fmt: skip
    kept = json.dumps(plain(content, "language_models.json"), indent=1).encode() + b"\n"
    atomic_write(path, kept)
    atomic_write(path.with_suffix(".md"), page(content).encode())


TITLES = {
    "train": ("Training", "ms a step"),
    "write": ("Writing with what was read kept, the likeliest token each", "ms a token"),
    "generate": (
        "A model of transformers: GPT-2, 64 tokens after prompts of 16",
        "tokens a second",
    ),
}


def page(content: dict[str, Any]) -> str:
    """As Markdown."""
    lines = ["# Models of language beside those of others", ""]
    for name, found in content.items():
        title, unit = TITLES[name]
        rows = found["rows"]
        if name == "generate":
            lines += generated(title, found)
            continue
        lines += [
            f"## {title}", "",
            f"Batches of {rows[0]['batch']}, {rows[0]['context']} places; {found['clock']}; "
            f"{found['machine']['processor']}, {found['machine']['cores']} cores; the same weights "
            "and texts; medians, the ratio with its quartiles over rounds.", "",
            f"| width | depth | {OURS}, {unit} | {PLAIN}, {unit} | times as fast |",
            "|---|---|---|---|---|",
        ]  # fmt: skip
        for r in rows:
            ms, (low, high) = r["milliseconds"], r["quartiles"][PLAIN]
            lines.append(
                f"| {r['width']} | {r['depth']} | {ms[OURS]:.3g} | {ms[PLAIN]:.3g} | "
                f"{r['times ours'][PLAIN]:.2f} ({low:.2f} to {high:.2f}) |"
            )
        lines.append("")
    return "\n".join(lines)


def generated(title: str, found: dict[str, Any]) -> list[str]:
    """The section of `generate`."""
    told = [
        f"| {r['what']} | {r['width']} | {r['depth']} | {r['tokens_a_second']:,} | "
        f"{r['generate_tokens_a_second']:,} | {r['times_as_fast']:.2f} | "
        f"{'' if r['same_tokens'] is None else 'the same' if r['same_tokens'] else 'others'} |"
        for r in found["rows"]
    ]
    return [
        f"## {title}", "",
        f"{found['clock']}; {found['machine']['processor']}, {found['machine']['cores']} cores; "
        "the best of several turns.", "",
        f"| texts | width | depth | {OURS}, per second | `generate` | times as fast | tokens |",
        "|---|---|---|---|---|---|---|", *told, "",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
