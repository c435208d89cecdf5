"""What `latency.py` measures: contestants that are called in turn, and the ratios wanted of them.

A row makes its contestants when it is asked to, in a process of its own: only then is anything
heavy imported.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _search_contestants import (
    DROP_IN,
    Setting,
    limit,
    openings,
    ours,
    ours_inside,
    planner,
)
from _search_rows import ROWS as SEARCHES
from _search_rows import Target
from _search_spiel import their_decisions, uct
from _search_timing import Contestant

from deliberation.amortised import MLP
from deliberation.tasks import make_task

HISTORIES = 1024
"""Simulations of a search over histories."""
LONG, SHORT = 1024, 2
"""Simulations of the one row that goes on, and of the 63 that do not."""


@dataclass(frozen=True)
class Row:
    """One setting: its contestants, and what `wanted` says of the ratio of two of them.

    `wanted` holds (which, to which, target): ratios of seconds a call, or with None in the second
    place the milliseconds of the first.
    """

    name: str
    title: str
    make: Callable[[], Mapping[str, Contestant]]
    wanted: tuple[tuple[str, str | None, Target], ...]
    one_core: bool = False


def decisions() -> Mapping[str, Contestant]:
    """`decide` as users call it, the same search inside of a compiled function, and the limit."""
    setting = Setting.of(SEARCHES["connect_four_64"])
    return {"decide": ours(setting), "inside": ours_inside(setting), "limit": limit(setting)}


def inside(simulations: int) -> Mapping[str, Contestant]:
    """The search inside of a compiled function of the caller's, and the limit."""
    row = replace(SEARCHES["connect_four_64"], simulations=simulations)
    setting = Setting.of(row)
    return {"inside": ours_inside(setting), "limit": limit(setting)}


def uneven() -> Mapping[str, Contestant]:
    """All rows at many simulations, and one of them alone with the others at two."""
    setting = Setting.of(replace(SEARCHES["connect_four_64"], simulations=LONG))
    decider = planner(setting, prove=False)
    few = np.full(setting.row.batch, SHORT, np.int32)
    few[5] = LONG
    # The row that goes on, by itself: what no way of leaving rows out can pass.
    alone = jax.tree.map(lambda x: x[5:6], setting.state)
    return {
        "one row": lambda key: decider.decide(setting.state, budget=few, key=key)[0],
        "all rows": lambda key: decider.decide(setting.state, key=key)[0],
        "one row alone": lambda key: decider.decide(alone, key=key)[0],
    }


def one_position(simulations: int, lanes: int) -> Mapping[str, Contestant]:
    """UCT with a random rollout a leaf: one after the other, in lanes, and by OpenSpiel."""
    task = make_task("connect_four")
    state, moves = openings(task, np.zeros(1, np.int32) + 6)
    found: dict[str, Contestant] = {"open_spiel": their_decisions(moves, simulations)}
    contestants = {"sequential": uct(task, simulations, solve=False)}
    contestants["lanes"] = uct(task, simulations, solve=False, lanes=lanes)
    for name, decider in contestants.items():
        found[name] = lambda key, d=decider: d.decide(state, key=key)[0]
    return found


def one_simulation() -> Mapping[str, Contestant]:
    """The least that can be asked: a position, a simulation."""
    setting = Setting.of(replace(SEARCHES["connect_four_64"], batch=1, simulations=1))
    decider = planner(setting, prove=True, capacity=1024)
    playouts = uct(setting.task, 1, solve=True)
    return {
        "network": lambda key: decider.decide(setting.state, key=key)[0],
        "rollout": lambda key: playouts.decide(setting.state, key=key)[0],
    }


