"""More learners of small worlds: by gradients, in populations, and with states of their own."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ..core.learner import Experience, Learner
from .learners import Greedy

Preferences = Float[Array, "states actions"]


def pushed(
    preferences: Preferences, seen: Experience, rate: float, base: Float[Array, ""]
) -> Preferences:
    """One step of REINFORCE: towards what was done, by the reward above a base line."""
    chances = jax.nn.softmax(preferences[seen.state])
    towards = (jnp.arange(len(chances)) == seen.action) - chances
    return preferences.at[seen.state].add(rate * (seen.reward - base) * towards)


class Reinforce(Learner):
    """REINFORCE on the reward of each action alone (Williams 1992), the mean for a base line."""

    rate: float = 0.1

    def begin(self, states: int, actions: int, key: Key[Array, ""]) -> Any:
        """All actions alike."""
        del key
        return jnp.zeros((states, actions)), jnp.float32(0)

    def act(self, knowledge: Any, state: Int[Array, ""], key: Key[Array, ""]) -> Int[Array, ""]:
        """A draw."""
        return jax.random.categorical(key, knowledge[0][state]).astype(jnp.int32)

    def learn(self, knowledge: Any, experience: Experience, key: Key[Array, ""]) -> Any:
        """By what the step paid."""
        del key
        preferences, base = knowledge
        moved = base + 0.05 * (experience.reward - base)
        return pushed(preferences, experience, self.rate, base), moved


class Population(NamedTuple):
    """What every member prefers, its base line and its score; and whose turn it is."""

    preferences: Float[Array, "members states actions"]
    base: Float[Array, " members"]
    score: Float[Array, " members"]
    turn: Int[Array, ""]


class PopulationLearner(Learner):
    """Population-based training (Jaderberg et al. 2017) of members that learn by REINFORCE.

    Members live one after the other, `each` steps long; when all have, the worst fifth becomes
    copies of the best fifth, by what each earned.
    """

    members: int = 10
    each: int = 10
    rate: float = 0.01
    spread: float = 3.0

    def begin(self, states: int, actions: int, key: Key[Array, ""]) -> Population:
        """Members that differ: what selection can choose from is what was there at first."""
        drawn = self.spread * jax.random.normal(key, (self.members, states, actions))
        return Population(drawn, jnp.zeros(self.members), jnp.zeros(self.members), jnp.int32(0))

    def member(self, knowledge: Population) -> Int[Array, ""]:
        """Who acts now."""
        return knowledge.turn // self.each

    def act(
        self, knowledge: Population, state: Int[Array, ""], key: Key[Array, ""]
    ) -> Int[Array, ""]:
        """A draw of whose turn it is."""
        chances = knowledge.preferences[self.member(knowledge), state]
        return jax.random.categorical(key, chances).astype(jnp.int32)

    def learn(
        self, knowledge: Population, experience: Experience, key: Key[Array, ""]
    ) -> Population:
        """The member learns; after the last, the worst are replaced."""
        preferences, base, score, turn = knowledge
        now, reward = self.member(knowledge), experience.reward
        new = pushed(preferences[now], experience, self.rate, base[now])
        preferences = preferences.at[now].set(new)
        base = base.at[now].add(0.05 * (reward - base[now]))
        score, turn = score.at[now].add(reward), turn + 1
        all_done = turn == self.members * self.each
        fifth = max(self.members // 5, 1)
        # Equal scores are ordered by chance, or the first members would always be the best.
        order = jnp.argsort(score + 1e-4 * jax.random.uniform(key, score.shape))
        source = jnp.arange(self.members).at[order[:fifth]].set(order[-fifth:])
        source = jnp.where(all_done, source, jnp.arange(self.members))
        return Population(
            preferences[source], base[source], jnp.where(all_done, 0.0, score),
            jnp.where(all_done, 0, turn),
        )  # fmt: skip


class Latent(NamedTuple):
    """How good each state is believed to be as a side; how often an episode that ended there began
    with each action; values of the last action; how the episode began, and whether it does.
    """

    belief: Float[Array, " states"]
    pairs: Float[Array, "states states actions"]
    cached: Preferences
    first: Int[Array, " two"]
    fresh: Any


class LatentLearner(Greedy):
    """Infers which side is good, and does what it mostly did before it came there (Akam 2015).

    It keeps no transitions and no values of first actions: an inferred side calls up the action
    that has gone with it. The side is the state in which an episode ends; a reward there speaks for
    it, none against it, and what is believed fades.
    """

    rate: float = 0.3
    told: float = 0.8
    fades: float = 0.7

    def begin(self, states: int, actions: int, key: Key[Array, ""]) -> Latent:
        """Nothing is believed."""
        del key
        return Latent(
            jnp.zeros(states), jnp.zeros((states, states, actions)), jnp.zeros((states, actions)),
            jnp.zeros(2, jnp.int32), jnp.bool_(True),
        )  # fmt: skip

    def scores(self, knowledge: Latent, state: Int[Array, ""]) -> Float[Array, " actions"]:
        """What went with the best side, at an episode's start; else cached values."""
        known = knowledge.pairs.sum((1, 2)) > 0
        side = jnp.argmax(jnp.where(known, knowledge.belief, -jnp.inf))
        paired = knowledge.pairs[side, state]
        return jnp.where(knowledge.fresh, paired, knowledge.cached[state])

    def learn(self, knowledge: Latent, experience: Experience, key: Key[Array, ""]) -> Latent:
        """At an episode's end: what is believed, and which action went before."""
        del key
        k, (state, action, reward, _, over) = knowledge, experience
        first = jnp.where(k.fresh, jnp.stack([state, action]), k.first)
        ends = over.astype(jnp.float32)
        told = jnp.where(reward > 0, self.told, -self.told)
        belief = (1 - self.fades * ends) * k.belief
        return Latent(
            belief.at[state].add(ends * told), k.pairs.at[state, first[0], first[1]].add(ends),
            k.cached.at[state, action].add(self.rate * (reward - k.cached[state, action])),
            first, over,
        )  # fmt: skip


