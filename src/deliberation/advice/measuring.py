"""What a cell does: make a family of deciders, time their decisions, and play episodes with them.

A cell keeps to its seconds, compiling left out: budgets go up until the next one would not fit into
what is left, or lies beyond the latency that is allowed; what was left out is told with the reason.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from ..core.clock import now
from ..core.decider import Decider
from ..core.errors import TooLargeError, UnsuitableTaskError
from ..core.keys import named_key
from ..core.play import rollout
from ..core.task import State, Task
from ..runs import Context, Outcome
from ..runs.worker import load
from ..tasks import make_task
from .dials import Dial, Making
from .probing import opponent, walk

MAKING = 0.6
"""The part of a cell's time that training may take."""
FIRST_SECONDS = 20.0
"""The first budget of a cell may take so long to play even where a cell has less."""
CALLS, LEAST_CALLS = 40, 3
"""Single decisions that are timed."""
TIMING = 0.1
"""The part of a cell's time that timing one budget may take."""
BEYOND = 4.0
"""A budget may lie so many times beyond the latency, to see what a looser limit would buy."""


def measure(settings: dict[str, Any], context: Context) -> Outcome:
    """One family on one task, in one training.

    Outcomes: `options`, one a decider and budget, each with its `scores` (returns by episode),
    `seconds` of single decisions, `preparation`, and the Python that makes it; `left` is what was
    not measured, by name, and why. Or `refused`: why the family cannot treat the task.
    """
    task, world = make_task(settings["task"]), context.outcomes(settings["probe"])
    until = now() + settings["seconds"]
    making = Making(
        task, MAKING * settings["seconds"], settings["most"], world, context.folder / "policies",
        settings["training"], jax.random.key(settings["training"]), settings["largest"],
    )  # fmt: skip
    bench = _Bench(task, world, settings, until, context)
    try:
        for dial in load(settings["made"])(making):
            bench.measure(dial)
    except (UnsuitableTaskError, TooLargeError) as error:
        return Outcome({"refused": str(error), "options": [], "left": {}})
    return Outcome({"options": bench.options, "left": bench.left})


class _Bench:
    """Times and plays what it is given, until its time is over."""

    def __init__(
        self, task: Task, world: dict[str, Any], settings: dict[str, Any], until: float,
        context: Context,
    ):  # fmt: skip
        self.task, self.world, self.settings, self.until = task, world, settings, until
        self.context = context
        self.options: list[dict[str, Any]] = []
        self.left: dict[str, str] = {}
        self.length = float(world["length"])
        states, _ = walk(
            task, world["lanes"], jax.random.key(11), steps=min(8, task.traits.horizon)
        )
        self.rows = list(_rows(states))
        self.other = opponent(task, world["opponent"])

    def measure(self, dial: Dial) -> None:
        """Every budget of a decider, cheapest first, as far as time and latency go."""
        before: float | None = None
        for place, budget in enumerate(dial.budgets or (None,)):
            name = dial.name if budget is None else f"{dial.name} {budget}"
            if before is not None and budget is not None:
                expected = before * budget / dial.budgets[place - 1]
                if reason := self._too_much(expected):
                    self.left[name] = reason
                    return
            timed = self._timed(dial.decider, budget)
            before = float(np.median(timed))
            if reason := self._too_long(before, place > 0 or bool(self.options)):
                self.left[name] = reason
                return
            scores = self._played(dial.decider, budget, before)
            self.options.append(self._told(dial, name, budget, timed, scores))
            self.context.tell(1 - max(self.until - now(), 0) / self.settings["seconds"])

    def _told(
        self, dial: Dial, name: str, budget: int | None, timed: list[float], scores: list[float]
    ) -> dict[str, Any]:
        policy = None if dial.policy is None else f"policies/{dial.policy.name}"
        return {
            "name": name, "kind": dial.kind, "title": dial.title, "budget": budget,
            "scores": scores, "seconds": timed, "preparation": dial.preparation,
            "imports": dial.imports, "recipe": dial.recipe, "policy": policy, "note": dial.note,
        }  # fmt: skip

    def _too_much(self, expected: float) -> str:
        """Why a budget is not worth measuring, from how long its decisions would take."""
        latency = self.settings["latency"]
        if latency is not None and expected > BEYOND * latency:
            return "far beyond the latency that is allowed"
        return self._too_long(expected, True)

    def _too_long(self, seconds: float, some: bool) -> str:
        """Why episodes of such decisions are not played; the first of all are, if they can be."""
        # Decisions side by side take less time each, by how much nobody knows yet.
        whole = seconds * self.length * (1 + (self.world["lanes"] - 1) / 8)
        left = self.until - now()
        if whole > (left if some else max(4 * self.settings["seconds"], FIRST_SECONDS)):
            return "no time was left to play it: give more by --time"
        return ""

    def _timed(self, decider: Decider, budget: int | None) -> list[float]:
        """Seconds of single decisions, in states of play, after one that compiles."""
        most = TIMING * self.settings["seconds"]
        found: list[float] = []
        begun = now()
        for number in range(CALLS + 1):
            state = self.rows[number % len(self.rows)]
            key = jax.random.fold_in(jax.random.key(13), number)
            memory = decider.begin(1)
            started = now()
            jax.block_until_ready(decider.decide(state, memory, budget=budget, key=key))
            found.append(now() - started)
            if len(found) > LEAST_CALLS and now() - begun > most:
                break
        return found[1:]

    def _played(self, decider: Decider, budget: int | None, seconds: float) -> list[float]:
        """Returns of episodes, as many as half of the time that is left allows."""
        until = now() + 0.5 * max(self.until - now(), 0)
        scores: list[float] = []
        while len(scores) < self.settings["episodes"]:
            started = now()
            scores += self._chunk(decider, budget, len(scores) // self.world["lanes"])
            if now() + (now() - started) > until:
                break
        return scores

    def _chunk(self, decider: Decider, budget: int | None, number: int) -> list[float]:
        """One batch of episodes; where more play, on each seat in turn against the opponent."""
        players, lanes = self.task.traits.players, self.world["lanes"]
        key = named_key(jax.random.key(17), f"episodes {number}")
        seats: list[Decider] = [self.other] * players
        budgets: list[int | None] = [None] * players
        seat = number % players
        seats[seat], budgets[seat] = decider, budget
        played = rollout(self.task, seats, key=key, batch=lanes, budget=budgets)
        self.length = max(float(played.lengths.mean()), 1.0)
        returns = played.returns[:, seat].astype(float)
        if not np.isfinite(returns).all():
            raise UnsuitableTaskError(
                f"Episodes of {self.task!r} earned NaN or infinity: the objective has to give "
                "finite rewards before any decider can be advised."
            )
        return returns.tolist()


def _rows(states: Sequence[State]) -> Iterator[State]:
    """Single states, a step after the other, from as many lanes."""
    lanes = len(jax.tree.leaves(states[0])[0])
    for lane in range(math.ceil(CALLS / len(states))):
        for state in states:
            yield jax.tree.map(lambda x: x[lane % lanes][None], state)  # noqa: B023
