"""Learning on tasks of one's own: cuts, players who do not alternate, three of them, files."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Int

from deliberation.amortised import (
    DQN,
    PPO,
    Reinforce,
    Tabular,
    save_network,
    train_dqn,
    train_ppo,
    train_q_learning,
    train_reinforce,
    train_sarsa,
)
from deliberation.amortised.trial_and_error.experience import advance, restart, stops
from deliberation.core.errors import PolicyFileError, UnsuitableTaskError
from deliberation.core.objective import Objective
from deliberation.core.task import Task, Traits
from deliberation.direct import CEM
from deliberation.hybrid import (
    MPCSettings,
    MuZeroSettings,
    Settings,
    load,
    save,
    train,
    train_mpc,
    train_muzero,
)
from deliberation.tasks import make_task

KEY = jax.random.key(0)


class Position(eqx.Module):
    """Time, whose turn it is, and what was earned by the last action."""

    time: Int[Array, ""]
    player: Int[Array, ""]
    earned: Array


class Earned(Objective):
    """What the last action earned each player; half as much is worth the next."""

    def __call__(self, state, action, after):
        return after.earned

    @property
    def discount(self):
        return 0.5

    @property
    def bounds(self):
        return (-2.0, 2.0)


class Wages(Task):
    """One coin an action for ever, watched for three actions: worth 1 + 1/2 + 1/4 + ... = 2."""

    players: int = 1
    cut: bool = True

    @property
    def traits(self):
        return Traits(players=self.players, actions=2, horizon=3)

    @property
    def objective(self):
        return Earned()

    def init(self, key):
        return Position(jnp.int32(0), jnp.int32(0), jnp.zeros(self.players))

    def advance(self, state, action, key):
        return Position(state.time + 1, jnp.int32(0), jnp.ones(self.players))

    def observe(self, state):
        return jnp.ones(1)

    def legal(self, state):
        return jnp.full(2, True) & ~self.terminated(state)

    def player(self, state):
        return state.player

    def terminated(self, state):
        return (state.time >= 3) & (not self.cut)

    def truncated(self, state):
        return (state.time >= 3) & self.cut


class Naming(Wages):
    """Player 0 names who moves next; that one takes a coin from the other by action 1."""

    @property
    def traits(self):
        return Traits(players=2, actions=2, horizon=2)

    def init(self, key):
        return Position(jnp.int32(0), jnp.int32(0), jnp.zeros(2))

    def advance(self, state, action, key):
        mine = jnp.where(state.player == 0, 1.0, -1.0) * jnp.array([1.0, -1.0])
        takes = (state.time == 1) & (action == 1)
        then = jnp.where(state.time == 0, action, state.player).astype(jnp.int32)
        return Position(state.time + 1, then, jnp.where(takes, mine, 0.0))

    def observe(self, state):
        return jax.nn.one_hot(2 * state.time + state.player, 6)

    def terminated(self, state):
        return state.time >= 2

    def truncated(self, state):
        return jnp.bool_(False)


def everywhere(state):
    return jnp.zeros(1, jnp.int32)


@pytest.mark.parametrize("learn", [train_q_learning, train_sarsa])
@pytest.mark.parametrize("cut, worth", [(True, 2.0), (False, 1.75)])
def test_what_would_have_followed_a_cut_counts_and_nothing_follows_an_end(learn, cut, worth):
    settings = Tabular(updates=20, environments=4, steps=50, capacity=16, decay=0.0, rate=0.2)
    place = everywhere if cut else None
    found = learn(Wages(cut=cut), key=KEY, settings=settings, tell_apart=place)
    state = jax.vmap(Wages(cut=cut).init)(jax.random.split(KEY, 1))
    value = found.decider.decide(state, key=KEY)[0].value
    assert float(value[0]) == pytest.approx(worth, abs=0.01)


def test_a_cut_and_an_end_at_the_horizon_are_told_apart():
    for task, over, cut in ((Wages(), True, True), (Wages(cut=False), True, False)):
        late = eqx.tree_at(lambda s: s.time, task.init(KEY), jnp.int32(3))
        after = jax.tree.map(lambda x: x[None], late)
        told = stops(task, after, jnp.array([3]))
        assert (bool(told[0][0]), bool(told[1][0])) == (over, cut)
        assert bool(stops(task, after, jnp.array([3]), timeouts=True)[1][0])
        before = eqx.tree_at(lambda s: s.time, after, jnp.array([2]))
        starts = eqx.tree_at(lambda s: s.time, after, jnp.array([0]))
        worlds, step = advance(
            task, task.objective, restart(before), jnp.array([0]), jnp.uint32(0), starts=starts
        )
        assert bool(step.over[0]) and float(step.gain[0]) == (0.5 if cut else 0.0)
        assert int(worlds.state.time[0]) == 0


class Both(Earned):
    """Whoever takes a coin, both have it."""

    def __call__(self, state, action, after):
        return jnp.abs(after.earned)


@pytest.mark.parametrize(
    "learn, settings",
    [
        (train_ppo, PPO()),
        (train_dqn, DQN()),
        (train_reinforce, Reinforce()),
        (train_q_learning, Tabular()),
        (train_sarsa, Tabular()),
        (train_muzero, MuZeroSettings(alternate=False)),
        (train, Settings()),
    ],
)
def test_players_who_are_not_opposed_are_refused(learn, settings):
    """Three, and two who both win: by the task's own rewards, and by those that are handed over."""
    length = {"iterations": 1} if learn is train else {}
    for task, objective, told in (
        (Wages(players=3), None, "3 players"),
        (Wages(players=2), None, "do not sum to zero"),
        (Naming(), Both(), "do not sum to zero"),
    ):
        with pytest.raises(UnsuitableTaskError, match=told):
            learn(task, key=KEY, settings=settings, objective=objective, **length)


