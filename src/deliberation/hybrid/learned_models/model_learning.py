"""Experience to learn a model from, and how the ensemble is fitted to it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from ...amortised.training.optimisers import cosine_schedule, gradient_steps
from .learned_model import Ensemble, Scale


class Experience(eqx.Module):
    """A ring of transitions: what was seen and done, what changed, was earned, and ended.

    `cut` marks episodes that ended by the limit of time, which nobody can see coming: of their
    last step the end teaches nothing. `written` counts all that were ever added.
    """

    seen: Float[Array, "room size"]
    action: Float[Array, "room taken"]
    change: Float[Array, "room size"]
    reward: Float[Array, " room"]
    end: Bool[Array, " room"]
    cut: Bool[Array, " room"]
    written: Int[Array, ""]

    @staticmethod
    def empty(room: int, size: int, taken: int) -> "Experience":
        """Nothing yet."""
        rows, flags = jnp.zeros((room, size)), jnp.zeros(room, bool)
        return Experience(
            rows, jnp.zeros((room, taken)), rows, rows[:, 0], flags, flags, jnp.int32(0)
        )

    def add(self, *columns: Array) -> "Experience":
        """Write rows over the oldest; columns in the order of the fields."""
        room, count = self.reward.shape[0], columns[3].shape[0]
        places = (self.written + jnp.arange(count)) % room
        held = (self.seen, self.action, self.change, self.reward, self.end, self.cut)
        rows = zip(held, columns, strict=True)
        seen, action, change, reward, end, cut = (x.at[places].set(y) for x, y in rows)
        return Experience(seen, action, change, reward, end, cut, self.written + count)

    @property
    def filled(self) -> Int[Array, ""]:
        """How many rows are real."""
        return jnp.minimum(self.written, self.reward.shape[0])


def fit_ensemble(
    ensemble: Ensemble,
    opt_state: PyTree,
    optimiser: optax.GradientTransformation,
    data: Experience,
    key: Key[Array, ""],
    *,
    steps: int,
    batch_size: int,
    rate: float,
) -> tuple[Ensemble, PyTree, Float[Array, ""]]:
    """Gradient steps, each member on its own batches; returns the mean loss of the steps.

    Squared errors of normalised change and reward, and cross-entropy of the end. The rate falls to
    zero along a cosine: what is planned with is then free of the noise of the last few batches.
    """
    real = (jnp.arange(data.reward.shape[0]) < data.filled).astype(jnp.float32)
    inputs = jnp.concatenate([data.seen, data.action], axis=1)
    targets = jnp.concatenate([data.change, data.reward[:, None]], axis=1)
    scaled = (Scale.of(inputs, real), Scale.of(targets, real))
    ensemble = eqx.tree_at(lambda e: (e.inputs, e.outputs), ensemble, scaled)
    x, y = scaled[0].down(inputs), scaled[1].down(targets)

    def loss(
        members: PyTree, rows: Int[Array, "members batch"]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        told = jax.vmap(lambda member, x: jax.vmap(member)(x))(members, x[rows])
        error = jnp.square(told[..., :-1] - y[rows]).mean((1, 2))
        surprise = optax.sigmoid_binary_cross_entropy(told[..., -1], data.end[rows])
        surprise = jnp.where(data.cut[rows], 0.0, surprise).mean(1)
        total = (error + surprise).sum()
        return total, total / ensemble.count

    keys = jax.random.split(key, steps)
    members, opt_state, lost = gradient_steps(
        loss, ensemble.members, opt_state, optimiser,
        lambda now: jax.random.randint(
            keys[now], (ensemble.count, batch_size), 0, jnp.maximum(data.filled, 1)
        ),
        cosine_schedule(rate, steps)(jnp.arange(steps)),
    )  # fmt: skip
    return eqx.tree_at(lambda e: e.members, ensemble, members), opt_state, lost.mean()
