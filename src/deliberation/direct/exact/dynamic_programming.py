"""Exact dynamic programming: value iteration and policy iteration (Bellman 1957, Howard 1960;
Puterman 1994, chapters 4 and 6), the first also for two players who move in turn (Shapley 1953).

Over every reachable state, chance included. Where the clock is part of the state, as in most tasks
here, as many sweeps as the horizon give the exact optimum; where it is left out (`tell_apart`), the
discount must be below 1 or every best policy must come to an end.
"""

import dataclasses
import functools
import time

import jax
import numpy as np
import scipy.sparse as sparse
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import breadth_first_order
from scipy.sparse.linalg import splu

from ...core.errors import TooLargeError, UnsuitableTaskError
from ...core.ledger import Ledger
from ...core.objective import Objective
from ...core.task import State, Task, stopped
from ...core.telling import go_on, tell
from ..ties import DOUBLE, tied
from .belief_graph import belief_return
from .starts import first_states
from .states import Reached, TellApart, enumerate_states, prints_of, refuse_unsuitable

_MOST = 100_000
_BELIEFS = 20_000
_LOOKS = 256
"""After so many sweeps, and twice as many, and so on, it is asked whether values can settle."""
_DRIFT = 1e-9
"""Values that all change by more, in parts of the greatest, do not do so by rounding."""
_ENDLESS = 1e10
"""Values this many times greater than rewards come from equations that have no solution."""


@dataclasses.dataclass(eq=False, repr=False)
class Table:
    """Every reachable state with its value, its action values and a best policy.

    `values` are returns still to come, for the player to move; `action_values` minus infinity where
    illegal. `policy` is even over the best actions, zero at the end. `sweeps` counts backups of the
    whole table (value iteration) or improved policies (policy iteration). `spent` counts a model
    step for each transition that is listed, and one for each that a sweep backs up.
    """

    reached: Reached
    objective: Objective
    discount: float
    values: Float[np.ndarray, " states"]
    action_values: Float[np.ndarray, "states actions"]
    sweeps: int
    spent: Ledger

    def __repr__(self) -> str:
        task, count = self.reached.task, len(self.values)
        return f"Table({task!r}, states={count}, sweeps={self.sweeps}, value={self.value:.6g})"

    @property
    def states(self) -> State:
        """The states, on a leading axis."""
        return self.reached.states

    @property
    def value(self) -> float:
        """The expected return from the first states, for the player who moves there."""
        return float(self.values[self.reached.starts] @ self.reached.probable)

    @property
    def policy(self) -> Float[np.ndarray, "states actions"]:
        """Even over all best actions; zero where the episode is over."""
        return best_policy(self.action_values)

    def find(self, states: State) -> Int[np.ndarray, " batch"]:
        """The row of each state of a batch. Raises `UnknownStateError`."""
        return self.reached.find_all(states)


def best_policy(
    action_values: Float[np.ndarray, "states actions"],
) -> Float[np.ndarray, "states actions"]:
    """Even over the greatest values of each row that are not minus infinity."""
    best = tied(action_values, DOUBLE, _unit(action_values))
    return best / np.maximum(best.sum(1, keepdims=True), 1)


def _unit(numbers: Float[np.ndarray, "states actions"]) -> float:
    """The size of the largest one that is finite."""
    return float(np.abs(numbers, where=np.isfinite(numbers), out=np.zeros_like(numbers)).max())


def value_iteration(
    task: Task | Reached,
    objective: Objective | None = None,
    *,
    sweeps: int | None = None,
    discount: float | None = None,
    tolerance: float = 1e-9,
    tell_apart: TellApart | None = None,
    max_states: int = 1_000_000,
) -> Table:
    """Back up all states from zero, again and again: n sweeps see n actions ahead.

    `sweeps` is the most there may be; fewer are made where one of them changes nothing. Without,
    there are as many as bring values within `tolerance` of the optimum: until a sweep changes
    nothing (with the clock in the state, after at most one more than the horizon) or, where the
    discount g is below 1, less than tolerance (1 - g) / (2 g) (Puterman 1994, theorem 6.3.1).
    Of two players the one to move takes what is best for itself, and worst for the other. `task`
    may be states that are already enumerated. `discount` replaces the objective's.

    Raises as `enumerate_states`, `NonFiniteError`, and `UnsuitableTaskError` where values never
    settle (an endless episode without a discount). Where many sweeps are needed, whoever waits may
    end it (`core.telling`).
    """
    began = time.perf_counter()
    plan = _Plan.of(task, objective, discount, tell_apart, max_states)
    g, limit = plan.discount, _MOST if sweeps is None else sweeps
    enough = tolerance * (1 - g) / (2 * g) if 0 < g < 1 and sweeps is None else 0.0
    values, done = np.zeros(len(plan.reached)), 0
    before, looked = values, _LOOKS
    found = np.where(plan.reached.legal, 0.0, -np.inf)  # nothing is preferred before any sweep
    while done < limit:
        found = plan.action_values(values)
        after = plan.best(found)
        change, values, done = np.abs(after - values).max(initial=0.0), after, done + 1
        if change <= enough:
            break
        if done % _LOOKS == 0:
            tell(done / limit)
            go_on()
        if done == looked and sweeps is None and g == 1:
            plan.refuse_drift(values - before)
            looked, before = 2 * done, values
    else:
        if sweeps is None:
            plan.refuse_endless(f"{_MOST:,} sweeps left values still changing")
    return plan.table(found, values, done, began)


