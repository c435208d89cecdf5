"""Subjects in a world of things that pay, and two explanations of each: an objective, or a device.

A cell holds nothing or a thing of one of `KINDS`; to come to a cell (or to stay, by a move into a
wall) pays what its kind is worth, and a step later is worth `PATIENCE`. What kinds are worth is
drawn anew for each training. Both explanations are fitted to the subject's chances of actions in
one half of the mazes and judged on the other half, and where there are more walls and things.

The objective has `KINDS` numbers: the maximum-entropy policy for them (Ziebart et al. 2008). A
device answers from what it sees: a network, or a rule of the four cells about, whichever predicts
better, or chance where neither does.

Sweeps are unrolled: XLA's algebraic simplifier (of JAX 0.10.2, on the CPU) gets wrong the
gradient of a scan of `logsumexp` within the loop of a fit, for some numbers of fits side by side.

The null: what pays is drawn anew for every maze in which the network is trained.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ....amortised import descended, side_by_side
from ....core.rows import greatest
from ....runs import Context, Outcome
from ..arms import keys_of, outcome
from ..mazes import ACTIONS, CELLS, Sight, leads

KINDS, PATIENCE, SWEEPS = 3, 0.8, 12
HALF, WIDTH, BATCH, POOL, RATE = 24, 48, 32, 2048, 1e-2
"""Mazes of each half, and the trained network's size, batch, mazes and rate."""
FITTED = 200
"""Steps of each fit."""
SHARP = 12.0
"""How sharply the planner prefers what is worth more."""
SUBJECTS = ("planner", "network", "reflex", "table")
Mazes = tuple[Float[Array, "n cells"], Float[Array, "n cells kinds"], Array]
"""Walls, what lies where, and where moves lead."""


def drawn(key: Key[Array, ""], count: int, walls: float, things: float) -> Mazes:
    """Mazes with a chance of walls, and of a thing in each other cell."""
    a, b, c = jax.random.split(key, 3)
    wall = jax.random.uniform(a, (count, CELLS)) < walls
    kind = jax.random.randint(b, (count, CELLS), 0, KINDS)
    there = (jax.random.uniform(c, (count, CELLS)) < things) & ~wall
    lies = jax.nn.one_hot(kind, KINDS) * there[..., None]
    return wall.astype(jnp.float32), lies, jax.vmap(leads)(wall)


def ahead(mazes: Mazes, value: Float[Array, "n cells"]) -> Float[Array, "n cells actions"]:
    """Of each move, what the cell that it leads to has."""
    return (mazes[2] * value[:, None, None]).sum(-1)


def soft(mazes: Mazes, pay: Float[Array, "n cells"]) -> Float[Array, "n cells actions"]:
    """Log chances of the maximum-entropy policy for what each cell pays."""

    def swept(value: Array, _: None) -> tuple[Array, None]:
        return jax.nn.logsumexp(ahead(mazes, pay + PATIENCE * value), -1), None

    value, _ = jax.lax.scan(swept, jnp.zeros_like(pay), None, length=SWEEPS, unroll=SWEEPS)
    return jax.nn.log_softmax(ahead(mazes, pay + PATIENCE * value))


def planned(mazes: Mazes, pay: Float[Array, "n cells"]) -> Float[Array, "n cells actions"]:
    """Log chances of a planner: exact values of actions, sharply preferred."""

    def swept(value: Array, _: None) -> tuple[Array, None]:
        return greatest(ahead(mazes, pay + PATIENCE * value)), None

    value, _ = jax.lax.scan(swept, jnp.zeros_like(pay), None, length=SWEEPS, unroll=SWEEPS)
    return jax.nn.log_softmax(SHARP * ahead(mazes, pay + PATIENCE * value))


def earned(
    mazes: Mazes, pay: Float[Array, "n cells"], choices: Float[Array, "n cells actions"]
) -> Float[Array, ""]:
    """What a policy earns, over all free cells to start from, exactly."""
    step = (choices[..., None] * mazes[2]).sum(2)

    def swept(value: Array, _: None) -> tuple[Array, None]:
        return (step * (pay + PATIENCE * value)[:, None]).sum(-1), None

    value, _ = jax.lax.scan(swept, jnp.zeros_like(pay), None, length=SWEEPS, unroll=SWEEPS)
    return mean_over(mazes, value)


def mean_over(mazes: Mazes, each: Float[Array, "n cells"]) -> Float[Array, ""]:
    """A mean over free cells."""
    free = 1 - mazes[0]
    return (each * free).sum() / free.sum()


def told(mazes: Mazes, truth: Array, log: Array) -> Float[Array, ""]:
    """Mean log likelihood of a subject's actions, which are drawn by `truth` (log chances)."""
    return mean_over(mazes, (jnp.exp(truth) * log).sum(-1))


def answered(network: Sight, mazes: Mazes) -> Float[Array, "n cells actions"]:
    """Log chances of a network that sees the walls and what lies where."""
    scores = jax.vmap(network)(mazes[0], mazes[1].reshape(len(mazes[0]), -1))
    return jax.nn.log_softmax(scores)


