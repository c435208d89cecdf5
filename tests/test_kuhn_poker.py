"""Kuhn poker: the rules against pgx's, what is hidden, and the equilibria of Kuhn (1950)."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pgx
import pytest
from optima import kuhn_best_response, kuhn_equilibrium, kuhn_exploitability, kuhn_value

from deliberation.tasks import make_task
from deliberation.tasks.cards.kuhn_poker import KuhnState

TASK = make_task("kuhn_poker")
KEY = jax.random.key(0)
DEALS = list(itertools.permutations(range(3), 2))
PLAYS = [(0, 0), (1, 0), (1, 1), (0, 1, 0), (0, 1, 1)]


def dealt(cards):
    return KuhnState(jnp.array(cards), jnp.int32(0))


@pytest.mark.filterwarnings("ignore:.*player_id:DeprecationWarning")
@pytest.mark.parametrize("actions", PLAYS)
def test_every_deal_is_played_as_in_pgx(actions):
    env = pgx.make("kuhn_poker")
    step = jax.jit(env.step)
    for cards in DEALS:
        ours, theirs = dealt(cards), env.init(KEY)
        theirs = theirs.replace(_cards=jnp.array(cards), current_player=jnp.int32(0))
        for action in actions:
            assert bool(TASK.terminated(ours)) == bool(theirs.terminated) is False
            assert int(TASK.player(ours)) == int(theirs.current_player)
            assert np.asarray(TASK.legal(ours)).all()
            before, ours = ours, TASK.step(ours, action, KEY)
            theirs = step(theirs, 1 - action)  # there betting is 0 and passing 1
            gained = TASK.objective(before, jnp.int32(action), ours)
            assert np.array_equal(gained, theirs.rewards)
        assert bool(TASK.terminated(ours)) and bool(theirs.terminated)
        assert not np.asarray(TASK.legal(ours)).any()


def test_the_six_deals_are_equally_probable():
    states = jax.jit(jax.vmap(TASK.init))(jax.random.split(KEY, 12_000))
    deals, counts = np.unique(np.asarray(states.cards), axis=0, return_counts=True)
    assert deals.tolist() == [list(deal) for deal in DEALS]
    assert np.abs(counts - 2000).max() < 4 * np.sqrt(12_000 * 5 / 36)


@pytest.mark.parametrize("before", [(), (0,), (1,), (0, 1)])
def test_only_the_other_card_is_drawn_anew(before):
    resample = jax.jit(jax.vmap(TASK.resample, (None, 0)))
    for cards in DEALS:
        state = dealt(cards)
        for action in before:
            state = TASK.step(state, action, KEY)
        mover = len(before) % 2
        drawn = resample(state, jax.random.split(KEY, 1000))
        assert (np.asarray(drawn.line) == int(state.line)).all()
        assert (np.asarray(drawn.cards)[:, mover] == cards[mover]).all()
        others, counts = np.unique(np.asarray(drawn.cards)[:, 1 - mover], return_counts=True)
        assert others.tolist() == [c for c in range(3) if c != cards[mover]]
        assert np.abs(counts - 500).max() < 4 * np.sqrt(250)


def test_nothing_is_drawn_once_the_cards_are_shown():
    state = TASK.step(TASK.step(dealt((2, 0)), 1, KEY), 1, KEY)
    for seed in range(8):
        again = TASK.resample(state, jax.random.key(seed))
        assert np.array_equal(again.cards, [2, 0])


def test_players_see_their_own_card_and_the_line():
    seen = {}
    for cards, before in itertools.product(DEALS, [(), (0,), (1,), (0, 1)]):
        state = dealt(cards)
        for action in before:
            state = TASK.step(state, action, KEY)
        known = (before, cards[len(before) % 2])
        seen.setdefault(known, set()).add(np.asarray(TASK.observe(state)).tobytes())
    assert len(seen) == 12 and all(len(same) == 1 for same in seen.values())
    assert len(set.union(*seen.values())) == 12


def task_value(first, second):
    """What player 0 wins when both play by tables, summed over the task's own tree."""

    def worth(state):
        if bool(TASK.terminated(state)):
            return 0.0
        table = (first, second)[int(TASK.player(state))]
        card = int(np.argmax(np.asarray(TASK.observe(state))[:3]))
        bet = table[card][int(np.argmax(np.asarray(TASK.observe(state))[3:]))]
        total = 0.0
        for action, p in ((0, 1 - bet), (1, bet)):
            after = TASK.step(state, action, KEY)
            total += p * (float(TASK.objective(state, jnp.int32(action), after)[0]) + worth(after))
        return total

    return sum(worth(dealt(cards)) for cards in DEALS) / 6


def test_the_value_of_any_two_strategies_is_the_trees():
    first, second = np.random.default_rng(0).random((2, 3, 4))
    assert kuhn_value(first, second) == pytest.approx(task_value(first, second), abs=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1 / 3])
def test_kuhns_equilibria_cannot_be_exploited(alpha):
    strategy = kuhn_equilibrium(alpha)
    assert kuhn_value(strategy, strategy) == pytest.approx(-1 / 18)
    assert kuhn_exploitability(strategy) == pytest.approx(0, abs=1e-12)
    assert kuhn_best_response(strategy, 1) == pytest.approx(1 / 18)
    # Who sees the other's card wins against any strategy.
    assert kuhn_best_response(strategy, 0, peeking=True) > 0.05


def test_other_strategies_can_be_exploited():
    uniform = np.full((3, 4), 0.5)
    assert kuhn_exploitability(uniform) == pytest.approx(0.4583333)
    assert kuhn_exploitability(kuhn_equilibrium(0.4)) > 0.01


def test_kuhn_poker_is_told_in_words():
    state = TASK.step(TASK.step(dealt((0, 2)), 0, KEY), 1, KEY)
    told = "player 0: J, player 1: K\nplayer 0 checks, player 1 bets, player 0 to move"
    assert TASK.render(state) == told
    folded = TASK.render(TASK.step(state, 0, KEY))
    assert folded.endswith("player 1 bets, player 0 folds")
