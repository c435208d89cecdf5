"""Tables distilled from an optimiser, compressed in three ways, and asked beyond what they hold.

The optimiser is value iteration in four rooms with doors. The dense table holds its answer for each
cell, goal on the left and layout with at most half of the doors closed. It is compressed to some
entries of which the nearest one answers, to small networks, and to buckets into which inputs are
hashed and which keep the commonest answer. Elsewhere are goals on the right, and layouts with more
doors closed. Of these only those inputs are asked where the doors matter, that is where what is
best with all doors open is not best; they are compared with inputs of that sort which the table
holds. Every compression is made twice, from other entries, weights or hashes.

The null: the optimiser's answers are shuffled over the inputs. With `home` tables are asked about
what the dense table holds instead of elsewhere.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ....amortised import MLP, descended, side_by_side
from ....runs import Context, Outcome
from .. import four_rooms as rooms
from ..arms import keys_of, outcome

ENTRIES, WIDTHS, BUCKETS = (32, 256, 2048), (4, 16, 64), (2**11, 2**13, 2**17)
TABLES = (
    *(f"nearest of {n} entries" for n in ENTRIES),
    *(f"network of {n} units" for n in WIDTHS),
    *(f"hashed to {n} buckets" for n in BUCKETS),
)
"""In the order of all outcomes."""
PLACES = ("own", "goals", "own_doors", "doors")
"""Where tables are asked: at home, goals elsewhere; where doors matter, at home and elsewhere."""
RATE, BATCH, ASKED = 1e-2, 64, 512
LAYOUTS = np.array([[layout >> door & 1 for door in range(rooms.DOORS)] for layout in range(64)])
FEW = LAYOUTS.sum(1) <= rooms.DOORS // 2
"""The layouts with at most half of the doors closed."""
Answers = Callable[[Int[Array, " n"]], Int[Array, " n"]]


def split(number: Int[Array, "*n"]) -> tuple[Any, Any, Any]:
    """The cell, the goal and the closed doors of a numbered input."""
    layout, rest = number // rooms.CELLS**2, number % rooms.CELLS**2
    closed = jnp.asarray(LAYOUTS, bool)[layout]
    return rest // rooms.CELLS, rest % rooms.CELLS, closed


def inputs_at(
    cost: Float[Array, "layouts cells goals actions"],
) -> dict[str, Bool[Array, "layouts cells goals"]]:
    """Which inputs the dense table holds (`own`) and which lie elsewhere; of these by doors, and of
    `own_doors`, only those in which they matter (`ignored`).
    """
    valid, few, left = rooms.contested(cost), FEW[:, None, None], rooms.LEFT
    matter = ~ignored(cost)
    return {
        "own": valid & few & left, "goals": valid & few & ~left,
        "own_doors": valid & few & left & matter, "doors": valid & ~few & left & matter,
    }  # fmt: skip


def ignored(
    cost: Float[Array, "layouts cells goals actions"],
) -> Bool[Array, "layouts cells goals"]:
    """In which inputs the answer of the layout with all doors open is a best one."""
    answer = rooms.cheapest(cost[0], jnp.zeros(cost.shape[1:3], jnp.int32))
    loss = cost - cost.min(-1, keepdims=True)
    return jnp.take_along_axis(loss, answer[None, ..., None], -1)[..., 0] == 0


def some(key: Key[Array, ""], inside: Bool[Array, " inputs"], count: int) -> Int[Array, " n"]:
    """So many of some inputs, drawn with replacement."""
    order = jnp.argsort(~inside)  # those inside come first
    return order[jax.random.randint(key, (count,), 0, inside.sum())]


def nearest(key: Key[Array, ""], held: Any, answers: Int[Array, " inputs"], count: int) -> Answers:
    """Some entries of the table; the nearest by places and closed doors answers."""

    def shown(number: Int[Array, " n"]) -> Float[Array, "n numbers"]:
        cell, goal, closed = split(number)
        return jnp.concatenate([rooms.places(cell), rooms.places(goal), closed], -1)

    entries = some(key, held, count)
    at = shown(entries)

    def answer(number: Int[Array, " n"]) -> Int[Array, " n"]:
        far = (at**2).sum(1) - 2 * shown(number) @ at.T
        return answers[entries[far.argmin(1)]]

    return answer


def network(
    key: Key[Array, ""], held: Any, answers: Int[Array, " inputs"], width: int, steps: int
) -> Answers:
    """A network with so many hidden units, fitted to the whole table."""
    make, learn = jax.random.split(key)
    order, many = jnp.argsort(~held), held.sum()  # those that are held come first

    def read(one: MLP, number: Int[Array, " n"]) -> Float[Array, "n actions"]:
        return jax.vmap(one)(rooms.seen(*split(number)))[0]

    def loss(one: MLP, key: Key[Array, ""]) -> Float[Array, ""]:
        batch = order[jax.random.randint(key, (BATCH,), 0, many)]
        told = jax.nn.log_softmax(read(one, batch))
        return -jnp.take_along_axis(told, answers[batch][:, None], 1).mean()

    start = MLP((rooms.INPUTS,), rooms.ACTIONS, width, 1, key=make)
    fitted, _ = descended(loss, start, learn, steps=steps, learning_rate=RATE)
    return lambda number: read(fitted, number).argmax(-1)


def hashed(key: Key[Array, ""], held: Any, answers: Int[Array, " inputs"], buckets: int) -> Answers:
    """So many buckets, each with the commonest answer of what falls into it; an empty one, chance.

    Equally common answers are drawn among.
    """
    at, draw = jax.random.split(key)
    bucket = jax.random.randint(at, held.shape, 0, buckets)
    votes = jnp.zeros((buckets, rooms.ACTIONS)).at[bucket, answers].add(held)
    chosen = (votes + 0.5 * jax.random.uniform(draw, votes.shape)).argmax(1)
    return lambda number: chosen[bucket[number]]


def compressed(
    key: Key[Array, ""], held: Any, answers: Int[Array, " inputs"], steps: int
) -> list[Answers]:
    """All compressions of a table, in the order of `TABLES`."""
    keys = iter(jax.random.split(key, len(TABLES)))
    return [
        *(nearest(next(keys), held, answers, n) for n in ENTRIES),
        *(network(next(keys), held, answers, n, steps) for n in WIDTHS),
        *(hashed(next(keys), held, answers, n) for n in BUCKETS),
    ]


def evenness(action: Int[Array, " n"]) -> Float[Array, ""]:
    """Entropy of how often each action is taken, in parts of the most."""
    share = jnp.bincount(action, length=rooms.ACTIONS) / action.size
    told = jnp.where(share > 0, -share * jnp.log(jnp.maximum(share, 1e-9)), 0.0)
    return told.sum() / jnp.log(rooms.ACTIONS)


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes of each training, a number a table (`TABLES`), at each of `PLACES`: its share of the
    way (`way_own`, ...), how often it agrees with the same table made again, beyond chance
    (`alike_own`, ...: 0 as two draws, 1 always), and how evenly it takes the actions (`even_own`).
    And of all inputs with so many closed doors the share in which doors matter (`matter_own`,
    `matter_doors`).
    """
    del context
    shuffled, home, steps = bool(settings.get("null")), settings.get("home"), settings["steps"]

    def one(key: Key[Array, ""]) -> dict[str, Float[Array, "*tables"]]:
        build, mix, make, again, *asks = jax.random.split(key, 4 + len(PLACES))
        doors = rooms.draw_doors(build)
        after = jax.vmap(rooms.moves, (None, 0))(doors, jnp.asarray(LAYOUTS, bool))
        cost = jax.vmap(lambda a: rooms.costs(a, rooms.CELLS))(after)
        answers = rooms.cheapest(cost, jnp.zeros(cost.shape[:3], jnp.int32)).ravel()
        taught = jax.random.permutation(mix, answers) if shuffled else answers
        where = inputs_at(cost)
        held, flat = where["own"].ravel(), cost.reshape(-1, rooms.ACTIONS)
        pair = [compressed(k, held, taught, steps) for k in (make, again)]
        closed = rooms.contested(cost) & ~FEW[:, None, None] & rooms.LEFT
        found = {
            "matter_own": where["own_doors"].sum() / where["own"].sum(),
            "matter_doors": where["doors"].sum() / closed.sum(),
        }
        at_home: dict[str, str] = dict.fromkeys(("goals", "doors"), "own") if home else {}
        for place, ask in zip(PLACES, asks, strict=True):
            inside = where[at_home.get(place, place)].ravel()
            asked = some(ask, inside, ASKED)
            first, second = (jnp.stack([table(asked) for table in made]) for made in pair)
            ways = [rooms.way(x, flat[asked], jnp.ones(ASKED, bool)) for x in first]
            chance = 1 / rooms.ACTIONS
            found[f"way_{place}"] = jnp.stack(ways)
            found[f"alike_{place}"] = ((first == second).mean(1) - chance) / (1 - chance)
            found[f"even_{place}"] = jax.vmap(evenness)(first)
        return found

    found = side_by_side(one, keys_of(settings), most=8)
    fitted = 2 * len(WIDTHS) * steps * settings["trainings"]
    return outcome(found, fits=fitted, data=int(FEW.sum()) * rooms.CELLS**2 // 2)
