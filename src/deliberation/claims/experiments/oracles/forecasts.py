"""Forecasters whose announcements move what they forecast, trained in several ways.

Three worlds. "one": a network answers eight questions; of four it is heard, and what it forecasts
comes true at a rate of c + L p, c = L = 0.3; of the others at c. Announcing c / (1 - L) comes true;
by the Brier score it is better to announce (c - L/2) / (1 - 2 L) (Oesterheld et al. 2023). "two":
sixteen questions of which every one is heard, and two forecasts that would come true, of which one
is easier (0.94 against 0.31): the rate follows the announcement as an S. "beyond": questions are
three numbers, the rate was once some function of them, and is now pulled towards what is announced;
training asks within a cube, and afterwards it is asked beyond.

All begin from a network that was trained offline, on outcomes from before it was heard. Some go on
with what their announcements bring about: retrained on it from time to time; online, with outcomes
taken as given; by trial, where an announcement is strayed from and reinforced by its score; with
gradients through the world, which may be known.

The null: nobody hears, and rates are what they were before.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ....amortised import descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome

BEFORE, PULL = 0.3, 0.3
"""c and L."""
TRUE_FORECAST = BEFORE / (1 - PULL)
BEST_BRIER = (BEFORE - PULL / 2) / (1 - 2 * PULL)
BEST_LOG = 0.37862
LOW, HIGH, STEEP, MIDDLE = 0.3, 0.95, 14.0, 0.65
BOUNDARIES = (0.6698, 0.5675)
"""Where two forecasts would come true: from where a forecast leads up if corrected by what it
brings about, and if by its score (both solved numerically, and pinned in a test)."""
SIZES = {"one": 8, "two": 16, "beyond": 3}
"""Questions, each seen by a number of its own; or the numbers of a question."""
GENTLE, SHARP = 0.2, 2.5
"""Beyond training: how far rates are pulled, and how sharply they follow a question."""
WIDTH, RATE, STRAY, BATCH, ROUNDS, ASKED = 32, 1e-2, 0.1, 256, 6, 512


class Questions(NamedTuple):
    """What the network sees, the rate from before, and whether the answer is heard."""

    seen: Float[Array, "n numbers"]
    before: Float[Array, " n"]
    heard: Bool[Array, " n"]


Draw = Callable[..., Questions]


def asked(world: str, key: Key[Array, ""], *, deaf: bool = False) -> Draw:
    """The questions of a training's world: `draw(key, n, beyond)`; each of a few, or fresh ones."""
    n = SIZES[world]
    if world == "beyond":
        way = jax.random.normal(key, (n,))
        way = way / jnp.linalg.norm(way)

        def fresh(key: Key[Array, ""], count: int, beyond: bool = False) -> Questions:
            x = jax.random.uniform(key, (count, n), minval=-1.0)
            if beyond:
                x = x + jnp.sign(x) * jax.nn.one_hot(jnp.argmax(jnp.abs(x), 1), n)
            rate = jax.nn.sigmoid(SHARP * x @ way)
            return Questions(x, rate, jnp.full(count, not deaf))

        return fresh
    heard = (jnp.arange(n) % 2 == 0) | (world == "two")
    before = jnp.full(n, BEFORE)
    if world == "two":
        before = 0.1 + 0.8 * (jnp.arange(n) + jax.random.uniform(key, (n,))) / n

    def some(key: Key[Array, ""], count: int, beyond: bool = False) -> Questions:
        del beyond
        which = jax.random.randint(key, (count,), 0, n) if count != n else jnp.arange(n)
        return Questions(jnp.eye(n)[which], before[which], heard[which] & (not deaf))

    return some


def rate(world: str, told: Float[Array, " n"], it: Questions) -> Float[Array, " n"]:
    """How often what was forecast comes true, once it was announced."""
    moved = {
        "one": lambda: BEFORE + PULL * told,
        "two": lambda: LOW + (HIGH - LOW) * jax.nn.sigmoid(STEEP * (told - MIDDLE)),
        "beyond": lambda: it.before + GENTLE * (told - it.before),
    }[world]()
    return jnp.where(it.heard, moved, it.before)


def brier(told: Float[Array, " n"], came: Float[Array, " n"]) -> Float[Array, " n"]:
    """The Brier score, at some rate of outcomes; less is better."""
    return came * (1 - told) ** 2 + (1 - came) * told**2


def log_score(told: Float[Array, " n"], came: Float[Array, " n"]) -> Float[Array, " n"]:
    """The logarithmic score, likewise."""
    return -(came * jnp.log(told) + (1 - came) * jnp.log1p(-told))


def announced(network: Any, seen: Float[Array, "n numbers"]) -> Float[Array, " n"]:
    """What the network forecasts."""
    return jax.nn.sigmoid(jax.vmap(network)(seen))


def taught(draw: Draw, came: Callable[[Any, Questions], Array]) -> Any:
    """The loss of forecasts on outcomes that were drawn, whatever brought them about."""

    def loss(network: Any, key: Key[Array, ""]) -> Float[Array, ""]:
        ask, fall = jax.random.split(key)
        it = draw(ask, BATCH)
        told = announced(network, it.seen)
        fell = jax.random.bernoulli(fall, jax.lax.stop_gradient(came(told, it)))
        return brier(told, fell.astype(jnp.float32)).mean()

    return loss


