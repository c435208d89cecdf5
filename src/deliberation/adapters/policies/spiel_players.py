"""Policies and bots of OpenSpiel as deciders, and its games as tasks: `from_open_spiel`."""

from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np

from ...core.errors import ForeignPolicyError, WrongKindError
from ...core.task import Task
from ..open_spiel import SpielState, SpielTask
from ..open_spiel import from_open_spiel as world
from .expected import Score, reproduced
from .host import Asked, HostPolicy, Model, Said, adapted
from .weighing import best, drawn


@overload
def from_open_spiel(
    named: str, task: None = None, *, cache_megabytes: float = 64.0, **options: Any
) -> SpielTask: ...
@overload
def from_open_spiel(
    named: Any,
    task: Task,
    *,
    deterministic: bool | None = None,
    expect: Score | float | int | None = None,
) -> HostPolicy: ...
def from_open_spiel(named: Any, task: Task | None = None, **options: Any) -> Any:
    """A game of OpenSpiel by its short name, as a task; or a policy or bot, as a decider for one.

    `from_open_spiel("breakthrough", rows=5)` is a task: with perfect or imperfect information, with
    chance, for one player, for two with opposite aims, or for more. `cache_megabytes` bounds the
    states that are kept; others are played again from their histories. Raises `BackendError`
    without OpenSpiel, `UnknownNameError`, and `UnsuitableTaskError` for games of other kinds.

    `from_open_spiel(policy, task)` is a decider: `task` is such a game, and `policy` one of these:

    - a policy (`action_probabilities(state, player)`). Its probabilities are the weights, and the
      action is drawn by them from the key, or the most probable one if `deterministic`.
    - a bot (`step(state)`), or one for each player. Before it steps it is put where play is:
      by `restart_at(state)`, else by `restart` and the moves so far (`inform_action` of others',
      `force_action` of its own). Its weights are those of `step_with_policy`, if it has a policy,
      else all on its action. The global generators of random numbers are seeded by the key.
    - a function of `(player, seed)` that makes a bot anew for each decision: for bots with a
      generator of their own, which no key would reach otherwise.

    Values are 0, and what it spends is unknown. `expect` is a score that it must reproduce here:
    see `Score`. Raises `WrongKindError` for anything else and for tasks that are no game of
    OpenSpiel, `ForeignPolicyError` for a policy of another game or one that fails, and
    `IllegalActionError` and `NonFiniteError` from `decide`.
    """
    if isinstance(named, str):
        if task is not None:
            raise WrongKindError(
                f"{named!r} is the name of a game, and a policy belongs before a task: load a bot "
                f"by pyspiel.load_bot({named!r}, game, player) and hand that over."
            )
        return world(named, **options)
    return _player(named, task, **options)


def _player(
    policy: Any,
    task: Task | None,
    *,
    deterministic: bool | None = None,
    expect: Score | float | int | None = None,
) -> HostPolicy:
    if not isinstance(task, SpielTask):
        raise WrongKindError(
            f"{task!r} is no game of OpenSpiel, and {policy!r} plays nothing else: give it a task "
            "made by from_open_spiel('tic_tac_toe'), or whatever its game is called."
        )
    if hasattr(policy, "action_probabilities"):
        _check_game(policy, task)
        model: Model = SpielPolicy(policy, task, bool(deterministic))
    else:
        model = SpielBot(policy, task, bool(deterministic))
    return reproduced(adapted(task, model, _history), expect)


def _check_game(policy: Any, task: SpielTask) -> None:
    """A policy that says which game it is for must be for this one."""
    game = getattr(policy, "game", None)
    if game is not None and str(game) != str(task.game.spiel):
        raise ForeignPolicyError(
            f"{policy!r} is a policy for {game}, and the task is {task.game.spiel}: adapt the same "
            "game with the same options (moves at once are taken in turns here)."
        )


def _history(state: SpielState) -> tuple[Any, Any]:
    return state.history, state.length