def policy_iteration(
    task: Task | Reached,
    objective: Objective | None = None,
    *,
    rounds: int | None = None,
    discount: float | None = None,
    tell_apart: TellApart | None = None,
    max_states: int = 1_000_000,
) -> Table:
    """Value a policy exactly, by solving its linear equations, and improve it until it is best.

    Starts from each state's first legal action; an action is changed only for a better one, so
    that it ends (Howard 1960; Puterman 1994, section 6.4). `rounds` is the most policies that are
    valued: the action values are then those of the last one, and `values` the best of them. Raises
    as `value_iteration`.
    """
    began = time.perf_counter()
    # Of two players, replies to replies need not settle: value iteration does.
    refuse_unsuitable(task.task if isinstance(task, Reached) else task)
    plan = _Plan.of(task, objective, discount, tell_apart, max_states)
    live, states = ~plan.reached.terminal, np.arange(len(plan.reached))
    policy, done = plan.reached.legal.argmax(1), 0
    found = np.where(plan.reached.legal, 0.0, -np.inf)  # nothing is preferred before any policy
    while rounds is None or done < rounds:
        found, done = plan.action_values(plan.valued(policy)), done + 1
        better = ~tied(found, DOUBLE, _unit(plan.gains))[states, policy] & live
        if not better.any():
            break
        policy = np.where(better, found.argmax(1), policy)
    return plan.table(found, plan.best(found), done, began)


def optimal_return(
    task: Task, objective: Objective | None = None, *, max_states: int = 100_000
) -> float | None:
    """The exact expected return of the best policy from the task's first states.

    None where that cannot be had by listing states: two players, continuous actions, chance that
    is not listed, first states that are drawn but not listed (`Task.starts`), or more than
    `max_states`. Where something is hidden, the best is that of a player who remembers all it saw,
    found over what it can believe (see `belief_graph`).
    """
    reached = _listed(task, max_states)
    if reached is None:
        return None
    if task.traits.fully_observable:
        return value_iteration(reached, objective).value
    try:
        return belief_return(reached, objective, max_beliefs=_BELIEFS)
    except TooLargeError:
        return None


def uniform_return(
    task: Task, objective: Objective | None = None, *, max_states: int = 100_000
) -> float | None:
    """The exact expected return of drawing evenly from legal actions, from the first states.

    None where it cannot be had by listing states, as in `optimal_return`; whether some of a state
    is hidden makes no difference to such play. Episodes stop as in `rollout`: at their end, at a
    cut, or after `traits.horizon` actions.
    """
    if (reached := _listed(task, max_states)) is None:
        return None
    objective = task.objective if objective is None else objective
    over = np.asarray(jax.vmap(functools.partial(stopped, task))(reached.states))
    evenly = reached.legal / np.maximum(reached.legal.sum(1, keepdims=True), 1)
    chances = evenly[:, :, None] * reached.chances * ~over[:, None, None]
    gains, to = (chances * reached.rewards(objective)).sum((1, 2)), np.maximum(reached.to, 0)
    values = np.zeros(len(reached))
    for _ in range(task.traits.horizon):
        before = values
        values = gains + float(objective.discount) * (chances * values[to]).sum((1, 2))
        if np.array_equal(before, values):
            break
    return float(values[reached.starts] @ reached.probable)


def _listed(task: Task, max_states: int) -> Reached | None:
    """Every state from the task's own first states; None where that cannot be done."""
    traits = task.traits
    listed = traits.deterministic or traits.outcomes > 0
    if traits.players != 1 or not traits.discrete or not listed:
        return None
    if task.starts() is None and not _starts_alike(task):
        return None
    try:
        return enumerate_states(task, max_states=max_states)
    except TooLargeError:
        return None


def _starts_alike(task: Task) -> bool:
    states, _ = first_states(task)
    return len(np.unique(prints_of(task.fingerprint, states))) == 1


