"""How much a best reply wins from a policy in a small game of hidden cards.

The whole game is listed, history by history, from `Task.starts`; what a player knows is all it saw
and did at its own turns (perfect recall). A best reply is found backwards over these information
sets (Zinkevich et al. 2007, section 2). Exploitability is as in OpenSpiel: what the best replies to
both seats gain on average, 0 exactly for an equilibrium.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from ...core.budget import Budget
from ...core.decider import Decider
from ...core.errors import TooLargeError, UnsuitableTaskError
from ...core.host import on_host, with_keys
from ...core.objective import Objective, cancel
from ...core.task import State, Task
from .expansion import described, expanded, successors
from .starts import possible

Policy = Decider | Float[np.ndarray, "sets actions"] | Callable[["HistoryTree"], np.ndarray]


class Ply(NamedTuple):
    """All histories of one length: states, what they are to their player, and how they came about.

    `sets` numbers the information sets of live histories, -1 where play is over. `parent` and
    `action` say from which history of the ply before each came, `chance` how probably, given the
    action, and `reward` what player 0 got by it.
    """

    states: State
    mover: Int[np.ndarray, " histories"]
    sets: Int[np.ndarray, " histories"]
    parent: Int[np.ndarray, " histories"]
    action: Int[np.ndarray, " histories"]
    chance: Float[np.ndarray, " histories"]
    reward: Float[np.ndarray, " histories"]


@dataclasses.dataclass(eq=False, repr=False)
class HistoryTree:
    """A small two-player game in full: plies of histories, and the information sets.

    `states` holds one state of each information set, `movers` who decides there, `legal` what is
    allowed. A policy is a table [sets, actions] of probabilities.
    """

    task: Task
    discount: float
    plies: list[Ply]
    states: State
    movers: Int[np.ndarray, " sets"]
    legal: Float[np.ndarray, "sets actions"]

    def __repr__(self) -> str:
        histories = sum(len(ply.mover) for ply in self.plies)
        return f"HistoryTree({self.task!r}, histories={histories}, sets={len(self.movers)})"

    def uniform(self) -> Float[np.ndarray, "sets actions"]:
        """Every legal action as likely as every other."""
        return self.legal / self.legal.sum(1, keepdims=True)

    def table(
        self, policy: Policy, *, budget: Budget | int | None = None, seed: int = 0
    ) -> Float[np.ndarray, "sets actions"]:
        """The probabilities with which a policy acts in each information set.

        A decider is asked once for each, from a state that looks so, without a memory, with a key
        of its own; its `weights` are taken. Raises `UnsuitableTaskError` where they are no
        distribution over legal actions.
        """
        if isinstance(policy, Decider):
            count = len(self.movers)
            keys = jax.random.split(jax.random.key(seed), count)
            states = jax.tree.map(jnp.asarray, self.states)
            decision, _ = policy.decide(states, policy.begin(count), budget=budget, key=keys)
            found = np.asarray(decision.weights, float)
        else:
            found = np.asarray(policy(self) if callable(policy) else policy, float)
        sound = found.shape == self.legal.shape and np.allclose(found.sum(1), 1, atol=1e-4)
        if not sound or (found < 0).any() or (found[self.legal == 0] > 0).any():
            raise UnsuitableTaskError(
                f"The policy is no table of shape {self.legal.shape} whose rows are distributions "
                "over legal actions, one for each information set."
            )
        return found / found.sum(1, keepdims=True)

    def value(self, policy: Float[np.ndarray, "sets actions"]) -> float:
        """What player 0 wins where both follow a table."""
        return float(self._back(policy, None)[0])

    def best_reply(self, policy: Float[np.ndarray, "sets actions"], player: int) -> float:
        """The most that a player can win against a table which the other follows."""
        return float(self._back(policy, player)[1])

    def _reaches(self, policy: np.ndarray, but: int | None) -> list[np.ndarray]:
        """How probable each history is, the acts of one player left out."""
        first = self.plies[0].chance
        reaches = [first]
        for before, ply in zip(self.plies, self.plies[1:], strict=False):
            sets = before.sets[ply.parent]
            acted = policy[sets, ply.action]
            acted = np.where(self.movers[sets] == but, 1.0, acted) if but is not None else acted
            reaches.append(reaches[-1][ply.parent] * ply.chance * acted)
        return reaches

    def _back(self, policy: np.ndarray, replier: int | None) -> tuple[float, float]:
        """Backwards from the last ply: (what player 0 wins, what the replier wins)."""
        sign = -1.0 if replier == 1 else 1.0
        reaches = self._reaches(policy, replier)
        values = np.zeros(len(self.plies[-1].mover))
        for depth in reversed(range(len(self.plies) - 1)):
            ply, after = self.plies[depth], self.plies[depth + 1]
            ahead = after.chance * (sign * after.reward + self.discount * values)
            found = np.zeros((len(ply.mover), self.legal.shape[1]))
            np.add.at(found, (after.parent, after.action), ahead)
            live = ply.sets >= 0
            acts = policy[np.maximum(ply.sets, 0)]
            if replier is not None:
                mine = live & (ply.mover == replier)
                acts = np.where(mine[:, None], self._best(ply, mine, reaches[depth], found), acts)
            values = np.where(live, (acts * found).sum(1), 0.0)
        total = float(self.plies[0].chance @ values)
        return sign * total, total

    def _best(
        self, ply: Ply, mine: np.ndarray, reach: np.ndarray, found: np.ndarray
    ) -> Float[np.ndarray, "histories actions"]:
        """The best action of each information set, weighing histories by how they come about."""
        worth = np.zeros(self.legal.shape)
        np.add.at(worth, ply.sets[mine], reach[mine, None] * found[mine])
        best = np.where(self.legal > 0, worth, -np.inf).argmax(1)
        return np.eye(self.legal.shape[1])[best[np.maximum(ply.sets, 0)]]


def exploitability(
    task: Task | HistoryTree,
    policy: Policy,
    *,
    objective: Objective | None = None,
    budget: Budget | int | None = None,
    seed: int = 0,
) -> float:
    """What best replies to a policy win on average over both seats; 0 for an equilibrium.

    `policy` is a decider, or a table of probabilities [sets, actions] as `HistoryTree` numbers
    them. Half of OpenSpiel's NashConv. Raises as `list_histories`.
    """
    tree = task if isinstance(task, HistoryTree) else list_histories(task, objective)
    table = tree.table(policy, budget=budget, seed=seed)
    return (tree.best_reply(table, 0) + tree.best_reply(table, 1)) / 2


def list_histories(
    task: Task,
    objective: Objective | None = None,
    *,
    max_histories: int = 1_000_000,
    max_bytes: int = 4 * 2**30,
) -> HistoryTree:
    """List every history of a two-player game whose first states are listed (`Task.starts`).

    Raises `UnsuitableTaskError` for other tasks and where a player can come to one information set
    after different numbers of actions; `TooLargeError` over `max_histories`, or before all that can
    follow one ply would take more than `max_bytes`.
    """
    objective = task.objective if objective is None else objective
    states, chances = _starts(task)
    knows = _Knowing(task)
    ply, plies, count = _first(task, states, chances, knows), [], 0
    while len(ply.mover):
        plies.append(ply)
        count += len(ply.mover)
        if count > max_histories:
            raise TooLargeError(
                f"{task!r} has more than max_histories={max_histories:,} histories. Raise it, or "
                "take a smaller game."
            )
        if (room := _bytes_after(task, ply)) > max_bytes:
            raise TooLargeError(
                f"What can follow {len(ply.mover):,} histories of {task!r} takes "
                f"{room / 2**30:.1f} GiB. Raise max_bytes, or take a smaller game."
            )
        ply = _next(task, objective, ply, knows)
    kept = with_keys(jax.tree.map(lambda *x: np.stack(x), *knows.states))
    return HistoryTree(
        task,
        float(objective.discount),
        plies,
        kept,
        np.array(knows.movers),
        np.array(knows.legal, float),
    )  # fmt: skip


def _starts(task: Task) -> tuple[State, np.ndarray]:
    traits, listed = task.traits, task.starts()
    fits = traits.players == 2 and traits.discrete
    if not fits or listed is None or not (traits.deterministic or traits.outcomes):
        raise UnsuitableTaskError(
            f"{task!r} cannot be listed history by history: that needs two players, actions that "
            "can be counted, `Task.starts`, and outcomes that are listed where moves have chance."
        )
    states, chances = possible(*listed)
    return on_host(states), chances


class _Facts(NamedTuple):
    """What is known of a history's state: the end, who moves, what is allowed, what is seen."""

    over: Any
    mover: Any
    legal: Any
    seen: Any