class _Player(Model):
    """Whoever is asked about OpenSpiel's own states, which histories lead to."""

    def __init__(self, asked: Any, task: SpielTask, deterministic: bool):
        self.asked, self.game, self.deterministic = asked, task.game, deterministic
        self.name = f"{type(asked).__name__} of OpenSpiel"

    def answer(self, asked: Asked) -> Said:
        """One state after another."""
        weights = np.zeros(asked.legal.shape, np.float64)
        action = np.full(asked.count, -1)
        history, length = asked.observation
        for row in range(asked.count):
            state = self.game.state(history[row, : length[row]])
            said, chosen = self.told(state, asked.words[row])
            for one, weight in said.items():
                weights[row, one] = weight
            action[row] = -1 if chosen is None else chosen
        weights = _checked_weights(self.name, weights, asked.legal)
        if self.deterministic:
            action = best(weights, asked.legal)
        elif (action < 0).any():
            action = drawn(weights, asked.uniform)
        return Said(action, weights)

    def told(self, state: Any, words: np.ndarray) -> tuple[dict[int, float], int | None]:
        """The probabilities of actions, and the action if one was chosen."""
        raise NotImplementedError


def _checked_weights(name: str, weights: np.ndarray, legal: np.ndarray) -> np.ndarray:
    sums = weights.sum(axis=1)
    bad = (np.abs(sums - 1) > 1e-3) | (weights < 0).any(axis=1) | ((weights > 0) & ~legal).any(1)
    if bad.any():
        row = int(np.argmax(bad))
        raise ForeignPolicyError(
            f"{name} gives the probabilities {weights[row].tolist()} where "
            f"{np.flatnonzero(legal[row]).tolist()} are legal: they must be at least 0, sum to 1, "
            "and be of legal actions only. Was it made for this game?"
        )
    return weights / sums[:, None]


class SpielPolicy(_Player):
    """A policy of OpenSpiel."""

    def told(self, state: Any, words: np.ndarray) -> tuple[dict[int, float], int | None]:
        """Its probabilities."""
        del words
        # OpenSpiel's own policies in C++ take the state alone.
        found = self.asked.action_probabilities(state)
        return dict(found), None


class SpielBot(_Player):
    """A bot of OpenSpiel, one for each player, or a function that makes one."""

    one_by_one = True

    def __init__(self, asked: Any, task: SpielTask, deterministic: bool):
        super().__init__(asked, task, deterministic)
        players = task.game.players
        self.make: Callable[[int, int], Any] | None = None
        if isinstance(asked, Sequence):
            bots = list(asked)
            self.name = f"{[type(bot).__name__ for bot in bots]} of OpenSpiel"
        elif hasattr(asked, "step"):
            bots = [asked] * players
        elif callable(asked):
            self.make, bots = asked, [asked(player, 0) for player in range(players)]
            self.name = f"{getattr(asked, '__name__', type(asked).__name__)} of OpenSpiel"
        else:
            bots = []
        if len(bots) != players or not all(hasattr(bot, "step") for bot in bots):
            raise WrongKindError(
                f"{asked!r} is neither a policy of OpenSpiel (action_probabilities) nor a bot "
                f"(step), nor {players} bots, one for each player, nor a function of (player, "
                "seed) that makes one."
            )
        self.bots: list[Any] = bots

    def told(self, state: Any, words: np.ndarray) -> tuple[dict[int, float], int | None]:
        """What the bot of the player to move does here, and by what probabilities."""
        player = state.current_player()
        seed = int(words[1]) & 0x7FFFFFFF  # bots in C++ take no larger ones
        bot = self.bots[player] if self.make is None else self.make(player, seed)
        state = state.clone()
        _put(bot, player, state, self.name)
        if _provides_policy(bot):
            policy, action = bot.step_with_policy(state)
            return dict(policy), int(action)
        action = int(bot.step(state))
        return {action: 1.0}, action


def _provides_policy(bot: Any) -> bool:
    asked = getattr(bot, "provides_policy", None)
    return bool(asked is not None and asked())


def _put(bot: Any, player: int, state: Any, name: str) -> None:
    """Put a bot where play is."""
    try:
        bot.restart_at(state)
        return
    except Exception:  # those of C++ say so by an error
        pass
    bot.restart()
    again = state.get_game().new_initial_state()
    for action in state.history():
        if not again.is_chance_node():
            _replay(bot, player, again, action, name)
        again.apply_action(action)


def _replay(bot: Any, player: int, state: Any, action: int, name: str) -> None:
    mover = state.current_player()
    if mover != player:
        bot.inform_action(state, mover, action)
    elif bot.provides_force_action():
        bot.force_action(state, action)
    elif bot.step(state) != action:
        raise ForeignPolicyError(
            f"{name} can neither be put into a state (restart_at) nor be told what it did before "
            "(force_action), and does not do the same again: hand over a function of (player, "
            "seed) that makes it, or give it restart_at."
        )
