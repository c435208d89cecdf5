"""Blackjack against a dealer whose second card lies face down (Sutton and Barto 2018, example 5.1).

Rules and options are those of Gymnasium's Blackjack-v1 (Towers et al. 2024): cards come from an
infinite deck, so none that is seen says anything about the next; the dealer stands on 17 or more.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ...core.objective import Objective
from ...core.task import Traits
from ..bases import SoloObjective, SoloTask
from ..chance import draw, draw_uniform

TASKS = {
    "blackjack": {
        "summary": "Hit or stick against a dealer with a hidden card; options natural, sab",
        "factory": "Blackjack",
        "options": {"natural": False, "sab": True},
    },
}

STICK, HIT = 0, 1
_BUST = 22
_CARDS = np.array([1 / 13] * 9 + [4 / 13])
"""Ace to nine, and everything that counts ten."""


class BlackjackState(eqx.Module):
    """`total` counts every ace of the player as 1, and `ace` says whether there is one.

    `dealt` is whether the player still has the first two cards only. `shown` and `hidden` are the
    dealer's first two cards, `final` the dealer's last total, 22 for bust and 0 before it is known.
    """

    total: Int[Array, ""]
    ace: Bool[Array, ""]
    dealt: Bool[Array, ""]
    shown: Int[Array, ""]
    hidden: Int[Array, ""]
    final: Int[Array, ""]
    over: Bool[Array, ""]


class BeatsDealer(SoloObjective):
    """One for the higher total that is not above 21, minus one for the lower, nothing for equals.

    A natural is 21 with the first two cards. With `sab` it wins against all but another one; else,
    with `natural`, winning with it is worth 1.5.
    """

    natural: bool = eqx.field(static=True, default=False)
    sab: bool = eqx.field(static=True, default=True)

    def reward(
        self, state: BlackjackState, action: Int[Array, ""], after: BlackjackState
    ) -> Float[Array, ""]:
        """Paid when the hand is over."""
        mine, dealers = _value(after.total, after.ace), after.final
        wins = jnp.sign(mine - jnp.where(dealers >= _BUST, 0, dealers)).astype(jnp.float32)
        natural = after.dealt & (mine == 21)
        if self.sab:
            cards = (after.shown, after.hidden)
            theirs = (jnp.minimum(*cards) == 1) & (jnp.maximum(*cards) == 10)
            wins = jnp.where(natural & ~theirs, 1.0, wins)
        elif self.natural:
            wins = jnp.where(natural & (wins > 0), 1.5, wins)
        wins = jnp.where(mine >= _BUST, -1.0, wins)
        return jnp.where(after.over, wins, 0.0)

    @property
    def bounds(self) -> tuple[float, float]:
        """One hand is won or lost."""
        return (-1.0, 1.5 if self.natural and not self.sab else 1.0)


class Blackjack(SoloTask):
    """Action 0 sticks and 1 hits. What follows sticking is one draw of the dealer's last total."""

    natural: bool = eqx.field(static=True, default=False)
    sab: bool = eqx.field(static=True, default=True)

    def __repr__(self) -> str:
        return f"Blackjack(natural={self.natural}, sab={self.sab})"

    @property
    def traits(self) -> Traits:
        """One player; ten cards to be hit by, or six ends of the dealer's play."""
        return Traits(
            players=1,
            actions=2,
            horizon=20,  # two aces, then nothing but aces: nineteen more make 21
            deterministic=False,
            fully_observable=False,
            outcomes=len(_CARDS),
        )

    @property
    def objective(self) -> Objective:
        """Winning is 1, losing -1; naturals by the options."""
        return BeatsDealer(self.natural, self.sab)

    def init(self, key: Key[Array, ""]) -> BlackjackState:
        """Two cards each."""
        first, second, shown, hidden = _card(draw_uniform(key, 4))
        return BlackjackState(
            total=first + second,
            ace=(first == 1) | (second == 1),
            dealt=jnp.bool_(True),
            shown=shown,
            hidden=hidden,
            final=jnp.int32(0),
            over=jnp.bool_(False),
        )

    def advance(
        self, state: BlackjackState, action: Int[Array, ""], key: Key[Array, ""]
    ) -> BlackjackState:
        """Take a card, or let the dealer play to the end."""
        return _after(state, action, draw(key, _chances(state, action)))

    def outcomes(
        self, state: BlackjackState, action: Int[Array, ""]
    ) -> tuple[BlackjackState, Float[Array, " outcomes"]]:
        """Hitting: ace to ten. Sticking: the dealer ends with 17 to 21 or bust; four are padding.

        The dealer's end follows from both cards of the dealer, also the hidden one.
        """
        after = jax.vmap(_after, (None, None, 0))(state, action, jnp.arange(len(_CARDS)))
        return after, _chances(state, action)

    def observe(self, state: BlackjackState) -> Float[Array, " 30"]:
        """One-hot: the player's total (4 to 21) and the dealer's card (1 to 10); two flags.

        The flags are a usable ace, which is in the total as 11, and still having the first two
        cards. All is as Gymnasium's observation but for the last flag, on which naturals depend.
        """
        total, usable = _value(state.total, state.ace), _usable(state.total, state.ace)
        parts = [
            total == jnp.arange(4, 22),
            state.shown == jnp.arange(1, 11),
            jnp.stack([usable, state.dealt]),
        ]
        return jnp.concatenate(parts).astype(jnp.float32)

    def terminated(self, state: BlackjackState) -> Bool[Array, ""]:
        """The player stuck or went bust."""
        return state.over

    def resample(self, state: BlackjackState, key: Key[Array, ""]) -> BlackjackState:
        """Another hidden card, of which nothing is known before the hand is over."""
        drawn = _card(draw_uniform(key))[0]
        hidden = jnp.where(state.over, state.hidden, drawn)
        return eqx.tree_at(lambda s: s.hidden, state, hidden)

    @property
    def action_names(self) -> tuple[str, ...]:
        """To take no more cards, or one more."""
        return ("stick", "hit")

    def table_seen(self, state: BlackjackState) -> tuple[tuple[str, str], ...]:
        """Both hands as the player sees them."""
        mine, theirs = self.render(state).split("\n")
        total, _, notes = mine.removeprefix("player ").partition(" ")
        held = (("your hand", notes.strip("()")),) if notes else ()
        return (("your sum", total), *held, ("dealer", theirs.removeprefix("dealer ")))

    def render_seen(self, state: BlackjackState) -> str:
        """Both hands as the player sees them, which is how they are drawn."""
        return self.render(state)

    def render(self, state: BlackjackState) -> str:
        """Both hands, with the hidden card as a question mark until the player sticks."""
        total, final = int(_value(state.total, state.ace)), int(state.final)
        notes = {
            "bust": total >= _BUST,
            "usable ace": bool(_usable(state.total, state.ace)),
            "first two cards": bool(state.dealt),
        }
        told = ", ".join(note for note, holds in notes.items() if holds)
        mine = f"player {total}" + (f" ({told})" if told else "")
        shown, hidden = (_CARD_NAMES[int(card) - 1] for card in (state.shown, state.hidden))
        if final == 0:
            return f"{mine}\ndealer {shown} ?"
        return f"{mine}\ndealer {shown} {hidden}, then {'bust' if final >= _BUST else final}"


