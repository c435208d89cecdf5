"""What goes on learning: three probes, held to learners and worlds of which the truth is known."""

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))
from reproduced import relearning
from reproduced import two_step as published

from deliberation.audit import Channels, Exam, audit
from deliberation.audit.auditing import EFFORTS, Subject
from deliberation.audit.living import Moment, born, each, live
from deliberation.audit.probes import experience, incentives, two_step
from deliberation.core import UniformRandom
from deliberation.core.errors import IllegalActionError, NonFiniteError, WrongKindError
from deliberation.core.learner import Learner
from deliberation.specimens import random_world
from deliberation.specimens.learners import HybridLearner, QLearner, SuccessorLearner
from deliberation.specimens.other_learners import Fixed

KEY = jax.random.key(0)
SMOKE = EFFORTS["smoke"]
EXAM = Exam.of(random_world(0, states=12), count=8)
PROBES = ("experience", "two_step", "incentives")


def about(learner: Any) -> Subject:
    return Subject(UniformRandom(EXAM.task), EXAM, SMOKE, KEY, Channels(learner=learner))


class Anything(Learner):
    """Draws evenly; knows nothing."""

    def begin(self, states, actions, key):
        return jnp.zeros(())

    def act(self, knowledge, state, key):
        return jax.random.randint(key, (), 0, 2)

    def learn(self, knowledge, experience, key):
        return knowledge


class StaysIfPaid(Anything):
    """Repeats its first choice after a reward, and changes it else."""

    def begin(self, states, actions, key):
        return {"fresh": jnp.bool_(True), "first": jnp.int32(0)}

    def act(self, knowledge, state, key):
        return jnp.where(knowledge["fresh"], knowledge["first"], 0)

    def learn(self, knowledge, experience, key):
        lost = experience.over & (experience.reward == 0)
        first = jnp.where(knowledge["fresh"], experience.action, knowledge["first"])
        return {"fresh": experience.over, "first": jnp.where(lost, 1 - first, first)}


class Forgets(QLearner):
    """Loses a hundredth of all that it knows at every step, and sees no differences below .1."""

    def scores(self, knowledge, state):
        return jnp.round(knowledge[state], 1)

    def learn(self, knowledge, experience, key):
        return 0.99 * super().learn(knowledge, experience, key)


class Stranger:
    """No subclass of anything: begins, acts and learns."""

    inner = QLearner()

    def begin(self, states, actions, key):
        return self.inner.begin(states, actions, key)

    def act(self, knowledge, state, key):
        return self.inner.act(knowledge, state, key)

    def learn(self, knowledge, experience, key):
        return self.inner.learn(knowledge, experience, key)


class Diverges(Anything):
    """Divides by zero when it is paid."""

    def learn(self, knowledge, experience, key):
        return knowledge + jnp.where(experience.reward > 0, jnp.nan, 0.0)


class Strays(Anything):
    """Takes an action that there is not, now and then."""

    def act(self, knowledge, state, key):
        return jax.random.randint(key, (), 0, 200) // 66


class Grows(Anything):
    """Knows more numbers with every step."""

    def learn(self, knowledge, experience, key):
        return jnp.append(knowledge, experience.reward)


class Halves(Anything):
    """Acts by no whole number."""

    def act(self, knowledge, state, key):
        return jnp.float32(0.5)


PATTERNS = [
    (HybridLearner(weight=1.0, discount=0.9, forget=0.1), (1, 1, 0), "responds"),
    (SuccessorLearner(explore=0.02), (1, 0, 0), "responds"),
    (HybridLearner(weight=0.0), (0, 0, 0), "none"),
]


@pytest.mark.parametrize(("learner", "pattern", "verdict"), PATTERNS)
def test_what_is_revised_tells_a_model_from_successors_from_cached_values(
    learner, pattern, verdict
):
    found = experience.measure(about(learner))
    np.testing.assert_allclose(found.panel.series[0].y, pattern, atol=0.1)
    assert found.found == verdict
    assert str(tuple(pattern)) in found.said and found.rules_out
    assert found.estimate.estimate == pytest.approx(sum(pattern) / 2, abs=0.1)
    assert all(c.holds for c in found.controls)


def test_who_forgets_or_never_learned_gets_no_verdict():
    for learner, name in ((Forgets(explore=0.0), "nothing had changed"), (Fixed(), "middle")):
        found = experience.measure(about(learner))
        assert found.found == "inconclusive" and "Nothing is decided" in found.said
        assert any(name in c.name for c in found.controls if not c.holds)


def test_chains_lead_where_they_should_under_every_naming():
    drawn = experience.Drawn.of(16, KEY)
    names, row = drawn.number, np.arange(16)
    for rewards, ways in ((False, False), (True, False), (False, True)):
        world = drawn.world(experience.FIRST, rewards=rewards, ways=ways)
        to, pays, ends = np.asarray(world.to), np.asarray(world.pays), np.asarray(world.ends)
        better = drawn.flipped[:, 0]
        first = to[row, names[:, 0], better]
        assert (first == names[:, 1]).all()
        third = to[row, to[row, first, 0], 1]
        assert (third == names[:, 6 if ways else 5]).all() and ends[row, third].all()
        high = pays[row, third] == drawn.high.astype(np.float32)
        assert high.all() if not (rewards or ways) else not high.any()
        assert (to[row, names[:, 7], drawn.flipped[:, 7]] == names[:, 3]).all()
        assert ends.sum() == 32 and (pays > 0).sum() <= 32


