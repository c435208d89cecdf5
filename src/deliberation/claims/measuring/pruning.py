"""Alpha-beta with and without pruning by learned values, as their error is dialled up."""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Array, Bool, Float, Int

from ...amortised import load_network
from ...core.noise import Seed, mix, uniform
from ...core.objective import Objective
from ...core.task import State, Task
from ...core.witness.noting import note_exam
from ...direct import AlphaBeta, Evaluation, Evaluator
from ...hybrid import NetworkGuide
from ...runs import Cell, Column, Context, Outcome
from ...tasks import make_task
from . import cells, students
from .effort import Effort
from .exams import read_positions

MARGIN, WIDE = 0.25, 0.5
"""Children worse than their best sibling by more than this are pruned: a quarter of what parts a
draw from a win, and twice that beside it."""
NOISE = 1.0
"""Standard deviation of what is added to values that are to be wrong: a draw seems won or lost."""
AHEAD, PLENTY = 4, 1_000_000
"""Plies that are searched, and expansions: none ends for want of them."""


class Noisy(Evaluator):
    """A judge's values with noise of a standard deviation, the same whenever a state is met.

    Values stay within the objective's bounds. The deviation is data.
    """

    plays_on: ClassVar[bool] = False
    judge: NetworkGuide
    deviation: Float[Array, ""]
    has_prior: bool = True

    @property
    def passes(self) -> int:  # type: ignore[override]
        """Those of the judge."""
        return self.judge.passes

    @property
    def flops(self) -> float:  # type: ignore[override]
        """Those of the judge."""
        return self.judge.flops

    def __call__(
        self,
        task: Task,
        objective: Objective,
        state: State,
        live: Bool[Array, " batch"],
        seed: Seed,
    ) -> Evaluation:
        """The judge's answer, its value moved."""
        found = self.judge(task, objective, state, live, seed)
        moved = found.value + self.deviation * jax.vmap(lambda s: draw(task, s))(state)
        low, high = objective.bounds
        return Evaluation(found.logits, jnp.clip(moved, low, high), found.model_steps)


def noisy(judge: NetworkGuide, deviation: float) -> Noisy:
    """A judge whose values have noise of a standard deviation."""
    return Noisy(judge, jnp.float32(deviation))  # type: ignore[call-arg]  # properties here


def draw(task: Task, state: State) -> Float[Array, ""]:
    """A draw from the standard normal distribution that is the state's own."""
    drawn = jnp.uint32(31)
    for word in jnp.ravel(task.fingerprint(state)):
        drawn = mix(drawn, word)
    return ndtri(jnp.clip(uniform(drawn), 1e-6, 1 - 1e-6))


class Case(NamedTuple):
    """One way of pruning: by values with noise of a standard deviation, beyond a margin."""

    noise: float
    margin: float


def cases(task: str, e: Effort, count: int) -> list[Case]:
    """How networks fitted to `count` examples prune; those of the most data in other ways, too."""
    own = Case(0.0, MARGIN)
    if count < students.most(task, e):
        return [own]
    return [own, Case(0.0, WIDE), Case(NOISE, MARGIN)]


def pruned(task: str, e: Effort, count: int) -> Cell:
    """Search pruned by the values of networks fitted to `count` examples."""
    on, policies = cells.positions(task, e), students.taught(task, e, count)
    settings = {
        "task": task,
        "positions": on.id,
        "policies": [policy.id for policy in policies],
        "cases": [list(case) for case in cases(task, e, count)],
    }
    needs = (on.id, *settings["policies"])
    label = f"{task} pruned by values of {count} examples"
    rough = 6.0 + len(policies) * len(settings["cases"])
    return cells.cell(f"{__name__}:prune", settings, needs, rough, label)


def prune(settings: dict[str, Any], context: Context) -> Outcome:
    """What pruning saves and loses on every position, for each policy's value in each case.

    Columns, each [policies x cases, positions], cases innermost: the `way` of the search that
    prunes and of the same one that does not (`full`), the rules' steps that each took (`steps`,
    `full_steps`), and how far the judge's value of the position is from the exact one (`error`).
    """
    task = make_task(settings["task"])
    states, values = read_positions(context.artefact(settings["positions"]), task)
    exam = context.outcomes(settings["positions"])
    found: dict[str, list[np.ndarray]] = {name: [] for name in UNITS}
    for policy in settings["policies"]:
        _, network, _ = load_network(context.artefact(policy), task=task)
        whole: dict[float, _Decided] = {}
        for noise, margin in settings["cases"]:
            judge = noisy(NetworkGuide.of(task, network), noise)
            if noise not in whole:
                whole[noise] = _decide(task, judge, np.inf, states, values)
            full, few = whole[noise], _decide(task, judge, margin, states, values)
            off = np.abs(np.asarray(_values(task, judge, states)) - np.nanmax(values, 1))
            ways = (1 - each.regret / exam["stake"] for each in (few, full))
            row = (*ways, few.steps, full.steps, off)
            for name, column in zip(UNITS, row, strict=True):
                found[name].append(column)
    columns = {
        name: Column(np.array(rows, np.float32), ("value", "position"), UNITS[name])
        for name, rows in found.items()
    }
    return Outcome({"low": exam["low"]}, columns=columns)


UNITS = {
    "way": "of the way",
    "full": "of the way",
    "steps": "steps a decision",
    "full_steps": "steps a decision",
    "error": "return",
}
"""What columns are in."""


class _Decided(NamedTuple):
    """What each choice falls short of the best, and the rules' steps behind it."""

    regret: Float[np.ndarray, " n"]
    steps: Int[np.ndarray, " n"]


def _decide(
    task: Task,
    judge: Noisy,
    margin: float,
    states: State,
    values: Float[np.ndarray, "n actions"],
) -> _Decided:
    """All positions side by side: one size is compiled for every policy, noise and margin."""
    n = len(values)
    decider = AlphaBeta(task, judge, budget=PLENTY, depth=AHEAD, margin=jnp.float32(margin))
    decision, _ = decider.decide(states, key=jax.random.split(jax.random.key(37), n))
    action = np.asarray(decision.action)
    note_exam(states, action, values, "pruned" if np.isfinite(margin) else "not pruned")
    chosen = values[np.arange(n), action]
    return _Decided(np.nanmax(values, 1) - chosen, np.asarray(decision.spent.model_steps))


@eqx.filter_jit
def _values(task: Task, judge: Noisy, states: State) -> Float[Array, " n"]:
    """What the judge thinks that states are worth to the player to move."""
    legal = jax.vmap(task.legal)(states)
    seed = jnp.zeros(legal.shape[0], jnp.uint32)
    return judge(task, task.objective, states, legal.any(1), seed).value
