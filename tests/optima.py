"""Exact answers for the tasks with chance and hidden cards, by means other than the tasks' own.

Blackjack and Kuhn poker are worked out from the rules in plain Python, Frozen Lake by dynamic
programming over what the task lists as outcomes, which is tested against Gymnasium's.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

CARDS = {card: (4 if card == 10 else 1) / 13 for card in range(1, 11)}
"""An infinite deck: how probable an ace (1) to a ten is, always."""


# Frozen Lake


def lake_transitions(task):
    """For each cell and action: the next cells, their probabilities and the rewards, [c, 4, 3]."""
    cells = jnp.arange(task.size**2)
    start = task.init(jax.random.key(0))

    def one(cell, action):
        state = type(start)(cell, start.time)
        after, chances = task.outcomes(state, action)
        rewards = jax.vmap(task.objective, (None, None, 0))(state, action, after)
        return after.cell, chances, rewards[:, 0]

    each = jax.vmap(jax.vmap(one, (None, 0)), (0, None))
    return tuple(np.asarray(x, float) for x in each(cells, jnp.arange(4)))


def lake_optimum(task):
    """Values by time taken and cell [horizon + 1, cells], and action values [horizon, cells, 4].

    The best that can be done in the time that is left; `values[0, 0]` is what an episode is worth.
    """
    after, chances, rewards = lake_transitions(task)
    after = after.astype(int)
    start = task.init(jax.random.key(0))

    def over(cell):
        return task.terminated(type(start)(cell, start.time))

    live = ~np.asarray(jax.vmap(over)(jnp.arange(task.size**2)))
    values = np.zeros((task.traits.horizon + 1, len(live)))
    actions = np.zeros((task.traits.horizon, len(live), 4))
    for time in reversed(range(task.traits.horizon)):
        actions[time] = (chances * (rewards + values[time + 1][after])).sum(-1) * live[:, None]
        values[time] = actions[time].max(-1)
    return values, actions


# Blackjack


def with_card(total, usable, card):
    """A hand's total, in which a usable ace counts 11, after one more card."""
    total += card
    if card == 1 and total + 10 <= 21:
        return total + 10, True
    if total > 21 and usable:
        return total - 10, False
    return total, usable


def two_cards(first, second):
    total, usable = with_card(*with_card(0, False, first), second)
    return total, usable


@functools.cache
def dealers_ends(total, usable):
    """{last total: probability} for a dealer who draws to 17; more than 21 is bust."""
    if total >= 17:
        return {min(total, 22): 1.0}
    ends = {}
    for card, p in CARDS.items():
        for end, q in dealers_ends(*with_card(total, usable, card)).items():
            ends[end] = ends.get(end, 0.0) + p * q
    return ends


def payoffs(total, natural_hand, shown, hidden, *, natural=False, sab=True):
    """{payoff: probability} of sticking now against two cards of the dealer."""
    result = {}
    dealers_natural = sorted((shown, hidden)) == [1, 10]
    for end, p in dealers_ends(*two_cards(shown, hidden)).items():
        worth = float(np.sign(total - (0 if end > 21 else end)))
        if sab and natural_hand and not dealers_natural:
            worth = 1.0
        elif not sab and natural and natural_hand and worth == 1.0:
            worth = 1.5
        result[worth] = result.get(worth, 0.0) + p
    return result