def through(world: str, draw: Draw, score: Any = brier) -> Any:
    """The expected score, with the world inside: its gradient knows what forecasts bring about."""

    def loss(network: Any, key: Key[Array, ""]) -> Float[Array, ""]:
        it = draw(key, BATCH)
        told = announced(network, it.seen)
        return score(told, rate(world, told, it)).mean()

    return loss


def by_trial(world: str, draw: Draw) -> Any:
    """REINFORCE: announcements stray, and are reinforced by the score that they get on average
    over what follows, less that of an announcement that strays the other way.
    """  # fmt: skip

    def loss(network: Any, key: Key[Array, ""]) -> Float[Array, ""]:
        ask, stray = jax.random.split(key)
        it = draw(ask, BATCH)
        middle = jax.vmap(network)(it.seen)
        off = STRAY * jax.random.normal(stray, middle.shape)

        def got(sign: int) -> Float[Array, " n"]:
            told = jax.nn.sigmoid(jax.lax.stop_gradient(middle) + sign * off)
            return brier(told, rate(world, told, it))

        return ((got(1) - got(-1)) / 2 * off / STRAY**2 * middle).mean()

    return loss


def _retrained(
    world: str, draw: Draw, network: Any, key: Key[Array, ""], told: dict[str, Any]
) -> Any:
    """Several times: announce for a while, then learn from what came of it."""
    weights, rest = eqx.partition(network, eqx.is_inexact_array)

    def once(weights: Any, key: Key[Array, ""]) -> tuple[Any, None]:
        old = eqx.combine(weights, rest)

        def came(told: Array, it: Questions) -> Array:
            del told
            return rate(world, announced(old, it.seen), it)

        new, _ = descended(taught(draw, came), old, key, **told)
        return eqx.partition(new, eqx.is_inexact_array)[0], None

    weights, _ = jax.lax.scan(once, weights, jax.random.split(key, ROUNDS))
    return eqx.combine(weights, rest)


def _found(world: str, draw: Draw, network: Any, key: Key[Array, ""]) -> dict[str, Array]:
    """What a forecaster announces, and what comes of it; see `train`."""
    if world == "beyond":
        found = {}
        for name, beyond in (("within", False), ("beyond", True)):
            it = draw(key, ASKED, beyond)
            off = announced(network, it.seen) - it.before
            found[f"{name}_towards"] = (off * jnp.sign(it.before - 0.5)).mean()
            found[f"{name}_error"] = jnp.abs(off).mean()
        return found
    it = draw(key, SIZES[world])
    told = announced(network, it.seen)
    if world == "two":
        chosen = rate(world, told, it) > (LOW + HIGH) / 2
        return {"chosen": chosen.mean(dtype=jnp.float32)}
    return {"heard": told[::2].mean(), "unheard": told[1::2].mean()}


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes by "<way>_<what>", the ways being `offline`, `retrained`, `given` (online), `trial`,
    `through` and in world "one" `log` (through the world, by the logarithmic score). What: in "one"
    the mean announcement to questions of which it is `heard` and `unheard`; in "two" the share of
    questions in which the easier of both forecasts comes true (`chosen`), and of those from before
    beyond either of `BOUNDARIES` (`foreseen`); in "beyond", for questions `within` training and
    `beyond`, how far announcements lie from the rate of before (`_error`), and how far on the side
    where forecasts are easier (`_towards`); also of a network with ReLU units, trained offline
    (`relu`).
    """  # fmt: skip
    del context
    world, deaf, steps = settings["arm"], bool(settings.get("null")), settings["steps"]

    def one(key: Key[Array, ""]) -> dict[str, Array]:
        make, start, learn, further, judge = jax.random.split(key, 5)
        draw = asked(world, make, deaf=deaf)
        told = {"steps": steps, "learning_rate": RATE}
        fresh = eqx.nn.MLP(SIZES[world], "scalar", WIDTH, 1, jnp.tanh, key=start)
        offline, _ = descended(taught(draw, lambda _, it: it.before), fresh, learn, **told)
        losses = {
            "given": taught(draw, lambda told, it: rate(world, told, it)),
            "trial": by_trial(world, draw),
            "through": through(world, draw),
        }
        if world == "one":
            losses["log"] = through(world, draw, log_score)
        ways = {"offline": offline}
        ways["retrained"] = _retrained(world, draw, offline, further, {**told, "steps": steps // 2})
        for name, loss in losses.items():
            ways[name], _ = descended(loss, offline, further, **told)
        found = {
            f"{way}_{what}": x
            for way, network in ways.items()
            for what, x in _found(world, draw, network, judge).items()
        }
        if world == "beyond":
            other = eqx.nn.MLP(SIZES[world], "scalar", WIDTH, 1, jax.nn.relu, key=start)
            other, _ = descended(taught(draw, lambda _, it: it.before), other, learn, **told)
            relu = _found(world, draw, other, judge)
            found |= {f"relu_{what}": x for what, x in relu.items()}
        if world == "two":
            before = draw(judge, SIZES[world]).before
            found["foreseen"] = jnp.stack([(before > at).mean() for at in BOUNDARIES])
        return found

    found = side_by_side(one, keys_of(settings))
    fits = int((5 + ROUNDS / 2) * steps * settings["trainings"])
    return outcome(found, fits=fits, data=float(fits) * BATCH)
