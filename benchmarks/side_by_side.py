"""What training side by side saves, a network: against the same trainings one after another.

    python benchmarks/side_by_side.py [--rounds 5]

Three ways, in turn within every round, all warm: `side_by_side` (one program, a row a seed), the
library's own resumable loop (`fit_loss`) called for one seed after another, and the same compiled
training as side by side, a seed at a time with nothing around it (how far the saving is the
vectorising alone). Writes benchmarks/results/side_by_side.json and .md.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from deliberation.amortised import descended, fit_loss

OUT = Path(__file__).resolve().parent / "results"
INPUTS = 8
SIZES = ((16, 16, 300), (32, 32, 300), (32, 32, 2000), (64, 128, 1000))
"""Width of two hidden layers, examples a step, steps."""
SEEDS, ALONE = 96, 6
"""Trained side by side, and of these one after another."""


def ways(width: int, batch: int, steps: int) -> dict[str, Callable[[], float]]:
    """Seconds a network, by each way."""

    def loss(network: Any, key: Any) -> Any:
        x = jax.random.normal(key, (batch, INPUTS))
        return jnp.mean((jax.vmap(network)(x)[:, 0] - jnp.sin(x).sum(1)) ** 2)

    def made(key: Any) -> Any:
        return eqx.nn.MLP(INPUTS, 1, width, 2, key=key)

    def train(key: Any) -> Any:
        make, learn = jax.random.split(key)
        network, losses = descended(loss, made(make), learn, steps=steps)
        return eqx.filter(network, eqx.is_array), losses[-1]

    keys = jax.random.split(jax.random.key(0), SEEDS)
    alone = jax.jit(train)
    build = eqx.filter_jit(made)

    def reported(network: Any, key: Any) -> Any:
        return loss(network, key), {}

    def by_loop() -> float:
        began = time.perf_counter()
        for key in keys[:ALONE]:
            make, learn = jax.random.split(key)
            fit_loss(reported, build(make), steps=steps, key=learn)
        return (time.perf_counter() - began) / ALONE

    def by_program() -> float:
        began = time.perf_counter()
        for key in keys[:ALONE]:
            jax.block_until_ready(alone(key))
        return (time.perf_counter() - began) / ALONE

    program = jax.jit(jax.vmap(train))

    def together() -> float:
        began = time.perf_counter()
        jax.block_until_ready(program(keys))
        return (time.perf_counter() - began) / SEEDS

    return {"side by side": together, "loop": by_loop, "program": by_program}
