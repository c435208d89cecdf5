"""Frozen Lake and Blackjack against Gymnasium, and their exact optima."""

import functools
import itertools

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner
from gymnasium.envs.toy_text import blackjack as gymnasium_blackjack
from optima import CARDS, BlackjackOptimum, dealers_ends, lake_optimum, two_cards, with_card

from deliberation.claims import refuse_unmeasurable
from deliberation.cli import main
from deliberation.core import check_task
from deliberation.core.errors import UnsuitableTaskError
from deliberation.tasks import make_task
from deliberation.tasks.cards.blackjack import Blackjack, BlackjackState
from deliberation.tasks.grids.frozen_lake import FrozenLake, LakeState

KEY = jax.random.key(0)


def lake_table(task):
    """What the task lists: [cells, actions, outcomes] of next cell, probability, reward, end."""

    def one(cell, action):
        state = LakeState(cell, jnp.int32(0))
        after, chances = task.outcomes(state, action)
        reward = jax.vmap(task.objective, (None, None, 0))(state, action, after)[:, 0]
        return after.cell, chances, reward, jax.vmap(task.terminated)(after)

    cells = jnp.arange(task.size**2)
    every = jax.jit(jax.vmap(jax.vmap(one, (None, 0)), (0, None)))(cells, jnp.arange(4))
    return [np.asarray(x) for x in every]


@pytest.mark.parametrize(("size", "slip"), [(4, 2 / 3), (8, 2 / 3), (4, 0.25)])
def test_the_lake_is_gymnasiums(size, slip):
    env = gymnasium.make("FrozenLake-v1", map_name=f"{size}x{size}", success_rate=1 - slip)
    cells, chances, rewards, ends = lake_table(FrozenLake(size, slip))
    for cell, action in itertools.product(range(size**2), range(4)):
        theirs = env.unwrapped.P[cell][action]
        if len(theirs) == 1:  # a hole or the goal, where no action is taken
            assert bool(FrozenLake(size).terminated(LakeState(jnp.int32(cell), jnp.int32(0))))
            continue
        p, to, reward, over = map(np.array, zip(*theirs, strict=True))
        assert np.allclose(chances[cell, action], p, atol=1e-6)
        assert np.array_equal(cells[cell, action], to)
        assert np.array_equal(rewards[cell, action], reward)
        assert np.array_equal(ends[cell, action], over)
    limit = gymnasium.spec("FrozenLake-v1" if size == 4 else "FrozenLake8x8-v1").max_episode_steps
    assert FrozenLake(size).traits.horizon == limit


def test_the_lakes_optimum_is_known():
    """0.744 within 100 actions, and 0.8235 (14 in 17) when there is always time."""
    values, actions = lake_optimum(make_task("frozen_lake"))
    assert values[0, 0] == pytest.approx(0.74419, abs=1e-5)
    assert np.argmax(actions[0, 0]) == 0
    endless, _ = lake_optimum(make_task("frozen_lake", horizon=4000))
    assert endless[0, 0] == pytest.approx(14 / 17, abs=1e-4)
    assert lake_optimum(make_task("frozen_lake", size=8))[0][0, 0] == pytest.approx(
        0.91322, abs=1e-5
    )


def play(task, key, choose):
    """The return of one episode with fresh chance; `choose` is given the state."""

    def turn(carry, key):
        state, total = carry
        over, action = task.terminated(state), choose(state)
        after = task.advance(state, action, key)
        gain = jnp.where(over, 0.0, task.objective(state, action, after)[0])
        state = jax.tree.map(lambda x, y: jnp.where(over, x, y), state, after)
        return (state, total + gain), None

    first, rest = jax.random.split(key)
    keys = jax.random.split(rest, task.traits.horizon)
    return jax.lax.scan(turn, (task.init(first), jnp.float32(0)), keys)[0][1]


def average(task, choose, episodes):
    """Mean return, and its standard error."""
    keys = jax.random.split(KEY, episodes)
    returns = jax.jit(jax.vmap(functools.partial(play, task, choose=choose)))(keys)
    return float(returns.mean()), float(returns.std()) / episodes**0.5


def test_playing_the_lakes_optimum_earns_its_value():
    task = make_task("frozen_lake")
    values, actions = lake_optimum(task)
    best = jnp.asarray(actions.argmax(-1))
    mean, error = average(task, lambda s: best[s.time, s.cell], 20_000)
    assert abs(mean - values[0, 0]) < 4 * error < 0.02


