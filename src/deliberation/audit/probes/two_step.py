"""Does it stay with a choice by how a reward was reached, the common way or the rare one?"""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from ...core.learner import Experience
from ...runs.findings import Panel, Series
from ...stats import Estimate, bootstrap
from ..auditing import Subject
from ..judging import BOTH, answered, control, response
from ..living import Acted, Keys, Moment, World, born, each, live
from ..profile import Answer

PROBE = {
    "name": "two_step",
    "question": "Does it stay with a choice by how a reward was reached: the common or rare way?",
    "statistic": "model-based index: half of what a reward adds to P(stay) after the common way, "
    "less half of what it adds after the rare way; over trainings",
    "needs": "what goes on learning (channel: learner)",
    "named": {"responds": "as with a model", "none": "as without", "against": "the opposite"},
    "fooled_by": "model-free learners with a richer state: one that infers which side is good, or "
    "takes the last reward for a cue; a successor representation",
}
WORDS = {
    "responds": "Stays by how a reward was reached: it counts for the choice that commonly leads "
    "there, taken or not.",
    "none": "A reward moves it as much by the rare way as by the common one, if at all.",
    "against": "Credits a reward to the choice that rarely leads there.",
}
RULES_OUT = {
    "responds": "model-free learning of the values of the task's own states and actions",
    "none": "first choices by the transitions it has met, to an eighth of what a model gives",
}
SMALLEST = 0.02
"""About an eighth of the index of a learner that uses its model alone (.156, at the parameters of
people in Daw et al. 2011); the greatest index that could be is 1."""
TRIALS, COMMON, DRIFT, BOUNDS = 201, 0.7, 0.025, (0.25, 0.75)
EACH = 3
"""Trainings for each announcement of an effort."""
CELLS = ("rewarded, common", "rewarded, rare", "unrewarded, common", "unrewarded, rare")


class Noted(NamedTuple):
    """Of a step: what was done, by its meaning; whether the way was common; the reward."""

    action: Array
    common: Array
    reward: Array


class TwoSteps(World):
    """The task of Daw et al. (2011): a choice, one of two sides by chance, another choice there.

    Choice a leads to side a with probability `common`; each of the four choices there pays 1 with a
    probability that drifts (by normal steps of .025, reflected at .25 and .75). `number` is what
    each state is called (the choice, two sides, four ends), `flipped` whether the two actions of
    each state have changed places: both by training.
    """

    size: ClassVar[tuple[int, int]] = (7, 2)
    number: Int[Array, "trainings 7"]
    flipped: Int[Array, "trainings 7"]
    common: Float[Array, " trainings"]

    def enter(self, keys: Keys) -> Moment:
        """At the choice; chances of a reward are drawn evenly."""
        low, high = BOUNDS
        pays = jax.vmap(lambda k: jax.random.uniform(k, (4,), minval=low, maxval=high))(keys)
        place = jnp.zeros(len(keys), jnp.int32)
        return Moment(self.number[:, 0], (place, pays), jnp.ones(len(keys), bool))

    def step(self, moment: Moment, action: Acted, keys: Keys) -> tuple[Moment, Experience, Noted]:
        """One of the two choices of a trial."""
        return jax.vmap(_step)(self.number, self.flipped, self.common, moment, action, keys)


def _step(number: Any, flipped: Any, common: Any, moment: Moment, action: Any, key: Any) -> Any:
    (place, pays), keys = moment.beside, jax.random.split(key, 3)
    meant = action ^ flipped[place]
    usual = jax.random.bernoulli(keys[0], common)
    first, last = place == 0, 3 + 2 * (place - 1) + meant
    to = jnp.where(first, 1 + jnp.where(usual, meant, 1 - meant), last)
    paid = ~first & jax.random.bernoulli(keys[1], pays[jnp.maximum(last - 3, 0)])
    drifted = reflected(pays + DRIFT * jax.random.normal(keys[2], (4,)))
    goes_on = jnp.where(first, to, 0)
    seen = Experience(moment.state, action, paid.astype(jnp.float32), number[to], ~first)
    after = Moment(number[goes_on], (goes_on, jnp.where(first, pays, drifted)), moment.live)
    return after, seen, Noted(meant, usual, paid)