class _Knowing:
    """Numbers information sets: what the player to move did and saw at its turns."""

    def __init__(self, task: Task):
        self.task = task
        self.known: dict[bytes, int] = {}
        self.depths: list[int] = []
        self.states: list[State] = []
        self.movers: list[int] = []
        self.legal: list[np.ndarray] = []
        self.pasts: list[list[tuple[bytes, bytes]]] = []
        """For each ply and history: what each of the two players has seen and done so far."""

    def number(self, states: State, facts: _Facts, pasts: list[tuple[bytes, bytes]]) -> tuple:
        """(movers, sets) of a ply; `pasts` are what players knew before its own observations."""
        over, mover, legal, seen = facts
        seen, mover = seen.reshape(len(over), -1), mover.astype(int)
        sets, depth = np.full(len(over), -1), len(self.pasts)
        for row in np.flatnonzero(~over):
            here = (pasts[row][mover[row]], legal[row].tobytes(), seen[row].tobytes())
            key = bytes([mover[row]]) + b"".join(here)
            if key not in self.known:
                self.known[key] = len(self.known)
                self.depths.append(depth)
                self.states.append(jax.tree.map(lambda x, row=row: x[row], states))
                self.movers.append(int(mover[row]))
                self.legal.append(legal[row])
            sets[row] = self.known[key]
            if self.depths[sets[row]] != depth:
                raise UnsuitableTaskError(
                    f"In {self.task!r} player {mover[row]} cannot tell how many actions were "
                    "taken: best replies need that, ply by ply. Show it in `observe`."
                )
        self.pasts.append(pasts)
        return mover, sets