def test_the_lake_ends_in_time_and_without_slip_leads_where_one_goes():
    task = FrozenLake(slip=0.0, horizon=6)
    assert task.traits.deterministic and task.traits.outcomes == 0
    check_task(task, episodes=8)
    state = task.init(KEY)
    for action in (1, 1, 2, 1, 2, 2):
        assert not task.terminated(state)
        state = task.step(state, action, KEY)
    assert int(state.cell) == 15 and bool(task.terminated(state))
    assert bool(task.terminated(LakeState(jnp.int32(0), jnp.int32(6))))
    assert task.render(state).splitlines()[-2:] == [
        " H  F  F [G]",
        "6 of 6 actions taken",
    ]
    with pytest.raises(UnsuitableTaskError, match="does not list the outcomes"):
        task.outcomes(task.init(KEY), jnp.int32(0))


@pytest.mark.parametrize(
    "task",
    [FrozenLake(8, slip=0.3, horizon=40), Blackjack(natural=True, sab=False)],
    ids=repr,
)
def test_options_keep_the_contract(task):
    check_task(task, episodes=16)


@pytest.mark.parametrize("options", [{"size": 5}, {"slip": -0.1}, {"slip": 1.1}, {"horizon": 0}])
def test_impossible_lakes_are_refused(options):
    with pytest.raises(ValueError, match="got"):
        FrozenLake(**options)


def hand(total, ace, dealt, shown, hidden, final=0, over=False):
    numbers = [jnp.int32(x) for x in (shown, hidden, final)]
    return BlackjackState(
        jnp.int32(total), jnp.bool_(ace), jnp.bool_(dealt), *numbers, jnp.bool_(over)
    )


def hands(rows):
    """A batch of hands; `rows` are the arguments of `hand`."""
    return jax.vmap(hand)(*map(jnp.asarray, zip(*rows, strict=True)))