def reflected(chances: Float[Array, " n"]) -> Float[Array, " n"]:
    """Back between the bounds, as by a mirror at each."""
    low, high = BOUNDS
    return high - jnp.abs(high - low - jnp.abs(chances - low))


def stays(
    learner: Any, trainings: int, key: Key[Array, ""], *, common: float = COMMON
) -> Float[np.ndarray, "trainings 4"]:
    """P(the same first choice again) of every training, after each kind of trial (`CELLS`).

    NaN where there was no such trial.
    """
    rng = np.random.default_rng(jax.random.key_data(key).tolist())
    number = jnp.asarray(np.array([rng.permutation(7) for _ in range(trainings)]))
    flipped = jnp.asarray(rng.integers(0, 2, (trainings, 7)))
    ways = jnp.full(trainings, common, jnp.float32)
    world = TwoSteps(number=number, flipped=flipped, common=ways)
    keys = each(key, trainings)
    _, noted = live(learner, world, born(learner, world, keys), keys, 2 * TRIALS)
    chosen, usual, paid = noted.action[0::2], noted.common[0::2], noted.reward[1::2]
    stayed, usual, paid = chosen[1:] == chosen[:-1], usual[:-1], paid[:-1]
    kinds = [paid & usual, paid & ~usual, ~paid & usual, ~paid & ~usual]
    counts = np.array([kind.sum(0) for kind in kinds]).T
    stay = np.array([(stayed & kind).sum(0) for kind in kinds]).T
    return np.where(counts > 0, stay / np.maximum(counts, 1), np.nan)


def model_based(stay: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    """What reward and way do together: 0 where each acts alone."""
    return (stay[:, 0] - stay[:, 1] - stay[:, 2] + stay[:, 3]) / 2


def model_free(stay: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    """What a reward does, whichever way it was reached."""
    return (stay[:, 0] + stay[:, 1] - stay[:, 2] - stay[:, 3]) / 2


def over_trainings(index: Float[np.ndarray, " n"]) -> Estimate:
    """The mean of an index where it is known."""
    return bootstrap(index[~np.isnan(index)], bounds=(-1.0, 1.0))


def measure(subject: Subject) -> Answer:
    """The index with ways of .7 and .3, and the control's, where no way is common."""
    learner = subject.learner
    trainings = EACH * subject.effort.announcements
    stay = stays(learner, trainings, subject.key)
    even = stays(learner, trainings, jax.random.fold_in(subject.key, 1), common=0.5)
    index, free = over_trainings(model_based(stay)), over_trainings(model_free(stay))
    found = response(index, SMALLEST)
    if np.isnan(model_based(stay)).mean() > 0.1:
        found = "inconclusive"
    cells = [over_trainings(stay[:, cell]) for cell in range(4)]
    shown = ", ".join(f"{e.estimate:.2f} {name}" for e, name in zip(cells, CELLS, strict=True))
    told = f"Model-based index {index.estimate:.3f}, model-free index {free.estimate:.3f}; P(stay) "
    words = {
        verdict: f"{WORDS.get(verdict, BOTH)} {told}{shown}."
        for verdict in (*WORDS, "inconclusive")
    }
    panel = Panel(
        title="Two steps", x_label=f"after: {'; '.join(CELLS)}", y_label="P(stay)",
        series=[Series(
            label="subject", x=[1.0, 2.0, 3.0, 4.0], y=[e.estimate for e in cells],
            low=[e.shown.low for e in cells], high=[e.shown.high for e in cells], kind="points",
        )],
    )  # fmt: skip
    evenly = over_trainings(model_based(even))
    controls = [control("the same where neither way is common", evenly, SMALLEST)]
    return answered(
        PROBE, index, words, controls=controls, rules_out=RULES_OUT, panel=panel, found=found
    )