MUZERO = MuZeroSettings(
    updates=40, lanes=16, plies=8, simulations=8, unroll=2, length=64, batch_size=64,
    gradient_steps=8, latent=8, width=16, learning_rate=1e-2, hasty=True,
)  # fmt: skip


def test_who_moves_next_is_learned_where_players_do_not_alternate():
    with pytest.raises(UnsuitableTaskError, match="alternate=False"):
        train_muzero(Naming(), key=KEY, settings=replace(MUZERO, updates=1))
    found = train_muzero(Naming(), key=KEY, settings=replace(MUZERO, alternate=False))
    state = jax.vmap(Naming().init)(jax.random.split(KEY, 1))
    decision, _ = found.decider.decide(state, budget=32, key=KEY)
    # The first player names himself, who will take the coin: taking turns, that would be a loss.
    assert int(decision.action[0]) == 0 and float(decision.weights[0, 0]) > 0.9


def test_a_policy_of_a_task_of_ones_own_is_loaded_with_the_task(tmp_path):
    class Local(Naming):
        """Known to this process alone, so that no file can name it."""

    settings = Settings(
        network={"kind": "mlp", "width": 8, "depth": 1}, lanes=4, plies=2, warmup_simulations=4,
        simulations=4, batch_size=8, passes=1.0, buffer=64,
    )  # fmt: skip
    task = Local()
    found = train(task, iterations=2, settings=settings, workers=1, folder=tmp_path)
    with pytest.raises(PolicyFileError, match=r"Local.*load\(folder, task=\.\.\.\)"):
        load(tmp_path)
    loaded = load(tmp_path, task=task, search=False)
    weights = [np.asarray(n.policy.w) for n in (found.network, loaded.network)]
    np.testing.assert_array_equal(*weights)
    again = train(task, iterations=2, settings=settings, workers=1, folder=tmp_path)
    np.testing.assert_array_equal(again.network.policy.w, weights[0])
    save_network(tmp_path / "named", found.network, Naming())
    named = load(tmp_path / "named", search=False)
    assert named.task == Naming() and eqx.tree_equal(named.network, loaded.network)


def test_learned_worlds_are_saved_and_loaded_as_the_deciders_that_they_are(tmp_path):
    small = {"lanes": 2, "width": 8, "hasty": True, "updates": 1, "gradient_steps": 2}
    game = MuZeroSettings(plies=4, simulations=2, unroll=1, length=8, latent=4, **small)
    room = MPCSettings(steps=4, members=2, warmup=1, **small)
    pendulum = make_task("pendulum", horizon=8)
    for task, found in (
        (Naming(), train_muzero(Naming(), key=KEY, settings=replace(game, alternate=False))),
        (pendulum, train_mpc(pendulum, key=KEY, settings=room, planner=_planner)),
    ):
        folder = tmp_path / type(task).__name__
        save(folder, found)
        again = load(folder, task=task, budget=8)
        assert type(again) is type(found.decider)
        state = jax.vmap(task.init)(jax.random.split(KEY, 3))
        wanted, got = (d.decide(state, budget=4, key=KEY)[0] for d in (found.decider, again))
        if task is not pendulum:
            np.testing.assert_allclose(got.weights, wanted.weights, atol=1e-6)
            assert load(folder, task=task, search=False).budget.simulations == 0
        else:
            assert again.model.ensemble.config == found.network.config
            with pytest.raises(UnsuitableTaskError, match="no policy without search"):
                load(folder, task=task, search=False)
    with pytest.raises(UnsuitableTaskError, match="tables are kept"):
        save(tmp_path / "table", train_q_learning(Wages(), key=KEY, settings=TABLE))


TABLE = Tabular(updates=1, environments=2, steps=4, capacity=16)


def _planner(model):
    return CEM(model, horizon=2, budget=4, population=4)