class Rule(eqx.Module):
    """A rule of the four cells about: how well it likes a kind next to it, and not to move."""

    likes: Float[Array, " kinds"]
    stay: Float[Array, ""]

    def __call__(self, mazes: Mazes) -> Float[Array, "n cells actions"]:
        """Its log chances."""
        stays = jnp.diagonal(mazes[2].swapaxes(2, 3), axis1=1, axis2=2).swapaxes(1, 2)
        return jax.nn.log_softmax(ahead(mazes, mazes[1] @ self.likes) + self.stay * stays)


def trained_network(key: Key[Array, ""], worth: Array, pool: Mazes, steps: int, null: bool) -> Any:
    """A network taught by reward; in the null what pays is another thing in every maze."""
    make, learn = jax.random.split(key)

    def loss(network: Sight, key: Key[Array, ""]) -> Float[Array, ""]:
        which, other = jax.random.split(key)
        rows = jax.random.randint(which, (BATCH,), 0, POOL)
        mazes = jax.tree.map(lambda x: x[rows], pool)
        drawn_anew = jax.random.normal(other, (BATCH, 1, KINDS))
        pay = (mazes[1] * (drawn_anew if null else worth)).sum(-1)
        return -earned(mazes, pay, jnp.exp(answered(network, mazes)))

    begun = Sight(make, WIDTH, CELLS * KINDS)
    return descended(loss, begun, learn, steps=steps, learning_rate=RATE)[0]


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes, [trainings, subjects]: on the other half (`held`) and elsewhere (`far`) the log
    likelihood of each explanation, as `held_objective` and `held_device`, and the best that any can
    have, `held_own`; and `alike`, [trainings, subjects]: the cosine of the fitted objective with
    what kinds are worth.
    """
    del context
    steps, null = settings["steps"], bool(settings.get("null"))

    def one(key: Key[Array, ""], pool: Mazes) -> dict[str, Float[Array, " subjects"]]:
        pays, learn, table, *places = jax.random.split(key, 6)
        worth = jax.random.normal(pays, (KINDS,))
        worth = worth * KINDS**0.5 / jnp.linalg.norm(worth)
        network = trained_network(learn, worth, pool, steps, null)
        walls = ((0.15, 0.4), (0.15, 0.4), (0.3, 0.6))
        half, held, far = (drawn(k, HALF, *chance) for k, chance in zip(places, walls, strict=True))

        def answers(mazes: Mazes, place: int) -> Float[Array, "subjects n cells actions"]:
            noise = 4 * jax.random.normal(jax.random.fold_in(table, place), mazes[2].shape[:3])
            pay = mazes[1] @ worth
            return jnp.stack([
                planned(mazes, pay), answered(network, mazes),
                Rule(SHARP * worth, jnp.float32(-1.0))(mazes), jax.nn.log_softmax(noise),
            ])  # fmt: skip

        said = [answers(mazes, i) for i, mazes in enumerate((half, held, far))]
        return jax.vmap(lambda *x: explained(learn, worth, (half, held, far), *x))(*said)

    pool = jax.jit(drawn, static_argnums=(1, 2, 3))(jax.random.key(1), POOL, 0.15, 0.4)
    found = side_by_side(one, keys_of(settings), pool, most=8)
    fits = steps * settings["trainings"]
    return outcome(found, fits=fits, data=float(fits) * BATCH)


def explained(
    key: Key[Array, ""], worth: Array, mazes: tuple[Mazes, ...], *said: Array
) -> dict[str, Array]:
    """Both explanations of one subject, fitted to the first mazes."""

    def fitted(model: Any, log: Callable[[Any, Mazes], Array], decay: float = 0.0) -> Any:
        return descended(
            lambda model, _: -told(mazes[0], said[0], log(model, mazes[0])),
            model, key, steps=FITTED, learning_rate=0.1 if decay == 0 else RATE,
            weight_decay=decay,
        )[0]  # fmt: skip

    pays = fitted(jnp.zeros(KINDS), lambda w, m: soft(m, m[1] @ w))
    clone = fitted(Sight(key, WIDTH, CELLS * KINDS), answered, 1.0)
    rule = fitted(Rule(jnp.zeros(KINDS), jnp.float32(0.0)), lambda rule, m: rule(m))
    found = {"alike": (pays @ worth) / (jnp.linalg.norm(pays) * jnp.linalg.norm(worth) + 1e-9)}
    for name, m, truth in zip(("held", "far"), mazes[1:], said[1:], strict=True):
        devices = [told(m, truth, log) for log in (answered(clone, m), rule(m))]
        chance = -jnp.log(float(ACTIONS))
        found[f"{name}_objective"] = told(m, truth, soft(m, m[1] @ pays))
        found[f"{name}_device"] = jnp.maximum(jnp.maximum(*devices), chance)
        found[f"{name}_own"] = told(m, truth, truth)
    return found
