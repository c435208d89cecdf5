"""The tables of Dyna: the states met, values of their actions, and where these led."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.objective import Objective
from ...core.task import State, Task

Place = Callable[[State], Array]
"""The integers by which a state is told from others."""


class DynaTable(eqx.Module):
    """One row for each place in the order they were met; `count` passes the room when it is full.

    `after`, `reward` and `ends` are the latest outcomes of each action (`tries` counts all), and
    `state` is the first one met at each place, for objectives that are handed over later.
    """

    prints: Int[Array, "places words"]
    state: State
    legal: Bool[Array, "places actions"]
    q: Float[Array, "places actions"]
    after: Int[Array, "places actions outcomes"]
    reward: Float[Array, "places actions outcomes"]
    ends: Bool[Array, "places actions outcomes"]
    tries: Int[Array, "places actions"]
    pairs: Int[Array, " pairs"]
    """Places times actions plus the action, of all that was tried, in that order."""
    tried: Int[Array, ""]
    count: Int[Array, ""]

    @staticmethod
    def empty(task: Task, state: State, words: int, places: int, outcomes: int) -> "DynaTable":
        """Nothing met yet; `state` tells the form."""
        actions = task.traits.actions
        each, all_of_them = (places, actions), (places, actions, outcomes)
        return DynaTable(
            prints=jnp.zeros((places, words), jnp.int32),
            state=jax.tree.map(lambda x: jnp.zeros((places, *x.shape), x.dtype), state),
            legal=jnp.zeros(each, bool),
            q=jnp.zeros(each),
            after=jnp.zeros(all_of_them, jnp.int32),
            reward=jnp.zeros(all_of_them),
            ends=jnp.zeros(all_of_them, bool),
            tries=jnp.zeros(each, jnp.int32),
            pairs=jnp.zeros(places * actions, jnp.int32),
            tried=jnp.int32(0),
            count=jnp.int32(0),
        )

    @property
    def known(self) -> Int[Array, "places actions"]:
        """How many outcomes of each pair are remembered."""
        return jnp.minimum(self.tries, self.after.shape[-1])

    @property
    def remembered(self) -> Int[Array, ""]:
        """How many outcomes are remembered in all: the model steps of one sweep."""
        return self.known.sum()

    def find(self, words: Int[Array, " words"]) -> tuple[Int[Array, ""], Bool[Array, ""]]:
        """The row of a place, and whether there is one."""
        rows = jnp.arange(self.prints.shape[0])
        same = (self.prints == words).all(-1) & (rows < self.count)
        return jnp.argmax(same).astype(jnp.int32), same.any()

    def enter(
        self, task: Task, place: Place | None, state: State
    ) -> tuple["DynaTable", Int[Array, ""]]:
        """The row of a state, written down if it is new. Beyond the room nothing is written."""
        words = _words(task, place, state)
        row, known = self.find(words)
        room = self.prints.shape[0]
        # Out of bounds, writing does nothing.
        row = jnp.where(known, row, self.count).astype(jnp.int32)
        new = jnp.where(known, room, row)
        met = jax.tree.map(lambda x, y: x.at[new].set(y, mode="drop"), self.state, state)
        table = eqx.tree_at(
            lambda t: (t.prints, t.state, t.legal, t.count),
            self,
            (
                self.prints.at[new].set(words, mode="drop"),
                met,
                # One place may be met in time, and again when time is up.
                self.legal.at[row].set(self.legal[row] | task.legal(state), mode="drop"),
                jnp.minimum(self.count + ~known, room + 1),
            ),
        )
        return table, row

    def remember(
        self,
        here: Int[Array, ""],
        action: Int[Array, ""],
        there: Int[Array, ""],
        reward: Float[Array, ""],
        ends: Bool[Array, ""],
    ) -> "DynaTable":
        """One more outcome of an action, over the oldest one."""
        places, actions, outcomes = self.after.shape
        slot = self.tries[here, action] % outcomes
        fits = (here < places) & (there < places)
        at = (jnp.where(fits, here, places), action, slot)
        new = fits & (self.tries[here, action] == 0)
        end = jnp.where(new, self.tried, places * actions)
        return eqx.tree_at(
            lambda t: (t.after, t.reward, t.ends, t.tries, t.pairs, t.tried),
            self,
            (
                self.after.at[at].set(there, mode="drop"),
                self.reward.at[at].set(reward, mode="drop"),
                self.ends.at[at].set(ends, mode="drop"),
                self.tries.at[at[:2]].add(1, mode="drop"),
                self.pairs.at[end].set(here * actions + action, mode="drop"),
                self.tried + new,
            ),
        )

    def back_up(
        self,
        here: Int[Array, ""],
        action: Int[Array, ""],
        there: Int[Array, ""],
        reward: Float[Array, ""],
        ends: Bool[Array, ""],
        gamma: float,
        rate: float,
    ) -> "DynaTable":
        """Q-learning's step: Q += rate (r + gamma max Q' - Q), without Q' at an episode's end."""
        best = jnp.where(self.legal[there], self.q[there], -jnp.inf).max()
        ahead = jnp.where(ends | ~self.legal[there].any(), 0.0, best)
        off = reward + gamma * ahead - self.q[here, action]
        q = self.q.at[here, action].add(rate * off, mode="drop")
        return eqx.tree_at(lambda t: t.q, self, q)

    def replay(self, key: Key[Array, ""], gamma: float, rate: float) -> "DynaTable":
        """The same backup from memory: of a random pair that was tried, one remembered outcome."""
        which, draw = jax.random.split(key)
        pair = self.pairs[jax.random.randint(which, (), 0, jnp.maximum(self.tried, 1))]
        here, action = jnp.divmod(pair, self.q.shape[1])
        most = jnp.maximum(self.known[here, action], 1)
        at = (here, action, jax.random.randint(draw, (), 0, most))
        return self.back_up(
            here, action, self.after[at], self.reward[at], self.ends[at], gamma, rate
        )

    def rewards_under(self, objective: Objective) -> Float[Array, "places actions outcomes"]:
        """What the remembered outcomes would earn under another objective."""

        def one(here: Array, action: Array, there: Array) -> Array:
            before = jax.tree.map(lambda x: x[here], self.state)
            after = jax.tree.map(lambda x: x[there], self.state)
            return jnp.asarray(objective(before, action, after))[0]

        places, actions, _ = self.after.shape
        over_outcomes = jax.vmap(one, (None, None, 0))
        over_actions = jax.vmap(over_outcomes, (None, 0, 0))
        return jax.vmap(over_actions, (0, None, 0))(
            jnp.arange(places), jnp.arange(actions), self.after
        )


def sweep(
    table: DynaTable,
    q: Float[Array, "places actions"],
    reward: Float[Array, "places actions outcomes"],
    gamma: float,
) -> Float[Array, "places actions"]:
    """Back up every pair that was tried from the mean of its remembered outcomes.

    What was never tried is not planned with: nothing is known of it.
    """
    tried = table.known > 0
    best = jnp.where(tried, q, -jnp.inf).max(-1)
    worth = jnp.where(tried.any(-1), best, 0.0)
    target = reward + gamma * jnp.where(table.ends, 0.0, worth[table.after])
    real = jnp.arange(target.shape[-1]) < table.known[..., None]
    mean = jnp.where(real, target, 0.0).sum(-1) / jnp.maximum(table.known, 1)
    return jnp.where(tried, mean, q)


def places_of(task: Task, place: Place | None, state: State) -> Int[Array, "batch words"]:
    """The integers that tell each state of a batch from others."""
    return jax.vmap(lambda s: _words(task, place, s))(state)


def _words(task: Task, place: Place | None, state: State) -> Int[Array, " words"]:
    words = task.fingerprint(state) if place is None else place(state)
    return jnp.ravel(jnp.asarray(words)).astype(jnp.int32)
