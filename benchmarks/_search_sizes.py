"""What a simulation costs by the size of the tree, how deep trees get, and what room costs."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
from _search_contestants import Setting, limit, ours, planner, theirs
from _search_rows import Row
from _search_timing import Contestant, Say, interleave, once, spread
from jaxtyping import Array, Bool

from deliberation.core.noise import Seed
from deliberation.core.objective import Objective
from deliberation.core.task import State, Task
from deliberation.direct import Evaluation, Evaluator, TreeSearch

SMALLEST = 64
PATIENCE = 12.0
"""Seconds that one call of the other library may be expected to take; larger trees are left out."""
FEW = 5
"""Rounds at most: a call of the largest trees takes seconds."""


class Plies(Evaluator):
    """Another evaluator that says by `model_steps` how many plies into the game its states are.

    So the depth of a tree is read from a ledger, without looking into the engine.
    """

    of: Evaluator
    has_prior: bool
    passes: int
    flops: float

    def __call__(
        self,
        task: Task,
        objective: Objective,
        state: State,
        live: Bool[Array, " batch"],
        seed: Seed,
    ) -> Evaluation:
        """The same judgement, at the price of the ply."""
        judged = self.of(task, objective, state, live, seed)
        return Evaluation(judged.logits, judged.value, state.ply)


def mean_depth(setting: Setting, size: int) -> float:
    """How many moves below its root a simulation's new state lies, on average."""
    plain = planner(setting, prove=False, capacity=size)
    judge = plain.evaluator
    telling = TreeSearch(
        setting.task,
        plain.rule,
        Plies(  # type: ignore[call-arg]
            of=judge, has_prior=judge.has_prior, passes=judge.passes, flops=judge.flops
        ),
        prove=False,
        capacity=size,
    )
    key, batch = jax.random.key(0), setting.row.batch
    # Both grow the same trees; the difference of their steps is the sum of plies.
    spent = [
        d.decide(setting.state, d.begin(batch), budget=size, key=key)[0].spent
        for d in (plain, telling)
    ]
    plies = np.asarray(spent[1].model_steps) - np.asarray(spent[0].model_steps)
    judged = np.asarray(spent[0].network_evaluations)
    root = np.asarray(setting.state.ply)
    return float(np.mean((plies - root) / np.maximum(judged - 1, 1) - root))


def by_size(row: Row, asked: dict[str, Any], say: Say) -> dict[str, Any]:
    """Microseconds a simulation of the batch (a row of it) for trees of ever more simulations."""
    sizes = [2**i for i in range(SMALLEST.bit_length() - 1, row.simulations.bit_length())]
    found: dict[str, dict[str, Any]] = {}
    depth, room, slowest = {}, {}, 0.0
    base = Setting.of(row)
    for size in sizes:
        setting = replace(base, row=replace(row, simulations=size))
        contestants = {"ours": ours(setting), "limit": limit(setting)}
        if slowest * 4 < PATIENCE:  # twice the simulations, each over twice the tree
            contestants["mctx"] = theirs(setting)
        seconds = interleave(
            contestants, min(FEW, asked["rounds"]), lambda x, n=size: say(f"size {n}: {x}")
        )
        if "mctx" in seconds:
            slowest = float(np.median(seconds["mctx"]))
        for name, taken in seconds.items():
            cost = [1e6 * s / size / row.batch for s in taken]
            found.setdefault(name, {})[str(size)] = spread(cost)
        depth[str(size)] = mean_depth(setting, size)
        say(f"room for {size}")
        room[str(size)] = spread(room_costs(base, size, min(FEW, asked["rounds"])))
    return {"microseconds_a_simulation": found, "mean_depth": depth, "room": room}


def room_costs(setting: Setting, capacity: int, rounds: int) -> list[float]:
    """Microseconds a simulation of a small search in a tree with room for more."""
    decider = planner(setting, prove=False, capacity=capacity)
    memory = decider.begin(setting.row.batch)
    call: Contestant = lambda key: decider.decide(  # noqa: E731
        setting.state, memory, budget=SMALLEST, key=key
    )[0]
    keys = [jax.random.key(i) for i in range(3)]
    once(call, keys[:1])
    return [1e6 * once(call, keys) / SMALLEST / setting.row.batch for _ in range(rounds)]
