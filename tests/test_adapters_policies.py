"""Policies of others as deciders: functions, networks of JAX, players of OpenSpiel."""

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import strangers

from deliberation import Task, check_decider, make_task, rollout
from deliberation.adapters import (
    Score,
    from_callable,
    from_equinox,
    from_gymnasium,
    from_open_spiel,
    from_sb3,
    from_torch,
)
from deliberation.adapters.policies.weighing import check_meaning, renormalised
from deliberation.core.errors import (
    BackendError,
    ForeignMemoryError,
    ForeignPolicyError,
    IllegalActionError,
    NonFiniteError,
    UnreproducedScoreError,
    WrongKindError,
)

KEY = jax.random.key(0)
KEYS = jax.random.split(KEY, 4)


def starts(task: Task, count: int = 4):
    return jax.vmap(task.init)(KEYS[:count])


@pytest.fixture(scope="module")
def counter():
    return from_gymnasium(strangers.Counter)


@pytest.fixture(scope="module")
def board():
    return make_task("tic_tac_toe")


def upper(observation, state=None, episode_start=None, deterministic=False):
    """Counts its own decisions, and begins with action 1; the form is that of stable-baselines3."""
    assert observation.dtype == np.float32 and observation.shape[1:] == (1,)
    fresh = np.zeros((1, len(observation)))
    calls = np.where(episode_start, 0.0, fresh if state is None else state[0]) + 1
    assert (state is None) == episode_start.all()
    return (calls[0] % 2 == 1).astype(np.int64), (calls, calls * 2)


def test_a_recurrent_function_keeps_its_state_by_rows(counter):
    decider = from_callable(upper, counter)
    check_decider(decider)
    state, memory = starts(counter), decider.begin(4)
    assert memory.first.all() and [x.shape for x in memory.carried] == [(4, 1), (4, 1)]
    for turn in range(3):
        decision, memory = decider.decide(state, memory, key=KEY)
        np.testing.assert_array_equal(decision.action, 4 * [1 - turn % 2])
        np.testing.assert_array_equal(memory.carried[0][:, 0], turn + 1)
        assert not memory.first.any()
    # Rows whose episode begins are asked apart: they have no state yet.
    mixed = eqx.tree_at(lambda m: m.first, memory, jnp.array([True, False, True, False]))
    decision, memory = decider.decide(state, mixed, key=KEY)
    np.testing.assert_array_equal(decision.action, [1, 0, 1, 0])
    np.testing.assert_array_equal(memory.carried[1][:, 0], [2, 8, 2, 8])
    assert decision.spent.model_steps is None
    assert repr(decider) == f"upper on {counter!r}"
    with pytest.raises(ForeignMemoryError, match="begin"):
        decider.decide(state, (), key=KEY)


def test_a_function_is_called_back_from_compiled_programs(counter):
    decider = from_callable(upper, counter)
    state = starts(counter)
    ask = jax.jit(lambda s, m, k: decider.decide(s, m, key=k))
    plain, kept = decider.decide(state, decider.begin(4), key=KEYS)
    compiled, memory = ask(state, decider.begin(4), KEYS)
    np.testing.assert_array_equal(plain.action, compiled.action)
    np.testing.assert_array_equal(kept.carried[1], memory.carried[1])


def drawing(observation):
    """One observation at a time, and an action drawn from the global generator."""
    assert observation.shape == (1,)
    return np.random.randint(2)


def test_chance_of_a_function_comes_from_the_key(counter):
    decider = from_callable(drawing, counter, batched=False)
    before = np.random.get_state()[1].copy()
    check_decider(decider)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    many = jax.tree.map(lambda x: jnp.repeat(x, 32, 0), starts(counter))
    decision, _ = decider.decide(many, key=KEY)
    assert 40 < decision.action.sum() < 88


