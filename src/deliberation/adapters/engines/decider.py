"""A decider that asks an engine, whatever it speaks and plays."""

import dataclasses
import functools
import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ...core.answering import CheckedDecider, Question, answer
from ...core.budget import UNLIMITED, Budget
from ...core.decider import Decision, Memory, Told
from ...core.errors import EngineError, UnsuitableTaskError
from ...core.task import Task, is_concrete
from ..calls import ask_host, like
from .crew import Asked, Crew, Position, Protocol, Words

_LIKE = (like((), np.int32), like((), np.float32), like((), np.int32))
"""An action, a value, and how many positions were looked at."""


class EngineDecider(CheckedDecider):
    """A game engine on a task that it plays, made by `from_uci`, `from_gtp` or `from_gnubg`.

    Its processes end by `close`, at the end of a `with` block, with this object, or with Python;
    after `close` they start again when they are asked. In `jit` it is called on the host, once for
    a batch.
    """

    hears: ClassVar[frozenset[Told]] = frozenset(("budget",))
    crew: Crew = eqx.field(static=True)
    task: Task
    words: Words = eqx.field(static=True)
    budget: Budget

    def __repr__(self) -> str:
        return f"{self.crew.protocol.name}({self.crew!r}, {self.task!r}, {_told(self.budget)})"

    def close(self) -> None:
        """End the engine's processes and wait for them."""
        self.crew.close()

    def __enter__(self) -> "EngineDecider":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @property
    def keeps_time(self) -> bool:
        """As its protocol can."""
        return self.crew.protocol.timed

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Ask the engine about every row that is not over."""
        state, budget = question.state, question.budget
        assert budget is not None
        live = ~jax.vmap(self.task.terminated)(state)
        legal = jax.vmap(self.task.legal)(state)
        rows = live.shape[0]
        counts = budget.untimed(UNLIMITED) if self.keeps_time else budget
        effort = jnp.minimum(*counts.rows(rows))
        seeds = jax.random.key_data(question.keys)[:, -1]
        run = functools.partial(self._asked, budget.seconds)
        given = live, legal, effort, seeds, *self.words.facts(state)
        if is_concrete(given):
            action, value, nodes = map(jnp.asarray, run(*map(np.asarray, given)))
        else:
            action, value, nodes = jax.vmap(lambda *x: tuple(ask_host(run, _LIKE, *x)))(*given)
        weights = jax.nn.one_hot(action, legal.shape[1])
        decision = answer(live, action, weights, value, model_steps=nodes)
        steps = decision.spent.model_steps if self.crew.protocol.counted else None
        spent = dataclasses.replace(
            decision.spent, model_steps=steps, network_evaluations=None, flops=None
        )
        return dataclasses.replace(decision, spent=spent), question.memory

    def _asked(
        self, seconds: float | None, live: np.ndarray, legal: np.ndarray, effort: np.ndarray,
        seeds: np.ndarray, *facts: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        """Actions, values and counts for all rows, on the host."""
        rows = np.flatnonzero(live)
        share = None
        if seconds is not None:
            # Each process takes its rows one after the other.
            share = seconds / max(math.ceil(len(rows) / self.crew.workers), 1)
        asked = []
        for row in rows:
            position = self.words.position(
                np.flatnonzero(legal[row]).tolist(), *(fact[row] for fact in facts)
            )
            named = None if effort[row] >= UNLIMITED else int(effort[row])
            asked.append(Asked(position, named, share, int(seeds[row])))
        action = np.full(len(live), -1, np.int32)
        value, nodes = np.zeros(len(live), np.float32), np.zeros(len(live), np.int32)
        for row, question, reply in zip(rows, asked, self.crew.answers(asked), strict=True):
            action[row] = self._action(question.position, reply.move)
            value[row], nodes[row] = reply.value, min(reply.nodes, UNLIMITED)
        return action, value, nodes

    def _action(self, position: Position, move: str) -> int:
        found = position.moves.get(move)
        if found is None:
            raise EngineError(
                f"The engine {self.crew!r} answered {move!r}, which is no legal move in the "
                f"position {position.told}. Legal: {', '.join(position.moves)}."
            )
        return found


def _told(budget: Budget) -> str:
    given: dict[str, Any] = {
        name: getattr(budget, name) for name in ("simulations", "model_steps", "seconds")
    }
    return ", ".join(f"{name}={x}" for name, x in given.items() if x is not None)


def unplayable(engines: str, task: Task, instead: str) -> UnsuitableTaskError:
    """The refusal of a task that such engines do not play."""
    return UnsuitableTaskError(f"{engines}, and {task!r} is none: take {instead}.")


def started(
    task: Task, command: tuple[str, ...], protocol: Protocol, words: Words, budget: Budget | int,
    **limits: float | int,
) -> EngineDecider:  # fmt: skip
    """The decider, once its first process has been greeted.

    `limits` are those of `Crew`. Raises `ValueError` for times that are no times, and numbers of
    processes that are none.
    """
    for name in ("timeout", "start_timeout"):
        if not 0 < limits[name] < math.inf:
            raise ValueError(f"{name} is {limits[name]!r}: give a positive number of seconds.")
    workers = limits.pop("workers")
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers is {workers!r}: give a number of processes, at least 1.")
    asked, crew = Budget.of(budget), Crew(command, protocol, workers=workers, **limits)
    crew.open()
    return EngineDecider(crew=crew, task=task, words=words, budget=asked)