class Counts(NamedTuple):
    """How often each action led where, or to an end; and what it paid of late."""

    leads: Float[Array, "states actions states"]
    ends: Preferences
    pays: Preferences


class SamplingLearner(Greedy):
    """Posterior sampling (Strens 2000): it acts as is best in a world that it draws from what was
    seen, by weighing the counts of steps anew (the Bayesian bootstrap, Rubin 1981). What was seen
    counts the less, the older it is.
    """

    explore: float = 0.05
    discount: float = 0.9
    rate: float = 0.4
    keeps: float = 0.9
    prior: float = 0.02
    sweeps: int = 3

    def begin(self, states: int, actions: int, key: Key[Array, ""]) -> Counts:
        """Nothing was seen."""
        del key
        table = jnp.zeros((states, actions))
        return Counts(jnp.zeros((states, actions, states)), table, table)

    def scores(self, knowledge: Counts, state: Int[Array, ""]) -> Float[Array, " actions"]:
        """What is best by the counts themselves."""
        return self.worth(knowledge.leads + self.prior, knowledge)[state]

    def act(self, knowledge: Counts, state: Int[Array, ""], key: Key[Array, ""]) -> Int[Array, ""]:
        """The best in the world that is drawn, or any."""
        drawing, straying = jax.random.split(key)
        weights = jax.random.exponential(drawing, knowledge.leads.shape)
        imagined = self.worth(weights * (knowledge.leads + self.prior), knowledge)
        strays, any_ = jax.random.split(straying)
        other = jax.random.randint(any_, (), 0, imagined.shape[1])
        best = jnp.argmax(imagined[state]).astype(jnp.int32)
        return jnp.where(jax.random.bernoulli(strays, self.explore), other, best)

    def worth(self, leads: Float[Array, "states actions states"], known: Counts) -> Preferences:
        """Of every action, a few moves ahead."""
        total = known.leads.sum(-1) + known.ends
        goes_on = 1 - known.ends / jnp.maximum(total, 1e-6)
        chances = leads / jnp.maximum(leads.sum(-1, keepdims=True), 1e-9)
        worth = jnp.zeros_like(known.pays)
        for _ in range(self.sweeps):
            led = (chances * worth.max(1)).sum(-1)
            worth = known.pays + self.discount * goes_on * led
        return worth

    def learn(self, knowledge: Counts, experience: Experience, key: Key[Array, ""]) -> Counts:
        """One more of what was seen, and less of what was seen here before."""
        del key
        leads, ends, pays = knowledge
        state, action, reward, after, over = experience
        here = (state, action)
        went = (jnp.arange(leads.shape[0]) == after) & ~over
        return Counts(
            leads.at[here].set(self.keeps * leads[here] + went),
            ends.at[here].set(self.keeps * ends[here] + over),
            pays.at[here].add(self.rate * (reward - pays[here])),
        )


class Fixed(Learner):
    """Takes one action for ever, drawn when it begins."""

    def begin(self, states: int, actions: int, key: Key[Array, ""]) -> Int[Array, ""]:
        """The action."""
        del states
        return jax.random.randint(key, (), 0, actions)

    def act(
        self, knowledge: Int[Array, ""], state: Int[Array, ""], key: Key[Array, ""]
    ) -> Int[Array, ""]:
        """That."""
        del state, key
        return knowledge

    def learn(self, knowledge: Any, experience: Experience, key: Key[Array, ""]) -> Any:
        """Nothing."""
        del experience, key
        return knowledge