@dataclasses.dataclass(eq=False)
class _Plan:
    """A task with its transitions and rewards as arrays: what sweeps run over."""

    reached: Reached
    objective: Objective
    discount: float
    gains: Float[np.ndarray, "states actions"]
    to: Int[np.ndarray, "states actions outcomes"]
    listed: int

    @staticmethod
    def of(
        task: Task | Reached,
        objective: Objective | None,
        discount: float | None,
        tell_apart: TellApart | None,
        max_states: int,
    ) -> "_Plan":
        """Enumerate unless that is done, and look up all rewards once."""
        known = isinstance(task, Reached)
        reached = (
            task if known else enumerate_states(task, tell_apart=tell_apart, max_states=max_states)
        )
        if not reached.task.traits.fully_observable:
            raise UnsuitableTaskError(
                f"{reached.task!r} hides part of its state, and no player could follow what is "
                "best for each state: use `belief_return`, or search it (HistorySearch)."
            )
        objective = reached.task.objective if objective is None else objective
        discount = float(objective.discount) if discount is None else discount
        if not 0 <= discount <= 1:
            raise ValueError(f"A discount is a number from 0 to 1; got {discount}.")
        gains = (reached.chances * reached.rewards(objective)).sum(-1) * reached.sign[:, None]
        gains = np.where(reached.legal, gains, -np.inf)
        listed = 0 if known else reached.transitions
        return _Plan(reached, objective, discount, gains, np.maximum(reached.to, 0), listed)

    def action_values(self, values: np.ndarray) -> Float[np.ndarray, "states actions"]:
        """One step ahead, then so much; of the player to move."""
        sign = self.reached.sign
        ahead = np.einsum("sak,sak->sa", self.reached.chances, (sign * values)[self.to])
        return self.gains + self.discount * sign[:, None] * ahead

    def best(self, found: np.ndarray) -> Float[np.ndarray, " states"]:
        """The greatest of the action values (Bellman's optimality equation); 0 at the end."""
        return np.where(self.reached.terminal, 0.0, found.max(1))

    def valued(self, policy: Int[np.ndarray, " states"]) -> Float[np.ndarray, " states"]:
        """The exact values of a policy: (I - g P) v = r."""
        states, live = np.arange(len(policy)), ~self.reached.terminal
        gains = np.where(live, self.gains[states, policy], 0.0)
        chances = self.reached.chances[states, policy] * live[:, None]
        count, width = chances.shape
        moves = sparse.csr_matrix(
            (chances.ravel(), (np.repeat(states, width), self.to[states, policy].ravel())),
            shape=(count, count),
        )
        equations = sparse.csc_matrix(sparse.identity(count) - self.discount * moves)
        try:
            values = splu(equations).solve(gains)
        except RuntimeError:  # singular
            values = np.full(count, np.inf)
        if not np.abs(values).max() <= _ENDLESS * np.abs(gains).max():
            self.refuse_endless("a policy that never comes to an end has no value")
        return values

    def refuse_drift(self, change: Float[np.ndarray, " states"]) -> None:
        """Refuse values without a discount that can never settle, seen by how they changed in some
        sweeps.

        Where no end can be reached, a sweep of values that are greater by c throughout gives values
        that are greater by c. So if some sweeps made all of them greater by c at least, as many
        again do so once more, without end; so for smaller ones (Puterman 1994, section 8.5).
        """
        grown = (self.reached.sign * change)[self._going_on]
        least = _DRIFT * np.abs(change).max(initial=0.0)
        if grown.size and (grown.min() > least or grown.max() < -least):
            self.refuse_endless("play need not end, and rewards add up without a limit")

    @functools.cached_property
    def _going_on(self) -> Bool[np.ndarray, " states"]:
        """The states from which no end can be reached, whatever is done."""
        count, ends = len(self.reached), np.flatnonzero(self.reached.terminal)
        links = (self.reached.chances > 0) & ~self.reached.terminal[:, None, None]
        origin = np.nonzero(links)[0]
        # Backwards from the ends, to each of which one place beyond all states leads.
        start = np.concatenate([self.to[links], np.full(len(ends), count)])
        goal = np.concatenate([origin, ends])
        ways = sparse.csr_matrix((np.ones(len(start)), (start, goal)), (count + 1, count + 1))
        going = np.ones(count + 1, bool)
        going[breadth_first_order(ways, count, return_predecessors=False)] = False
        return going[:-1]

    def refuse_endless(self, why: str) -> None:
        """An episode without end and without a discount."""
        apart = self.reached.tell_apart != self.reached.task.fingerprint
        clock = " The clock that `tell_apart` leaves out of the state ends them, too." * apart
        raise UnsuitableTaskError(
            f"In {self.reached.task!r}, {why}. Give an objective with a discount below 1, or a "
            f"task with a horizon, so that episodes end.{clock}"
        )

    def table(self, found: np.ndarray, values: np.ndarray, sweeps: int, began: float) -> Table:
        """The result with what it cost."""
        steps = self.listed + sweeps * self.reached.transitions
        spent = Ledger(model_steps=steps, seconds=time.perf_counter() - began)
        return Table(self.reached, self.objective, self.discount, values, found, sweeps, spent)
