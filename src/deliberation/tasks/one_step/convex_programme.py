"""A small convex programme: a quadratic over a box, of which the linear term is the context.

What control and finance solve again and again with other data; the standard case of learning the
map from a programme's parameters to its solution (Amos 2022, section 4).
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ..bases import check_seed, check_sizes
from .problem import LARGEST, Problem

TASKS = {
    "convex_programme": {
        "summary": "Minimise a quadratic over a box; options size, condition, seed",
        "factory": "ConvexProgramme",
        "continuous": True,
        "options": {"size": 8, "condition": 10.0, "seed": 0},
    },
}

SPREAD = 3.0
"""Standard deviation of the linear term: about a third of the bounds are active."""


class ConvexProgramme(Problem):
    """f(y; x) = y Q y / 2 - x y over y in [-1, 1]^size.

    Q is drawn once from `seed`, with eigenvalues from 1 to `condition`, evenly spaced in logarithm.
    """

    size: int = eqx.field(static=True, default=8)
    condition: float = eqx.field(static=True, default=10.0)
    seed: int = eqx.field(static=True, default=0)

    def __check_init__(self) -> None:
        if self.size < 1 or not 1 <= self.condition <= 1e4:
            raise ValueError(
                "A convex programme needs a size of at least 1 and a condition from 1 to 10000; "
                f"got size={self.size}, condition={self.condition}."
            )
        check_sizes("A convex programme", LARGEST, size=self.size)
        check_seed("A convex programme", self.seed)

    def __repr__(self) -> str:
        return f"ConvexProgramme(size={self.size}, condition={self.condition:g}, seed={self.seed})"

    @property
    def box(self) -> tuple[tuple[int, ...], float, float]:
        """The box is the constraint."""
        return (self.size,), -1.0, 1.0

    @property
    def matrix(self) -> Float[np.ndarray, "size size"]:
        """Q, symmetric and positive definite."""
        return _matrix(self.size, self.condition, self.seed)

    def draw(self, key: Key[Array, ""]) -> Float[Array, " size"]:
        """A normal linear term."""
        return SPREAD * jax.random.normal(key, (self.size,))

    def cost(
        self, context: Float[Array, " size"], answer: Float[Array, " size"]
    ) -> Float[Array, ""]:
        """The quadratic."""
        return answer @ (jnp.asarray(self.matrix) @ answer) / 2 - context @ answer

    def solution(self, context: Float[Array, " size"]) -> Float[Array, " size"]:
        """By accelerated projected gradient (Nesterov 2004, section 2.2), to single precision.

        With this constant momentum the cost's error shrinks at least by 1 - 1 / sqrt(condition) a
        step, so the number of steps is fixed.
        """
        matrix, root = jnp.asarray(self.matrix), self.condition**0.5
        push = (root - 1) / (root + 1)

        def step(
            _: Array, carry: tuple[Float[Array, " size"], Float[Array, " size"]]
        ) -> tuple[Float[Array, " size"], Float[Array, " size"]]:
            at, ahead = carry
            to = jnp.clip(ahead - (matrix @ ahead - context) / self.condition, -1.0, 1.0)
            return to, to + push * (to - at)

        start = jnp.zeros(self.size)
        return jax.lax.fori_loop(0, int(20 * root) + 20, step, (start, start))[0]


@functools.cache
def _matrix(size: int, condition: float, seed: int) -> Float[np.ndarray, "size size"]:
    noise = np.random.default_rng(seed).normal(size=(size, size))
    basis = np.linalg.qr(noise)[0]
    matrix = (basis * np.geomspace(1.0, condition, size)) @ basis.T
    return ((matrix + matrix.T) / 2).astype(np.float32)
