"""A linear attention layer that is trained to answer regression problems from their examples.

The layer sees (x_i, y_i) and a query, and adds to the query's label what linear attention makes of
it. With some weights that is one step of gradient descent on the squared error of a linear model
that starts from zero (von Oswald et al. 2023, proposition 1; x uniform in (-1/2, 1/2), w normal,
as many examples as inputs). Which weights are found is left to training.

The null: labels in a context belong to another problem than the query's.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ....amortised import descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome

INPUTS, EXAMPLES = 10, 10
"""Numbers of a query, and examples in a context."""
RATE, DRAWN = 3e-3, 16_384
"""Adam's rate at first, which falls as a cosine, and contexts on which a layer is judged."""


class Problems(NamedTuple):
    """Contexts, each with its query and the answer."""

    x: Float[Array, "n examples inputs"]
    y: Float[Array, "n examples"]
    query: Float[Array, "n inputs"]
    answer: Float[Array, " n"]


class LinearAttention(eqx.Module):
    """One head without softmax: keys and queries are one matrix, values and projection another."""

    key_query: Float[Array, "width width"]
    value: Float[Array, "width width"]

    def __init__(self, key: Key[Array, ""]):
        first, second = jax.random.split(key)
        width = INPUTS + 1
        self.key_query = 0.1 * jax.random.normal(first, (width, width))
        self.value = 0.1 * jax.random.normal(second, (width, width))

    def __call__(
        self, x: Float[Array, "examples inputs"], y: Float[Array, " examples"],
        query: Float[Array, " inputs"],
    ) -> Float[Array, ""]:  # fmt: skip
        """The answer to a query: what attention adds to a label of zero."""
        tokens = jnp.concatenate([x, y[:, None]], 1)
        asked = self.key_query @ jnp.append(query, 0.0)
        return (tokens @ self.value[-1]) @ (tokens @ asked)


def draw(key: Key[Array, ""], n: int, *, spread: float = 1.0, strange: bool = False) -> Problems:
    """Problems with inputs `spread` times as wide; with `strange` labels of other problems."""
    at, weigh, ask = jax.random.split(key, 3)
    x = spread * jax.random.uniform(at, (n, EXAMPLES, INPUTS), minval=-0.5, maxval=0.5)
    w = jax.random.normal(weigh, (n, INPUTS))
    query = spread * jax.random.uniform(ask, (n, INPUTS), minval=-0.5, maxval=0.5)
    shown = jnp.roll(w, 1, 0) if strange else w
    return Problems(x, jnp.einsum("nei,ni->ne", x, shown), query, (w * query).sum(1))


def best_step(spread: float = 1.0) -> tuple[float, float]:
    """The length of the best single gradient step, and half its mean squared error, in closed form.

    With A the sum of x x' over examples, the error is half the variance of an input times the
    expected trace of (1 - length A) squared; the length that makes it least follows from the second
    and fourth moments of the uniform distribution.
    """
    variance, fourth = spread**2 / 12, spread**4 / 80
    length4 = INPUTS * fourth + INPUTS * (INPUTS - 1) * variance**2
    trace = EXAMPLES * length4 + EXAMPLES * (EXAMPLES - 1) * INPUTS * variance**2
    step = EXAMPLES * INPUTS * variance / trace
    error = INPUTS - 2 * step * EXAMPLES * INPUTS * variance + step**2 * trace
    return step, 0.5 * variance * error


def stepped(problems: Problems, step: float) -> Float[Array, " n"]:
    """The answers of a linear model after one gradient step from zero."""
    return step * jnp.einsum("ne,nei,ni->n", problems.y, problems.x, problems.query)


def half_square(told: Float[Array, " n"], problems: Problems) -> Float[Array, ""]:
    """Half the mean squared error of some answers."""
    return 0.5 * jnp.mean((told - problems.answer) ** 2)


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes, a number a training: `error` (half the mean square), `step_error` (of the best
    gradient step on the same problems), `cosine` (between the gradients of both answers to the
    query), `wide_error` and `wide_step_error` (inputs twice as wide, with the step of training),
    `silent_error` and `wide_silent_error` (of always answering zero).
    """  # fmt: skip
    del context
    strange, steps, batch = bool(settings.get("null")), settings["steps"], settings["batch"]
    step, _ = best_step()

    def loss(layer: LinearAttention, key: Key[Array, ""]) -> Float[Array, ""]:
        some = draw(key, batch, strange=strange)
        return half_square(jax.vmap(layer)(*some[:3]), some)

    def one(key: Key[Array, ""]) -> dict[str, Float[Array, ""]]:
        make, learn, judge, wide = jax.random.split(key, 4)
        layer, _ = descended(
            loss,
            LinearAttention(make),
            learn,
            steps=steps,
            learning_rate=lambda now: RATE + 0 * now,
        )
        some = draw(judge, DRAWN, strange=strange)
        more = draw(wide, DRAWN, spread=2.0, strange=strange)
        slope = jax.vmap(jax.grad(layer, argnums=2))(*some[:3])
        ideal = step * jnp.einsum("ne,nei->ni", some.y, some.x)
        cosine = (slope * ideal).sum(1) / (
            jnp.linalg.norm(slope, axis=1) * jnp.linalg.norm(ideal, axis=1) + 1e-12
        )
        return {
            "error": half_square(jax.vmap(layer)(*some[:3]), some),
            "step_error": half_square(stepped(some, step), some),
            "wide_error": half_square(jax.vmap(layer)(*more[:3]), more),
            "wide_step_error": half_square(stepped(more, step), more),
            "silent_error": half_square(jnp.zeros(DRAWN), some),
            "wide_silent_error": half_square(jnp.zeros(DRAWN), more),
            "cosine": cosine.mean(),
        }

    found = side_by_side(one, keys_of(settings))
    trained = settings["trainings"]
    return outcome(found, fits=steps * trained, data=float(np.float64(steps) * batch * trained))