def pgx_connect_four(simulations: int) -> Mapping[str, Contestant]:
    """mctx's own program on pgx's Connect Four, and the same with one import changed.

    The limit takes as many steps of the game and asks the network as often, without a tree.
    """
    import pgx

    env = pgx.make("connect_four")
    state = jax.jit(jax.vmap(env.init))(jax.random.split(jax.random.key(0), 64))
    network = MLP((6, 7, 2), 7, width=128, depth=2, key=jax.random.key(1))

    def judge(network: MLP, state: Any) -> tuple[jax.Array, jax.Array]:
        logits, value = network.batched(state.observation.astype(jnp.float32))
        return jnp.where(state.legal_action_mask, logits, jnp.finfo(logits.dtype).min), value

    def recurrent(network: MLP, key: jax.Array, action: jax.Array, state: Any) -> tuple[Any, Any]:
        import mctx

        mover = state.current_player
        after = jax.vmap(env.step)(state, action)
        logits, value = judge(network, after)
        reward = after.rewards[jnp.arange(64), mover]
        told = mctx.RecurrentFnOutput(
            reward=reward,
            discount=jnp.where(after.terminated, 0.0, -1.0),
            prior_logits=logits,
            value=jnp.where(after.terminated, 0.0, value),
        )
        return told, after

    def search(library: str) -> Contestant:
        import importlib

        mctx = importlib.import_module(library)

        @jax.jit
        def run(network: MLP, state: Any, key: jax.Array) -> Any:
            logits, value = judge(network, state)
            root = mctx.RootFnOutput(prior_logits=logits, value=value, embedding=state)
            found = mctx.gumbel_muzero_policy(
                network, key, root, recurrent, num_simulations=simulations,
                invalid_actions=~state.legal_action_mask,
            )  # fmt: skip
            return found.action, found.action_weights

        return lambda key: run(network, state, key)

    @jax.jit
    def bare(network: MLP, root: Any, key: jax.Array, count: jax.Array) -> Any:
        del key

        def once(i: jax.Array, carry: tuple) -> tuple:
            state, action, total = carry
            told, after = recurrent(network, None, action, state)  # type: ignore[arg-type]
            over = after.terminated | (i % 8 == 7)
            back = jax.tree.map(
                lambda a, b: jnp.where(over.reshape(-1, *[1] * (a.ndim - 1)), a, b), root, after
            )
            action = jnp.argmax(jnp.where(back.legal_action_mask, told.prior_logits, -1e9), 1)
            return back, action, total + told.value

        first = jnp.argmax(root.legal_action_mask, 1)
        return jax.lax.fori_loop(0, count, once, (root, first, jnp.zeros(64)))[1:]

    count = jnp.int32(simulations)
    return {
        "ours": search(DROP_IN),
        "mctx": search("mctx"),
        "limit": lambda key: bare(network, state, key, count),
    }


def histories(name: str) -> Mapping[str, Contestant]:
    """The same search over histories with the kernels and without."""
    import os

    import equinox as eqx

    from deliberation.core.play import random_positions
    from deliberation.direct import HistorySearch
    from deliberation.direct.partial_observation import history_search
    from deliberation.direct.tree_search.limits import Limits

    task = make_task(name)
    search = HistorySearch(task)
    states = random_positions(task, 64, jax.random.key(0))
    limits = Limits(jnp.full(64, HISTORIES), jnp.full(64, 2**31 - 1))
    seed = jnp.arange(64, dtype=jnp.uint32)

    def program(backend: str) -> Contestant:
        run = eqx.filter_jit(
            lambda p, o, s, n, k: history_search.plan(p, o, s, n, k, HISTORIES)[0].action
        )
        # Read when the program is traced.
        os.environ["DELIBERATION_BACKEND"] = backend
        jax.block_until_ready(run(search, task.objective, states, limits, seed))
        del os.environ["DELIBERATION_BACKEND"]
        return lambda key: run(search, task.objective, states, limits, seed)

    return {"kernels": program("native"), "jax": program("jax")}


def _at_most(bound: float) -> Target:
    return Target(bound, least=False)


ROWS = {
    row.name: row
    for row in (
        Row(
            "decide", "`decide`, Connect Four, B 64, 64 simulations", decisions,
            (("decide", "limit", _at_most(1.6)), ("inside", "limit", _at_most(1.28))),
        ),
        Row(
            "inside_256", "Inside of `jit`, B 64, 256 simulations", lambda: inside(256),
            (("inside", "limit", _at_most(1.35)),),
        ),
        Row(
            "inside_800", "Inside of `jit`, B 64, 800 simulations", lambda: inside(800),
            (("inside", "limit", _at_most(1.4)),),
        ),
        Row(
            "uneven", f"One row at {LONG:,} simulations and 63 at {SHORT}", uneven,
            (("one row", "all rows", _at_most(0.3)),),
        ),
        *(
            Row(
                f"uct_{n}", f"UCT, random rollouts, one position, {n:,} simulations",
                lambda n=n, lanes=lanes: one_position(n, lanes),
                (("open_spiel", "lanes", Target(bound)), ("open_spiel", "sequential", Target(0))),
                one_core=True,
            )
            for n, lanes, bound in ((64, 16, 0.5), (400, 16, 1.5), (4000, 32, 4.0))
        ),
        Row(
            "one_simulation", "`decide`, B 1, 1 simulation", one_simulation,
            (("network", None, _at_most(1.0)), ("rollout", None, _at_most(1.0))),
        ),
        *(
            Row(
                f"pgx_{n}", f"mctx's interface, pgx's Connect Four, B 64, {n} simulations",
                lambda n=n: pgx_connect_four(n),
                (("mctx", "ours", Target(bound)), ("ours", "limit", Target(0))),
            )
            for n, bound in ((64, 2.5), (256, 8.0), (800, 16.0))
        ),
        *(
            Row(
                f"histories_{world}", f"`HistorySearch`, {told}, B 64, {HISTORIES:,} simulations",
                lambda world=world: histories(world),
                (("jax", "kernels", Target(2.0)),),
            )
            for world, told in (
                ("kuhn_poker", "Kuhn poker"), ("gridworld_hidden", "a hidden gridworld"),
            )
        ),
    )
}  # fmt: skip
"""Every row by its name, in the order in which they are measured and shown."""