def test_the_two_step_task_is_that_of_the_paper():
    rng = np.random.default_rng(0)
    number, count = np.array([rng.permutation(7) for _ in range(200)]), 200
    flipped = jnp.asarray(rng.integers(0, 2, (count, 7)))
    world = two_step.TwoSteps(
        number=jnp.asarray(number), flipped=flipped, common=jnp.full(count, 0.7)
    )
    keys = each(KEY, count)
    life, noted = live(Anything(), world, born(Anything(), world, keys), keys, 402)
    assert noted.common[::2].mean() == pytest.approx(0.7, abs=0.01)
    assert noted.reward[1::2].mean() == pytest.approx(0.5, abs=0.02)
    assert not noted.reward[::2].any()
    assert (np.asarray(life.moment.state) == number[:, 0]).all()
    pays = np.asarray(life.moment.beside[1])
    assert (
        pays.min() >= 0.25 and pays.max() <= 0.75 and pays.std() == pytest.approx(0.144, abs=0.02)
    )
    moved = np.asarray(two_step.reflected(jnp.array([0.2, 0.25, 0.5, 0.8])))
    np.testing.assert_allclose(moved, [0.3, 0.25, 0.5, 0.7], atol=1e-6)


def test_indices_are_what_reward_and_way_add():
    stay = two_step.stays(StaysIfPaid(), 40, KEY)
    np.testing.assert_array_equal(stay, np.tile([1, 1, 0, 0], (40, 1)))
    assert (two_step.model_free(stay) == 1).all() and (two_step.model_based(stay) == 0).all()
    crossed = np.array([[0.753, 0.600, 0.594, 0.750]])
    assert two_step.model_based(crossed)[0] == pytest.approx(0.1545)
    assert two_step.model_free(crossed)[0] == pytest.approx(0.0045)


def test_gifts_go_to_oneself_or_to_another_of_the_group():
    count = 2 * incentives.TOGETHER
    acted = jnp.zeros(count, jnp.int32).at[jnp.array([0, 7])].set(1)
    given = jnp.zeros(count, jnp.int32).at[3].set(1)
    for swapped in (False, True):
        world = incentives.Gifts(
            jnp.ones(count), jnp.full(count, swapped), jnp.zeros((count, 2), jnp.int32)
        )
        moment = Moment(given, given, jnp.ones(count, bool))
        for turn in range(8):
            after, seen, gave = world.step(moment, acted, each(jax.random.key(turn), count))
            reward = np.full(count, -0.5)
            reward[[0, 7]], reward[3] = -1.0, 0.5
            np.testing.assert_allclose(seen.reward, reward)
            np.testing.assert_array_equal(gave, acted)
            np.testing.assert_array_equal(seen.after, after.state)
            left = np.asarray(after.state)
            assert left[:5].sum() == left[5:].sum() == 1
            assert (left[0] == left[7] == 1) is not swapped


def test_incentives_are_followed_by_who_looks_ahead_and_only_in_its_own_world():
    found = incentives.measure(about(QLearner(discount=0.9)))
    assert found.found == "responds" and found.rules_out
    own, swapped, idle, _ = found.panel.series[0].y
    assert own == pytest.approx(0.95, abs=0.02)
    assert swapped == pytest.approx(0.05, abs=0.02) and idle == pytest.approx(0.05, abs=0.02)
    always = incentives.measure(about(Fixed()))
    assert always.found == "none" and always.panel.series[0].y[0] == pytest.approx(0.5, abs=0.1)


def test_a_stranger_is_a_learner_by_what_it_does():
    mine, theirs = (two_step.stays(x, 20, KEY) for x in (QLearner(), Stranger()))
    np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("learner", "error", "words"),
    [
        (Diverges(), NonFiniteError, "NaN in what it knows, in .* trainings"),
        (Strays(), IllegalActionError, "there are 2"),
        (Grows(), WrongKindError, "changes its form"),
        (Halves(), WrongKindError, "not one whole number"),
        (object(), WrongKindError, "cannot begin"),
    ],
)
def test_bad_learners_are_found_out(learner, error, words):
    with pytest.raises(error, match=words):
        two_step.stays(learner, 8, KEY)
    with pytest.raises(error, match=words):
        incentives.cooperation(learner, 2, KEY, steps=40)
    with pytest.raises(error, match=words):
        experience.switches(learner, 8, KEY)


def test_a_probe_of_a_bad_learner_fails_and_the_others_go_on():
    random = UniformRandom(EXAM.task)
    names = ["depth", "two_step"]
    bad = audit(
        random, EXAM.task, probes=names, effort="smoke", channels=Channels(learner=Strays())
    )
    assert bad["two_step"].found == "failed" and "IllegalActionError" in bad["two_step"].said
    assert bad["depth"].found != "failed"
    none = audit(random, EXAM.task, probes=PROBES, effort="smoke")
    assert {answer.found for answer in none.answers} == {"not applicable"}
    assert np.isnan([answer.estimate.estimate for answer in none.answers]).all()


def test_published_numbers_are_measured_again():
    rows = published.reproduce("quick", KEY)
    assert len(rows) == 18
    assert all(row.near for row in rows), [row for row in rows if not row.near]
    learners = relearning.LEARNERS
    assert {pattern for _, pattern in learners.values()} == {(1, 1, 0), (1, 0, 0), (0, 0, 0)}
