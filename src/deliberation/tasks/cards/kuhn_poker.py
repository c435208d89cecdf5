"""Kuhn poker (Kuhn 1950): three cards, one hidden from each player, and one bet."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.objective import Objective
from ...core.task import Task, Traits
from ..bases import ZeroSum
from ..chance import draw_uniform

TASKS = {
    "kuhn_poker": {
        "summary": "Poker with three cards and one bet; worth -1/18 to the first player",
        "factory": "KuhnPoker",
        "options": {},
    },
}

_LINES = ("", "p", "b", "pb", "pp", "bp", "bb", "pbp", "pbb")
"""What has been done, p for passing and b for betting; players decide in the first four."""
_OPEN = 4
_NEXT = np.array([[_LINES.index(line + a) for a in "pb"] for line in _LINES[:_OPEN]], np.int32)
_MOVER = np.array([len(line) % 2 for line in _LINES], np.int32)
_DEALS = np.array([(a, b) for a in range(3) for b in range(3) if a != b], np.int32)
_WORDS = {"p": ("checks", "folds"), "b": ("bets", "calls")}


class KuhnState(eqx.Module):
    """Each player's card, 0 (jack) to 2 (king), and the number of the line of play so far."""

    cards: Int[Array, " 2"]
    line: Int[Array, ""]


class WinsChips(ZeroSum):
    """What each player wins: one chip by a fold or an unbet showdown, two where a bet is called."""

    def score(self, state: KuhnState, action: Int[Array, ""], after: KuhnState) -> Float[Array, ""]:
        """The ante is one chip and the bet another."""
        del state, action
        higher = jnp.sign(after.cards[0] - after.cards[1]).astype(jnp.float32)
        # In the order of the lines: none yet, showdown for 1, folds, showdowns for 2.
        fixed = jnp.array([0.0, 0, 0, 0, 0, 1, 0, -1, 0])[after.line]
        shown = jnp.array([0.0, 0, 0, 0, 1, 0, 2, 0, 2])[after.line]
        return fixed + shown * higher

    @property
    def bounds(self) -> tuple[float, float]:
        """An ante and a bet."""
        return (-2.0, 2.0)


class KuhnPoker(Task):
    """Action 0 passes (checks, or folds to a bet) and 1 bets (or calls a bet).

    Both put one chip in and get one of three cards. The first player passes or bets; a bet is
    answered by folding or calling, and a pass by a pass, which ends it, or a bet.
    """

    def __repr__(self) -> str:
        return "KuhnPoker()"

    @property
    def traits(self) -> Traits:
        """Two players; all chance is in the deal."""
        return Traits(players=2, actions=2, horizon=3, fully_observable=False)

    @property
    def objective(self) -> Objective:
        """Chips won."""
        return WinsChips()

    def starts(self) -> tuple[KuhnState, Float[Array, " starts"]]:
        """The six deals."""
        states = jax.vmap(lambda cards: KuhnState(cards, jnp.int32(0)))(jnp.asarray(_DEALS))
        return states, jnp.full(len(_DEALS), 1 / len(_DEALS))

    def init(self, key: Key[Array, ""]) -> KuhnState:
        """One of the six deals."""
        (u,) = draw_uniform(key)
        return KuhnState(jnp.asarray(_DEALS)[(6 * u).astype(jnp.int32)], jnp.int32(0))

    def advance(self, state: KuhnState, action: Int[Array, ""], key: Key[Array, ""]) -> KuhnState:
        """Pass or bet."""
        del key
        line = jnp.asarray(_NEXT)[jnp.minimum(state.line, _OPEN - 1), action]
        return KuhnState(state.cards, line)

    def observe(self, state: KuhnState) -> Float[Array, " 7"]:
        """One-hot: the card of the player to move (jack, queen, king), and the line of play.

        The lines in which a decision is due: nothing yet, a pass, a bet, a pass and a bet.
        """
        card = state.cards[self.player(state)] == jnp.arange(3)
        return jnp.concatenate([card, state.line == jnp.arange(_OPEN)]).astype(jnp.float32)

    def legal(self, state: KuhnState) -> Bool[Array, " actions"]:
        """Both, until the play is over."""
        return jnp.broadcast_to(~self.terminated(state), (2,))

    def player(self, state: KuhnState) -> Int[Array, ""]:
        """Players alternate."""
        return jnp.asarray(_MOVER)[state.line]

    def terminated(self, state: KuhnState) -> Bool[Array, ""]:
        """A fold, a call, or two passes."""
        return state.line >= _OPEN

    def resample(self, state: KuhnState, key: Key[Array, ""]) -> KuhnState:
        """The opponent's card anew, one of the two that the player to move does not hold.

        Every line of play is possible with every card. Once the play is over nothing is hidden.
        """
        (u,) = draw_uniform(key)
        mover = self.player(state)
        other = (state.cards[mover] + 1 + (u >= 0.5)) % 3
        cards = state.cards.at[1 - mover].set(other)
        return KuhnState(jnp.where(self.terminated(state), state.cards, cards), state.line)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Passing is checking, or folding to a bet; betting is also calling one."""
        return ("pass", "bet")

    def table_seen(self, state: KuhnState) -> tuple[tuple[str, str], ...]:
        """The mover's own card, both at the end; and the line of play in words."""
        over, mover = int(state.line) >= _OPEN, int(self.player(state))
        cards = ["JQK"[int(card)] for card in state.cards]
        shown = [(f"player {p}'s card", c) for p, c in enumerate(cards)]
        mine = shown if over else [("your card", cards[mover])]
        return (*mine, ("play so far", self._told(state)))

    def render_seen(self, state: KuhnState) -> str:
        """The mover's own card, and the line of play in words; both cards at the end."""
        if int(state.line) >= _OPEN:
            return self.render(state)
        mover = int(self.player(state))
        card = f"player {mover} holds {'JQK'[int(state.cards[mover])]}"
        return f"{card}\n{self._told(state)}"

    def render(self, state: KuhnState) -> str:
        """Both cards, and the line of play in words."""
        cards = ", ".join(f"player {p}: {'JQK'[int(c)]}" for p, c in enumerate(state.cards))
        return f"{cards}\n{self._told(state)}"

    def _told(self, state: KuhnState) -> str:
        line, told = _LINES[int(state.line)], []
        for ply, made in enumerate(line):
            answered = "b" in line[:ply]
            told.append(f"player {ply % 2} {_WORDS[made][answered]}")
        due = "" if int(state.line) >= _OPEN else f"player {int(self.player(state))} to move"
        return ", ".join([*told, due] if due else told)
