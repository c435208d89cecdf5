"""What training side by side saves, a network: against the same trainings one after another.

    python benchmarks/side_by_side.py [--rounds 5]

In turn within every round: one compiled program with a row a seed (as `side_by_side` runs it);
against that, one seed after another by the loops that people write (a compiled step at a time with
equinox and optax; PyTorch on one thread), by the library's own resumable loop (`fit_loss`), and by
the same compiled training with nothing around it (how far the saving is the vectorising alone; no
program can be faster than its sums). All have compiled before they are timed. Writes
benchmarks/results/side_by_side.json and .md.
"""

import argparse
import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from deliberation.amortised import descended, fit_loss
from deliberation.runs.plain import plain
from deliberation.runs.provenance import machine, source, versions
from deliberation.runs.storage import atomic_write

OUT = Path(__file__).resolve().parent / "results"
INPUTS = 8
SIZES = ((16, 16, 300), (32, 32, 2000), (64, 128, 1000))
"""Width of two hidden layers, examples a step, steps."""
SEEDS, ALONE = 96, 3
"""Trained side by side, and of these one after another."""
TOGETHER = "side by side"
STEPWISE, TORCH = "a compiled step at a time (equinox, optax)", "PyTorch"
LOOP, PROGRAM = "`fit_loss`", "the same program, a seed at a time"
AFTER = (STEPWISE, TORCH, LOOP, PROGRAM)
"""Ways to train one after another."""
RATE = 1e-3


def ways(width: int, batch: int, steps: int) -> dict[str, Callable[[], float]]:
    """Seconds a network, by each way."""

    def loss(network: Any, key: Any) -> Any:
        x = jax.random.normal(key, (batch, INPUTS))
        return jnp.mean((jax.vmap(network)(x)[:, 0] - jnp.sin(x).sum(1)) ** 2)

    def made(key: Any) -> Any:
        return eqx.nn.MLP(INPUTS, 1, width, 2, key=key)

    def reported(network: Any, key: Any) -> Any:
        return loss(network, key), {}

    def train(key: Any) -> Any:
        make, learn = jax.random.split(key)
        network, losses = descended(loss, made(make), learn, steps=steps)
        return eqx.filter(network, eqx.is_array), losses[-1]

    keys = jax.random.split(jax.random.key(0), SEEDS)
    alone, together, build = jax.jit(train), jax.jit(jax.vmap(train)), eqx.filter_jit(made)

    def by_loop() -> None:
        for key in keys[:ALONE]:
            make, learn = jax.random.split(key)
            fit_loss(reported, build(make), steps=steps, key=learn)

    def by_program() -> None:
        for key in keys[:ALONE]:
            jax.block_until_ready(alone(key))

    optimiser = optax.adam(RATE)

    @eqx.filter_jit(donate="all")
    def step(network: Any, state: Any, key: Any) -> Any:
        gradients = eqx.filter_grad(loss)(network, key)
        changes, state = optimiser.update(gradients, state)
        return eqx.apply_updates(network, changes), state

    def by_steps() -> None:
        for key in keys[:ALONE]:
            make, learn = jax.random.split(key)
            network = build(make)
            state = optimiser.init(eqx.filter(network, eqx.is_array))
            for each in jax.random.split(learn, steps):
                network, state = step(network, state, each)
            jax.block_until_ready(state)

    def timed(run: Callable[[], Any], count: int) -> Callable[[], float]:
        def seconds() -> float:
            began = time.perf_counter()
            jax.block_until_ready(run())
            return (time.perf_counter() - began) / count

        return seconds

    return {
        TOGETHER: timed(lambda: together(keys), SEEDS),
        STEPWISE: timed(by_steps, ALONE),
        TORCH: timed(lambda: by_torch(width, batch, steps), ALONE),
        LOOP: timed(by_loop, ALONE),
        PROGRAM: timed(by_program, ALONE),
    }


def by_torch(width: int, batch: int, steps: int) -> None:
    """The same trainings in PyTorch, one after another; a second thread only slows such sums."""
    torch.set_num_threads(1)
    for seed in range(ALONE):
        torch.manual_seed(seed)
        sizes = (INPUTS, width, width)
        hidden = [m for a, b in pairwise(sizes) for m in (torch.nn.Linear(a, b), torch.nn.ReLU())]
        network = torch.nn.Sequential(*hidden, torch.nn.Linear(width, 1))
        optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
        for _ in range(steps):
            x = torch.randn(batch, INPUTS)
            optimiser.zero_grad()
            ((network(x)[:, 0] - torch.sin(x).sum(1)) ** 2).mean().backward()
            optimiser.step()


def measured(rounds: int) -> list[dict[str, Any]]:
    """Each size: medians of seconds a network, and of the ratios within rounds."""
    rows = []
    for size in SIZES:
        contestants = ways(*size)
        for run in contestants.values():
            run()  # compiles
        taken = [{name: run() for name, run in contestants.items()} for _ in range(rounds)]
        rows.append({
            "width": size[0], "batch": size[1], "steps": size[2],
            "milliseconds": {n: 1e3 * float(np.median([t[n] for t in taken])) for n in contestants},
            "times faster": {
                n: float(np.median([t[n] / t[TOGETHER] for t in taken])) for n in AFTER
            },
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def page(rows: list[dict[str, Any]]) -> str:
    """As Markdown."""
    lines = [
        "# Trainings side by side", "",
        f"{SEEDS} trainings of a network of two hidden layers in one program, against one after "
        "another: by the loops that people write, by the library's resumable loop, and by the same "
        "program for one seed at a time, which is what vectorising alone saves. Everything is "
        "compiled before it is timed. The loops that people write take plain Adam, less work than "
        "the AdamW with clipping and a cosine of the others.", "",
        "| hidden layers of | examples a step | steps | ms a network side by side | "
        + " | ".join(f"times faster than {way}" for way in AFTER) + " |",
        "|" + "---|" * (4 + len(AFTER)),
    ]  # fmt: skip
    lines += [
        f"| {r['width']} | {r['batch']} | {r['steps']} | {r['milliseconds'][TOGETHER]:.1f} | "
        + " | ".join(f"{r['times faster'][way]:.1f}" for way in AFTER)
        + " |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    rows = measured(asked.rounds)
    content = {"rows": rows, "commit": source(), "machine": machine(), "versions": versions()}
    kept = json.dumps(plain(content, "side_by_side.json"), indent=1).encode() + b"\n"
    atomic_write(asked.out / "side_by_side.json", kept)
    atomic_write(asked.out / "side_by_side.md", page(rows).encode())
    print(page(rows))


if __name__ == "__main__":
    main()
