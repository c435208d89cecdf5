"""A smaller reward now, or a greater one in so many steps: networks trained with some discount.

The state is how many steps the greater reward is away, 1 to 12. Each step one takes what there is
(1, and it ends) or goes on; who arrives gets R, drawn for each training from 1.6 to 2.6. With a
discount g it is worth going on from d steps away where R g^d > 1: as far as log R / -log g. A
network (the distance as one number) is trained by temporal differences on single steps, or by
REINFORCE on whole episodes with discounted returns.

The null: what an action leads to is not counted, only what it pays at once.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ....amortised import descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome

FARTHEST, NOW = 12, 1.0
LATER = (1.6, 2.6)
"""Between these the greater reward is drawn."""
DISCOUNTS = (0.0, 0.63, 0.82, 0.9)
"""With R = 2 it is worth waiting 0, 1, 3 and 6 steps."""
WIDTH, BATCH, RATE = 32, 64, 3e-3
WAYS = ("differences", "returns")


def reach(discount: Any, later: Any) -> Float[Array, ""]:
    """The most steps from which going on is worth more than taking what there is."""
    worth = discount ** jnp.arange(1, FARTHEST + 1) * later > NOW
    return jnp.cumprod(worth).sum().astype(jnp.float32)


def _at(network: Any, away: Int[Array, "..."]) -> Float[Array, "... 2"]:
    """What a network says of distances: of taking, and of going on."""
    told = jnp.asarray(away, jnp.float32).reshape(-1, 1) / FARTHEST
    return jax.vmap(network)(2 * told - 1).reshape(*jnp.shape(away), 2)


def differences(discount: Float[Array, ""], later: Float[Array, ""], counts: bool) -> Any:
    """The squared error of Q-learning on single steps from any distance."""

    def loss(network: Any, key: Key[Array, ""]) -> Float[Array, ""]:
        away = jax.random.randint(key, (BATCH,), 1, FARTHEST + 1)
        said = _at(network, away)
        onward = jnp.where(away == 1, later, _at(network, away - 1).max(1))
        goal = jax.lax.stop_gradient(discount * onward) * counts
        return ((said[:, 0] - NOW) ** 2 + (said[:, 1] - goal) ** 2).mean()

    return loss


def returns(discount: Float[Array, ""], later: Float[Array, ""], counts: bool) -> Any:
    """REINFORCE: of every step what follows from it, discounted, above the batch's mean of its
    distance.
    """  # fmt: skip

    def loss(network: Any, key: Key[Array, ""]) -> Float[Array, ""]:
        begin, act = jax.random.split(key)
        start = jax.random.randint(begin, (BATCH,), 1, FARTHEST + 1)
        away = jnp.maximum(start[:, None] - jnp.arange(FARTHEST), 0)
        logs = jax.nn.log_softmax(_at(network, away))
        goes = jax.random.categorical(act, logs)
        lives = jnp.cumprod(jnp.concatenate([jnp.ones((BATCH, 1), int), goes[:, :-1]], 1), 1)
        lives = lives * (away > 0)

        def back(after: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            left, going = now
            onward = jnp.where(left == 1, later, after)
            worth = jnp.where(going == 1, discount * onward * counts, NOW)
            return worth, worth

        _, worth = jax.lax.scan(back, jnp.zeros(BATCH), (away.T, goes.T), reverse=True)
        same = jax.nn.one_hot(away, FARTHEST + 1) * lives[..., None]
        mean = jnp.einsum("nt,ntd->d", worth.T, same) / jnp.maximum(same.sum((0, 1)), 1)
        said = jnp.take_along_axis(logs, goes[..., None], -1)[..., 0]
        return -((worth.T - mean[away]) * said * lives).sum() / BATCH

    return loss


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes of each of `WAYS`, one for each of `DISCOUNTS`: from how many steps away a network
    goes on, at every distance up to there; and `closed`, from how many it is worth it.
    """  # fmt: skip
    del context
    counts, steps = not settings.get("null"), settings["steps"]
    losses = dict(zip(WAYS, (differences, returns), strict=True))

    def one(key: Key[Array, ""]) -> dict[str, Array]:
        start, learn, pays = jax.random.split(key, 3)
        later = jax.random.uniform(pays, minval=LATER[0], maxval=LATER[1])
        network = eqx.nn.MLP(1, 2, WIDTH, 2, jnp.tanh, key=start)

        def reached(loss: Any) -> Float[Array, " discounts"]:
            def by(discount: Float[Array, ""]) -> Float[Array, ""]:
                trained, _ = descended(
                    loss(discount, later, counts), network, learn, steps=steps, learning_rate=RATE
                )
                said = _at(trained, jnp.arange(1, FARTHEST + 1))
                return jnp.cumprod(said[:, 1] > said[:, 0]).sum().astype(jnp.float32)

            return jax.vmap(by)(jnp.array(DISCOUNTS))

        closed = jnp.stack([reach(discount, later) for discount in DISCOUNTS])
        return {way: reached(loss) for way, loss in losses.items()} | {"closed": closed}

    found = side_by_side(one, keys_of(settings))
    fits = 2 * len(DISCOUNTS) * steps * settings["trainings"]
    return outcome(found, fits=fits, data=float(fits) * BATCH)