def _first(task: Task, states: State, chances: np.ndarray, knows: _Knowing) -> Ply:
    count = len(chances)
    mover, sets = knows.number(states, described(task, states, _look), [(b"", b"")] * count)
    nothing = np.zeros(count, int)
    return Ply(states, mover, sets, nothing, nothing, chances, np.zeros(count))


def _bytes_after(task: Task, ply: Ply) -> int:
    """The memory of every outcome of every action, the impossible ones too, that `_next` takes."""
    one = sum(x.nbytes for x in jax.tree.leaves(ply.states))
    return one * successors(task)


def _next(task: Task, objective: Objective, ply: Ply, knows: _Knowing) -> Ply:
    legal = np.array(knows.legal)[np.maximum(ply.sets, 0)] & (ply.sets >= 0)[:, None]
    found = expanded(task, ply.states, legal, objective, _look)
    if found is None:
        nothing, none = np.zeros(0, int), jax.tree.map(lambda x: x[:0], ply.states)
        return Ply(none, nothing, nothing, nothing, nothing, np.zeros(0), np.zeros(0))
    if not np.isfinite(found.rewards).all() or not cancel(found.rewards).all():
        raise UnsuitableTaskError(
            f"The rewards in {task!r} are not finite or do not sum to zero over its two players."
        )
    before = knows.pasts[-1]
    pasts = []
    for row, act in zip(found.parent.tolist(), found.action.tolist(), strict=True):
        both = list(before[row])
        # The number of the set stands for all that led to it.
        both[ply.mover[row]] = b"%d,%d;" % (ply.sets[row], act)
        pasts.append((both[0], both[1]))
    mover, sets = knows.number(found.states, found.facts, pasts)
    return Ply(
        found.states, mover, sets, found.parent, found.action, found.chance.astype(float),
        found.rewards[:, 0].astype(float),
    )  # fmt: skip


def _look(task: Task, state: State) -> _Facts:
    return _Facts(
        task.terminated(state), task.player(state), task.legal(state), task.observe(state)
    )
