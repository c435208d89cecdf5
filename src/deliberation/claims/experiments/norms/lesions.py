"""A maze that is known in two ways, as a model and as a habit, and lesions of either.

The model is learned from what follows what: from a place and an action to the next place; plans are
made by value iteration in it. The habit is learned from what was best: from a place and a goal to
an action. Both are read from hidden units of one layer: of a layer that they share, or each of its
own of the same size. A lesion silences units that matter more to the one than to the other: those
whose activity varies most while it is asked, times their outgoing weights.

Two halves of one ranking are silenced, and each is chosen for hurting its own reader more. That by
itself makes any two readers of a layer come apart, and so the same is done where no model is: two
habits, of the even and of the odd goals, learned in one layer.

The null: in the shared layer, too, there are two habits, and the one stands for the model.
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
    """One layer of units, read as the next place, as an action, and as an action once more."""

    units: Dense
    next: Dense
    act: Dense
    act_even: Dense
    """Of a habit for even goals, where `act` is one for odd goals."""

    def __init__(self, key: Key[Array, ""]):
        one, two, three, four = jax.random.split(key, 4)
        self.units = Dense(2 * N + 4, WIDTH, key=one)
        self.next, self.act = Dense(WIDTH, N, key=two), Dense(WIDTH, 4, key=three)
        self.act_even = Dense(WIDTH, 4, key=four)

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
EVEN, ODD = (PAIRS[PAIRS[:, 1] % 2 == rest] for rest in (0, 1))
"""The pairs with even goals, and those with odd ones."""
EVERY = of_habit(np.repeat(np.arange(N), N), np.tile(np.arange(N), N))
ALL_EVEN, ALL_ODD = (of_habit(*some.T) for some in (EVEN, ODD))


def planned(moves: Float[Array, "places 4 places"]) -> Int[Array, "places goals"]:
    """What value iteration in a model of the moves does in each place for each goal."""
    goal = jnp.eye(N)

    def sweep(_: Any, value: Float[Array, "places goals"]) -> Float[Array, "places goals"]:
        return jnp.where(goal > 0, 1.0, DISCOUNT * jnp.einsum("pan,ng->pag", moves, value).max(1))

    value = jax.lax.fori_loop(0, SWEEPS, sweep, goal)
    return jnp.einsum("pan,ng->pag", moves, value).argmax(1)


def reached(acts: Int[Array, "places goals"], among: Any = 1.0) -> Float[Array, ""]:
    """The share of pairs of places in which the goal is reached in time, in the true maze.

    Of all pairs, or of those `among` [goals] that are one and not zero.
    """
    goal, leads = jnp.arange(N)[None], jnp.asarray(LEADS)
    here = jnp.broadcast_to(jnp.arange(N)[:, None], (N, N))

    def turn(_: Any, here: Int[Array, "places goals"]) -> Int[Array, "places goals"]:
        return jnp.where(here == goal, here, leads[here, acts[here, goal]])

    there = jax.lax.fori_loop(0, TURNS, turn, here) == goal
    among = jnp.broadcast_to(jnp.asarray(among), (N,))
    return ((there & ~jnp.eye(N, dtype=bool)) * among).sum() / (among.sum() * (N - 1))


def matters(layer: Layer, twins: bool = False) -> tuple[Float[Array, " width"], ...]:
    """How much each unit matters to the model and to the habit, as shares of all.

    Of `twins`, to the habit of the even and to that of the odd goals.
    """

    def share(asked: Array, read: Dense) -> Float[Array, " width"]:
        much = layer.hidden(asked).var(0) * (read.w**2).sum(1)
        return much / (much.sum() + 1e-12)

    if twins:
        return share(ALL_EVEN, layer.act_even), share(ALL_ODD, layer.act)
    return share(ALL_MODEL, layer.next), share(ALL_HABIT, layer.act)


def silenced(matter: Float[Array, " width"], dose: float) -> Float[Array, " width"]:
    """Zero for the units that matter most, one for the others."""
    rank = jnp.argsort(jnp.argsort(-matter))
    return (rank >= round(dose * WIDTH)).astype(float)


def scores(model: Layer, habit: Layer, keeps: tuple[Array, Array]) -> Float[Array, "2"]:
    """Pairs reached by planning in the model and by the habit, of units that are kept."""
    logits = model.next(model.hidden(ALL_MODEL) * keeps[0])
    moves = jax.nn.softmax(logits).reshape(N, 4, N)
    acts = habit.act(habit.hidden(EVERY) * keeps[1]).argmax(-1).reshape(N, N)
    return jnp.stack([reached(planned(moves)), reached(acts)])


def twin_scores(layer: Layer, keep: Array) -> Float[Array, "2"]:
    """The same of two habits in one layer: of the even goals, and of the odd ones."""
    units, even = layer.hidden(EVERY) * keep, jnp.arange(N) % 2 == 0
    acts = [read(units).argmax(-1).reshape(N, N) for read in (layer.act_even, layer.act)]
    return jnp.stack([reached(acts[0], even), reached(acts[1], ~even)])


def by_model(layer: Layer, key: Key[Array, ""], batch: int) -> Float[Array, ""]:
    """The loss of a model: the cross-entropy of the next place."""
    where, what = jax.random.split(key)
    place = jax.random.randint(where, (batch,), 0, N)
    action = jax.random.randint(what, (batch,), 0, 4)
    logs = jax.nn.log_softmax(layer.next(layer.hidden(of_model(place, action))))
    return -jnp.take_along_axis(logs, jnp.asarray(LEADS)[place, action][:, None], 1).mean()


def by_habit(
    layer: Layer, read: Dense, some: np.ndarray, key: Key[Array, ""], batch: int
) -> Float[Array, ""]:
    """The loss of a habit: the cross-entropy of the best actions, evenly where there are more."""
    pair = jnp.asarray(some)[jax.random.randint(key, (batch,), 0, len(some))]
    good = jnp.asarray(BEST)[pair[:, 0], :, pair[:, 1]].astype(float)
    logs = jax.nn.log_softmax(read(layer.hidden(of_habit(*pair.T))))
    return -(logs * good / good.sum(1, keepdims=True)).sum(1).mean()


def by_both(layers: Any, key: Key[Array, ""], batch: int) -> Float[Array, ""]:
    """The loss of a model and of a habit, in one layer or in a layer each."""
    first, second = layers if isinstance(layers, tuple) else (layers, layers)
    one, other = jax.random.split(key)
    return by_model(first, one, batch) + by_habit(second, second.act, PAIRS, other, batch)


def by_twins(layer: Layer, key: Key[Array, ""], batch: int) -> Float[Array, ""]:
    """The loss of two habits in one layer, of the even and of the odd goals."""
    one, other = jax.random.split(key)
    even = by_habit(layer, layer.act_even, EVEN, one, batch)
    return even + by_habit(layer, layer.act, ODD, other, batch)


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes [trainings, doses, 2]: pairs reached by the planner and by the habit under lesions
    of the model's units and of the habit's, `shared_model`, `shared_habit` of a layer that both
    share, `own_model`, `own_habit` of layers of their own; `twins_even`, `twins_odd` the same of
    two habits that share a layer. [trainings]: `overlap` and `twins_overlap` of these layers, the
    least share of each unit that matters to both, summed.
    """  # fmt: skip
    del context
    steps, batch, null = settings["steps"], settings["batch"], bool(settings.get("null"))

    def fit(layers: Any, key: Key[Array, ""], loss: Any = by_both) -> Any:
        def whole(layers: Any, key: Key[Array, ""]) -> Float[Array, ""]:
            return loss(layers, key, batch)

        return descended(whole, layers, key, steps=steps, learning_rate=RATE)[0]

    def of_shared(keys: Array, twins: bool) -> tuple[list[Array], Array]:
        """Pairs reached by dose under both lesions of a layer that two readers share; overlap."""
        layer = fit(Layer(keys[0]), keys[1], by_twins if twins else by_both)
        one, other = matters(layer, twins)

        def under(matter: Array, dose: float) -> Float[Array, "2"]:
            keep = silenced(matter, dose)
            return twin_scores(layer, keep) if twins else scores(layer, layer, (keep, keep))

        hit = [jnp.stack([under(m, d) for d in DOSES]) for m in (one - other, other - one)]
        return hit, jnp.minimum(one, other).sum()

    def one(key: Key[Array, ""]) -> dict[str, Array]:
        keys = jax.random.split(key, 7)
        shared, overlap = of_shared(keys[:2], null)
        twins, twins_overlap = of_shared(keys[5:], True)
        model, habit = fit((Layer(keys[2]), Layer(keys[3])), keys[4])
        own, whole = (matters(model)[0], matters(habit)[1]), jnp.ones(WIDTH)
        hit = {
            "own_model": lambda d: (model, habit, (silenced(own[0], d), whole)),
            "own_habit": lambda d: (model, habit, (whole, silenced(own[1], d))),
        }
        found = {name: jnp.stack([scores(*at(d)) for d in DOSES]) for name, at in hit.items()}
        return {
            **found, "shared_model": shared[0], "shared_habit": shared[1], "overlap": overlap,
            "twins_even": twins[0], "twins_odd": twins[1], "twins_overlap": twins_overlap,
        }  # fmt: skip

    n = settings["trainings"]
    found = side_by_side(one, keys_of(settings))
    return outcome(found, fits=3 * steps * n, data=3.0 * steps * batch * n)