def as_cards(total, ace, dealt):
    """Some cards that make up a hand, an ace counting 1 in `total`; None if there are none."""
    least = 1 if ace else 2
    first = [least] if dealt else [least, least]
    if ace and dealt:
        rest = [total - 1]
    elif dealt:
        first = [max(2, total - 10)]
        rest = [total - first[0]]
    else:
        left = total - sum(first)
        rest = [left] if left <= 10 else [left // 2, left - left // 2]
    good = all(least <= card <= 10 for card in first + rest)
    return first + rest if good else None


HANDS = [
    h
    for h in itertools.product(range(2, 22), (False, True), (True, False))
    if as_cards(*h) is not None
]
"""Every total (aces 1), with an ace or not, of two cards or more."""


@pytest.mark.parametrize("rules", [{}, {"sab": False}, {"sab": False, "natural": True}])
def test_sticking_pays_what_gymnasium_pays(rules):
    """Every hand against every pair of the dealer's cards that is played no further."""
    env = gymnasium.make("Blackjack-v1", **rules).unwrapped
    env.reset(seed=0)
    task = Blackjack(**{"natural": False, "sab": True, **rules})
    played = [
        (h, shown, hidden)
        for h in HANDS
        for shown, hidden in itertools.product(range(1, 11), repeat=2)
        if two_cards(shown, hidden)[0] >= 17
    ]
    states = hands([(*h, shown, hidden) for h, shown, hidden in played])

    @jax.jit
    @jax.vmap
    def stick(state):
        after = task.advance(state, jnp.int32(0), KEY)
        return task.objective(state, jnp.int32(0), after)[0], task.terminated(after)

    ours, over = stick(states)
    assert bool(over.all())
    for (h, shown, hidden), mine in zip(played, np.asarray(ours), strict=True):
        env.player, env.dealer = as_cards(*h), [shown, hidden]
        _, theirs, terminated, _, _ = env.step(0)
        assert terminated and mine == theirs, (h, shown, hidden)
    assert len(HANDS) == 10 + 17 + 19 + 16 and {-1.0, 0.0, 1.0} <= set(np.asarray(ours))
    assert (1.5 in np.asarray(ours)) == bool(rules.get("natural"))


def test_hitting_leads_where_gymnasium_leads(monkeypatch):
    env = gymnasium.make("Blackjack-v1").unwrapped
    env.reset(seed=0)
    task = make_task("blackjack")
    states = hands([(*h, 7, 8) for h in HANDS])
    hit = jax.jit(jax.vmap(task.outcomes, (0, None)))
    after, chances = hit(states, jnp.int32(1))
    assert np.allclose(np.asarray(chances), list(CARDS.values()), atol=1e-6)
    look = jax.jit(jax.vmap(jax.vmap(lambda s: (task.observe(s), task.terminated(s)))))
    seen, over = map(np.asarray, look(after))
    gain = jax.vmap(jax.vmap(task.objective, (None, None, 0)), (0, None, 0))
    gained = np.asarray(gain(states, jnp.int32(1), after))[..., 0]
    for (row, h), card in itertools.product(enumerate(HANDS), CARDS):
        monkeypatch.setattr(gymnasium_blackjack, "draw_card", lambda rng, card=card: card)
        env.player, env.dealer = as_cards(*h), [7, 8]
        (total, dealer, usable), reward, terminated, _, _ = env.step(1)
        where = row, card - 1
        assert (over[where], gained[where]) == (terminated, reward)
        wanted = np.concatenate([np.arange(4, 22) == total, np.arange(1, 11) == dealer])
        assert np.array_equal(seen[where], [*wanted, usable, False]), (h, card)


def test_the_dealer_draws_to_seventeen():
    task = make_task("blackjack")
    stick = jax.jit(lambda s: task.outcomes(s, jnp.int32(0)))
    for shown, hidden in itertools.product(range(1, 11), repeat=2):
        after, chances = stick(hand(12, False, True, shown, hidden))
        ends = dealers_ends(*two_cards(shown, hidden))
        assert np.asarray(after.final)[:6].tolist() == [17, 18, 19, 20, 21, 22]
        expected = [ends.get(end, 0.0) for end in range(17, 23)] + [0.0] * 4
        assert np.allclose(chances, expected, atol=1e-6)


@pytest.mark.parametrize("rules", [{}, {"sab": False}, {"sab": False, "natural": True}])
def test_the_tasks_own_optimum_is_that_of_the_rules(rules):
    """Backward induction over `outcomes`, the hidden card averaged, against plain recursion."""
    task = make_task("blackjack", **rules)
    optimum = BlackjackOptimum(**rules)
    value = own_values(task)
    deals = itertools.product(CARDS, repeat=3)
    worth = sum(
        CARDS[a] * CARDS[b] * CARDS[s] * value[a + b, int(1 in (a, b)), 1, s - 1]
        for a, b, s in deals
    )
    assert worth == pytest.approx(optimum.expected, abs=1e-5)
    for a, b, shown in itertools.product(range(1, 11), repeat=3):
        mine = value[a + b, int(1 in (a, b)), 1, shown - 1]
        theirs = optimum.value(*two_cards(a, b), True, shown)
        assert mine == pytest.approx(theirs, abs=1e-5), (a, b, shown)


def own_values(task):
    """Values by total (aces 1), ace, first two cards, dealer's card: [32, 2, 2, 10]."""
    grid = itertools.product(range(22), (0, 1), (0, 1), range(1, 11), range(1, 11))
    states = hands(list(grid))

    @jax.jit
    @jax.vmap
    def expand(state):
        def one(action):
            after, p = task.outcomes(state, action)
            reward = jax.vmap(task.objective, (None, None, 0))(state, action, after)[:, 0]
            return after.total, after.ace, after.dealt, after.over, reward, p

        return jax.vmap(one)(jnp.arange(2))

    shape = (22, 2, 2, 10, 10, 2, 10)
    total, ace, two, over, reward, p = (np.asarray(x).reshape(shape) for x in expand(states))
    value = np.zeros((32, 2, 2, 10))
    shown = np.arange(10)[:, None, None, None]
    card = np.array(list(CARDS.values()))
    for t in reversed(range(22)):
        for a, d in itertools.product((0, 1), repeat=2):
            at = (t, a, d)
            rest = value[total[at], ace[at].astype(int), two[at].astype(int), shown]
            q = (p[at] * (reward[at] + np.where(over[at], 0.0, rest))).sum(-1)
            # The hidden card is not seen: actions are compared on average over it.
            value[at] = np.einsum("shq,h->sq", q, card).max(-1)
    return value


def test_the_optimum_of_blackjack_is_known():
    best = BlackjackOptimum(sab=False)
    assert best.expected == pytest.approx(-0.046556, abs=1e-6)
    sutton = BlackjackOptimum()
    assert sutton.expected == pytest.approx(-0.043113, abs=1e-6)
    # Figure 5.2 of Sutton and Barto: the totals to stick from, without a usable ace.
    sticks = [
        min(t for t in range(11, 22) if np.argmax(sutton.actions(t, False, False, d)) == 0)
        for d in range(1, 11)
    ]
    assert sticks == [17, 13, 13, 12, 12, 12, 17, 17, 17, 17]
    # Seeing the hidden card is worth eight points, and all chance to come thirty.
    assert sutton.peeking == pytest.approx(0.037310, abs=1e-6)
    assert sutton.clairvoyant == pytest.approx(0.267973, abs=1e-6)


def test_playing_the_optimum_of_blackjack_earns_its_value():
    task, optimum = make_task("blackjack"), BlackjackOptimum()
    hits = np.zeros((22, 2, 11), bool)
    for total, soft, shown in itertools.product(range(4, 22), (0, 1), range(1, 11)):
        if not soft or total >= 12:
            stick, hit = optimum.actions(total, bool(soft), False, shown)
            hits[total, soft, shown] = hit > stick
    table = jnp.asarray(hits)

    def choose(s):
        usable = s.ace & (s.total <= 11)
        return table[jnp.minimum(s.total + 10 * usable, 21), usable.astype(int), s.shown].astype(
            jnp.int32
        )

    mean, error = average(task, choose, 100_000)
    assert abs(mean - optimum.expected) < 4 * error < 0.02


def frequencies(cards):
    return np.bincount(np.asarray(cards), minlength=11)[1:] / len(cards)


def test_cards_are_dealt_and_redrawn_from_an_infinite_deck():
    task, n = make_task("blackjack"), 40_000
    keys = jax.random.split(KEY, 2 * n).reshape(2, n)
    first = jax.jit(jax.vmap(task.init))(keys[0])
    again = jax.jit(jax.vmap(task.resample))(first, keys[1])
    expected = np.array(list(CARDS.values()))
    band = 4 * np.sqrt(expected * (1 - expected) / n)
    for cards in (first.shown, first.hidden, again.hidden):
        assert (np.abs(frequencies(cards) - expected) < band).all()
    # Whatever the hidden card was, the new one is as probable as any.
    for card in (1, 10):
        part = again.hidden[first.hidden == card]
        wide = 4 * np.sqrt(expected * (1 - expected) / len(part))
        assert (np.abs(frequencies(part) - expected) < wide).all()
    for name in ("total", "ace", "dealt", "shown", "final", "over"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    naturals = np.asarray(first.ace & (first.total == 11))
    assert abs(naturals.mean() - 8 / 169) < 4 * np.sqrt(8 / 169 / n)
    done = task.advance(jax.tree.map(lambda x: x[0], first), jnp.int32(0), KEY)
    assert int(task.resample(done, keys[1, 0]).hidden) == int(done.hidden)


def test_the_longest_hand_is_all_aces():
    task = make_task("blackjack")
    state = hand(2, True, True, 5, 6)
    for _ in range(task.traits.horizon - 1):
        after, _ = task.outcomes(state, jnp.int32(1))
        state = jax.tree.map(lambda x: x[0], after)
    assert (int(state.total), bool(state.over)) == (21, False)
    assert all(bool(task.advance(state, jnp.int32(a), KEY).over) for a in (0, 1))
    assert with_card(21, True, 1) == (12, False)


def test_blackjack_is_shown_as_far_as_it_is_seen():
    task = make_task("blackjack")
    state = hand(11, True, True, 1, 10)
    assert task.render(state) == "player 21 (usable ace, first two cards)\ndealer A ?"
    done = task.step(state, 0, KEY)
    assert task.render(done).splitlines()[1] == "dealer A 10, then 21"
    bust = hand(25, False, False, 10, 7, over=True)
    assert task.render(bust).startswith("player 25 (bust)\ndealer 10 ?")


@pytest.mark.parametrize("name", ["backgammon", "leduc_poker", "kuhn_poker"])
def test_the_table_refuses_games_without_exact_answers(name, tmp_path):
    refuse_unmeasurable(["frozen_lake", "blackjack"])  # of one player, chance or not
    with pytest.raises(UnsuitableTaskError, match=f"{name} is .*; claims about games of several"):
        refuse_unmeasurable(["tic_tac_toe", name])
    done = CliRunner().invoke(main, ["table", name, "--effort", "smoke", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "claims about games of several players" in " ".join(done.stderr.split())
    assert not list(tmp_path.iterdir())


def test_options_are_listed_shortly():
    shown = CliRunner().invoke(main, ["tasks"]).stdout
    assert "size=4 slip=0.6667 horizon=None" in " ".join(shown.split())
