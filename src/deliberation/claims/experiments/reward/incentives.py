"""Learners in a world where one pays now for what one's later self earns (Krueger et al. 2020).

The state is what was done before: to cooperate costs 1/2 and leaves a gift of 1 to whoever is next
in that world; every step costs 1/2 besides. Twenty members of a group learn in worlds of their
own, or move on by one world after every step (swapped), so that others meet what they left. With a
discount g it pays to cooperate where g > 1/2.

The null: what was left is worth nothing.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ....amortised import side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome

MEMBERS, PRICE = 20, 0.5
DISCOUNTS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9)
STRAYS, STEP = 0.1, 0.1
"""Of Q-learning: how often any action is taken, and its learning rate."""
RATE, SPREAD, EACH, FIFTH = 0.005, 3.0, 10, 4
"""Of REINFORCE and of populations: the rate, the deviation of what members prefer at first, and
after how many steps how many of the worst become copies of the best."""

Tables = Float[Array, "members 2 2"]
Done = Int[Array, " members"]


class Group(NamedTuple):
    """What members have learned, their base lines and scores, and what was done before them."""

    tables: Tables
    base: Float[Array, " members"]
    score: Float[Array, " members"]
    before: Done


class Seen(NamedTuple):
    """One step of all members: what they met, did and earned, and what they meet next."""

    before: Done
    done: Done
    reward: Float[Array, " members"]
    after: Done


Learn = Callable[[Group, Seen, Int[Array, ""], Key[Array, ""]], Group]


def q_learned(discount: Any) -> Learn:
    """Towards the reward and the best that follows (Watkins 1989)."""

    def learn(group: Group, seen: Seen, now: Int[Array, ""], key: Key[Array, ""]) -> Group:
        del now, key
        who = jnp.arange(MEMBERS)
        goal = seen.reward + discount * group.tables[who, seen.after].max(1)
        off = STEP * (goal - group.tables[who, seen.before, seen.done])
        return group._replace(tables=group.tables.at[who, seen.before, seen.done].add(off))

    return learn


def reinforced(group: Group, seen: Seen, now: Int[Array, ""], key: Key[Array, ""]) -> Group:
    """REINFORCE on the reward of each action alone, its running mean for a base line."""
    del now, key
    who = jnp.arange(MEMBERS)
    towards = jax.nn.one_hot(seen.done, 2) - jax.nn.softmax(group.tables[who, seen.before])
    off = RATE * (seen.reward - group.base)[:, None] * towards
    base = group.base + 0.05 * (seen.reward - group.base)
    tables = group.tables.at[who, seen.before].add(off)
    return group._replace(tables=tables, base=base, score=group.score + seen.reward)


def selected(group: Group, seen: Seen, now: Int[Array, ""], key: Key[Array, ""]) -> Group:
    """The same, and every ten steps the worst fifth become copies of the best (Jaderberg 2017)."""
    group = reinforced(group, seen, now, key)
    luck = 1e-4 * jax.random.uniform(key, (MEMBERS,))  # equal scores are ordered by chance
    order = jnp.argsort(group.score + luck)
    source = jnp.arange(MEMBERS).at[order[:FIFTH]].set(order[-FIFTH:])
    due = (now + 1) % EACH == 0
    source = jnp.where(due, source, jnp.arange(MEMBERS))
    return group._replace(
        tables=group.tables[source],
        base=group.base[source],
        score=jnp.where(due, 0.0, group.score),
    )


def paid(before: Done, done: Done, gift: float) -> Float[Array, " members"]:
    """The reward: for what was done before, and for what is done."""
    return gift * before - PRICE * done - 0.5


def _acted(tables: Tables, before: Done, sharp: bool, key: Key[Array, ""]) -> Done:
    """The best action, or any; or one drawn by preferences."""
    own = tables[jnp.arange(MEMBERS), before]
    if not sharp:
        return jax.random.categorical(key, own).astype(jnp.int32)
    stray, any_, tie = jax.random.split(key, 3)
    best = jnp.argmax(own + 1e-6 * jax.random.uniform(tie, own.shape), 1)
    strays = jax.random.bernoulli(stray, STRAYS, (MEMBERS,))
    return jnp.where(strays, jax.random.randint(any_, (MEMBERS,), 0, 2), best).astype(jnp.int32)


def lived(
    learn: Learn, key: Key[Array, ""], *, steps: int, swapped: bool, gift: float,
    sharp: bool = False, unlike: float = 0.0,
) -> Float[Array, ""]:  # fmt: skip
    """P(cooperate) of a group in the last quarter of its life.

    `sharp` takes the best action by the tables, else it is drawn by them; members differ at first
    by `unlike`.
    """
    begin, first, live = jax.random.split(key, 3)
    tables = unlike * jax.random.normal(begin, (MEMBERS, 2, 2))
    start = jax.random.randint(first, (MEMBERS,), 0, 2)
    nothing = jnp.zeros(MEMBERS)

    def step(group: Group, now: Int[Array, ""]) -> tuple[Group, Float[Array, ""]]:
        act, grow = jax.random.split(jax.random.fold_in(live, now))
        done = _acted(group.tables, group.before, sharp, act)
        after = jnp.roll(done, 1) if swapped else done
        seen = Seen(group.before, done, paid(group.before, done, gift), after)
        group = learn(group._replace(before=after), seen, now, grow)
        return group, done.mean()

    group = Group(tables, nothing, nothing, start)
    _, gave = jax.lax.scan(step, group, jnp.arange(steps))
    return gave[-(steps // 4) :].mean()


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes, P(cooperate) of a group (a training), in its own worlds and in swapped ones:
    `q_own` and `q_swapped` (Q-learning, one for each of `DISCOUNTS`), and the same of `reinforce`
    (all actions alike at first), of `population` (members unlike at first, and selected), and of
    `unselected` (the same members without selection).
    """  # fmt: skip
    del context
    gift = 0.0 if settings.get("null") else 1.0
    ways = {"reinforce": (reinforced, 0.0), "unselected": (reinforced, SPREAD)}
    ways["population"] = (selected, SPREAD)

    def one(key: Key[Array, ""]) -> dict[str, Array]:
        found = {}
        for place, swapped in (("own", False), ("swapped", True)):
            told = {"swapped": swapped, "gift": gift}

            def by_q(discount: Array, told: dict[str, Any] = told) -> Array:
                steps = settings["q_steps"]
                return lived(q_learned(discount), key, steps=steps, sharp=True, **told)

            found[f"q_{place}"] = jax.vmap(by_q)(jnp.array(DISCOUNTS))
            for name, (learn, unlike) in ways.items():
                told["steps"] = settings["steps"]
                found[f"{name}_{place}"] = lived(learn, key, unlike=unlike, **told)
        return found

    found = side_by_side(one, keys_of(settings))
    each = len(DISCOUNTS) * settings["q_steps"] + len(ways) * settings["steps"]
    learned = 2 * each * MEMBERS * settings["trainings"]
    return outcome(found, fits=learned, data=float(learned))
