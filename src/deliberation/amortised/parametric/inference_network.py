"""An inference network: what is seen in, the parameters of a posterior out, by one forward pass.

Amortised variational inference (Kingma and Welling 2014; Gershman and Goodman 2014). "elbo" climbs
the evidence lower bound with reparametrised samples, that is, lowers KL(q || p); "forward" learns
from samples of the joint distribution alone by the density of q at what was hidden, that is, lowers
KL(p || q) (the sleep phase of Hinton et al. 1995; neural posterior estimation). Neither sees the
exact posterior.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ...core.errors import UnsuitableTaskError
from ...core.ledger import Ledger
from ...core.task import Task
from ...tasks.one_step.problem import InferenceProblem
from ..networks.feed_forward import Network
from ..policies.answer import AnswerPolicy, check_answers, to_action
from ..training.fitting import Metrics, fit_loss
from ..training.trained import Trained, training_identity
from ..training.updates import Watch
from .regression import pass_costs

DIRECTIONS = ("elbo", "forward")


def fit_inference(
    task: Task,
    network: Network,
    *,
    steps: int,
    key: Key[Array, ""],
    direction: str = "elbo",
    samples: int = 1,
    batch_size: int = 256,
    learning_rate: float = 2e-3,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Train a network to infer, on data drawn anew from the model at each step.

    `samples` of q estimate the bound ("elbo" only). The network's value is not trained, as the
    divergence from the posterior cannot be known without it: build it with
    `answer_network(..., scored=False)`. A step counts a datum and three forward passes for each
    row, and an evaluation of the joint density for each sample as a model step. Raises
    `UnsuitableTaskError` and `TrainingDivergedError`.
    """
    if not isinstance(task, InferenceProblem):
        raise UnsuitableTaskError(
            f"{task!r} does not say how what is seen comes from what is hidden: an inference "
            "network needs a task with a joint density (`tasks.one_step.InferenceProblem`)."
        )
    if direction not in DIRECTIONS or samples < 1:
        raise ValueError(
            f"The direction is {' or '.join(DIRECTIONS)}, with at least 1 sample; got "
            f"{direction!r} and {samples}."
        )
    check_answers(task, network)
    bound = _elbo if direction == "elbo" else _forward

    def loss(network: Network, key: Key[Array, ""]) -> tuple[Float[Array, ""], Metrics]:
        draw, noise = jax.random.split(key)
        latents, contexts = jax.vmap(task.draw_joint)(jax.random.split(draw, batch_size))
        raw, _ = network.batched(contexts)
        keys = jax.random.split(noise, (batch_size, samples))
        answers = jax.vmap(lambda r: to_action(task.traits, r))(raw)
        gained = jax.vmap(lambda *x: bound(task, *x))(answers, contexts, latents, keys)
        reached = jnp.mean(gained)
        return -reached, {direction: reached}

    identity = training_identity(
        "inference_network", key, task=task, network=network.config,
        direction=direction, samples=samples, batch_size=batch_size,
    )  # fmt: skip
    judged = samples * batch_size if direction == "elbo" else 0
    each = pass_costs(network, batch_size) + Ledger(model_steps=judged, data=batch_size)
    return fit_loss(
        loss, network, steps=steps, key=key, learning_rate=learning_rate, each=each,
        folder=folder, identity=identity, watch=watch,
        decider=lambda network: AnswerPolicy(task, network),
    )  # fmt: skip


def _elbo(
    task: InferenceProblem,
    answer: Float[Array, "..."],
    context: Float[Array, " context"],
    latent: Float[Array, " latents"],
    keys: Key[Array, " samples"],
) -> Float[Array, ""]:
    """log p(x, z) - log q(z), averaged over samples z from q."""
    del latent

    def one(key: Key[Array, ""]) -> Float[Array, ""]:
        z = task.sample(answer, key)
        # The density's own parameters are held fixed: their gradient is noise with mean zero
        # (Roeder, Wu and Duvenaud 2017), and vanishes with it at the exact posterior.
        held = jax.lax.stop_gradient(answer)
        return task.log_joint(context, z) - task.log_density(held, z)

    return jnp.mean(jax.vmap(one)(keys))


def _forward(
    task: InferenceProblem,
    answer: Float[Array, "..."],
    context: Float[Array, " context"],
    latent: Float[Array, " latents"],
    keys: Key[Array, " samples"],
) -> Float[Array, ""]:
    """log q at what was hidden."""
    del context, keys
    return task.log_density(answer, latent)