_CARD_NAMES = ["A", "2", "3", "4", "5", "6", "7", "8", "9", "10"]


def _usable(total: Int[Array, ""], ace: Bool[Array, ""]) -> Bool[Array, ""]:
    """Whether an ace counts 11 without going bust."""
    return ace & (total <= 11)


def _value(total: Int[Array, ""], ace: Bool[Array, ""]) -> Int[Array, ""]:
    return total + 10 * _usable(total, ace)


def _card(u: Float[Array, " n"]) -> Int[Array, " n"]:
    """Cards from uniform numbers: thirteen ranks, of which four count ten."""
    return jnp.minimum((13 * u).astype(jnp.int32) + 1, 10)


def _chances(state: BlackjackState, action: Int[Array, ""]) -> Float[Array, " outcomes"]:
    ends = jnp.asarray(_dealers_ends())[state.shown - 1, state.hidden - 1]
    return jnp.where(action == HIT, jnp.asarray(_CARDS, jnp.float32), ends)


def _after(
    state: BlackjackState, action: Int[Array, ""], outcome: Int[Array, ""]
) -> BlackjackState:
    """A card of value `outcome` + 1, or a dealer who ends with 17 + `outcome`."""
    hit, card = action == HIT, outcome.astype(jnp.int32) + 1
    total = state.total + jnp.where(hit, card, 0)
    return BlackjackState(
        total=total,
        ace=state.ace | (hit & (card == 1)),
        dealt=state.dealt & ~hit,
        shown=state.shown,
        hidden=state.hidden,
        final=jnp.where(hit, 0, jnp.minimum(16 + card, _BUST)),
        over=~hit | (total >= _BUST),
    )


@functools.cache
def _dealers_ends() -> Float[np.ndarray, "shown hidden outcomes"]:
    """How probable each end of the dealer's play is from two cards: 17 to 21, bust, padding."""

    @functools.cache
    def ends(total: int, ace: bool) -> tuple[float, ...]:
        value = total + 10 * (ace and total <= 11)
        if value >= 17:
            return tuple(float(min(value, _BUST) == 17 + i) for i in range(len(_CARDS)))
        following = [ends(total + card, ace or card == 1) for card in range(1, 11)]
        return tuple((_CARDS @ np.array(following)).tolist())

    cards = range(1, 11)
    table = [[ends(shown + hidden, 1 in (shown, hidden)) for hidden in cards] for shown in cards]
    return np.array(table, np.float32)
