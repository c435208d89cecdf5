"""Games of OpenSpiel and pgx, and functional environments, held against their own libraries."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.adapters import from_gymnax, from_jumanji, from_open_spiel, from_pgx
from deliberation.core import check_task
from deliberation.core.errors import UnknownNameError, UnsuitableTaskError, WrongKindError
from deliberation.tasks import make_task, name_of_task

KEY = jax.random.key(0)
TEN = [
    "tic_tac_toe", "connect_four", "breakthrough(rows=5,columns=4)", "othello", "hex(board_size=4)",
    "kuhn_poker(players=3)", "leduc_poker", "liars_dice(numdice=1)", "pig(winscore=15)",
    "matrix_rps",
]  # fmt: skip


@pytest.mark.parametrize("name", TEN)
def test_spiel_agrees_with_itself(name):
    """Returns, legal actions, observation tensors and players over random games, on the host."""
    pyspiel = pytest.importorskip("pyspiel")
    task = from_open_spiel(name)
    theirs, game, rng = task.game.spiel, task.game, np.random.default_rng(1)
    for _ in range(4):
        rows = game.reset(rng.integers(0, 1 << 32, (1, 2), dtype=np.uint64))
        for _ in range(game.horizon + 1):
            own = theirs.new_initial_state()
            for action in rows.history[0, : rows.length[0]].tolist():
                own.apply_action(action)
            assert not own.is_chance_node()
            np.testing.assert_array_equal(rows.returns[0], np.float32(own.returns()))
            assert rows.over[0] == own.is_terminal()
            if rows.over[0]:
                break
            assert np.flatnonzero(rows.legal[0]).tolist() == own.legal_actions()
            assert rows.player[0] == own.current_player()
            kind = theirs.get_type()
            if kind.provides_observation_tensor:
                tensor = own.observation_tensor(own.current_player())
                np.testing.assert_array_equal(rows.observation[0].ravel(), np.float32(tensor))
            action = rng.choice(own.legal_actions())
            words = rng.integers(0, 1 << 32, (1, 2), dtype=np.uint64)
            rows = game.step(rows.history, rows.length, rows.over, np.array([action]), words)
        assert rows.over[0]
    assert pyspiel is not None


def test_a_hidden_card_is_drawn_anew_and_evenly():
    pytest.importorskip("pyspiel")
    game = from_open_spiel("kuhn_poker").game
    history, length = np.array([[1, 2, 0, 0, 0]], np.int32), np.array([3], np.int32)
    history = np.pad(history, ((0, 0), (0, game.longest)))[:, : game.longest]
    words = np.random.default_rng(0).integers(0, 1 << 32, (300, 2), dtype=np.uint64)
    rows = game.resample(np.repeat(history, 300, 0), np.repeat(length, 300), words)
    assert (rows.history[:, 1] == 2).all() and set(rows.history[:, 0]) == {0, 1}
    assert abs((rows.history[:, 0] == 0).mean() - 0.5) < 0.15


def test_large_games_are_drawn_by_playing_anew():
    pytest.importorskip("pyspiel")
    game = from_open_spiel("leduc_poker").game
    rows = game.reset(np.array([[1, 2]], np.uint64))
    told = game.state(rows.history[0, : rows.length[0]]).information_state_string(0)
    game._beliefs._large = True
    again = game.resample(rows.history, rows.length, np.array([[5, 6]], np.uint64))
    state = game.state(again.history[0, : again.length[0]])
    game._beliefs._large = False
    assert state.information_state_string(0) == told


def test_a_game_of_chance_and_hidden_cards_keeps_the_contract():
    pytest.importorskip("pyspiel")
    check_task(make_task("openspiel:kuhn_poker"), episodes=4)


def test_spiel_refuses_with_what_to_do():
    pytest.importorskip("pyspiel")
    with pytest.raises(UnknownNameError, match="tic_tac_toe"):
        from_open_spiel("tictactoe")
    with pytest.raises(UnsuitableTaskError, match="opposite aims"):
        from_open_spiel("matrix_pd")
    with pytest.raises(UnsuitableTaskError, match="Give options"):
        from_open_spiel("breakthrough", nonsense=3)


def test_pgx_is_pgx():
    """A game played in both, with the same keys."""
    import pgx

    task, env = make_task("pgx:tic_tac_toe"), pgx.make("tic_tac_toe")
    advance, step, look = jax.jit(task.advance), jax.jit(env.step), jax.jit(task.observe)
    state, theirs = task.init(KEY), env.init(KEY)
    for action in (4, 0, 8, 2, 1, 7):
        assert task.player(state) == theirs.current_player
        np.testing.assert_array_equal(task.legal(state), theirs.legal_action_mask)
        np.testing.assert_array_equal(look(state), theirs.observation)
        after, theirs = advance(state, jnp.int32(action), KEY), step(theirs, action, KEY)
        gained = task.objective(state, jnp.int32(action), after)
        np.testing.assert_array_equal(gained, theirs.rewards)
        state = after
    assert name_of_task(task) == ("pgx:tic_tac_toe", {})


def test_a_game_that_pgx_cuts_is_not_planned_past():
    task = from_pgx("tic_tac_toe")
    state = task.init(KEY)
    inner = state.inner.replace(truncated=jnp.bool_(True))
    cut = dataclasses.replace(state, inner=inner)
    assert not task.terminated(state) and not task.only_cut(state) and task.legal(state).all()
    assert task.terminated(cut) and task.truncated(cut) and task.only_cut(cut)
    assert not task.legal(cut).any()  # pgx's own step changes nothing there and earns nothing


def test_games_of_pgx_have_their_traits():
    board, cards = from_pgx("connect_four").traits, from_pgx("kuhn_poker").traits
    assert (board.players, board.horizon, board.fully_observable) == (2, 42, True)
    assert (cards.players, cards.horizon, cards.fully_observable) == (2, 3, False)
    assert not board.continuing and board.deterministic
    with pytest.raises(UnknownNameError, match="animal_shogi"):
        from_pgx("animal_shoggi")
    with pytest.raises(UnsuitableTaskError, match="double-dummy"):
        from_pgx("bridge_bidding")


class Coin:
    """Looks like an environment of gymnax: guess a coin that is tossed in every step, 3 times."""

    class Space:
        n = 2

    class default_params:
        max_steps_in_episode = 3

    def action_space(self, params):
        return self.Space()

    def reset_env(self, key, params):
        return jnp.zeros(2), {"time": jnp.int32(0), "key": key}

    def step_env(self, key, state, action, params):
        # As many do, it draws from a key that it keeps.
        side = jax.random.bernoulli(state["key"]).astype(jnp.int32)
        later = {"time": state["time"] + 1, "key": jax.random.split(state["key"])[0]}
        seen = jnp.stack([side, state["time"] + 1]).astype(jnp.float32)
        return seen, later, (side == action).astype(jnp.float32), later["time"] >= 3, {}


def test_functional_environments_keep_the_contract_and_foresee_nothing():
    task = from_gymnax(Coin())
    check_task(task, episodes=2)
    assert task.traits.horizon == 3
    state = task.init(KEY)
    keys = jax.random.split(jax.random.key(3), 400)
    after = jax.vmap(task.advance, (None, None, 0))(state, jnp.int32(1), keys)
    assert abs(after.reward.mean() - 0.5) < 0.12
    with pytest.raises(WrongKindError, match="reset_env"):
        from_gymnax(object())
    with pytest.raises(WrongKindError, match="Jumanji"):
        from_jumanji(Coin())


def test_what_is_hidden_in_tables_is_drawn_from_the_belief():
    """The tiger of two doors: after one growl on the left it is there with probability 0.85."""
    from deliberation.tasks import from_arrays

    stay, reset = np.eye(2), np.full((2, 2), 0.5)
    moves = np.stack([stay, reset, reset], 1)
    rewards = np.array([[-1.0, -100, 10], [-1, 10, -100]])
    hears = np.array([[[0.85, 0.15], [0.15, 0.85]], np.full((2, 2), 0.5), np.full((2, 2), 0.5)])
    task = from_arrays(moves, rewards, hears, horizon=4)
    check_task(task, episodes=4)
    state = task.step(task.init(KEY), 0, KEY)
    seen = int(state.seen)
    np.testing.assert_allclose(state.belief[seen], 0.85, atol=1e-6)
    drawn = jax.vmap(task.resample, (None, 0))(state, jax.random.split(KEY, 500)).at
    assert abs((drawn == seen).mean() - 0.85) < 0.08
    with pytest.raises(ValueError, match=r"O\[a, s', o\]"):
        from_arrays(moves, rewards, np.ones((3, 3)), horizon=4)
