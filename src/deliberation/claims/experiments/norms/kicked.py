"""A room that is to be kept at a temperature, kicked half-way; with and without search or feedback.

The temperature falls back to zero by a tenth in a turn, and a heater that also cools moves it by up
to a half. Four ways to come to what is wanted, all learned where nothing is disturbed:

- habit: a network from where it is and what is wanted to the heat, trained through the room;
- recited habit: the same from where it began and the time, so that it does not feel the room;
- plan: a sequence found by gradient descent through a learned model at the start, and then done;
- replanning: the same search in every turn from where it is.

Half-way a kick takes the room to a temperature beyond any that habits or models have met in their
training; or the heater is wired the other way. Of the wiring a model learned anew tells, and for
who does not search a habit learned anew, from as many turns. How well it then goes is told by the
share of episodes that end where it is wanted, and by the mean distance from there after the
disturbance: 0 as with no heat, 1 as by the law that is best. The null: neither happens.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ....amortised import MLP, descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome

MODELLED = 1.2
"""Models are learned where the temperature is between plus and minus this."""
TURNS, HALF, LEAK, HEAT, CLOSE = 12, 6, 0.1, 0.5, 0.1
"""Turns, when it is disturbed, what is lost in a turn, the heater's reach, what counts as there."""
KICK = (1.3, 2.0)
"""How far from zero, to either side, a kick takes the temperature: beyond all that was trained."""
WANTED, SPREAD, JUDGED, WIDTH, RATE = 0.7, 1.0, 64, 16, 3e-3
"""Wanted temperatures and first ones lie between plus and minus; episodes judged; hidden units."""
SEARCH, STRIDE, MOMENTUM = 30, 0.1, 0.8
"""Gradient steps of a search for a plan, their length, and how much of a step is kept."""
ARMS = ("habit", "recited habit", "plan", "replanning")
TESTS = ("undisturbed", "kicked", "rewired")
Act = Callable[[Array, Array], Array]
"""From where it is and the turn: the heat."""
Way = Callable[[Array, Array], Act]
"""From where it began and what is wanted: how it acts."""


def room(x: Float[Array, "..."], heat: Float[Array, "..."], way: Any = 1.0) -> Float[Array, "..."]:
    """The next temperature; `way` is -1 where the heater is wired the other way."""
    return (1 - LEAK) * x + way * HEAT * jnp.clip(heat, -1.0, 1.0)


def thermostat(began: Array, wanted: Array) -> Act:
    """A law of feedback, built and not learned: as much heat as brings it there, or all."""
    del began
    return lambda x, turn: jnp.clip((wanted - (1 - LEAK) * x) / HEAT, -1.0, 1.0)


def idle(began: Array, wanted: Array) -> Act:
    """No heat."""
    del began, wanted
    return lambda x, turn: 0.0 * x


def opposite(acts: Way) -> Way:
    """The same with the heat's sign turned."""
    return lambda began, wanted: lambda x, turn: -acts(began, wanted)(x, turn)


def until_half(first: Way, then: Way) -> Way:
    """The one until half-way, and the other from there on."""

    def begin(began: Array, wanted: Array) -> Act:
        one, other = first(began, wanted), then(began, wanted)
        return lambda x, turn: jnp.where(turn >= HALF, other(x, turn), one(x, turn))

    return begin


def lived(
    acts: Way, began: Float[Array, ""], wanted: Float[Array, ""], *,
    kick: Float[Array, ""] | float | None = None, way: float = 1.0, before: float = 1.0,
) -> Float[Array, " turns"]:  # fmt: skip
    """The temperatures of an episode that is kicked to one, or rewired, half-way."""
    act = acts(began, wanted)

    def turn(x: Float[Array, ""], now: Int[Array, ""]) -> tuple:
        x = x if kick is None else jnp.where(now == HALF, kick, x)
        after = room(x, act(x, now), jnp.where(now >= HALF, way, before))
        return after, after

    return jax.lax.scan(turn, began, jnp.arange(TURNS))[1]


