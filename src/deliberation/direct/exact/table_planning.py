"""Dynamic programming as a decider: it plans over every state it can reach, as far as it may."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from ...core.answering import CheckedDecider, Question
from ...core.budget import UNLIMITED
from ...core.decider import Decision, Memory
from ...core.errors import UnknownNameError, UnsuitableTaskError
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import State, Task
from ..ties import drawn
from .dynamic_programming import Table, best_policy, policy_iteration, value_iteration
from .states import Reached, enumerate_states, refuse_unsuitable

METHODS = ("value iteration", "policy iteration")
_KEPT = 8


@dataclasses.dataclass(eq=False, repr=False)
class _Kept:
    """What was worked out before: it saves time and changes no answer."""

    reached: list[Reached] = dataclasses.field(default_factory=list)
    tables: list[tuple[Reached, int, Table]] = dataclasses.field(default_factory=list)

    def table(self, reached: Reached, objective: Objective, sweeps: int, method: str) -> Table:
        """A solution for an objective and a number of sweeps, at most `_KEPT` of them kept."""
        for of, depth, table in self.tables:
            if of is reached and depth == sweeps and _same(table.objective, objective):
                return table
        most = None if sweeps == UNLIMITED else sweeps
        if method == "policy iteration":
            table = policy_iteration(reached, objective, rounds=most)
        else:
            table = value_iteration(reached, objective, sweeps=most)
        self.tables[:] = [(reached, sweeps, table), *self.tables[: _KEPT - 1]]
        return table


class DynamicProgramming(CheckedDecider):
    """Solves for the objective it is handed over all states that can still be reached.

    `method` "value iteration": the budget is how many sweeps, that is, how many actions it looks
    ahead (one simulation is one sweep over the table). "policy iteration": how many policies it
    values and improves, from that of the first legal actions on (one simulation is one of them).
    Without a budget, until nothing changes; 0 prefers nothing: even weights, zero value. It draws
    evenly from the best actions.

    Reachable states are listed from `task.starts()` or `init`, and from the states asked about
    where they are not among those (a wall was moved). One table serves every row and is kept, but
    what a row says it spent is always the whole price of planning (see `Ledger`): a model step for
    each transition that a sweep backs up.

    Raises `UnsuitableTaskError` for two players, continuous actions, hidden state or chance that is
    not listed, and where values never settle; `TooLargeError` over `max_states`; `NonFiniteError`;
    `ContractError` where states with one fingerprint earn different rewards.
    """

    task: Task
    method: str = eqx.field(static=True)
    max_states: int = eqx.field(static=True)
    _kept: _Kept = eqx.field(static=True)

    def __init__(self, task: Task, method: str = "value iteration", *, max_states: int = 1_000_000):
        if method not in METHODS:
            raise UnknownNameError("method of dynamic programming", method, METHODS)
        refuse_unsuitable(task)
        if not task.traits.fully_observable:
            raise UnsuitableTaskError(
                f"{task!r} hides part of its state: dynamic programming would act on what is not "
                "seen. Search it instead (HistorySearch)."
            )
        self.task, self.method, self.max_states = task, method, max_states
        self._kept = _Kept()

    def __repr__(self) -> str:
        return f"DynamicProgramming({self.task!r}, {self.method!r})"

    def choose(self, question: Question) -> tuple[Decision, Memory]:
        """Plan, then look every row up. Works on the host, outside of `jit`."""
        state, keys = question.state, question.keys
        batch = len(keys)
        reached = self._reached(state)
        rows = reached.find_all(state)
        asked = self._sweeps(reached, question)
        live = ~reached.terminal[rows]
        found = np.where(reached.legal[rows], 0.0, -np.inf)
        done = np.zeros(batch, int)
        for sweeps in np.unique(asked[live & (asked > 0)]).tolist():
            table = self._kept.table(reached, question.objective, sweeps, self.method)
            mine = live & (asked == sweeps)
            found[mine], done[mine] = table.action_values[rows[mine]], table.sweeps
        weights = best_policy(found).astype(np.float32)
        action = drawn(keys, jnp.asarray(weights))
        value = np.where(live, found.max(1), 0.0).astype(np.float32)
        steps = (done * reached.transitions).astype(np.float64)
        spent = Ledger(model_steps=jnp.asarray(steps))
        decision = Decision(action, jnp.asarray(weights), jnp.asarray(value), spent)
        return decision, question.memory

    def _sweeps(self, reached: Reached, question: Question) -> Int[np.ndarray, " batch"]:
        """How many sweeps each row may have; `UNLIMITED` for as many as it takes."""
        if question.budget is None:
            return np.full(len(question.keys), UNLIMITED)
        simulations, steps = (np.asarray(x) for x in question.limits)
        limited = np.where(steps == UNLIMITED, UNLIMITED, steps // max(reached.transitions, 1))
        return np.minimum(simulations, limited)

    def _reached(self, state: State) -> Reached:
        for reached in self._kept.reached:
            if (reached.find(state) >= 0).all():
                return reached
        starts = [None] if not self._kept.reached else []
        for start in [*starts, state]:
            found = enumerate_states(self.task, start=start, max_states=self.max_states)
            self._kept.reached[:] = [found, *self._kept.reached[: _KEPT - 1]]
            if (found.find(state) >= 0).all():
                break
        return self._kept.reached[0]


def _same(one: Objective, other: Objective) -> bool:
    return one is other or bool(eqx.tree_equal(one, other))
