"""Labelling as a task: say which class an input is of, where the Bayes rule is known exactly.

Inputs are drawn from a mixture of Gaussians of equal width, so that the probability of each class
given the input has a closed form (Bishop 2006, section 4.2). What each label is worth in each class
is the objective; the best label is that of the highest expected utility (Berger 1985, section 1.3).
"""

import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...core.task import Traits
from ..bases import SoloObjective, check_seed, check_sizes
from .problem import LARGEST, Posed, PosedTask

TASKS = {
    "labelling": {
        "summary": "Say which class an input is of; options classes, features, spread, seed",
        "factory": "Labelling",
        "options": {"classes": 6, "features": 4, "spread": 1.5, "seed": 0},
    },
}


class Utility(SoloObjective):
    """What each label is worth in each class: the reward is the expectation given the input.

    `worth[label, class]` is array data: handing over another compiles nothing anew.
    """

    task: "Labelling"
    worth: Float[Array, "labels classes"]
    limits: tuple[float, float] = eqx.field(static=True, default=(-math.inf, math.inf))

    def reward(self, state: Posed, action: Int[Array, ""], after: Posed) -> Float[Array, ""]:
        """The expected utility of a label."""
        return self.expected(state)[action]

    def expected(self, state: Posed) -> Float[Array, " labels"]:
        """The expected utility of every label given the input."""
        return self.worth @ self.task.posterior(state.context)

    @property
    def bounds(self) -> tuple[float, float]:
        """Those given with the utilities."""
        return self.limits

    def optimum(self, state: Posed) -> Float[Array, ""]:
        """That of the best label."""
        return jnp.where(state.answered, 0.0, self.expected(state).max())


class Labelling(PosedTask):
    """The state is an input; the one action is the label given to it, which ends the episode.

    Classes are equally probable; the input is its class's mean plus standard normal noise. The
    means are drawn once from `seed`, each number with the standard deviation `spread`. Right labels
    are worth 1 and wrong ones 0 in the usual objective.
    """

    classes: int = eqx.field(static=True, default=6)
    features: int = eqx.field(static=True, default=4)
    spread: float = eqx.field(static=True, default=1.5)
    seed: int = eqx.field(static=True, default=0)

    def __check_init__(self) -> None:
        check_seed("Labelling", self.seed)
        check_sizes("Labelling", LARGEST, classes=self.classes, features=self.features)
        fits = self.classes >= 2 and self.features >= 1 and 0 < self.spread <= 100
        if not fits:
            raise ValueError(
                "Labelling needs at least 2 classes, 1 feature and a spread above 0 (at most 100); "
                f"got classes={self.classes}, features={self.features}, spread={self.spread}."
            )

    def __repr__(self) -> str:
        return f"Labelling({self.classes} classes, {self.features} features, seed={self.seed})"

    @property
    def objective(self) -> Utility:
        """The right label is worth 1."""
        return self.valued(np.eye(self.classes, dtype=np.float32))

    def valued(self, worth: Float[np.ndarray, "labels classes"]) -> Utility:
        """The objective under which a label is worth so much in each class."""
        ends = (min(0.0, float(worth.min())), max(0.0, float(worth.max())))
        return Utility(self, jnp.asarray(worth), ends)

    @property
    def means(self) -> Float[np.ndarray, "classes features"]:
        """Where the inputs of each class lie."""
        return _means(self.classes, self.features, self.spread, self.seed)

    def posterior(self, context: Float[Array, " features"]) -> Float[Array, " classes"]:
        """The probability of each class given the input."""
        return jax.nn.softmax(-jnp.square(context - jnp.asarray(self.means)).sum(1) / 2)

    @property
    def traits(self) -> Traits:
        """One player, one answer, no chance after the input is drawn."""
        return Traits(players=1, actions=self.classes, horizon=1)

    @property
    def action_names(self) -> tuple[str, ...]:
        """A label for each class."""
        return tuple(f"class-{number}" for number in range(1, self.classes + 1))

    def table_seen(self, state: Posed) -> tuple[tuple[str, str], ...]:
        """The features of the input."""
        features = np.asarray(state.context).tolist()
        return tuple((f"feature {i}", f"{x:+.3f}") for i, x in enumerate(features, 1))

    def init(self, key: Key[Array, ""]) -> Posed:
        """An input of a class drawn evenly, not yet labelled."""
        which, noise = jax.random.split(key)
        mean = jnp.asarray(self.means)[jax.random.randint(which, (), 0, self.classes)]
        return Posed(mean + jax.random.normal(noise, mean.shape), jnp.bool_(False))


@functools.cache
def _means(
    classes: int, features: int, spread: float, seed: int
) -> Float[np.ndarray, "classes features"]:
    drawn = np.random.default_rng(seed).normal(size=(classes, features))
    return (spread * drawn).astype(np.float32)
