"""Objective-based amortisation: a network learns to answer by the objective's own gradient.

No solver is needed: the loss is the mean cost of the network's answers, differentiated through the
objective (Amos 2022, section 2.2.2). The objective is only there in training; what is left of it
afterwards is the function.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key

from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import Task
from ...tasks.one_step.problem import check_one_step, one_step_return
from ..networks.feed_forward import Network
from ..policies.answer import AnswerPolicy, check_answers, to_action
from ..training.fitting import Metrics, fit_loss
from ..training.trained import Trained, training_identity
from ..training.updates import Watch
from .regression import pass_costs


def fit_objective(
    task: Task,
    network: Network,
    *,
    steps: int,
    key: Key[Array, ""],
    objective: Objective | None = None,
    batch_size: int = 256,
    learning_rate: float = 2e-3,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Train a network to answer a task's problems well, on contexts drawn anew at each step.

    The value learns what the answers earn. A step counts, for each context, one datum, one model
    step and three forward passes. Raises `UnsuitableTaskError`, `TrainingDivergedError`.
    """
    check_one_step(task, "Objective-based amortisation")
    check_answers(task, network)
    wanted, traits = objective or task.objective, task.traits

    def loss(network: Network, key: Key[Array, ""]) -> tuple[Float[Array, ""], Metrics]:
        states = jax.vmap(task.init)(jax.random.split(key, batch_size))
        raw, value = network.batched(jax.vmap(task.observe)(states))
        answers = jax.vmap(lambda r: to_action(traits, r))(raw)
        earned = jax.vmap(lambda s, a: one_step_return(task, wanted, s, a))(states, answers)
        judged = jnp.mean(optax.huber_loss(value, jax.lax.stop_gradient(earned)))
        return 0.1 * judged - jnp.mean(earned), {"return": jnp.mean(earned), "value": judged}

    identity = training_identity(
        "objective_based", key, task=task, network=network.config,
        objective=wanted, batch_size=batch_size,
    )  # fmt: skip
    each = pass_costs(network, batch_size) + Ledger(model_steps=batch_size, data=batch_size)
    return fit_loss(
        loss, network, steps=steps, key=key, learning_rate=learning_rate, each=each,
        folder=folder, identity=identity, watch=watch,
        decider=lambda network: AnswerPolicy(task, network),
    )  # fmt: skip