def test_a_score_is_reproduced_or_the_policy_refused(counter):
    always = lambda seen: np.ones(len(seen), int)  # noqa: E731
    played = rollout(counter, from_callable(always, counter), key=KEY, batch=8)
    mean = float(played.returns.mean())
    from_callable(always, counter, expect=Score(mean, played=4))
    from_callable(always, counter, expect=Score(mean + 1, std=5.0, episodes=10, played=8))
    with pytest.raises(UnreproducedScoreError, match=r"scores 5.*owner's score is 9.*vec_normal"):
        from_callable(always, counter, expect=Score(9, played=8))
    with pytest.raises(WrongKindError, match="is no score"):
        Score(float("nan"))


class MuteError(BaseException):
    """Cannot say what it is."""

    def __str__(self):
        raise self


def raising(error):
    def predict(seen):
        raise error

    return predict


@pytest.mark.parametrize(
    ("predict", "error", "said"),
    [
        (7, WrongKindError, "no function"),
        (lambda seen: 1 / 0, ForeignPolicyError, "ZeroDivisionError.*float32\\[2, 1\\]"),
        (raising(GeneratorExit("gone")), ForeignPolicyError, "GeneratorExit: gone"),
        (raising(MuteError()), ForeignPolicyError, "raised MuteError, asked with"),
        (raising(KeyboardInterrupt("now")), KeyboardInterrupt, "^now$"),
        (lambda seen: np.full(len(seen), np.nan), NonFiniteError, "NaN"),
        (lambda seen: np.full(len(seen), 0.5), ForeignPolicyError, "numbers of actions"),
        (lambda seen: np.full(len(seen), 2), IllegalActionError, "action 2 in row 0"),
        (lambda seen: np.full(len(seen), 2**40), IllegalActionError, "action 1099511627776 in"),
        (lambda seen: np.full(len(seen), 1e30), ForeignPolicyError, "numbers of actions"),
        (lambda seen: np.zeros((len(seen), 3)), ForeignPolicyError, "actions float64\\[2, 3\\]"),
        (lambda seen: 1, ForeignPolicyError, "batched=False"),
        (lambda seen, state=None: (np.zeros(len(seen)), np.zeros(3)), ForeignPolicyError, "axis"),
    ],
)
def test_functions_that_are_no_policies_are_refused_at_the_door(counter, predict, error, said):
    with pytest.raises(error, match=said):
        from_callable(predict, counter)


def test_an_illegal_action_is_refused_where_it_is_chosen(board):
    decider = from_callable(lambda seen: np.zeros(len(seen), int), board, name="corner")
    with pytest.raises(IllegalActionError, match=r"corner chose action 0 in row 1.*knows nothing"):
        rollout(board, decider, key=KEY, state=_after_corner(board))


def _after_corner(board):
    state = starts(board, 2)
    taken = jax.vmap(board.advance)(state, jnp.array([4, 0]), KEYS[:2])
    return taken


def test_a_function_with_action_masks_is_told_what_is_legal(board):
    def masked(observation, action_masks=None):
        return np.argmax(action_masks, axis=-1)

    decider = from_callable(masked, board)
    decision, _ = decider.decide(_after_corner(board), key=KEY)
    np.testing.assert_array_equal(decision.action, [0, 1])
    kept = from_callable(masked, board, masks=lambda state: jnp.arange(9) > 5)
    assert kept.decide(_after_corner(board), key=KEY)[0].action.tolist() == [6, 6]


def test_continuous_actions_are_clipped(pendulum):
    decider = from_callable(lambda seen: 3 * seen[:, :1], pendulum)
    state = starts(pendulum)
    decision, _ = decider.decide(state, key=KEY)
    np.testing.assert_array_equal(
        decision.action, np.clip(3 * np.asarray(state.observation)[:, :1], -2, 2)
    )
    np.testing.assert_array_equal(decision.weights, np.ones((4, 1)))


