"""One game of OpenSpiel on the host: states from histories, and rows of arrays from states.

The one file that imports `pyspiel`.
"""

import random
import threading
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from ...core.errors import BackendError, ForeignWorldError, UnknownNameError, UnsuitableTaskError
from .beliefs import Beliefs


class Rows(NamedTuple):
    """What is told of states, one a row. `history` holds the actions so far, of chance too."""

    history: np.ndarray
    length: np.ndarray
    observation: np.ndarray
    legal: np.ndarray
    returns: np.ndarray
    player: np.ndarray
    over: np.ndarray


class Game:
    """A game that `pyspiel` loads; moves at once are taken in turns, unseen.

    Raises `BackendError` without OpenSpiel, `UnknownNameError`, and `UnsuitableTaskError` for games
    whose chance is hidden in them, mean-field games, and two players without opposite aims.
    """

    def __init__(self, name: str, options: dict[str, Any], cache_megabytes: float):
        self.spiel = _loaded(name, options)
        kind = self.spiel.get_type()
        if kind.dynamics == kind.Dynamics.SIMULTANEOUS:
            self.spiel = _pyspiel().convert_to_turn_based(self.spiel)
        _check(name, kind, self.spiel)
        game = self.spiel
        self.name, self.players = name, game.num_players()
        self.actions = game.num_distinct_actions()
        self.horizon = game.max_game_length()
        self.longest = self.horizon + _chance_nodes(game)
        self.hidden = kind.information != kind.Information.PERFECT_INFORMATION
        self.chance = kind.chance_mode != kind.ChanceMode.DETERMINISTIC
        terminal = kind.reward_model == kind.RewardModel.TERMINAL
        low, high = float(game.min_utility()), float(game.max_utility())
        self.bounds = (low, high) if terminal else (-np.inf, np.inf)
        self._seen = _how_seen(game.get_type(), kind)
        self.shape = self._shape()
        self._beliefs = Beliefs(game)
        self._cache: OrderedDict[bytes, Any] = OrderedDict()
        self._most = max(int(cache_megabytes * (1 << 20)) // (4096 + 4 * self.longest), 16)
        self._lock = threading.Lock()

    def _shape(self) -> tuple[int, ...]:
        if self._seen == "observation":
            return tuple(self.spiel.observation_tensor_shape())
        if self._seen == "information_state":
            return tuple(self.spiel.information_state_tensor_shape())
        return (self.actions,)

    def rows(self, count: int) -> Rows:
        """Room for so many states."""
        return Rows(
            np.zeros((count, self.longest), np.int32), np.zeros(count, np.int32),
            np.zeros((count, *self.shape), np.float32), np.zeros((count, self.actions), bool),
            np.zeros((count, self.players), np.float32), np.zeros(count, np.int32),
            np.zeros(count, bool),
        )  # fmt: skip

    def reset(self, words: np.ndarray) -> Rows:
        """First states; chance that comes before the first move is drawn by the words."""
        with self._lock:
            out = self.rows(len(words))
            for row, word in enumerate(words):
                state = self.spiel.new_initial_state()
                self._settle(state, word)
                self._write(out, row, state)
            return out

    def step(
        self, history: np.ndarray, length: np.ndarray, over: np.ndarray, actions: np.ndarray,
        words: np.ndarray,
    ) -> Rows:  # fmt: skip
        """One action in each state that is not over, and what chance makes of it by the words."""
        with self._lock:
            out = self.rows(len(actions))
            for row in range(len(actions)):
                if over[row]:
                    out.over[row] = True
                    continue
                state = self.state(history[row, : length[row]]).clone()
                action = int(actions[row])
                legal = state.legal_actions()
                # Under `jit` illegal actions are undefined; OpenSpiel would end the process.
                state.apply_action(action if action in legal else legal[0])
                self._settle(state, words[row])
                self._write(out, row, state)
            return out

    def resample(self, history: np.ndarray, length: np.ndarray, words: np.ndarray) -> Rows:
        """States drawn from those that the player to move cannot tell from each."""
        with self._lock:
            out = self.rows(len(words))
            for row in range(len(words)):
                state = self.state(history[row, : length[row]])
                if not state.is_terminal():
                    state = self._beliefs.drawn(state, random.Random(_seed(words[row])))
                self._write(out, row, state)
            return out

    def state(self, actions: np.ndarray) -> Any:
        """OpenSpiel's state after these actions; it must not be changed."""
        key = np.ascontiguousarray(actions).tobytes()
        found = self._cache.get(key)
        if found is None:
            found = self.spiel.new_initial_state()
            for action in actions.tolist():
                found.apply_action(action)
            self._keep(key, found)
        else:
            self._cache.move_to_end(key)
        return found

    def _keep(self, key: bytes, state: Any) -> None:
        self._cache[key] = state
        if len(self._cache) > self._most:
            self._cache.popitem(last=False)

    def _settle(self, state: Any, words: np.ndarray) -> None:
        """Draw what chance does until somebody is to move."""
        if not state.is_chance_node():
            return
        rng = random.Random(_seed(words))
        while state.is_chance_node():
            state.apply_action(drawn(state, rng))

    def _write(self, out: Rows, row: int, state: Any) -> None:
        history = np.asarray(state.history(), np.int32)
        if len(history) > self.longest:
            raise ForeignWorldError(
                f"A game of {self.name} lasts longer than the {self.longest} actions that it says."
            )
        self._keep(history.tobytes(), state)
        over = state.is_terminal()
        out.history[row, : len(history)], out.length[row] = history, len(history)
        out.returns[row], out.over[row] = state.returns(), over
        player = 0 if over else state.current_player()
        out.player[row] = player
        if not over:
            out.legal[row, state.legal_actions()] = True
        out.observation[row] = self._tensor(state, player, out.legal[row])

    def _tensor(self, state: Any, player: int, legal: np.ndarray) -> np.ndarray:
        if self._seen == "observation":
            return np.asarray(state.observation_tensor(player), np.float32).reshape(self.shape)
        if self._seen == "information_state":
            flat = np.asarray(state.information_state_tensor(player), np.float32)
            return flat.reshape(self.shape)
        return legal.astype(np.float32)


def drawn(state: Any, rng: random.Random) -> int:
    """An outcome of a chance node, as probable as it says."""
    outcomes, u = state.chance_outcomes(), rng.random()
    for action, chance in outcomes:
        u -= chance
        if u < 0:
            return action
    return outcomes[-1][0]


def _seed(words: np.ndarray) -> int:
    return (int(words[0]) << 32) | int(words[1])


def _pyspiel() -> Any:
    try:
        import pyspiel
    except ImportError as error:
        raise BackendError(
            f"Games of OpenSpiel need it: pip install 'deliberation[open_spiel]' ({error})."
        ) from error
    return pyspiel


def _loaded(name: str, options: dict[str, Any]) -> Any:
    spiel = _pyspiel()
    try:
        return spiel.load_game(name, options) if options else spiel.load_game(name)
    except Exception as error:
        known = spiel.registered_names()
        if name.partition("(")[0] in known:
            raise UnsuitableTaskError(
                f"OpenSpiel cannot load {name} with {options}: {error}. Give options that it knows."
            ) from None
        raise UnknownNameError("game of OpenSpiel", name, known) from None


def _check(name: str, kind: Any, game: Any) -> None:
    if kind.chance_mode == kind.ChanceMode.SAMPLED_STOCHASTIC:
        raise UnsuitableTaskError(
            f"{name} draws chance inside of itself, where it cannot be set from a key: choose a "
            "game whose chance is listed."
        )
    if kind.dynamics == kind.Dynamics.MEAN_FIELD:
        raise UnsuitableTaskError(f"{name} is played by a population, not by so many players.")
    opposed = kind.utility == kind.Utility.ZERO_SUM
    if game.num_players() == 2 and not opposed:
        raise UnsuitableTaskError(
            f"The two players of {name} do not have opposite aims, which games for two have here: "
            "choose a zero-sum game, or one for more players."
        )


def _chance_nodes(game: Any) -> int:
    try:
        return max(int(game.max_chance_nodes_in_history()), 0)
    except Exception:  # not every game says
        return game.max_game_length()


def _how_seen(kind: Any, original: Any) -> str:
    if kind.provides_observation_tensor and original.provides_observation_tensor:
        return "observation"
    return "information_state" if kind.provides_information_state_tensor else "legal"


def chess_move(state: Any, action: int) -> str:
    """An action in OpenSpiel's chess in long algebraic notation, as in e2e4 and a7a8q."""
    return _pyspiel().chess.action_to_move(action, state.board()).to_lan()
