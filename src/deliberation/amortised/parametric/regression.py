"""Regression of solutions: any solver's continuous answers are collected and fitted.

Amortisation by regression (Amos 2022, section 2.2.1): the loss is the squared distance to what the
solver answered, so nothing about the objective is seen, and where a problem has several solutions
the fit is between them. The same distils a planner of continuous actions.
"""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from ...core.budget import Budget
from ...core.decider import Decider, row_keys
from ...core.errors import BatchMismatchError, NonFiniteError, UnsuitableTaskError
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.play import masked_total
from ...core.task import State, Task, batch_size
from ..networks.feed_forward import Network, flops
from ..policies.answer import AnswerPolicy, check_answers, cut_off, from_action
from ..training.fitting import Metrics, fit_loss
from ..training.trained import Trained, training_identity
from ..training.updates import Watch


class Answers(eqx.Module):
    """Observations with the continuous answers and values given there."""

    observations: Float[Array, "n ..."]
    answers: Float[Array, "n ..."]
    value: Float[Array, " n"]

    def __check_init__(self) -> None:
        if len({len(x) for x in (self.observations, self.answers, self.value)}) != 1:
            raise BatchMismatchError(
                "Answers need one common leading axis; got "
                f"{[x.shape for x in (self.observations, self.answers, self.value)]}."
            )

    def __len__(self) -> int:
        return self.value.shape[0]

    def __repr__(self) -> str:
        shapes = f"observations {self.observations.shape[1:]}, answers {self.answers.shape[1:]}"
        return f"Answers({len(self)} rows, {shapes})"


def collect_answers(
    teacher: Decider,
    state: State,
    *,
    key: Key[Array, "*batch"],
    objective: Objective | None = None,
    budget: Budget | int | None = None,
    batch: int = 1024,
) -> tuple[Answers, Ledger]:
    """Ask a teacher of continuous actions about a batch of states, and count what it spent.

    Finished states are left out. The teacher is asked `batch` states at a time, each with its own
    key and a fresh memory, so answers do not depend on `batch`. The ledger counts no data:
    `fit_answers` counts the examples that it is the first to see.
    """
    task, n = teacher.task, batch_size(state)
    if task.traits.discrete:
        raise UnsuitableTaskError(
            f"{task!r} has numbered actions: collect a teacher's weights with `collect`."
        )
    keys = row_keys(key, n)
    live = np.flatnonzero(~np.asarray(jax.vmap(task.terminated)(state)))
    if len(live) == 0:
        raise UnsuitableTaskError(
            "Every state is finished, so there is nothing to ask the teacher about."
        )
    limits = None if budget is None else Budget.of(budget)
    rows_of = None if limits is None else limits.rows(n)
    batch, parts, spent = min(batch, len(live)), [], Ledger()
    for start in range(0, len(live), batch):
        # The last batch is filled up with a copy, so that the teacher is compiled for one size.
        rows = np.resize(live[start : start + batch], batch)
        real = np.arange(batch) < len(live) - start
        asked = jax.tree.map(lambda x: x[rows], state)  # noqa: B023
        dial = None if rows_of is None else Budget(rows_of[0][rows], rows_of[1][rows])
        decision, _ = teacher.decide(
            asked, teacher.begin(batch), objective=objective, budget=dial, key=keys[rows]
        )
        spent = spent + masked_total(decision.spent, real)
        seen = jax.vmap(task.observe)(asked)
        parts.append([np.asarray(x)[real] for x in (seen, decision.action, decision.value)])
    columns = [jnp.asarray(np.concatenate(c), jnp.float32) for c in zip(*parts, strict=True)]
    return Answers(*columns), spent


def fit_answers(
    task: Task,
    network: Network,
    answers: Answers,
    *,
    steps: int,
    key: Key[Array, ""],
    batch_size: int = 256,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.0,
    new: int | None = None,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Fit a network to a solver's answers (mean squared error) and values (Huber's loss).

    `new` is how many rows no fit has seen before (all unless given), counted as data; a step counts
    three forward passes a sample as FLOPs. Raises `NonFiniteError` for answers that are NaN or
    infinite, `UnsuitableTaskError`, `TrainingDivergedError`.
    """
    check_answers(task, network)
    _check(task, answers, batch_size)
    traits, rows = task.traits, len(answers)

    def loss(network: Network, key: Key[Array, ""]) -> tuple[Float[Array, ""], Metrics]:
        pick = jax.random.randint(key, (batch_size,), 0, rows)
        raw, value = network.batched(answers.observations[pick])
        wanted = jax.vmap(lambda a: from_action(traits, a))(answers.answers[pick])
        error = jnp.mean(jnp.sum(jnp.square(cut_off(raw, -1.0, 1.0) - wanted), axis=1))
        judged = jnp.mean(optax.huber_loss(value, answers.value[pick]))
        return error + 0.1 * judged, {"answer": error, "value": judged}

    identity = training_identity(
        "regression", key, task=task, network=network.config,
        batch_size=batch_size, rows=rows,
    )  # fmt: skip
    fitted = fit_loss(
        loss, network, steps=steps, key=key, learning_rate=learning_rate,
        weight_decay=weight_decay, each=pass_costs(network, batch_size), folder=folder,
        identity=identity, watch=watch, decider=lambda network: AnswerPolicy(task, network),
    )  # fmt: skip
    data = Ledger(data=rows if new is None else new)
    return eqx.tree_at(lambda f: f.ledger, fitted, fitted.ledger + data)


def pass_costs(network: Network, batch_size: int) -> Ledger:
    """What one gradient step on so many samples costs in forward passes: three a sample."""
    return Ledger(network_evaluations=batch_size, flops=3 * flops(network) * batch_size)


def _check(task: Task, answers: Answers, batch_size: int) -> None:
    if answers.answers.shape[1:] != task.traits.shape:
        raise BatchMismatchError(
            f"The answers have shape {answers.answers.shape[1:]}, and actions of {task!r} have "
            f"{task.traits.shape}: were they collected on another task?"
        )
    if len(answers) == 0 or batch_size < 1:
        raise ValueError(f"Give at least one answer and a batch_size of at least 1; {batch_size=}.")
    for name in ("observations", "answers", "value"):
        if not bool(jnp.isfinite(getattr(answers, name)).all()):
            raise NonFiniteError(f"The {name} to be fitted hold NaN or infinity: check the solver.")
