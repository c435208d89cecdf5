"""Minimise over the sphere, in a 16-dimensional context: a small problem with local minima.

The costs are the potentials of Cohen, Amos and Lipman (2021, "Riemannian convex potential maps"),
which Amos (2022) amortises: the least of several distances, each with an offset. With the
unsmoothed minimum and the chordal distance the exact solution is the centre of the least offset.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ..bases import check_sizes
from .problem import LARGEST, Problem

TASKS = {
    "sphere": {
        "summary": "Minimise a potential over the sphere; options components, dimensions",
        "factory": "Sphere",
        "continuous": True,
        "options": {"components": 4, "dimensions": 3},
    },
}


class Sphere(Problem):
    """f(y; x) = min_i (|y - z_i|^2 / 2 + a_i) + (|y|^2 - 1)^2 / 2.

    The context is `components` centres z_i on the unit sphere followed by their offsets a_i, in
    [0, 1]. On the sphere the last term is zero; it is what leaving the sphere costs. Every centre
    that no other undercuts is a local minimum.
    """

    components: int = eqx.field(static=True, default=4)
    dimensions: int = eqx.field(static=True, default=3)

    def __check_init__(self) -> None:
        if self.components < 1 or self.dimensions < 2:
            raise ValueError(
                "A sphere needs at least 1 component and 2 dimensions; got "
                f"components={self.components}, dimensions={self.dimensions}."
            )
        sizes = {"components": self.components, "dimensions": self.dimensions}
        check_sizes("A sphere", LARGEST, **sizes)

    def __repr__(self) -> str:
        return f"Sphere({self.components} components, {self.dimensions} dimensions)"

    @property
    def box(self) -> tuple[tuple[int, ...], float, float]:
        """A point of space, from which the sphere is reached."""
        return (self.dimensions,), -1.0, 1.0

    @property
    def costs(self) -> tuple[float, float]:
        """From the least offset to that of the box's farthest corner."""
        n = self.dimensions
        return (0.0, (n**0.5 + 1) ** 2 / 2 + 1.0 + max((n - 1) ** 2, 1) / 2)

    def draw(self, key: Key[Array, ""]) -> Float[Array, " context"]:
        """Centres uniform on the sphere, offsets uniform."""
        place, shift = jax.random.split(key)
        centres = jax.random.normal(place, (self.components, self.dimensions))
        centres = centres / jnp.linalg.norm(centres, axis=1, keepdims=True)
        return jnp.concatenate([centres.ravel(), jax.random.uniform(shift, (self.components,))])

    def parts(
        self, context: Float[Array, " context"]
    ) -> tuple[Float[Array, "components dimensions"], Float[Array, " components"]]:
        """Centres and offsets."""
        centres = context[: -self.components].reshape(self.components, self.dimensions)
        return centres, context[-self.components :]

    def cost(
        self, context: Float[Array, " context"], answer: Float[Array, " dimensions"]
    ) -> Float[Array, ""]:
        """The lowest of the bowls, and what leaving the sphere costs."""
        centres, offsets = self.parts(context)
        bowls = jnp.sum(jnp.square(answer - centres), axis=1) / 2 + offsets
        return jnp.min(bowls) + jnp.square(jnp.sum(jnp.square(answer)) - 1) / 2

    def solution(self, context: Float[Array, " context"]) -> Float[Array, " dimensions"]:
        """The centre of the least offset: there the cost is that offset, and nowhere lower."""
        centres, offsets = self.parts(context)
        return centres[jnp.argmin(offsets)]
