"""The contract tests catch every broken clause, and pass what keeps them all."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.core import (
    Budget,
    Decider,
    Decision,
    Ledger,
    Objective,
    Symmetry,
    Task,
    Traits,
    check_decider,
    check_task,
)
from deliberation.core.decider import row_keys
from deliberation.core.errors import ContractError

calls = np.zeros(1, int)


class TakeAway(eqx.Module):
    left: jax.Array
    turn: jax.Array
    hidden: jax.Array


class Sticks(Task):
    """Take one or two of up to seven sticks in turn; the last one wins. A coin lies face down.

    `flaw` names the clause that this copy of the game breaks.
    """

    flaw: str = eqx.field(static=True, default="")
    coin: bool = eqx.field(static=True, default=True)
    unit: float = eqx.field(static=True, default=1.0)

    @property
    def traits(self):
        horizon = 3 if self.flaw == "horizon" else 7
        deterministic = self.flaw != "stochastic"
        players = 0 if self.flaw == "no players" else 2
        return Traits(players, 2, horizon, deterministic, not self.coin)

    @property
    def objective(self):
        return LastWins(self.flaw, self.unit)

    def init(self, key):
        if self.flaw == "random init":
            calls[0] += 1
            return TakeAway(jnp.int32(5 + calls[0] % 2), jnp.int32(0), jnp.int32(0))
        hidden = jax.random.bernoulli(key).astype(jnp.int32) if self.coin else jnp.int32(0)
        left = 0 if self.flaw == "over at once" else 7
        return TakeAway(jnp.int32(left), jnp.int32(0), hidden)

    def advance(self, state, action, key):
        left = state.left - jnp.int32(1 + action)
        if self.flaw == "global chance":
            calls[0] += 1
            left = left - int(calls[0] % 2) * (left > 2)
        if self.flaw == "undeclared chance":
            left = left - jax.random.bernoulli(key) * (left > 2)
        if self.flaw == "vmap":
            left = jax.lax.cond(left > 3, lambda: left, lambda: left)
            left = left - (1 if isinstance(left, jax.core.Tracer) else 0) * (left > 2)
        if self.flaw == "dtype":
            left = left.astype(jnp.float32)
        if self.flaw == "shape":
            left = left[None]
        left = jnp.maximum(left, 0) if self.flaw != "shape" else left
        return TakeAway(left, 1 - state.turn, state.hidden)

    def observe(self, state):
        seen = jnp.stack([state.left == i for i in range(8)]).astype(jnp.float32)
        if self.flaw == "observes nan":
            return seen / (state.left - 1)
        if self.flaw == "observes integers":
            return seen.astype(jnp.int32)
        return seen

    def legal(self, state):
        legal = jnp.stack([state.left >= 1, state.left >= 2])
        if self.flaw == "legal after the end":
            return legal | True
        if self.flaw == "stuck":
            return legal & (state.left != 1)
        if self.flaw == "legal shape":
            return jnp.append(legal, False)
        return legal

    def player(self, state):
        return state.turn * (3 if self.flaw == "player" else 1)

    def terminated(self, state):
        return state.left == 0

    def resample(self, state, key):
        if not self.coin and self.flaw != "resample changes":
            return state
        drawn = jax.random.bernoulli(key).astype(jnp.int32)
        if self.flaw == "resample peeks":
            drawn = jnp.where(state.hidden == 1, drawn, 1 - drawn)
        left = state.left
        if self.flaw == "resample inconsistent":
            left = jnp.where(left > 2, left - 1, left)
        return TakeAway(left, state.turn, drawn)

    def fingerprint(self, state):
        if self.flaw == "fingerprint":
            return jnp.stack([state.left // 2])
        if self.flaw == "fingerprint floats":
            return jnp.stack([state.left.astype(jnp.float32)])
        return jnp.stack([state.left, state.turn, state.hidden])

    @property
    def symmetries(self):
        def same(x):
            return x

        found = {
            "symmetry of actions": Symmetry("exchange", same, (1, 0)),
            "symmetry of observation": Symmetry("reverse", lambda x: x[::-1], (0, 1)),
            "symmetry not a map": Symmetry("constant", same, (0, 0)),
        }
        return (found[self.flaw],) if self.flaw in found else ()

    def step(self, state, action, key):
        if self.flaw == "step accepts all":
            return self.advance(state, jnp.asarray(action, jnp.int32), key)
        if self.flaw == "step after the end" and bool(self.terminated(state)):
            return state
        return super().step(state, action, key)


class LastWins(Objective):
    flaw: str = eqx.field(static=True, default="")
    unit: float = eqx.field(static=True, default=1.0)

    @property
    def discount(self):
        return float(self.flaw.split()[1]) if self.flaw.startswith("discount") else 1.0

    @property
    def bounds(self):
        most = 0.5 if self.flaw == "bounds" else 1.0
        return (-self.unit, most * self.unit)

    def __call__(self, state, action, after):
        gain = jnp.where(after.left == 0, 1.0, 0.0) * self.unit
        if self.flaw == "infinite reward":
            gain = gain / jnp.where(after.left == 0, 0.0, 1.0)
        mine = gain * jnp.where(state.turn == 0, 1.0, -1.0)
        other = mine if self.flaw == "not zero-sum" else -mine
        if self.flaw == "one reward":
            return mine[None]
        return jnp.stack([mine, other])


def test_a_sound_task_passes():
    check_task(Sticks())
    check_task(Sticks(coin=False))


@pytest.mark.parametrize(
    ("flaw", "message"),
    [
        ("no players", "traits.players is 0"),
        ("dtype", "`advance` changes the form of the state"),
        ("shape", "`advance` changes the form of the state"),
        ("legal shape", r"`legal` gives bool\[3\]"),
        ("observes integers", "`observe` gives int32"),
        ("fingerprint floats", "`fingerprint` gives float32"),
        ("one reward", r"`objective` gives float\d+\[1\]"),
        ("over at once", "over before its first action"),
        ("stuck", "is not terminal and has no legal action"),
        ("legal after the end", "is terminal and still has legal actions"),
        ("horizon", "is not terminal after traits.horizon = 3"),
        ("player", "player outside of 0 to 1"),
        ("observes nan", "observed as NaN or infinity"),
        ("infinite reward", "earns NaN or infinity"),
        ("not zero-sum", "do not sum to zero"),
        ("bounds", "outside of objective.bounds"),
        ("discount nan", "discount is nan"),
        ("discount -0.5", "discount is -0.5"),
        ("discount 1.5", "worth from 0 to 1 times as much"),
        ("global chance", "two different states under the same key"),
        ("random init", "`init` gives different states under the same key"),
        ("vmap", "leads elsewhere under `vmap`"),
        ("undeclared chance", "traits.deterministic is true"),
        ("resample inconsistent", "`resample` changes the observation"),
        ("resample peeks", "it peeks"),
        ("step accepts all", "`step` accepted action -1"),
        ("step after the end", "must raise FinishedGameError"),
    ],
)
def test_each_broken_clause_of_a_task_is_caught(flaw, message):
    with pytest.raises(ContractError, match=message):
        check_task(Sticks(flaw))


@pytest.mark.parametrize(
    ("flaw", "message"),
    [("not zero-sum", "do not sum to zero"), ("bounds", "outside of objective.bounds")],
)
def test_rewards_are_checked_whatever_their_unit(flaw, message):
    with pytest.raises(ContractError, match=message):
        check_task(Sticks(flaw, unit=1e-6))


@pytest.mark.parametrize(
    ("flaw", "message"),
    [
        ("resample changes", "though everything is seen"),
        ("fingerprint", "has the fingerprint of a state that differs in `legal`"),
        ("symmetry of actions", "'exchange' does not keep the observation"),
        ("symmetry of observation", "first state is not its own image"),
        ("symmetry not a map", "does not map the 2 actions one to one"),
    ],
)
def test_clauses_for_tasks_in_full_view(flaw, message):
    with pytest.raises(ContractError, match=message):
        check_task(Sticks(flaw, coin=False))


class Chooser(Decider):
    """Draws among legal actions, and remembers how often it did; `flaw` is what it does wrong."""

    task: Task
    flaw: str = eqx.field(static=True, default="")

    def begin(self, batch):
        return jnp.zeros(3 if self.flaw == "begin" else batch)

    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        keys = row_keys(key, len(state.left))
        budget = Budget.of(8 if budget is None else budget)
        legal = jax.vmap(self.task.legal)(state)
        over = jax.vmap(self.task.terminated)(state)
        weights = legal * jnp.array([2.0, 1.0 + memory.shape[0] * (self.flaw == "batch")])[None]
        weights = weights * jnp.stack([jnp.ones_like(memory), 1 + memory], 1)
        effort = jnp.broadcast_to(jnp.asarray(budget.simulations), over.shape).astype(jnp.float32)
        weights = weights + legal * effort[:, None]
        weights, memory = self._spoil(weights, legal, over, state, memory)
        total = weights.sum(1, keepdims=True)
        weights = weights / jnp.where(total > 0, total, 1.0)
        action = jax.vmap(jax.random.categorical)(keys, jnp.log(weights)).astype(jnp.int32)
        action = jnp.where(over, -1, action)
        value = jnp.where(over, 0.0, effort)
        spent = Ledger(model_steps=effort)
        decision = Decision(action, weights, value, self._lie(spent))
        return self._spoil_decision(decision, legal, over), memory

    def _spoil(self, weights, legal, over, state, memory):
        after = memory + 1
        if self.flaw == "illegal weight":
            weights = weights + 0.01 * ~over[:, None]
        if self.flaw == "global state":
            calls[0] += 1
            weights = weights + legal * jnp.array([int(calls[0]), 0])
        if self.flaw == "neighbours":
            weights = weights + legal * jnp.array([1.0, 0.0]) * state.left.sum()
        if self.flaw == "memory mixes":
            after = jnp.full_like(memory, 1.0 * len(memory))
        if self.flaw == "memory form":
            after = after.astype(jnp.int32)
        if self.flaw == "peeks":
            weights = weights * jnp.stack([1 + state.hidden, jnp.ones_like(state.hidden)], 1)
        return weights, after

    def _lie(self, spent):
        amount = {
            "unknown": Ledger(model_steps=None, seconds=None),
            "one entry": Ledger(model_steps=5),
            "negative": Ledger(model_steps=-spent.model_steps),
            "shared": Ledger(model_steps=spent.model_steps / len(spent.model_steps)),
            "uncounted": Ledger(model_steps=0 * spent.model_steps),
        }
        return amount.get(self.flaw, spent)

    def _spoil_decision(self, decision, legal, over):
        if self.flaw == "short":  # past the run-time type checks, which users do not have
            return eqx.tree_at(lambda d: d.value, decision, decision.value[:-1])
        wrong = {
            "illegal": {"action": jnp.where(over, -1, jnp.argmin(legal, 1).astype(jnp.int32) % 2)},
            "unnormalised": {"weights": decision.weights * 0.5},
            "negative weight": {"weights": decision.weights * jnp.array([3.0, -1.0]) * legal},
            "terminal action": {"action": jnp.maximum(decision.action, 0)},
            "terminal value": {"value": decision.value + 1},
            "nan": {"value": decision.value * jnp.nan},
        }
        return dataclasses.replace(decision, **wrong.get(self.flaw, {}))


def test_sound_deciders_pass():
    check_decider(Chooser(Sticks()))
    check_decider(Chooser(Sticks(coin=False)), budget=Budget(3, 50))
    check_decider(Chooser(Sticks(), "unknown"), key=jax.random.key(5))


def test_states_can_be_given():
    start = jax.vmap(Sticks().init)(jax.random.split(jax.random.key(0), 3))
    check_decider(Chooser(Sticks()), states=start)
    with pytest.raises(ContractError, match="NaN"):
        check_decider(Chooser(Sticks(), "nan"), states=start)


@pytest.mark.parametrize(
    ("flaw", "message"),
    [
        ("begin", "its leading axis must be the batch"),
        ("illegal", "its action is illegal"),
        ("illegal weight", "an illegal action has weight"),
        ("negative weight", "a weight is negative"),
        ("unnormalised", "do not sum to 1"),
        ("terminal action", "it is terminal"),
        ("terminal value", "it is terminal"),
        ("nan", "NaN or infinity"),
        ("short", "value has shape"),
        ("one entry", "give one entry a row"),
        ("negative", "is negative or not finite"),
        ("memory form", "changed the form of its memory"),
        ("global state", "same arguments gave different answers"),
        ("neighbours", "answered differently alone"),
        ("batch", "answered differently alone"),
        ("shared", "what it would have spent by itself"),
        ("memory mixes", "once its memory is used"),
        ("peeks", "it peeks"),
        ("uncounted", "Count every one"),
    ],
)
def test_each_broken_clause_of_a_decider_is_caught(flaw, message):
    with pytest.raises(ContractError, match=message):
        check_decider(Chooser(Sticks(), flaw))


class Deaf(Chooser):
    """Says that neither reaches it, and follows the budget."""

    hears = frozenset()


class HardOfHearing(Chooser):
    """Says that no objective reaches it, and follows one that is told, if it has that flaw."""

    hears = frozenset(("budget",))

    def decide(self, state, memory=None, *, objective=None, budget=None, key):
        decision, after = super().decide(state, memory, budget=budget, key=key)
        if self.flaw == "follows" and objective is not None:
            live = decision.weights.sum(1)
            decision = eqx.tree_at(lambda d: d.value, decision, decision.value + live)
        return decision, after


def test_what_a_decider_says_that_it_cannot_hear_may_not_change_its_answers():
    with pytest.raises(ContractError, match="no budget reaches it"):
        check_decider(Deaf(Sticks()))
    check_decider(HardOfHearing(Sticks()))
    with pytest.raises(ContractError, match="no objective reaches it"):
        check_decider(HardOfHearing(Sticks(), "follows"))
