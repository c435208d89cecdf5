"""Time that JAX spends on compiling is no time of deciding."""

import time

import jax
import jax.numpy as jnp

from deliberation.core import clock
from deliberation.core.answering import answer, timed


def test_what_was_compiled_inside_of_a_compilation_counts_once(monkeypatch):
    moments = iter([3.0, 5.0, 6.0, 20.0])
    monkeypatch.setattr(clock.time, "perf_counter", lambda: next(moments))
    compiled = clock._Compiled()
    compiled.ended(1.0)  # from 2 to 3
    compiled.ended(1.0)  # from 4 to 5
    compiled.ended(5.0)  # from 1 to 6, both of them inside
    assert compiled.seconds == 5.0
    compiled.ended(2.0)
    assert compiled.seconds == 7.0


def test_the_first_decision_is_not_charged_for_compiling():
    def long(x):
        for _ in range(1500):
            x = jnp.sin(x) + 1e-3 * time.perf_counter()  # another program each time
        return x

    wall, began = time.perf_counter(), clock.now()
    jax.jit(long)(jnp.ones(4)).block_until_ready()
    wall = time.perf_counter() - wall
    blank = answer(jnp.array([True, True]), jnp.zeros(2, int), jnp.ones((2, 2)), jnp.zeros(2))
    told = timed(blank, began).spent.seconds
    assert wall > 0.1 and 0 < float(told.sum()) < 0.5 * wall