def of_the_way(
    paths: Float[Array, "n turns"], none: Float[Array, "n turns"], best: Float[Array, "n turns"],
    wanted: Float[Array, " n"],
) -> Float[Array, ""]:  # fmt: skip
    """How near to what is wanted after half-way: 0 as near as with no heat, 1 as by the best."""

    def off(x: Float[Array, "n turns"]) -> Float[Array, ""]:
        return jnp.abs(x - wanted[:, None])[:, HALF:].mean()

    return (off(none) - off(paths)) / (off(none) - off(best))


def starts(key: Key[Array, ""], n: int) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """First temperatures, and those that are wanted."""
    one, other = jax.random.split(key)
    began = jax.random.uniform(one, (n,), minval=-SPREAD, maxval=SPREAD)
    return began, jax.random.uniform(other, (n,), minval=-WANTED, maxval=WANTED)


def out(network: MLP, *numbers: Array) -> Float[Array, ""]:
    """A network of numbers to a number."""
    return network(jnp.stack([jnp.asarray(x, float) for x in numbers]))[0][0]


def habit(network: MLP) -> Way:
    """The heat by where it is and what is wanted."""
    return lambda began, wanted: lambda x, turn: jnp.tanh(out(network, x, wanted, 0.0 * x))


def recited(network: MLP) -> Way:
    """The heat by where it began, what is wanted and the time."""
    return lambda began, wanted: lambda x, turn: jnp.tanh(out(network, began, wanted, turn / TURNS))


def found_plan(model: MLP, x: Float[Array, ""], wanted: Float[Array, ""]) -> Float[Array, " turns"]:
    """A plan for so many turns that is searched for by gradient descent through the model."""

    def cost(raw: Float[Array, " turns"]) -> Float[Array, ""]:
        def turn(x: Float[Array, ""], heat: Float[Array, ""]) -> tuple:
            after = x + out(model, x, heat)
            return after, (after - wanted) ** 2

        return jax.lax.scan(turn, x, jnp.tanh(raw))[1].sum()

    def better(_: Any, now: tuple[Array, Array]) -> tuple[Array, Array]:
        raw, speed = now
        speed = MOMENTUM * speed - STRIDE * jnp.clip(jax.grad(cost)(raw), -1.0, 1.0)
        return raw + speed, speed

    zero = jnp.zeros(TURNS)
    return jnp.tanh(jax.lax.fori_loop(0, SEARCH, better, (zero, zero))[0])


def plan(model: MLP) -> Way:
    """The plan of the start, whatever happens."""

    def begin(began: Array, wanted: Array) -> Act:
        steps = found_plan(model, began, wanted)
        return lambda x, turn: steps[turn]

    return begin


def replanning(model: MLP, after: MLP) -> Way:
    """The first step of a new plan in every turn, by the model that is then told."""

    def begin(began: Array, wanted: Array) -> Act:
        del began

        def act(x: Array, turn: Array) -> Array:
            known = jax.tree.map(
                lambda a, b: jnp.where(turn >= HALF, b, a) if eqx.is_array(a) else a, model, after
            )
            return found_plan(known, x, wanted)[0]

        return act

    return begin


def through(kind: Callable[[MLP], Way], batch: int, way: float = 1.0) -> Any:
    """The loss of a habit: how far off it is in an undisturbed room, and through it."""

    def loss(network: MLP, key: Key[Array, ""]) -> Float[Array, ""]:
        began, wanted = starts(key, batch)
        paths = jax.vmap(lambda b, w: lived(kind(network), b, w, way=way, before=way))
        return ((paths(began, wanted) - wanted[:, None]) ** 2).mean()

    return loss


