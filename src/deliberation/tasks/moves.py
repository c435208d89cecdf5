"""One episode move by move, by people's words for actions: for looking at it and playing it."""

from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..core.errors import FinishedGameError, IllegalActionError, UnsuitableTaskError
from ..core.keys import named_key
from ..core.objective import Objective, wanted
from ..core.task import State, Task, check_is_task, stopped

_TOLD = 12
"""So many legal actions are listed in a refusal."""


def action_name(task: Task, action: int) -> str:
    """The task's own word for an action, else its number."""
    names = task.action_names
    return names[action] if 0 <= action < len(names) else str(action)


def find_action(task: Task, word: str) -> int | None:
    """The action of a number or a name, in letters of either case; None where there is none."""
    names = [name.lower() for name in task.action_names]
    if word.lower() in names:
        return names.index(word.lower())
    if word.isdecimal() and int(word) < task.traits.actions:
        return int(word)
    return None


def split_moves(text: str) -> list[str]:
    """The words of a line of moves, parted by spaces or commas."""
    return text.replace(",", " ").split()


class Game:
    """An episode that is played, taken back and replayed: the same moves lead to the same states.

    The chance of each move is drawn from the seed and the move's number, so that nothing is drawn
    anew by taking back and playing the same again. Raises `UnsuitableTaskError` for continuous
    actions once one is to be played.
    """

    def __init__(self, task: Task, *, seed: int = 0, objective: Objective | None = None):
        check_is_task(task)
        self.task, self.seed, self.objective = task, seed, wanted(task, objective)
        self.key = jax.random.key(seed)
        self.states: list[State] = [task.init(named_key(self.key, "start"))]
        self.actions: list[int] = []
        self.movers: list[int] = []
        self.rewards: list[np.ndarray] = []
        self.look()

    def __repr__(self) -> str:
        played = ", ".join(action_name(self.task, a) for a in self.actions)
        return f"Game({self.task!r}, [{played}])"

    @property
    def state(self) -> State:
        """Where the episode stands."""
        return self.states[-1]

    @property
    def over(self) -> bool:
        """Whether it has ended, was cut, or has lasted for the task's horizon."""
        return self._over or len(self.actions) >= self.task.traits.horizon

    @property
    def ended(self) -> bool:
        """Whether it is over by the rules; else a limit of time may have cut it."""
        return self._over

    @property
    def returns(self) -> Float[np.ndarray, " players"]:
        """The discounted return of each player so far."""
        total, worth = np.zeros(self.task.traits.players), 1.0
        for reward in self.rewards:
            total, worth = total + worth * reward, worth * float(self.objective.discount)
        return total

    def legal_names(self) -> list[str]:
        """The words for all legal actions."""
        return [action_name(self.task, int(a)) for a in np.flatnonzero(self.legal)]

    def read(self, word: str) -> int:
        """The legal action of a number or a name. Raises as `play` does."""
        action = find_action(self.task, word)
        if action is None or not self.legal[action] or self.over:
            self._refuse(word)
        assert action is not None
        return action

    def play(self, action: int) -> None:
        """Make a legal move.

        Raises `FinishedGameError` after the end and `IllegalActionError`, whose message shows
        nothing that is hidden from the player to move.
        """
        if not self.task.traits.discrete:
            raise UnsuitableTaskError(f"{self.task!r} has continuous actions: no move has a name.")
        if self.over or not (0 <= action < len(self.legal) and self.legal[action]):
            self._refuse(action_name(self.task, action))
        key = jax.random.fold_in(named_key(self.key, "moves"), len(self.actions))
        after, reward = _advanced(self.task, self.objective, self.state, jnp.int32(action), key)
        self.movers.append(self.mover)
        self.actions.append(action)
        self.states.append(after)
        self.rewards.append(np.asarray(reward, float))
        self.look()

    def undo(self) -> None:
        """Take the last move back."""
        for kept in (self.actions, self.movers, self.rewards, self.states):
            kept.pop()
        self.look()

    def play_all(self, words: Iterable[str]) -> None:
        """Make a line of moves. Raises as `play` does, for the first that cannot be made."""
        for number, word in enumerate(words, 1):
            try:
                self.play(self.read(word))
            except (IllegalActionError, FinishedGameError) as error:
                raise type(error)(f"Move {number}, {word!r}: {error}") from None

    def look(self) -> None:
        """Read what is legal, whose move it is and whether it is over from where it stands."""
        legal, mover, over = _facts(self.task, self.state)
        self.legal: Bool[np.ndarray, " actions"] = np.asarray(legal)
        self.mover, self._over = int(mover), bool(over)

    def _refuse(self, word: str) -> None:
        if self.over:
            raise FinishedGameError(
                f"{word} cannot be played: the episode is over after {len(self.actions)} moves."
            )
        names = self.legal_names()
        more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
        raise IllegalActionError(
            f"{word} is no legal move here. Legal: {', '.join(names[:_TOLD])}{more}."
        )


def names_of(task: Task, actions: Iterable[Any]) -> list[str]:
    """The words for a line of actions."""
    return [action_name(task, int(a)) for a in actions]


@eqx.filter_jit
def _facts(
    task: Task, state: State
) -> tuple[Bool[Array, " actions"], Int[Array, ""], Bool[Array, ""]]:
    return task.legal(state), task.player(state), stopped(task, state)


@eqx.filter_jit
def _advanced(
    task: Task, objective: Objective, state: State, action: Int[Array, ""], key: Array
) -> tuple[State, Float[Array, " players"]]:
    after = task.advance(state, action, key)
    return after, jnp.asarray(objective(state, action, after), jnp.float32)
