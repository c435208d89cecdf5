"""Leduc hold'em (Southey et al. 2005): six cards, one hidden in each hand, one common, two rounds.

By the rules of pgx 2.6 (Koyamada et al. 2023), which are OpenSpiel's: one chip each to begin with,
raises of 2 in the first round and 4 in the second, at most two raises a round. Player 0 moves first
in both rounds.
"""

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
    "leduc_poker": {
        "summary": "Poker with six cards and two rounds (Leduc hold'em)",
        "factory": "LeducPoker",
        "options": {},
    },
}

CALL, RAISE, FOLD = range(3)
_RAISES = 2
_MOVES = 4
"""A round has at most so many actions: check, raise, raise, call."""
_NONE = -1
_DEALS = np.array(
    [
        (a // 2, b // 2, c // 2)
        for a in range(6)
        for b in range(6)
        for c in range(6)
        if len({a, b, c}) == 3
    ],
    np.int32,
)
"""Each player's card and the common one: 120 deals, equally probable."""


class LeducState(eqx.Module):
    """Cards from 0 (jack) to 2 (king): each player's, then the common one, seen in round 1 only.

    `moves` are the actions of both rounds, -1 where none was taken yet; `chips` what each has put
    in.
    """

    cards: Int[Array, " 3"]
    moves: Int[Array, "2 4"]
    chips: Int[Array, " 2"]
    round: Int[Array, ""]
    mover: Int[Array, ""]
    raises: Int[Array, ""]
    over: Bool[Array, ""]


class WinsPot(ZeroSum):
    """What each player wins: the other's chips by a fold or a showdown, nothing if hands tie.

    A pair with the common card beats the higher card.
    """

    def score(
        self, state: LeducState, action: Int[Array, ""], after: LeducState
    ) -> Float[Array, ""]:
        """Paid as the play ends, by whoever put in less or as much."""
        cards = after.cards
        hand = cards[:2] + 3 * (cards[:2] == cards[2])
        shown = jnp.sign(hand[0] - hand[1])
        folded = jnp.where(state.mover == 0, -1, 1)
        won = jnp.where(action == FOLD, folded, shown) * after.chips.min() * after.over
        return won.astype(jnp.float32)

    @property
    def bounds(self) -> tuple[float, float]:
        """An ante, two raises of 2 and two of 4."""
        return (-13.0, 13.0)


class LeducPoker(Task):
    """Action 0 calls (or checks), 1 raises (or bets), 2 folds; folding needs a raise to fold to."""

    def __repr__(self) -> str:
        return "LeducPoker()"

    @property
    def traits(self) -> Traits:
        """Two players; all chance is in the deal, of which the common card is seen later."""
        return Traits(players=2, actions=3, horizon=2 * _MOVES, fully_observable=False)

    @property
    def objective(self) -> Objective:
        """Chips won."""
        return WinsPot()

    def starts(self) -> tuple[LeducState, Float[Array, " starts"]]:
        """The 120 deals."""
        return jax.vmap(_dealt)(jnp.asarray(_DEALS)), jnp.full(len(_DEALS), 1 / len(_DEALS))

    def init(self, key: Key[Array, ""]) -> LeducState:
        """One of the deals."""
        (u,) = draw_uniform(key)
        deal = jnp.minimum((u * len(_DEALS)).astype(jnp.int32), len(_DEALS) - 1)
        return _dealt(jnp.asarray(_DEALS)[deal])

    def advance(self, state: LeducState, action: Int[Array, ""], key: Key[Array, ""]) -> LeducState:
        """Call, raise or fold."""
        del key
        taken = (state.moves[state.round] != _NONE).sum()
        moves = state.moves.at[state.round, taken].set(action)
        most = state.chips.max()
        bid = jnp.where(action == RAISE, most + 2 * (state.round + 1), most)
        paid = jnp.where(action == FOLD, state.chips[state.mover], bid)
        # A call ends the round, but for a check by whoever speaks first.
        closed = (action == CALL) & (taken > 0)
        over = (action == FOLD) | (closed & (state.round == 1))
        return LeducState(
            state.cards,
            moves,
            state.chips.at[state.mover].set(paid),
            jnp.where(closed & ~over, 1, state.round),
            jnp.where(closed, 0, 1 - state.mover),
            jnp.where(closed, 0, state.raises + (action == RAISE)),
            over,
        )

    def observe(self, state: LeducState) -> Float[Array, " 30"]:
        """One-hot: one's own card, the common one in round 1, and the actions of both rounds."""
        own = state.cards[state.mover] == jnp.arange(3)
        common = (state.cards[2] == jnp.arange(3)) & (state.round == 1)
        moves = (state.moves[..., None] == jnp.arange(3)).reshape(-1)
        return jnp.concatenate([own, common, moves]).astype(jnp.float32)

    def legal(self, state: LeducState) -> Bool[Array, " actions"]:
        """Calling always, raising twice a round, folding where one has put in less."""
        behind = state.chips[state.mover] < state.chips.max()
        return jnp.stack([True, state.raises < _RAISES, behind]) & ~state.over

    def player(self, state: LeducState) -> Int[Array, ""]:
        """Players alternate; player 0 begins both rounds."""
        return state.mover

    def terminated(self, state: LeducState) -> Bool[Array, ""]:
        """A fold, or a showdown after the second round."""
        return state.over

    def resample(self, state: LeducState, key: Key[Array, ""]) -> LeducState:
        """The other's card anew, and the common one while it is not seen, from the cards left.

        Actions tell nothing: every line of play is possible with every card.
        """
        u, v = draw_uniform(key, 2)
        mine, ranks = state.cards[state.mover], jnp.arange(3)
        left = 2 - (ranks == mine) - ((ranks == state.cards[2]) & (state.round == 1))
        other = _pick(u, left)
        common = _pick(v, left - (ranks == other))
        common = jnp.where(state.round == 1, state.cards[2], common)
        cards = state.cards.at[1 - state.mover].set(other).at[2].set(common)
        cards = jnp.where(state.over, state.cards, cards)
        return eqx.tree_at(lambda s: s.cards, state, cards)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Calling is also checking, raising also betting."""
        return ("call", "raise", "fold")

    def table_seen(self, state: LeducState) -> tuple[tuple[str, str], ...]:
        """The mover's own card, both at the end; the common one, chips, and what was done."""
        mine, theirs, common = ("JQK"[int(card)] for card in state.cards)
        own = [("player 0's card", mine), ("player 1's card", theirs)]
        if not bool(state.over):
            own = [("your card", own[int(state.mover)][1])]
        rounds = [" ".join(self.action_names[m] for m in r if m >= 0) for r in state.moves]
        chips = [(f"player {p}'s chips", str(int(c))) for p, c in enumerate(state.chips)]
        return (
            *own,
            ("common card", common if int(state.round) else "not dealt yet"),
            *chips,
            *((f"round {i}", told or "–") for i, told in enumerate(rounds, 1)),
        )

    def render_seen(self, state: LeducState) -> str:
        """The mover's own card, the common one once it is dealt, chips, and what was done."""
        if bool(state.over):
            return self.render(state)
        mover = int(state.mover)
        common = "JQK"[int(state.cards[2])] if int(state.round) else "not dealt yet"
        cards = f"player {mover} holds {'JQK'[int(state.cards[mover])]}, common card: {common}"
        return f"{cards}\n{self._told(state)}"

    def render(self, state: LeducState) -> str:
        """All cards, chips, and what was done."""
        names = "JQK"
        cards = [f"player {p}: {names[int(state.cards[p])]}" for p in range(2)]
        cards.append(f"common: {names[int(state.cards[2])]}" + " (hidden)" * (not state.round))
        return f"{', '.join(cards)}\n{self._told(state)}"

    def _told(self, state: LeducState) -> str:
        rounds = ["".join("crf"[m] for m in row if m >= 0) for row in np.asarray(state.moves)]
        chips = [int(c) for c in state.chips]
        return f"chips {chips}, actions {'/'.join(rounds)}"


def _dealt(cards: Int[Array, " 3"]) -> LeducState:
    zero = jnp.int32(0)
    moves = jnp.full((2, _MOVES), _NONE, jnp.int32)
    return LeducState(cards, moves, jnp.ones(2, jnp.int32), zero, zero, zero, jnp.bool_(False))


def _pick(u: Float[Array, ""], left: Int[Array, " 3"]) -> Int[Array, ""]:
    """One of the cards left, each as likely as every other."""
    place = jnp.minimum((u * left.sum()).astype(jnp.int32), left.sum() - 1)
    return (place >= jnp.cumsum(left)).sum().astype(jnp.int32)
