"""Inference as a task: answer with the parameters of a posterior that is known exactly.

Factor analysis with a noise that varies and is seen: z ~ N(0, I), x | z ~ N(W z, s^2 I). The
posterior is Gaussian (Bishop 2006, equations 2.113 to 2.117); the answer is a Gaussian without
correlations, as of a variational autoencoder (Kingma and Welling 2014), and its cost the divergence
KL(q || p(z | x)), which is the evidence minus the ELBO.
"""

import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ..bases import check_seed, check_sizes
from .problem import LARGEST, InferenceProblem

TASKS = {
    "gaussian_inference": {
        "summary": "Infer what is hidden, as a Gaussian; options latents, observed, seed",
        "factory": "GaussianInference",
        "continuous": True,
        "options": {"latents": 2, "observed": 4, "seed": 0},
    },
}

NOISE = (0.3, 1.5)
"""The noise's standard deviation is drawn between these, evenly in logarithm."""


class GaussianInference(InferenceProblem):
    """The answer has two rows: the mean, and twice the logarithm of the standard deviation.

    The context is x followed by the logarithm of the noise's standard deviation s. W is drawn once
    from `seed`. As q has no correlations, even the best answer is at some distance.
    """

    latents: int = eqx.field(static=True, default=2)
    observed: int = eqx.field(static=True, default=4)
    seed: int = eqx.field(static=True, default=0)

    def __check_init__(self) -> None:
        if min(self.latents, self.observed) < 1:
            raise ValueError(
                "Inference needs at least 1 latent and 1 observed number; got "
                f"latents={self.latents}, observed={self.observed}."
            )
        check_sizes("Inference", LARGEST, latents=self.latents, observed=self.observed)
        check_seed("Inference", self.seed)

    def __repr__(self) -> str:
        return f"GaussianInference({self.latents} from {self.observed}, seed={self.seed})"

    @property
    def box(self) -> tuple[tuple[int, ...], float, float]:
        """Means from -6 to 6, standard deviations from exp(-3) to exp(3)."""
        return (2, self.latents), -6.0, 6.0

    @property
    def costs(self) -> tuple[float, float]:
        """A divergence is not negative."""
        return (0.0, math.inf)

    @property
    def weights(self) -> Float[np.ndarray, "observed latents"]:
        """W."""
        return _weights(self.observed, self.latents, self.seed)

    def draw_joint(
        self, key: Key[Array, ""]
    ) -> tuple[Float[Array, " latents"], Float[Array, " context"]]:
        """What is hidden, and what is seen of it."""
        hide, jitter, scale = jax.random.split(key, 3)
        low, high = np.log(NOISE)
        log_noise = jax.random.uniform(scale, minval=low, maxval=high)
        latent = jax.random.normal(hide, (self.latents,))
        noise = jnp.exp(log_noise) * jax.random.normal(jitter, (self.observed,))
        return latent, jnp.append(jnp.asarray(self.weights) @ latent + noise, log_noise)

    def log_joint(
        self, context: Float[Array, " context"], latent: Float[Array, " latents"]
    ) -> Float[Array, ""]:
        """log p(x | z) + log p(z)."""
        x, log_noise = context[:-1], context[-1]
        error = (x - jnp.asarray(self.weights) @ latent) * jnp.exp(-log_noise)
        return _log_normal(error) - self.observed * log_noise + _log_normal(latent)

    def log_density(
        self, answer: Float[Array, "2 latents"], latent: Float[Array, " latents"]
    ) -> Float[Array, ""]:
        """That of a Gaussian without correlations."""
        mean, log_deviation = answer[0], answer[1] / 2
        return _log_normal((latent - mean) * jnp.exp(-log_deviation)) - jnp.sum(log_deviation)

    def sample(self, answer: Float[Array, "2 latents"], key: Key[Array, ""]) -> Float[Array, "..."]:
        """The mean plus noise times the standard deviation."""
        return answer[0] + jnp.exp(answer[1] / 2) * jax.random.normal(key, (self.latents,))

    def posterior(
        self, context: Float[Array, " context"]
    ) -> tuple[Float[Array, " latents"], Float[Array, "latents latents"]]:
        """The exact posterior: its mean, and its precision (the inverse of its covariance)."""
        weights, scale = jnp.asarray(self.weights), jnp.exp(-2 * context[-1])
        precision = jnp.eye(self.latents) + scale * weights.T @ weights
        return jnp.linalg.solve(precision, scale * weights.T @ context[:-1]), precision

    def cost(
        self, context: Float[Array, " context"], answer: Float[Array, "2 latents"]
    ) -> Float[Array, ""]:
        """KL(q || posterior) in nats."""
        mean, precision = self.posterior(context)
        away, log_variance = answer[0] - mean, answer[1]
        spread = jnp.diagonal(precision) @ jnp.exp(log_variance)
        volume = jnp.linalg.slogdet(precision)[1] + jnp.sum(log_variance)
        return (spread + away @ precision @ away - self.latents - volume) / 2

    def solution(self, context: Float[Array, " context"]) -> Float[Array, "2 latents"]:
        """The posterior's mean, and one over the diagonal of its precision as variances."""
        mean, precision = self.posterior(context)
        return jnp.clip(jnp.stack([mean, -jnp.log(jnp.diagonal(precision))]), -6.0, 6.0)


def _log_normal(x: Float[Array, " n"]) -> Float[Array, ""]:
    return -jnp.sum(jnp.square(x)) / 2 - x.size * math.log(2 * math.pi) / 2


@functools.cache
def _weights(observed: int, latents: int, seed: int) -> Float[np.ndarray, "observed latents"]:
    return np.random.default_rng(seed).normal(size=(observed, latents)).astype(np.float32)