def test_missing_packages_are_named(board, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for adapt in (lambda: from_torch(object(), board), lambda: from_sb3("ppo.zip", board)):
        with pytest.raises(BackendError, match=r"pip install 'deliberation\[sb3\]'"):
            adapt()


@pytest.fixture(scope="module")
def pendulum():
    return from_gymnasium("Pendulum-v1")


@pytest.fixture(scope="module")
def network(board):
    shape = jax.eval_shape(board.observe, jax.eval_shape(board.init, KEY)).shape
    return eqx.nn.Sequential([
        eqx.nn.Lambda(jnp.ravel), eqx.nn.Dropout(0.5),
        eqx.nn.Linear(int(np.prod(shape)), 9, key=KEY),
    ])  # fmt: skip


@pytest.mark.parametrize("meaning", ["logits", "probabilities", "q", "action"])
def test_a_network_of_equinox_means_what_is_said(board, network, meaning):
    quiet = eqx.nn.inference_mode(network)
    outputs = {
        "logits": network,
        "q": lambda seen: (quiet(seen), 7.0),
        "probabilities": lambda seen: (jax.nn.softmax(quiet(seen)), jnp.float32(0.25)),
        "action": lambda seen: jnp.argmin(seen[..., :2].any(-1).ravel()),
    }
    decider = from_equinox(outputs[meaning], board, meaning)
    if meaning == "logits":
        check_decider(decider)
    state = _after_corner(board)
    decision, _ = decider.decide(state, key=KEY)
    legal = np.asarray(jax.vmap(board.legal)(state))
    logits = np.where(legal, jax.vmap(quiet)(jax.vmap(board.observe)(state)), -np.inf)
    if meaning == "action":
        np.testing.assert_array_equal(decision.action, [0, 1])
        return
    np.testing.assert_array_equal(decision.action, logits.argmax(-1))
    if meaning == "q":
        np.testing.assert_allclose(decision.value, logits.max(-1), rtol=1e-6)
    else:
        np.testing.assert_allclose(decision.weights, jax.nn.softmax(logits), atol=1e-6)
        assert decision.value.tolist() == ([0, 0] if meaning == "logits" else [0.25, 0.25])


def test_a_network_of_equinox_is_refused_with_what_to_do(board, counter, network, pendulum):
    with pytest.raises(ForeignPolicyError, match=r"answers .*\[4\].* needs \[9\]"):
        from_equinox(lambda seen: jnp.zeros(4), board)
    with pytest.raises(ForeignPolicyError, match="observe="):
        from_equinox(network, counter)
    with pytest.raises(WrongKindError, match="meaning='logit' is none of 'logits'"):
        check_meaning("logit", True)
    with pytest.raises(WrongKindError, match="continuous"):
        from_equinox(network, pendulum)
    broken = from_equinox(lambda seen: jnp.full(9, jnp.nan), board)
    with pytest.raises(NonFiniteError, match="logits"):
        broken.decide(starts(board), key=KEY)
    for odd in (jnp.full(9, 0.2), jnp.full(9, 1 / 7).at[0].set(-1 / 7)):
        unlike = from_equinox(lambda seen, odd=odd: odd, board, "probabilities")
        with pytest.raises(IllegalActionError, match="do not sum to 1"):
            unlike.decide(starts(board), key=KEY)
        with pytest.raises(WrongKindError, match='meaning="logits"'):
            renormalised(np.asarray(odd)[None], np.ones((1, 9), bool), "it")
    for far in (np.full((), 2**40), np.full((), 2**63, np.uint64)):
        beyond = from_equinox(lambda seen, far=far: far, board, "action")
        with pytest.raises(IllegalActionError, match="illegal"):
            beyond.decide(starts(board), key=KEY)
    corner = from_equinox(lambda seen: jnp.int32(0), board, "action")
    with pytest.raises(IllegalActionError, match="row 1"):
        corner.decide(_after_corner(board), key=KEY)


def test_a_network_drawn_from_follows_its_weights(board):
    shares = jnp.arange(1.0, 10) / 45
    decider = from_equinox(lambda seen: shares, board, "probabilities", deterministic=False)
    many = jax.vmap(board.init)(jax.random.split(KEY, 2000))
    found = np.bincount(decider.decide(many, key=KEY)[0].action, minlength=9) / 2000
    np.testing.assert_allclose(found, shares, atol=0.03)


def test_policies_of_openspiel_are_their_probabilities():
    pytest.importorskip("pyspiel")
    from open_spiel.python import policy as policies

    task = from_open_spiel("kuhn_poker")
    theirs = policies.TabularPolicy(task.game.spiel)
    theirs.action_probability_array[:] = np.random.default_rng(0).dirichlet([1, 1], 12)
    decider = from_open_spiel(theirs, task)
    check_decider(decider)
    state = starts(task)
    decision, _ = decider.decide(state, key=KEY)
    for row in range(4):
        own = task.game.state(np.asarray(state.history[row, : state.length[row]]))
        told = theirs.action_probabilities(own)
        np.testing.assert_allclose(decision.weights[row], [told[0], told[1]], rtol=1e-6)
    likely = from_open_spiel(theirs, task, deterministic=True).decide(state, key=KEY)[0]
    np.testing.assert_array_equal(likely.action, decision.weights.argmax(-1))
    leduc = policies.UniformRandomPolicy(from_open_spiel("leduc_poker").game.spiel)
    with pytest.raises(ForeignPolicyError, match="policy for leduc"):
        from_open_spiel(leduc, task)


def test_bots_of_openspiel_play():
    pyspiel = pytest.importorskip("pyspiel")
    from open_spiel.python.bots.uniform_random import UniformRandomBot

    task = from_open_spiel("tic_tac_toe")
    uniform = from_open_spiel([UniformRandomBot(p, np.random) for p in (0, 1)], task)
    check_decider(uniform)
    decision, _ = uniform.decide(starts(task), key=KEY)
    np.testing.assert_allclose(decision.weights, np.full((4, 9), 1 / 9), rtol=1e-6)

    def searching(player, seed):
        evaluator = pyspiel.RandomRolloutEvaluator(2, seed)
        return pyspiel.MCTSBot(task.game.spiel, evaluator, 2.0, 50, 4, True, seed, False)

    search = from_open_spiel(searching, task)
    state = starts(task)
    np.testing.assert_array_equal(*(search.decide(state, key=KEYS)[0].action for _ in range(2)))
    assert rollout(task, [search, uniform], key=KEY, batch=3).returns[:, 0].mean() > 0.5


class Follower:
    """A bot that can only be informed: it answers where the other moved before it, plus one."""

    def __init__(self, player):
        self.player, self.last, self.moved = player, 0, []

    def restart(self):
        self.last, self.moved = 0, []

    def restart_at(self, state):
        raise RuntimeError("not implemented")

    def inform_action(self, state, player, action):
        assert player != self.player
        self.last = action

    def provides_force_action(self):
        return False

    def step(self, state):
        self.moved.append(self.last)
        return next(a for a in (*range(self.last, 9), *range(9)) if a in state.legal_actions())


def test_a_bot_that_is_only_informed_is_told_the_moves_so_far():
    pytest.importorskip("pyspiel")
    task = from_open_spiel("tic_tac_toe")
    bots = [Follower(0), Follower(1)]
    played = rollout(task, from_open_spiel(bots, task), key=KEY, batch=2)
    np.testing.assert_array_equal(played.actions[0, :7], [0, 1, 2, 3, 4, 5, 6])
    assert bots[0].moved == [0, 1, 3, 5]


def test_players_of_openspiel_are_refused_with_what_to_do(board):
    pytest.importorskip("pyspiel")
    task = from_open_spiel("tic_tac_toe")
    with pytest.raises(WrongKindError, match="no game of OpenSpiel"):
        from_open_spiel(Follower(0), board)
    with pytest.raises(WrongKindError, match="neither a policy"):
        from_open_spiel(object(), task)
    with pytest.raises(WrongKindError, match="name of a game"):
        from_open_spiel("uniform_random", task)

    class Stray(Follower):
        def step(self, state):
            return 11

    with pytest.raises(ForeignPolicyError, match="Stray of OpenSpiel raised IndexError"):
        from_open_spiel(Stray(0), task)
