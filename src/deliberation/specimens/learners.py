"""Learners of small worlds, each in a few lines: what is learned from a step, and what is done."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ..audit.channels import Channels
from ..audit.exam import Exam
from ..core.decider import Decider
from ..core.learner import Experience, Learner
from ..core.uniform import UniformRandom

Table = Float[Array, "states actions"]
Steps = Float[Array, "states actions states"]


def alone(exam: Exam, key: Key[Array, ""]) -> Decider:
    """The decider of a specimen that is only a learner: it says nothing of it."""
    del key
    return UniformRandom(exam.task)


def handed(learner: Learner) -> Callable[[Exam, Key[Array, ""]], Channels]:
    """That a specimen can be reached as a learner."""

    def channels(exam: Exam, key: Key[Array, ""]) -> Channels:
        """The learner, whatever the exam."""
        del exam, key
        return Channels(learner=learner)

    return channels


class Greedy(Learner):
    """Takes what scores most, one of several evenly, and any action with probability `explore`."""

    explore: float = 0.1

    @abc.abstractmethod
    def scores(self, knowledge: Any, state: Int[Array, ""]) -> Float[Array, " actions"]:
        """What every action is worth to it."""

    def act(self, knowledge: Any, state: Int[Array, ""], key: Key[Array, ""]) -> Int[Array, ""]:
        """The best, or any."""
        scores, keys = self.scores(knowledge, state), jax.random.split(key, 3)
        best = jnp.where(scores >= scores.max(), 0.0, -jnp.inf)
        strays = jax.random.bernoulli(keys[0], self.explore)
        drawn = jax.random.categorical(keys[1], jnp.where(strays, 0.0, best))
        return drawn.astype(jnp.int32)


class QLearner(Greedy):
    """Q-learning in a table (Watkins 1989)."""

    rate: float = 0.1
    discount: float = 0.9

    def begin(self, states: int, actions: int, key: Key[Array, ""]) -> Table:
        """Nothing is worth anything."""
        del key
        return jnp.zeros((states, actions))

    def scores(self, knowledge: Table, state: Int[Array, ""]) -> Float[Array, " actions"]:
        """Those of the table."""
        return knowledge[state]

    def learn(self, knowledge: Table, experience: Experience, key: Key[Array, ""]) -> Table:
        """Towards the reward and the best that follows."""
        del key
        state, action, reward, after, over = experience
        goal = reward + self.discount * jnp.where(over, 0.0, knowledge[after].max())
        return knowledge.at[state, action].add(self.rate * (goal - knowledge[state, action]))


class ExpectedLearner(QLearner):
    """Expected SARSA (van Seijen et al. 2009): towards what its own choices earn on average."""

    def learn(self, knowledge: Table, experience: Experience, key: Key[Array, ""]) -> Table:
        """Towards the reward and the mean of what follows, strayings included."""
        del key
        state, action, reward, after, over = experience
        strays = self.explore * knowledge[after].mean()
        onward = (1 - self.explore) * knowledge[after].max() + strays
        goal = reward + self.discount * jnp.where(over, 0.0, onward)
        return knowledge.at[state, action].add(self.rate * (goal - knowledge[state, action]))


class Successors(NamedTuple):
    """How often each state will be arrived in, discounted, and what arriving there pays."""

    visits: Steps
    pays: Float[Array, " states"]


class SuccessorLearner(Greedy):
    """A successor representation of actions, learned step by step (Dayan 1993)."""

    rate: float = 0.4
    discount: float = 0.9

    def begin(self, states: int, actions: int, key: Key[Array, ""]) -> Successors:
        """Nothing follows, and nothing pays."""
        del key
        return Successors(jnp.zeros((states, actions, states)), jnp.zeros(states))

    def scores(self, knowledge: Successors, state: Int[Array, ""]) -> Float[Array, " actions"]:
        """What is arrived in, by what it pays now."""
        return (knowledge.visits[state] * knowledge.pays).sum(-1)

    def learn(
        self, knowledge: Successors, experience: Experience, key: Key[Array, ""]
    ) -> Successors:
        """Successors of this step alone; none that were there before are revised."""
        del key
        visits, pays = knowledge
        state, action, reward, after, over = experience
        onward = visits[after, jnp.argmax(self.scores(knowledge, after))]
        goal = jnp.zeros_like(pays).at[after].set(1.0) + self.discount * jnp.where(over, 0, onward)
        return Successors(
            visits.at[state, action].add(self.rate * (goal - visits[state, action])),
            pays.at[after].add(self.rate * (reward - pays[after])),
        )


class Both(NamedTuple):
    """Cached values with their traces, a model, and what was done last."""

    cached: Table
    trace: Table
    pays: Table
    ends: Table
    leads: Steps
    count: Table
    last: Int[Array, " states"]
    before: Int[Array, " two"]
    reward: Float[Array, ""]
    fresh: Bool[Array, ""]


class HybridLearner(Learner):
    """Values from a learned model and cached ones, mixed by `weight` (Daw et al. 2011).

    Cached values are those of SARSA(lambda): with the action that comes next. The model counts
    where actions lead, and forgets the older the faster where `forget` is not 0; it is rolled out
    `sweeps` steps. Rates and inverse temperatures are of an episode's first action, and of the
    others; `again` is what the first action of the episode before gains. The standard parameters
    are the medians of people.
    """

    weight: float = 0.39
    rates: tuple[float, float] = (0.54, 0.42)
    sharpness: tuple[float, float] = (5.19, 3.69)
    decay: float = 0.57
    again: float = 0.11
    discount: float = 1.0
    forget: float = 0.0
    sweeps: int = 3

    def begin(self, states: int, actions: int, key: Key[Array, ""]) -> Both:
        """Nothing is worth anything, and nothing leads anywhere."""
        del key
        table = jnp.zeros((states, actions))
        return Both(
            cached=table, trace=table, pays=table, ends=table, count=table,
            leads=jnp.zeros((states, actions, states)), last=jnp.full(states, -1),
            before=jnp.zeros(2, jnp.int32), reward=jnp.float32(0), fresh=jnp.bool_(True),
        )  # fmt: skip

    def modelled(self, knowledge: Both) -> Table:
        """What actions are worth by the model."""
        worth = jnp.zeros_like(knowledge.pays)
        for _ in range(self.sweeps):
            # A sum and no product of matrices: small ones are slow in batches.
            led = (knowledge.leads * worth.max(1)).sum(-1)
            onward = (1 - knowledge.ends) * led
            worth = knowledge.pays + self.discount * onward
        return worth

    def act(self, knowledge: Both, state: Int[Array, ""], key: Key[Array, ""]) -> Int[Array, ""]:
        """Drawn by both values."""
        worth = (1 - self.weight) * knowledge.cached[state]
        if self.weight:
            worth = worth + self.weight * self.modelled(knowledge)[state]
        repeated = jnp.arange(len(worth)) == knowledge.last[state]
        worth = worth + jnp.where(knowledge.fresh, self.again * repeated, 0.0)
        sharp = jnp.where(knowledge.fresh, *self.sharpness)
        return jax.random.categorical(key, sharp * worth).astype(jnp.int32)

    def learn(self, knowledge: Both, experience: Experience, key: Key[Array, ""]) -> Both:
        """The last step's surprise, now that the next action is known; and the model."""
        del key
        k, (state, action, reward, after, over) = knowledge, experience
        rate = jnp.where(k.fresh, *self.rates)
        here = (state, action)
        surprise = k.reward + self.discount * k.cached[here] - k.cached[tuple(k.before)]
        cached = k.cached + jnp.where(k.fresh, 0.0, surprise) * k.trace
        trace = jnp.where(k.fresh, 0.0, self.discount * self.decay * k.trace).at[here].set(rate)
        cached = cached + jnp.where(over, reward - k.cached[here], 0.0) * trace
        count = k.count.at[here].add(1)
        share = jnp.maximum(1 / count[here], self.forget)
        arrived = (jnp.arange(len(k.last)) == after).astype(jnp.float32)
        return Both(
            cached=cached, trace=trace, count=count,
            pays=k.pays.at[here].add(self.rates[1] * (reward - k.pays[here])),
            ends=k.ends.at[here].add(share * (over - k.ends[here])),
            leads=k.leads.at[here].add(share * (arrived - k.leads[here])),
            last=k.last.at[state].set(action), before=jnp.stack(here), reward=reward, fresh=over,
        )  # fmt: skip
