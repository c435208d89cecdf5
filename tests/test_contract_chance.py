"""The contract about chance and hidden state: a sound task passes, each broken clause is caught."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from deliberation.core import Objective, Task, Traits, check_task
from deliberation.core.errors import ContractError, UnsuitableTaskError


class Reels(eqx.Module):
    shown: jax.Array
    time: jax.Array
    hidden: jax.Array


class Worth(Objective):
    """What the reel shows."""

    def __call__(self, state, action, after):
        return after.shown.astype(jnp.float32)[None]


class OneArm(Task):
    """Three spins of a reel: action 0 moves it by 0, 1 or 2 of 4, action 1 by 0 or 2.

    A coin lies face down beside it. `flaw` names what this copy breaks.
    """

    flaw: str = eqx.field(static=True, default="")

    @property
    def traits(self):
        count = {"negative count": -1, "no list": 0}.get(self.flaw, 4)
        deterministic = self.flaw == "declared deterministic"
        return Traits(1, 2, 3, deterministic, fully_observable=False, outcomes=count)

    @property
    def objective(self):
        return Worth()

    def init(self, key):
        coin = jax.random.bernoulli(key).astype(jnp.int32)
        return Reels(jnp.int32(0), jnp.int32(0), coin)

    def _moved(self, state, by):
        return Reels((state.shown + by) % 4, state.time + 1, state.hidden)

    def _chances(self, action):
        # The third outcome equals the first, so that only their sum can be told.
        return jnp.where(action == 0, jnp.array([0.2, 0.5, 0.1, 0.2]), jnp.array([0.5, 0, 0, 0.5]))

    def advance(self, state, action, key):
        drawn = jax.random.choice(key, 4, p=self._chances(action))
        by = jnp.array([0, 1, 0, 2])[drawn]
        if self.flaw == "unlisted":
            by = jnp.where(jax.random.uniform(key) < 0.1, 3, by)
        if self.flaw == "declared deterministic":
            by = jnp.int32(1)
        return self._moved(state, by)

    def outcomes(self, state, action):
        if self.flaw == "no list":
            return super().outcomes(state, action)
        states = jax.vmap(self._moved, (None, 0))(state, jnp.array([0, 1, 0, 2]))
        chances = self._chances(action)
        wrong = {
            "tilted": chances + jnp.array([0.1, -0.1, 0, 0]) * (action == 0),
            "sum": chances * 0.9,
            "negative": chances + jnp.array([0, 0, 0.6, -0.6]),
            "nan": chances * jnp.nan,
            "short": chances[:3],
            "integers": chances > 0.3,
            "padding": jnp.where(action == 1, jnp.array([0.5, 0, 0.5, 0]), chances),
        }
        if self.flaw == "unstacked":
            states = state
        if self.flaw == "seen otherwise":
            states = eqx.tree_at(lambda s: s.hidden, states, states.hidden + 2)
        return states, wrong.get(self.flaw, chances)

    def observe(self, state):
        extra = state.hidden // 2  # only a broken copy has more than a coin
        return jnp.stack([state.shown, state.time, extra]).astype(jnp.float32)

    def legal(self, state):
        return jnp.broadcast_to(state.time < 3, (2,))

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        return state.time >= 3

    def resample(self, state, key):
        if self.flaw == "resample does nothing":
            return state
        drawn = jax.random.bernoulli(key).astype(jnp.int32)
        return Reels(state.shown, state.time, drawn)

    def fingerprint(self, state):
        return jnp.stack([state.shown, state.time])


def test_a_task_that_lists_its_chances_right_passes():
    check_task(OneArm())


@pytest.mark.parametrize(
    ("flaw", "message"),
    [
        ("negative count", "traits.outcomes is -1"),
        ("declared deterministic", "traits.outcomes is 4, though traits.deterministic is true"),
        ("unstacked", "`outcomes` gives states of the form"),
        ("short", r"gives probabilities float32\[3\]; they must be floating\[4\]"),
        ("integers", r"gives probabilities bool\[4\]"),
        ("sum", "non-negative and sum to 1"),
        ("negative", "non-negative and sum to 1"),
        ("nan", "non-negative and sum to 1"),
        ("unlisted", "led to a state that `outcomes` does not list as possible"),
        ("padding", "led to a state that `outcomes` does not list as possible"),
        ("tilted", r"though `outcomes` gives it the probability 0\.4"),
        ("seen otherwise", "has another observation than its equal among `outcomes`"),
        ("resample does nothing", "`resample` changes nothing, though"),
    ],
)
def test_each_broken_clause_is_caught(flaw, message):
    with pytest.raises(ContractError, match=message):
        check_task(OneArm(flaw))


def test_a_task_need_not_list_its_chances_but_then_refuses_to():
    task = OneArm("no list")
    check_task(task)
    with pytest.raises(UnsuitableTaskError, match="Sample them with `advance`"):
        task.outcomes(task.init(jax.random.key(0)), jnp.int32(0))


class Dealt(OneArm):
    """The coin lies face up to begin with, and `starts` lists both its sides."""

    def init(self, key):
        coin = jax.random.bernoulli(key).astype(jnp.int32)
        return Reels(coin, jnp.int32(0), coin)

    def starts(self):
        coin = jnp.arange(2, dtype=jnp.int32)
        chances = {"one side": [1.0, 0.0], "bent coin": [0.75, 0.25], "too little": [0.5, 0.4]}
        listed = chances.get(self.flaw, [0.5, 0.5])
        return Reels(coin, jnp.zeros_like(coin), coin), jnp.array(listed)


@pytest.mark.parametrize(
    ("flaw", "message"),
    [
        ("one side", "`init` drew a state that `starts` does not list as possible"),
        ("bent coin", "with other probabilities than `starts` gives them"),
        ("too little", "non-negative and sum to 1"),
    ],
)
def test_first_states_that_are_listed_wrongly_are_caught(flaw, message):
    check_task(Dealt())
    with pytest.raises(ContractError, match=message):
        check_task(Dealt(flaw))
