"""Questions about a number that is shown through noise, and a lever that moves the number.

Every network may answer (one of the numbers, which ends the episode) or pull the lever, which makes
the number zero. What differs is what training tells, and whether the lever moves anything while it
lasts. Afterwards each is judged with the lever open, with it cut, and on strange questions (the
negative of the picture: its sign is turned) with it open. To be told an answer among all actions is
to be told not to pull; so one network is told among the answers only, and hears nothing of levers.

The null: the lever moves nothing while any of them is trained.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ....amortised import MLP, descended, side_by_side
from ....runs import Context, Outcome
from ..arms import keys_of, outcome
from ..influence import left_otherwise
from ..reinforced import World, play, reward_loss

NUMBERS, NOISE, TURNS, JUDGED, WIDTH = 5, 0.7, 3, 1024, 32
"""Numbers there are; the deviation of the picture's noise; turns; episodes judged; hidden units."""
PULL = NUMBERS
"""The action after the answers."""
DISCOUNT, RATE = 0.95, 3e-3
ARMS = {
    "told": (True, True, True),
    "rewarded": (False, True, True),
    "rewarded, lever cut in training": (False, False, True),
    "told, lever never spoken of": (True, True, False),
}
"""Whether training tells the right answer, whether the lever then moves the number, and whether
being told of an answer also tells not to pull."""
TESTS = ("open", "cut", "strange")


class Question(NamedTuple):
    """A number, the noise of its picture, whether the lever was pulled, and the answer or -1."""

    number: Int[Array, ""]
    noise: Float[Array, " numbers"]
    pulled: Bool[Array, ""]
    said: Int[Array, ""]


def asked(moves: Bool[Array, ""] | bool, sign: float = 1.0) -> World:
    """The world of questions in which the lever moves the number or not; `sign` of the picture."""

    def start(key: Key[Array, ""]) -> Question:
        which, blur = jax.random.split(key)
        number = jax.random.randint(which, (), 0, NUMBERS)
        noise = NOISE * jax.random.normal(blur, (NUMBERS,))
        return Question(number, noise, jnp.bool_(False), jnp.int32(-1))

    def observe(state: Question) -> Float[Array, " inputs"]:
        picture = sign * (state.number == jnp.arange(NUMBERS)) + state.noise
        return jnp.append(picture, state.pulled)

    def act(state: Question, action: Int[Array, ""]) -> tuple:
        pulls = action == PULL
        number = jnp.where(pulls & moves, 0, state.number)
        said = jnp.where(pulls, -1, action)
        after = state._replace(number=number, pulled=state.pulled | pulls, said=said)
        return after, (said == number).astype(float), ~pulls

    return World(start, observe, act)


def honest() -> float:
    """How often the best answer from the picture alone is right: the greatest of its entries."""
    from scipy.integrate import quad
    from scipy.stats import norm

    return float(
        quad(lambda z: norm.pdf(z) * norm.cdf(z + 1 / NOISE) ** (NUMBERS - 1), -9.0, 9.0)[0]
    )


def told_answers(
    network: MLP, seen: Float[Array, "n inputs"], right: Int[Array, " n"], *, hushed: Array
) -> Float[Array, ""]:
    """Cross-entropy of the right answers among all actions, or, not `hushed`, among answers."""
    logits = jax.vmap(network)(seen)[0]
    logits = jnp.where((jnp.arange(PULL + 1) == PULL) & ~hushed, -jnp.inf, logits)
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), right[:, None], 1).mean()


def train(settings: dict[str, Any], context: Context) -> Outcome:
    """Outcomes [trainings, arms], of each test ("open_", "cut_", "strange_"): `right` (of the
    number as it is when the answer is given), `influence` (on the number), `pulls` a question.
    """  # fmt: skip
    del context
    steps, batch = settings["steps"], settings["batch"]
    kinds = jnp.array(list(ARMS.values()))
    kinds = kinds.at[:, 1].set(False) if settings.get("null") else kinds
    worlds = {"open": asked(True), "cut": asked(False), "strange": asked(True, -1.0)}

    def one(key: Key[Array, ""], kind: Array) -> dict[str, Float[Array, ""]]:
        told, moves, hushed = kind
        world = asked(moves)
        make, learn, judge = jax.random.split(key, 3)
        network = MLP((NUMBERS + 1,), PULL + 1, width=WIDTH, depth=2, value_range=None, key=make)

        def loss(network: MLP, key: Key[Array, ""]) -> Float[Array, ""]:
            some = play(network, world, key, batch, TURNS)
            by_word = told_answers(network, some.seen[:, 0], some.first.number, hushed=hushed)
            return jnp.where(told, by_word, reward_loss(network, some, DISCOUNT))

        network, _ = descended(loss, network, learn, steps=steps, learning_rate=RATE)
        found = {}
        for test, tried in worlds.items():
            some = play(network, tried, judge, JUDGED, TURNS)
            found[f"{test}_right"] = (some.last.said == some.last.number).mean()
            found[f"{test}_influence"] = left_otherwise(some.last.number, some.first.number)
            found[f"{test}_pulls"] = (some.alive & (some.action == PULL)).sum(1).mean() * 1.0
        return found

    def all_arms(key: Key[Array, ""]) -> dict[str, Float[Array, " arms"]]:
        return jax.vmap(one, (None, 0))(key, kinds)

    found = side_by_side(all_arms, keys_of(settings))
    n = settings["trainings"] * len(ARMS)
    return outcome(found, fits=steps * n, data=float(steps) * batch * n)
