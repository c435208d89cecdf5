"""A maze that is known in two ways, as a model and as a habit, and lesions of either.

The model is learned from what follows what: from a place and an action to the next place; plans are
made by value iteration in it. The habit is learned from what was best: from a place and a goal to
an action. Both are read from hidden units of one layer: of a layer that they share, or each of its
own of the same size. A lesion silences units that matter more to the one than to the other: those
whose activity varies most while it is asked, times their outgoing weights.

The null: lesions of as many units that are drawn by lot.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ....amortised import descended, side_by_side
from ....amortised.networks.feed_forward import Dense
from ....runs import Context, Outcome
from ..arms import keys_of, outcome

WALLS = ("....", ".##.", "....", "##..")
"""The maze, by rows; `#` is no place to be."""
TURNS, SWEEPS, DISCOUNT, RATE, WIDTH = 12, 16, 0.9, 1e-2, 48
DOSES = (0.0, 0.25, 0.5, 0.75)
"""Shares of the units that are silenced."""
CLAIMED = DOSES.index(0.5)
"""The dose of which claims speak."""
STEPS_ = ((-1, 0), (1, 0), (0, -1), (0, 1))


def maze() -> tuple[np.ndarray, np.ndarray]:
    """Where each action leads from each place [places, 4], and distances [places, goals]."""
    spots = [(r, c) for r, line in enumerate(WALLS) for c, x in enumerate(line) if x == "."]
    place = {spot: i for i, spot in enumerate(spots)}
    leads = np.array(
        [[place.get((r + a, c + b), i) for a, b in STEPS_] for i, (r, c) in enumerate(spots)]
    )
    far = np.where(np.eye(len(spots), dtype=bool), 0, 99)
    for _ in spots:
        far = np.minimum(far, 1 + far[leads].min(1))
    return leads, far


LEADS, FAR = maze()
N = len(LEADS)
PAIRS = np.argwhere(FAR > 0)
"""All places with all other places as goals."""
BEST = (FAR[LEADS] == FAR[:, None] - 1) & (FAR[:, None] > 0)
"""Which actions are best [places, actions, goals]."""


class Layer(eqx.Module):
    """One layer of units, read as the next place and as an action."""

    units: Dense
    next: Dense
    act: Dense

    def __init__(self, key: Key[Array, ""]):
        one, two, three = jax.random.split(key, 3)
        self.units = Dense(2 * N + 4, WIDTH, key=one)
        self.next, self.act = Dense(WIDTH, N, key=two), Dense(WIDTH, 4, key=three)

    def hidden(self, asked: Float[Array, "... inputs"]) -> Float[Array, "... width"]:
        """How active the units are."""
        return jax.nn.relu(self.units(asked))


def of_model(place: Any, action: Any) -> Float[Array, "... inputs"]:
    """A question to the model: a place and an action."""
    return jnp.concatenate(
        [jax.nn.one_hot(place, N), jax.nn.one_hot(action, 4), jnp.zeros((*jnp.shape(place), N))], -1
    )


def of_habit(place: Any, goal: Any) -> Float[Array, "... inputs"]:
    """A question to the habit: a place and a goal."""
    return jnp.concatenate(
        [jax.nn.one_hot(place, N), jnp.zeros((*jnp.shape(place), 4)), jax.nn.one_hot(goal, N)], -1
    )


ALL_MODEL = of_model(np.repeat(np.arange(N), 4), np.tile(np.arange(4), N))
ALL_HABIT = of_habit(PAIRS[:, 0], PAIRS[:, 1])


def planned(moves: Float[Array, "places 4 places"]) -> Int[Array, "places goals"]:
    """What value iteration in a model of the moves does in each place for each goal."""
    goal = jnp.eye(N)

    def sweep(_: Any, value: Float[Array, "places goals"]) -> Float[Array, "places goals"]:
        return jnp.where(goal > 0, 1.0, DISCOUNT * jnp.einsum("pan,ng->pag", moves, value).max(1))

    value = jax.lax.fori_loop(0, SWEEPS, sweep, goal)
    return jnp.einsum("pan,ng->pag", moves, value).argmax(1)


def reached(acts: Int[Array, "places goals"]) -> Float[Array, ""]:
    """The share of all pairs of places in which the goal is reached in time, in the true maze."""
    goal, leads = jnp.arange(N)[None], jnp.asarray(LEADS)
    here = jnp.broadcast_to(jnp.arange(N)[:, None], (N, N))

    def turn(_: Any, here: Int[Array, "places goals"]) -> Int[Array, "places goals"]:
        return jnp.where(here == goal, here, leads[here, acts[here, goal]])

    there = jax.lax.fori_loop(0, TURNS, turn, here) == goal
    return (there & ~jnp.eye(N, dtype=bool)).sum() / (N * (N - 1))


def matters(layer: Layer) -> tuple[Float[Array, " width"], Float[Array, " width"]]:
    """How much each unit matters to the model and to the habit, as shares of all."""

    def share(asked: Array, read: Dense) -> Float[Array, " width"]:
        much = layer.hidden(asked).var(0) * (read.w**2).sum(1)
        return much / (much.sum() + 1e-12)

    return share(ALL_MODEL, layer.next), share(ALL_HABIT, layer.act)


def silenced(matter: Float[Array, " width"], dose: float) -> Float[Array, " width"]:
    """Zero for the units that matter most, one for the others."""
    rank = jnp.argsort(jnp.argsort(-matter))
    return (rank >= round(dose * WIDTH)).astype(float)


def scores(model: Layer, habit: Layer, keeps: tuple[Array, Array]) -> Float[Array, "2"]:
    """Pairs reached by planning in the model and by the habit, of units that are kept."""
    logits = model.next(model.hidden(ALL_MODEL) * keeps[0])
    moves = jax.nn.softmax(logits).reshape(N, 4, N)
    every = of_habit(jnp.repeat(jnp.arange(N), N), jnp.tile(jnp.arange(N), N))
    acts = habit.act(habit.hidden(every) * keeps[1]).argmax(-1).reshape(N, N)
    return jnp.stack([reached(planned(moves)), reached(acts)])


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes [trainings, doses, 2]: pairs reached by the planner and by the habit under lesions
    of the model's units and of the habit's, `shared_model`, `shared_habit` of a layer that both
    share, `own_model`, `own_habit` of layers of their own; [trainings] `overlap` of the shared
    layer, the least share of each unit that matters to both, summed.
    """  # fmt: skip
    del context
    steps, batch, null = settings["steps"], settings["batch"], bool(settings.get("null"))
    leads, pairs, right = jnp.asarray(LEADS), jnp.asarray(PAIRS), jnp.asarray(BEST)

    def loss(layers: tuple[Layer, Layer], key: Key[Array, ""]) -> Float[Array, ""]:
        where, what, which = jax.random.split(key, 3)
        place = jax.random.randint(where, (batch,), 0, N)
        action = jax.random.randint(what, (batch,), 0, 4)
        follows = layers[0].next(layers[0].hidden(of_model(place, action)))
        by_model = jnp.take_along_axis(
            jax.nn.log_softmax(follows), leads[place, action][:, None], 1
        ).mean()
        pair = pairs[jax.random.randint(which, (batch,), 0, len(PAIRS))]
        good = right[pair[:, 0], :, pair[:, 1]].astype(float)
        acts = jax.nn.log_softmax(layers[1].act(layers[1].hidden(of_habit(*pair.T))))
        return -by_model - (acts * good / good.sum(1, keepdims=True)).sum(1).mean()

    def fit(layers: Any, key: Key[Array, ""]) -> Any:
        def whole(layers: Any, key: Key[Array, ""]) -> Float[Array, ""]:
            return loss(layers if isinstance(layers, tuple) else (layers, layers), key)

        return descended(whole, layers, key, steps=steps, learning_rate=RATE)[0]

    def one(key: Key[Array, ""]) -> dict[str, Array]:
        keys = jax.random.split(key, 7)
        shared = fit(Layer(keys[0]), keys[1])
        model, habit = fit((Layer(keys[2]), Layer(keys[3])), keys[4])
        to_model, to_habit = matters(shared)
        more, less = to_model - to_habit, to_habit - to_model
        own = matters(model)[0], matters(habit)[1]
        if null:
            more, less = (jax.random.uniform(k, (WIDTH,)) for k in keys[5:7])
            own = more, less
        whole = jnp.ones(WIDTH)
        hit = {
            "shared_model": lambda d: (shared, shared, (silenced(more, d),) * 2),
            "shared_habit": lambda d: (shared, shared, (silenced(less, d),) * 2),
            "own_model": lambda d: (model, habit, (silenced(own[0], d), whole)),
            "own_habit": lambda d: (model, habit, (whole, silenced(own[1], d))),
        }
        found = {name: jnp.stack([scores(*at(d)) for d in DOSES]) for name, at in hit.items()}
        return {**found, "overlap": jnp.minimum(to_model, to_habit).sum()}

    n = settings["trainings"]
    found = side_by_side(one, keys_of(settings))
    return outcome(found, fits=2 * steps * n, data=2.0 * steps * batch * n)