class BlackjackOptimum:
    """Exact play from the rules: best, and better than best by seeing what must not be seen.

    `hidden` in the arguments is the dealer's second card where it is known and None where not.
    """

    def __init__(self, natural=False, sab=True):
        self.natural, self.sab = natural, sab
        self.value = functools.cache(self._value)
        self.blessed = functools.cache(self._blessed)

    def stick(self, total, two, shown, hidden=None):
        """What sticking is worth; `two` says that these are still the first two cards."""
        unknown = CARDS if hidden is None else {hidden: 1.0}
        rules = {"natural": self.natural, "sab": self.sab}
        return sum(
            p * q * worth
            for card, p in unknown.items()
            for worth, q in payoffs(total, two and total == 21, shown, card, **rules).items()
        )

    def hit(self, total, usable, shown, hidden=None):
        """What one more card is worth, and the best play after it."""
        after = ((p, *with_card(total, usable, card)) for card, p in CARDS.items())
        return sum(
            p * (-1.0 if new > 21 else self.value(new, soft, False, shown, hidden))
            for p, new, soft in after
        )

    def _value(self, total, usable, two, shown, hidden=None):
        stick = self.stick(total, two, shown, hidden)
        return max(stick, self.hit(total, usable, shown, hidden))

    def actions(self, total, usable, two, shown, hidden=None):
        """What sticking and hitting are worth."""
        return self.stick(total, two, shown, hidden), self.hit(total, usable, shown, hidden)

    def _blessed(self, total, usable, two, shown, hidden, below):
        """How probably no way to go on ever pays `below` or more, all chance being known.

        The chance of each step is independent of the others', as when it is drawn with fresh keys.
        """
        rules = {"natural": self.natural, "sab": self.sab}
        now = payoffs(total, two and total == 21, shown, hidden, **rules)
        sticking = sum(p for worth, p in now.items() if worth < below)
        hitting = 0.0
        for card, p in CARDS.items():
            new, soft = with_card(total, usable, card)
            bust = float(below > -1.0)
            hitting += p * (
                bust if new > 21 else self.blessed(new, soft, False, shown, hidden, below)
            )
        return sticking * hitting

    def _deals(self):
        for a, b, shown, hidden in itertools.product(CARDS, repeat=4):
            p = CARDS[a] * CARDS[b] * CARDS[shown] * CARDS[hidden]
            yield p, (*two_cards(a, b), True, shown), hidden

    @functools.cached_property
    def expected(self):
        """What a hand is worth to the best player who sees what may be seen."""
        return sum(p * self.value(*hand) for p, hand, _ in self._deals())

    @functools.cached_property
    def peeking(self):
        """The same where the dealer's hidden card is seen."""
        return sum(p * self.value(*hand, hidden) for p, hand, hidden in self._deals())

    @functools.cached_property
    def clairvoyant(self):
        """The same where the hidden card and all chance to come are seen."""
        levels = [-1.0, 0.0, 1.0, 1.5]
        total = 0.0
        for p, hand, hidden in self._deals():
            below = np.array([self.blessed(*hand, hidden, level) for level in levels[1:]])
            total += p * (levels[0] + float((1 - below) @ np.diff(levels)))
        return total


# Kuhn poker: a strategy is the probability of betting (or calling) by card and line of play,
# [3, 4]; the lines are: nothing yet, a pass, a bet, a pass and a bet. Player 0 decides in the first
# and last, player 1 in the others, so that one table can hold both players' strategies.


def kuhn_value(first, second):
    """What player 0 wins a deal, with strategies for player 0 and player 1."""
    deals = list(itertools.permutations(range(3), 2))
    return sum(_kuhn_deal(first, second, *cards) for cards in deals) / len(deals)


def _kuhn_deal(first, second, mine, theirs):
    shown = 1 if mine > theirs else -1

    def answered(p, other_folds):
        return (1 - p) * other_folds + p * 2 * shown

    bets = answered(second[theirs][2], 1)
    bet_into = answered(first[mine][3], -1)
    passes = (1 - second[theirs][1]) * shown + second[theirs][1] * bet_into
    return first[mine][0] * bets + (1 - first[mine][0]) * passes


def kuhn_best_response(strategy, seat, *, peeking=False):
    """The most that `seat` can win against a strategy, by trying every pure one.

    With `peeking` it sees the other's card too.
    """
    lines = (0, 3) if seat == 0 else (1, 2)

    def won(pure, deals):
        values = [
            _kuhn_deal(pure, strategy, *cards) if seat == 0 else -_kuhn_deal(strategy, pure, *cards)
            for cards in deals
        ]
        return sum(values) / 6

    total = 0.0
    for card in range(3):
        others = [other for other in range(3) if other != card]
        deals = [(card, o) if seat == 0 else (o, card) for o in others]
        for lot in [[deal] for deal in deals] if peeking else [deals]:
            best = -np.inf
            for choices in itertools.product((0.0, 1.0), repeat=2):
                pure = np.zeros((3, 4))
                pure[card, list(lines)] = choices
                best = max(best, won(pure, lot))
            total += best
    return total


def kuhn_exploitability(strategy):
    """What a best response gains on average over both seats; 0 exactly for an equilibrium."""
    return (kuhn_best_response(strategy, 0) + kuhn_best_response(strategy, 1)) / 2


def kuhn_equilibrium(alpha):
    """Kuhn's family (1950): `alpha` from 0 to 1/3 is how often the first player bluffs a jack."""
    jack = [alpha, 1 / 3, 0.0, 0.0]
    queen = [0.0, 0.0, 1 / 3, alpha + 1 / 3]
    king = [3 * alpha, 1.0, 1.0, 1.0]
    return np.array([jack, queen, king])
