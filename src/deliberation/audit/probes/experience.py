"""What does it revise upstream when a reward, or a way, is seen to have changed?"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.learner import Experience
from ...runs.findings import Panel, Series
from ...stats import Estimate, bootstrap
from ..auditing import Subject
from ..judging import answered, control, response
from ..living import Acted, Keys, Life, Moment, World, born, each, enter, live, tested
from ..profile import Answer, Control

PROBE = {
    "name": "experience",
    "question": "Does it revise a choice after seeing a change further on, and nothing in between?",
    "statistic": "P(switch) at a choice after changed rewards, and after changed ways, were seen "
    "two steps on, each less P(switch) where nothing had changed; the mean of both, over trainings",
    "needs": "what goes on learning (channel: learner)",
    "fooled_by": "a model-free learner that goes through what it remembers again, which revises "
    "without looking ahead",
}
CONDITIONS = ("rewards swapped", "successors swapped", "nothing changed")
STEPS = 480
"""Of the first phase; the second has twice as many, and phases end with an episode."""
VERDICTS = ("responds", "none", "against", "inconclusive")
LONGEST, DRAWS = 3, 16
LED = 0.5
"""How often the action is drawn instead: who chooses early needs to have seen both chains."""
LEARNED = 0.6
"""P(better) at a choice from which on it counts as learned: beyond a half, whatever is explored."""
FIRST, SECOND = (0, 0, 0, 0, 1, 2, 7, 7), (3, 3, 4, 4, 7, 7, 7, 7)
"""Where episodes begin. 0 is the choice between 1 and 2; these lead to 3 and 4, these to the ends,
5 and 6. 7 is a choice between 3 and 4, from which nothing leads to 0, 1 or 2: it shows what was
learned in the second phase."""
PATTERNS = {
    (True, True): ("(1, 1, 0), as of values worked out from learned steps",
                   "values and successors that were settled before the change"),
    (True, False): ("(1, 0, 0), as of successors that were learned before the change",
                    "cached values of actions; a learned model of single steps that is used"),
    (False, True): ("(0, 1, 0), as of none of the usual kinds",
                    "cached values of actions; successors that were learned before the change"),
    (False, False): ("(0, 0, 0), as of cached values of actions",
                     "values worked out from rewards and steps as they were seen last"),
}  # fmt: skip
"""By whether it follows changed rewards and changed ways: the pattern, and what is ruled out."""


class Chains(World):
    """Two chains (after Momennejad et al. 2017), drawn anew for every training.

    By training: where actions lead, what arriving pays, which states are ends, where episodes
    begin. Half of the actions are drawn, whatever is wanted: people were led along both chains. An
    episode that could not be finished is not begun.
    """

    size: ClassVar[tuple[int, int]] = (8, 2)
    to: Int[Array, "trainings 8 2"]
    pays: Float[Array, "trainings 8"]
    ends: Bool[Array, "trainings 8"]
    begins: Int[Array, "trainings 8"]
    length: Int[Array, ""]

    def enter(self, keys: Keys) -> Moment:
        """The beginning of an episode; the steps that are left."""
        state = jax.vmap(_one_of)(self.begins, keys)
        return Moment(state, jnp.full_like(state, self.length), jnp.full_like(state, True, bool))

    def step(self, moment: Moment, action: Acted, keys: Keys) -> tuple[Moment, Experience, None]:
        """Along a chain, or to the beginning of another episode."""
        row, left = jnp.arange(len(keys)), moment.beside - 1
        action = jax.vmap(_led)(action, keys)
        after = self.to[row, moment.state, action]
        over = self.ends[row, after]
        seen = Experience(moment.state, action, self.pays[row, after], after, over)
        state = jnp.where(over, jax.vmap(_one_of)(self.begins, keys), after)
        return Moment(state, left, moment.live & (~over | (left >= LONGEST))), seen, None


def _led(action: Int[Array, ""], key: Key[Array, ""]) -> Int[Array, ""]:
    keys = jax.random.split(jax.random.fold_in(key, 1))
    anywhere = jax.random.randint(keys[1], (), 0, 2, action.dtype)
    return jnp.where(jax.random.bernoulli(keys[0], LED), anywhere, action)


def _one_of(begins: Int[Array, " 8"], key: Key[Array, ""]) -> Int[Array, ""]:
    return begins[jax.random.randint(key, (), 0, len(begins))]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """What differs from training to training: names of states, of actions, and the payoffs."""

    number: Int[np.ndarray, "trainings 8"]
    flipped: Int[np.ndarray, "trainings 8"]
    high: Float[np.ndarray, " trainings"]
    low: Float[np.ndarray, " trainings"]

    @staticmethod
    def of(trainings: int, key: Key[Array, ""]) -> "Drawn":
        """From a key. Payoffs are of the order of 1: a reward of 10 says the same."""
        rng = np.random.default_rng(jax.random.key_data(key).tolist())
        number = np.array([rng.permutation(8) for _ in range(trainings)])
        flipped = rng.integers(0, 2, (trainings, 8))
        return Drawn(
            number, flipped, rng.uniform(0.8, 1.2, trainings), rng.uniform(0, 0.2, trainings)
        )

    def world(
        self, begins: tuple[int, ...], *, rewards: bool = False, ways: bool = False
    ) -> Chains:
        """With what the ends pay, or where 3 and 4 lead, swapped or not."""
        count = len(self.number)
        middle = ((6, 6), (5, 5)) if ways else ((5, 5), (6, 6))
        leads = np.array([(1, 2), (3, 3), (4, 4), *middle, (5, 5), (6, 6), (3, 4)])
        row = np.arange(count)[:, None]
        to, pays = np.zeros((count, 8, 2), np.int32), np.zeros((count, 8), np.float32)
        for action in (0, 1):
            lead = np.where(self.flipped == action, leads[:, 0], leads[:, 1])
            to[row, self.number, action] = self.number[row, lead]
        ends = np.zeros((count, 8), bool)
        for place, pay in ((5, self.low if rewards else self.high),
                           (6, self.high if rewards else self.low)):  # fmt: skip
            pays[row[:, 0], self.number[:, place]] = pay
            ends[row[:, 0], self.number[:, place]] = True
        return Chains(
            to=jnp.asarray(to), pays=jnp.asarray(pays), ends=jnp.asarray(ends),
            begins=jnp.asarray(self.number[:, list(begins)], jnp.int32), length=jnp.int32(STEPS),
        )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Switches:
    """What every training does, by condition: the choices of what was worse at first, at 0 and 7.

    `before` is after the first phase, `after` after the second; `on` at 7 after the second.
    """

    before: Float[np.ndarray, "conditions trainings"]
    after: Float[np.ndarray, "conditions trainings"]
    on: Float[np.ndarray, "conditions trainings"]

    @property
    def gained(self) -> Float[np.ndarray, "changes trainings"]:
        """P(switch) after changed rewards and after changed ways, less where nothing changed."""
        return self.after[:2] - self.after[2]


def switches(learner: Any, trainings: int, key: Key[Array, ""]) -> Switches:
    """Both phases under all conditions, by the same keys; nothing is learned in between."""
    drawn = Drawn.of(trainings, key)
    first = _beside([drawn.world(FIRST)] * 3)
    second = _beside(
        [drawn.world(SECOND, rewards=True), drawn.world(SECOND, ways=True), drawn.world(SECOND)]
    )
    keys, later = (jnp.tile(each(jax.random.fold_in(key, i), trainings), 3) for i in (0, 1))
    life, _ = live(learner, first, born(learner, first, keys), keys, STEPS)
    before = _worse(learner, first, life, drawn, 0, later)
    # As the first in two parts, so that they are one program.
    for part in (1, 2):
        life = enter(life, second, jax.vmap(lambda k, p=part: jax.random.fold_in(k, p))(later))
        life, _ = live(learner, second, life, keys, STEPS)
    after, on = (_worse(learner, second, life, drawn, place, later) for place in (0, 7))
    return Switches(before, after, on)


def _beside(worlds: list[Chains]) -> Chains:
    """Several conditions, one after the other in one batch."""
    return jax.tree.map(lambda *x: jnp.concatenate(x) if x[0].ndim else x[0], *worlds)


def _worse(
    learner: Any, world: Chains, life: Life, drawn: Drawn, place: int, keys: Keys
) -> Float[np.ndarray, "conditions each"]:
    """How often the action is taken that leads along the chain that paid less at first."""
    state = jnp.asarray(np.tile(drawn.number[:, place], 3), jnp.int32)
    action = tested(learner, world, life, state, keys, DRAWS)
    worse = np.tile(1 - drawn.flipped[:, place], 3)
    return (action == worse).mean(0).reshape(3, -1)


def measure(subject: Subject) -> Answer:
    """The pattern of switches, where both phases were learned."""
    learner = subject.learner
    trainings = subject.effort.announcements
    found = switches(learner, trainings, subject.key)
    apart = [bootstrap(x, bounds=(-1.0, 1.0)) for x in found.gained]
    mean = bootstrap(found.gained.mean(0), bounds=(-1.0, 1.0))
    rates = [bootstrap(x, bounds=(0.0, 1.0)) for x in found.after]
    unmoved = bootstrap(found.after[2] - found.before[2], bounds=(-1.0, 1.0))
    controls = [
        control("P(switch) gained where nothing had changed", unmoved),
        _learned("P(better) at the choice after the first phase", 1 - found.before[0]),
        _learned("P(better now) at the middle states after changed rewards", found.on[0]),
        _learned("P(better now) at the middle states after changed ways", found.on[1]),
    ]
    panel = Panel(
        title="Experience", x_label=f"after: {'; '.join(CONDITIONS)}", y_label="P(switch)",
        series=[Series(
            label="subject", x=[1.0, 2.0, 3.0], y=[e.estimate for e in rates],
            low=[e.shown.low for e in rates], high=[e.shown.high for e in rates], kind="points",
        )],
    )  # fmt: skip
    words, rules_out = _worded(apart, rates)
    if not all(c.holds for c in controls):
        rest = "Nothing is decided, since a control does not hold: see what was learned."
        words["inconclusive"] = f"{words['inconclusive']} {rest}"
    return answered(PROBE, mean, words, controls=controls, rules_out=rules_out, panel=panel)


def _learned(name: str, better: Float[np.ndarray, " trainings"]) -> Control:
    """Not to have learned a phase is no sign of not revising: then nothing is decided."""
    share = bootstrap(better, bounds=(0.0, 1.0))
    return Control(name, share, share.low > LEARNED)


def _worded(apart: list[Estimate], rates: list[Estimate]) -> tuple[dict[str, str], dict[str, str]]:
    """What is said and what is ruled out, by verdict: rates, and the pattern if there is one."""
    shown = zip(rates, CONDITIONS, strict=True)
    told = "Switches " + ", ".join(f"{e.estimate:.2f} after {name}" for e, name in shown)
    words: dict[str, str] = dict.fromkeys(
        ("responds", "none", "against", "inconclusive"), f"{told}."
    )
    follows = [response(e) for e in apart]
    if not set(follows) <= {"responds", "none"}:
        return words, {}
    pattern, out = PATTERNS[follows[0] == "responds", follows[1] == "responds"]
    for verdict in ("responds", "none"):
        words[verdict] = f"{told}: consistent with {pattern}."
    return words, {"responds": out, "none": out}
