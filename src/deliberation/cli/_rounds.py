"""The rounds of a game in the terminal: showing it, asking for moves, and how it ends."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ..core.errors import FinishedGameError, IllegalActionError
from ..report.boards import board_text
from ..report.positions import player_name, signed
from ..tasks.moves import action_name
from ..zoo.views import View, steps_of
from ._refusals import INTERRUPTED
from ._table import Table

if TYPE_CHECKING:
    from ..core.picture import Picture

HELP = "A move by number or name; ? for a hint, undo, quit."
_TOLD = 12
_THOUGHTS = 3
"""So many actions of a search are told."""


class Rounds:
    """A game as it is shown. `code` is the exit code: 0, or 130 once it was interrupted."""

    def __init__(self, table: Table, title: str, think: bool):
        from rich.console import Console

        self.table, self.title, self.think, self.code = table, title, think, 0
        self.console = Console(highlight=False, width=100 if not sys.stdout.isatty() else None)
        self.fresh = True

    def begin(self, words: Sequence[str]) -> None:
        """Say what is played and make the first moves. Raises `IllegalActionError`."""
        alone = self.table.game.task.traits.players == 1
        people = [p for p, who in enumerate(self.table.seats) if who is None]
        seats = ""
        if not alone:
            seats = ", ".join(
                f"{self._name(p)}: {'you' if who is None else who.name}"
                for p, who in enumerate(self.table.seats)
            )
        self._say(f"{self.title}{' · ' if seats else ''}{seats}")
        if people:
            self._say(HELP)
        self.table.game.play_all(words)

    def run(self) -> None:
        """Play to the end, or until the person leaves."""
        game = self.table.game
        try:
            while not game.over:
                if not self._person() if self.table.person else not self._decider():
                    return
        except (KeyboardInterrupt, click.Abort):
            self._say("\nInterrupted.")
            self.code = INTERRUPTED
            return
        self._end()

    def _decider(self) -> bool:
        game, mover = self.table.game, self.table.game.mover
        watched = not any(who is None for who in self.table.seats)
        if watched:
            self._show()
        seen = self.table.think()
        secret = self.table.hidden and not watched
        if not secret:
            self._say(f"{self._name(mover)} plays {action_name(game.task, seen.action)}")
            if self.think:
                self._thoughts(seen)
        game.play(int(seen.action))
        self.fresh = True
        return True

    def _person(self) -> bool:
        """Ask for one move; False once the person has left."""
        if self.fresh:
            self._show()
            self.fresh = False
        line = self._read()
        if line is None or line.lower() in ("quit", "q", "exit"):
            self._say("The game was left before its end.")
            return False
        if not line:
            return True
        if line == "?":
            self._hint()
        elif line.lower() in ("undo", "u"):
            self.fresh = self.table.undo()
            if not self.fresh:
                self._say("There is nothing of yours to take back.")
        else:
            self._move(line)
        return True

    def _move(self, line: str) -> None:
        game = self.table.game
        try:
            action = game.read(line)
        except (IllegalActionError, FinishedGameError) as error:
            self._say(str(error))
            return
        seen = self.table.advise() if self.think else None
        if seen is not None:
            self._thoughts(seen)
        game.play(action)
        self.fresh = True

    def _read(self) -> str | None:
        """The next line, None at the end of the input."""
        prompt = f"{self._name(self.table.game.mover)}> "
        try:
            if sys.stdin.isatty():
                return input(prompt).strip()
            line = sys.stdin.readline()
        except EOFError:
            return None
        if not line:
            return None
        self._say(prompt + line.strip())
        return line.strip()

    def _hint(self) -> None:
        seen = self.table.advise()
        if seen is None:
            self._say("There is no search for this task to ask.")
            return
        self._say(f"A search would play {action_name(self.table.game.task, seen.action)}.")
        self._thoughts(seen)

    def _thoughts(self, seen: View) -> None:
        """The actions looked at most, and the line that is expected."""
        game = self.table.game
        share = seen.weights if seen.visits is None else seen.visits
        for a in sorted(np.flatnonzero(game.legal), key=lambda a: -share[a])[:_THOUGHTS]:
            told = f"{share[a]:6.0%}" if seen.visits is None else f"{share[a]:6,.0f} visits"
            value = "" if seen.values is None else f"  value {signed(float(seen.values[a]))}"
            self._say(f"  {action_name(game.task, int(a)):<10} {told}{value}", "dim")
        line = steps_of(game, seen.line)
        if len(line) > 1:
            self._say("  line " + " ".join(step.name for step in line), "dim")

    def _show(self) -> None:
        game = self.table.game
        drawn: Picture | None = game.task.picture(game.state)
        self._say("")
        if drawn is None:
            self._say(game.task.render_seen(game.state))
        else:
            self.console.print(board_text(drawn))
        if self.table.person:
            names = game.legal_names()
            more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
            self._say(f"Moves: {' '.join(names[:_TOLD])}{more}")

    def _end(self) -> None:
        """The last state, all of it, and what it came to."""
        game, players = self.table.game, self.table.game.task.traits.players
        self._say("")
        drawn = game.task.picture(game.state)
        if drawn is None or self.table.hidden:
            self._say(game.task.render(game.state))
        else:
            self.console.print(board_text(drawn))
        if not game.ended:
            self._say(f"Cut after {len(game.actions)} moves.")
        returns = game.returns
        if players == 1:
            best = self._optimum()
            told = "" if best is None else f"; the best there is: {signed(best)}"
            self._say(f"Return {signed(float(returns[0]))}{told}")
            return
        for p, who in enumerate(self.table.seats):
            word = _word(float(returns[p]), float(np.delete(returns, p).max()))
            name = "you" if who is None else who.name
            self._say(f"{self._name(p)} ({name}) {word}: {signed(float(returns[p]))}")

    def _optimum(self) -> float | None:
        """The best return from the first state of this game, where it can be worked out."""
        from ..zoo.views import exact_view

        game = self.table.game
        best = float(game.objective.optimum(game.states[0]))
        if np.isfinite(best):
            return best
        found: Any = exact_view(game.task, game.states[0], game.objective, depth=0)
        return found.value if isinstance(found, View) else None

    def _name(self, player: int) -> str:
        traits = self.table.game.task.traits
        drawn = self.table.game.task.picture(self.table.game.states[0])
        name = player_name(player, traits.players, drawn is not None and drawn.here is None)
        if traits.players > 1:
            return name
        who = self.table.seats[player]
        return "you" if who is None else who.name

    def _say(self, text: str, style: str = "") -> None:
        self.console.print(text, markup=False, style=style or None)


def _word(mine: float, best: float) -> str:
    if abs(mine - best) < 1e-9:
        return "draws"
    return "wins" if mine > best else "loses"
