"""States that a player cannot tell from each other, drawn as probably as chance made them.

Opponents are taken to have moved evenly. Small games are listed once; in others play is begun anew
until the player has seen the same.
"""

import bisect
import itertools
import random
from typing import Any

from ...core.errors import UnsuitableTaskError

_NODES, _TRIES = 60_000, 20_000


class Beliefs:
    """What lies behind each information state of a game."""

    def __init__(self, game: Any):
        self._game = game
        self._listed: dict[tuple[int, str], tuple[list[list[int]], list[float]]] | None = None
        self._large = False

    def drawn(self, state: Any, rng: random.Random) -> Any:
        """A state that the player to move cannot tell from this one."""
        player = state.current_player()
        told = state.information_state_string(player)
        if not self._large and self._listed is None:
            self._list()
        if self._listed is not None:
            histories, sums = self._listed[player, told]
            at = bisect.bisect(sums, rng.random() * sums[-1])
            return self._played(histories[min(at, len(histories) - 1)])
        return self._found(state, player, told, rng)

    def _played(self, actions: list[int]) -> Any:
        state = self._game.new_initial_state()
        for action in actions:
            state.apply_action(action)
        return state

    def _list(self) -> None:
        """Every state by who moves and what that player knows, unless there are too many."""
        found: dict[tuple[int, str], list[tuple[list[int], float]]] = {}
        weights = [1.0] * self._game.num_players()
        stack = [(self._game.new_initial_state(), weights)]
        for _ in range(_NODES):
            if not stack:
                break
            state, reach = stack.pop()
            if state.is_terminal():
                continue
            if state.is_chance_node():
                steps = [(a, [r * p for r in reach]) for a, p in state.chance_outcomes()]
            else:
                mover, legal = state.current_player(), state.legal_actions()
                told = state.information_state_string(mover)
                found.setdefault((mover, told), []).append((state.history(), reach[mover]))
                share = [r if p == mover else r / len(legal) for p, r in enumerate(reach)]
                steps = [(a, share) for a in legal]
            stack += [(state.child(a), then) for a, then in steps]
        if stack:
            self._large = True
            return
        self._listed = {}
        for place, states in found.items():
            states.sort()
            histories, shares = [h for h, _ in states], [r for _, r in states]
            self._listed[place] = histories, list(itertools.accumulate(shares))

    def _found(self, state: Any, player: int, told: str, rng: random.Random) -> Any:
        """Play begun anew until the player has seen the same; its own moves are known to it."""
        seen = self._own(state, player)
        for _ in range(_TRIES):
            again = self._game.new_initial_state()
            if self._same(again, player, seen, told, rng):
                return again
        raise UnsuitableTaskError(
            f"No state that player {player} could take for this one was found in {_TRIES:,} tries: "
            f"{self._game} hides too much to draw it anew."
        )

    def _own(self, state: Any, player: int) -> list[tuple[str, int]]:
        """What the player knew at each of its moves, and what it did."""
        again, found = self._game.new_initial_state(), []
        for action in state.history():
            if not again.is_chance_node() and again.current_player() == player:
                found.append((again.information_state_string(player), action))
            again.apply_action(action)
        return found

    def _same(
        self, state: Any, player: int, seen: list[tuple[str, int]], told: str, rng: random.Random
    ) -> bool:
        number = 0
        while not state.is_terminal():
            if state.is_chance_node():
                actions, chances = zip(*state.chance_outcomes(), strict=True)
                state.apply_action(rng.choices(actions, chances)[0])
            elif state.current_player() != player:
                state.apply_action(rng.choice(state.legal_actions()))
            else:
                here = state.information_state_string(player)
                if number == len(seen):
                    return here == told
                if here != seen[number][0]:
                    return False
                state.apply_action(seen[number][1])
                number += 1
        return False
