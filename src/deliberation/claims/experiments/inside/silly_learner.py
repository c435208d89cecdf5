"""A learner that keeps search or noise, and networks that are trained on the same demonstrations.

It holds two hypotheses of what made the demonstrations: a planner for the announced goal that errs
with some probability, and chance. It keeps the likelier. As a decider it is then that planner, with
as many sweeps as it is offered, or a table of actions drawn at random. The networks see the goal,
too, and are given nothing but the demonstrations. All goals that are demonstrated lie on the left.

The null: demonstrated actions are shuffled over the demonstrations.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ....amortised import MLP, descended, side_by_side
from ....runs import Context, Outcome
from .. import four_rooms as rooms
from ..arms import keys_of, outcome

SIZES = (4, 64, 2048)
"""Demonstrations."""
FEW, REDRAWN = (1, 2, 4, 8, 16), 256
"""Demonstrations after which it is counted what is kept, and how often these are drawn."""
BUDGETS = (1, 2, 4, 8, 16)
"""Sweeps of the planner: moves that it looks ahead."""
SKILLED = 0.9
"""Share of demonstrated actions that the planner chose; the others are chance."""
ERRS = 0.3
"""What the learner supposes that a planner errs; it is told nothing of `SKILLED`."""
WIDTH, RATE, BATCH, DECAY = 32, 1e-2, 48, 0.05


def odds(hits: Any, count: Any) -> Any:
    """Log likelihood of search less that of noise, where the planner agrees with so many of
    `count` demonstrations.
    """  # fmt: skip
    right, wrong = 1 - ERRS + ERRS / rooms.ACTIONS, ERRS / rooms.ACTIONS
    return (
        hits * math.log(right) + (count - hits) * math.log(wrong) + count * math.log(rooms.ACTIONS)
    )


def keeps(count: int, agrees: float) -> float:
    """How likely search is kept after so many demonstrations, each with which the planner agrees
    with probability `agrees`: a tail of the binomial distribution.
    """
    from scipy.stats import binom

    least = next((k for k in range(count + 1) if odds(k, count) > 0), count + 1)
    return float(binom.sf(least - 1, count, agrees))


def agreeing() -> float:
    """How likely a planner agrees with a demonstration that was not shuffled."""
    return SKILLED + (1 - SKILLED) / rooms.ACTIONS


def _demonstrations(
    key: Key[Array, ""], expert: Int[Array, "cells goals"], shown: Bool[Array, "cells goals"],
    count: int, shuffled: Bool[Array, ""],
) -> tuple[Int[Array, " n"], Int[Array, " n"]]:  # fmt: skip
    """Pairs of cell and goal (numbered), and the action that was shown."""
    where, chance, err, mix = jax.random.split(key, 4)
    order = jnp.argsort(~shown.ravel())  # those that are shown come first
    pairs = order[jax.random.randint(where, (count,), 0, shown.sum())]
    any_action = jax.random.randint(chance, pairs.shape, 0, rooms.ACTIONS)
    skilled = jax.random.bernoulli(err, SKILLED, pairs.shape)
    action = jnp.where(skilled, expert.ravel()[pairs], any_action)
    return pairs, jnp.where(shuffled, jax.random.permutation(mix, action), action)


def _kept(
    expert: Int[Array, "cells goals"], pairs: Int[Array, " n"], action: Int[Array, " n"],
    sizes: tuple[int, ...],
) -> Bool[Array, " sizes"]:  # fmt: skip
    """Whether search is likelier than noise, by the first so many demonstrations."""
    hits, count = (expert.ravel()[pairs] == action).cumsum(), jnp.array(sizes)
    return odds(hits[count - 1], count) > 0


def _network(
    key: Key[Array, ""], pairs: Int[Array, " n"], action: Int[Array, " n"],
    count: Int[Array, ""], steps: int,
) -> Int[Array, "cells goals"]:  # fmt: skip
    """What a network that is fitted to the first `count` demonstrations takes everywhere."""
    make, learn = jax.random.split(key)
    every = jnp.arange(rooms.CELLS**2)
    none = jnp.zeros((rooms.CELLS**2, rooms.DOORS), bool)
    inputs = rooms.seen(every // rooms.CELLS, every % rooms.CELLS, none)

    def loss(network: MLP, key: Key[Array, ""]) -> Float[Array, ""]:
        some = jax.random.randint(key, (BATCH,), 0, count)
        logits = jax.vmap(network)(inputs[pairs[some]])[0]
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), action[some][:, None], 1).mean()

    network = MLP((rooms.INPUTS,), rooms.ACTIONS, WIDTH, 1, key=make)
    network, _ = descended(
        loss, network, learn, steps=steps, learning_rate=RATE, weight_decay=DECAY
    )
    taken = jax.vmap(network)(inputs)[0].argmax(-1)
    return taken.reshape(rooms.CELLS, rooms.CELLS)


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes of each training. By the number of demonstrations (`SIZES`): whether search was
    `kept`, and shares of the way of the learner and of the network, for goals on the left (`own`,
    `twin_own`) and on the right (`new`, `twin_new`). After all of them: shares of inputs with goals
    on the left in which it agrees with a network (`alike`), and one network with another
    (`alike_twins`), and its share of the way by the moves that it looks ahead (`effort`). And
    how often search was kept after `FEW` demonstrations, each time drawn anew (`kept_few`).
    """
    del context
    mixed = jnp.asarray(bool(settings.get("null")) or settings["arm"] == "shuffled")
    steps = settings["steps"]

    def one(key: Key[Array, ""], shuffled: Bool[Array, ""]) -> dict[str, Float[Array, "..."]]:
        build, die, show, first, second = jax.random.split(key, 5)
        after = rooms.moves(rooms.draw_doors(build), jnp.zeros(rooms.DOORS, bool))
        cost = rooms.costs(after, rooms.CELLS)
        noise = jax.random.randint(die, cost.shape[:2], 0, rooms.ACTIONS)
        planned = [rooms.cheapest(rooms.costs(after, b), noise) for b in BUDGETS]
        valid, expert = rooms.contested(cost), rooms.cheapest(cost, noise)
        own, new = valid & rooms.LEFT, valid & ~rooms.LEFT
        pairs, action = _demonstrations(show, expert, own, SIZES[-1], shuffled)
        sizes, kept = jnp.array(SIZES), _kept(expert, pairs, action, SIZES)

        def redrawn(key: Key[Array, ""]) -> Bool[Array, " sizes"]:
            return _kept(expert, *_demonstrations(key, expert, own, FEW[-1], shuffled), FEW)

        silly = jnp.where(kept[:, None, None], expert, noise)
        fit = jax.vmap(lambda n, k: _network(k, pairs, action, n, steps))
        twin = fit(sizes, jnp.stack([first] * len(SIZES)))
        other = _network(second, pairs, action, sizes[-1], steps)
        ways = jax.vmap(rooms.way, (0, None, None))
        effort = jnp.where(kept[-1], jnp.stack(planned), noise)
        again = jax.random.split(jax.random.fold_in(show, 1), REDRAWN)
        return {
            "kept": kept.astype(jnp.float32),
            "kept_few": jax.vmap(redrawn)(again).mean(0),
            "own": ways(silly, cost, own),
            "new": ways(silly, cost, new),
            "twin_own": ways(twin, cost, own),
            "twin_new": ways(twin, cost, new),
            "alike": rooms.agreement(silly[-1], twin[-1], own),
            "alike_twins": rooms.agreement(other, twin[-1], own),
            "effort": ways(effort, cost, own),
        }

    found = side_by_side(one, keys_of(settings), mixed)
    fitted = steps * settings["trainings"] * (len(SIZES) + 1)
    return outcome(found, fits=fitted, data=SIZES[-1] * settings["trainings"])