def modelled(batch: int, way: float) -> Any:
    """The loss of a model of one turn, in a room that is wired one way."""

    def loss(network: MLP, key: Key[Array, ""]) -> Float[Array, ""]:
        x, heat = jax.random.uniform(key, (2, batch), minval=-1.0, maxval=1.0)
        x = MODELLED * x
        told = x + jax.vmap(lambda a, b: out(network, a, b))(x, heat)
        return ((told - room(x, heat, way)) ** 2).mean()

    return loss


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes [trainings, arms] of each test: the share of episodes that end where it is wanted,
    and `way_kicked`, `way_rewired` (`of_the_way`). [trainings]: `retrained`, `way_retrained` of
    the habit that is learned anew for the wiring; `thermostat_kicked`, `thermostat_rewired` of the
    built law; `model_error`, the root mean square of the model where it was trained.
    """  # fmt: skip
    del context
    steps, batch = settings["steps"], settings["batch"]
    calm = bool(settings.get("null"))
    turned = 1.0 if calm else -1.0

    def fit(loss: Any, inputs: int, key: Key[Array, ""]) -> MLP:
        make, learn = jax.random.split(key)
        network = MLP((inputs,), 1, width=WIDTH, depth=2, value_range=None, key=make)
        return descended(loss, network, learn, steps=steps, learning_rate=RATE)[0]

    model_loss, rewired_loss = modelled(batch, 1.0), modelled(batch, turned)
    anew = through(habit, max(batch // TURNS, 1), turned)  # as many turns as the model is told of

    def one(key: Key[Array, ""]) -> dict[str, Float[Array, "..."]]:
        keys = jax.random.split(key, 8)
        reactive = fit(through(habit, batch), 3, keys[0])
        blind = fit(through(recited, batch), 3, keys[1])
        model, after = fit(model_loss, 2, keys[2]), fit(rewired_loss, 2, keys[3])
        retrained = until_half(habit(reactive), habit(fit(anew, 3, keys[7])))
        began, wanted = starts(keys[4], JUDGED)
        far = jax.random.uniform(keys[5], (JUDGED,), minval=KICK[0], maxval=KICK[1])
        kick = None if calm else far * jax.random.rademacher(keys[6], (JUDGED,))
        acts = (habit(reactive), recited(blind), plan(model), replanning(model, model))
        told_anew = (*acts[:3], replanning(model, after), retrained)
        law = thermostat if calm else opposite(thermostat)

        def paths(act: Way, kicks: Array | None, way: float) -> Float[Array, "n turns"]:
            if kicks is None:
                return jax.vmap(lambda b, w: lived(act, b, w, way=way))(began, wanted)
            live = jax.vmap(lambda b, w, k: lived(act, b, w, kick=k, way=way))
            return live(began, wanted, kicks)

        def there(path: Float[Array, "n turns"]) -> Float[Array, ""]:
            return (jnp.abs(path[:, -1] - wanted) < CLOSE).mean()

        def tested(some: Any, kicks: Array | None, way: float, best: Way) -> tuple[Array, Array]:
            none, least = (paths(until_half(thermostat, x), kicks, way) for x in (idle, best))
            every = [paths(act, kicks, way) for act in some]
            ways = [of_the_way(path, none, least, wanted) for path in every]
            return jnp.stack([there(path) for path in every]), jnp.stack(ways)

        kicked, way_kicked = tested(acts, kick, 1.0, thermostat)
        rewired, way_rewired = tested(told_anew, None, turned, law)
        return {
            "undisturbed": jnp.stack([there(paths(act, None, 1.0)) for act in acts]),
            "kicked": kicked, "way_kicked": way_kicked,
            "rewired": rewired[:-1], "way_rewired": way_rewired[:-1],
            "retrained": rewired[-1], "way_retrained": way_rewired[-1],
            "thermostat_kicked": there(paths(thermostat, kick, 1.0)),
            "thermostat_rewired": there(paths(thermostat, None, turned)),
            "model_error": jnp.sqrt(model_loss(model, keys[4])),
        }  # fmt: skip

    n = settings["trainings"]
    found = side_by_side(one, keys_of(settings))
    turns = (2 + 2 * TURNS) * batch + batch // TURNS * TURNS
    return outcome(found, fits=5 * steps * n, data=float(steps) * turns * n)
