"""Episodes that end, are cut, or need not end: what play and the contract make of them."""

from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deliberation.amortised import random_positions
from deliberation.core import (
    Objective,
    Task,
    Traits,
    UniformRandom,
    check_decider,
    check_task,
    rollout,
)
from deliberation.core.errors import ContractError, FinishedGameError
from deliberation.core.noise import seeds
from deliberation.direct import RandomShooting, TreeSearch
from deliberation.direct.playouts import random_playouts
from deliberation.hybrid import ImitationSettings, LearnedModel
from deliberation.hybrid.expert_iteration import games
from deliberation.hybrid.guided import planner_imitation
from deliberation.hybrid.learned_models.latent import LatentNetworks, LatentTask
from deliberation.hybrid.learned_models.learned_model import Ensemble
from deliberation.tasks import make_task

KEY = jax.random.key(0)


class Line(eqx.Module):
    place: jax.Array
    time: jax.Array


class Walk(Task):
    """Left or right on a line, paid by the step; the right end ends it, and time may cut it.

    `limit` is when episodes are cut (0: never). `flaw` is what this copy does wrong.
    """

    limit: int = eqx.field(static=True, default=0)
    horizon: int = eqx.field(static=True, default=20)
    continuing: bool = eqx.field(static=True, default=False)
    flaw: str = eqx.field(static=True, default="")

    @property
    def traits(self):
        return Traits(1, 2, self.horizon, continuing=self.continuing)

    @property
    def objective(self):
        return Pays()

    def init(self, key):
        return Line(jnp.int32(0), jnp.int32(0))

    def advance(self, state, action, key):
        place = jnp.maximum(state.place + 2 * action - 1, -3)
        return Line(place.astype(jnp.int32), state.time + (self.limit > 0))

    def observe(self, state):
        seen = jnp.stack([state.place, state.time]).astype(jnp.float32)
        return {"place": seen} if self.flaw == "dict" else seen

    def legal(self, state):
        cut = self.flaw == "cut is stuck" and self.truncated(state)
        return jnp.broadcast_to(~self.terminated(state) & ~jnp.asarray(cut), (2,))

    def player(self, state):
        return jnp.int32(0)

    def terminated(self, state):
        if self.continuing:
            return jnp.bool_(False)
        return state.place >= 3

    def truncated(self, state):
        if self.flaw == "number":
            return state.time
        return (state.time >= self.limit) & (self.limit > 0)

    def fingerprint(self, state):
        if self.flaw == "fingerprint":
            return state.place[None]
        return super().fingerprint(state)


class Pays(Objective):
    def __call__(self, state, action, after):
        return (after.place - state.place).astype(jnp.float32)[None]

    @property
    def bounds(self):
        return (0.0, 6.0)  # of whole walks, which all end at 3; one that is cut may have lost


def test_play_stops_where_episodes_are_cut():
    task = Walk(limit=6, horizon=50)
    played = rollout(task, UniformRandom(task), batch=64, key=KEY)
    reached = np.asarray(played.final.place) == 3
    assert 0 < reached.sum() < 64
    assert (played.truncated == ~reached).all()
    assert (played.returns[:, 0] == np.asarray(played.final.place)).all()
    assert played.returns.min() < 0
    assert (played.lengths[~reached] == 6).all() and (played.lengths[reached] < 7).all()
    assert (played.actions[~reached, :6] >= 0).all()


def test_endless_play_is_cut_at_the_horizon():
    task = Walk(continuing=True, horizon=30)
    played = rollout(task, UniformRandom(task), batch=4, key=KEY)
    assert (played.lengths == 30).all() and played.truncated.all()
    assert not rollout(Walk(horizon=500), UniformRandom(task), batch=4, key=KEY).truncated.any()


def test_what_is_cut_may_be_planned_on_from():
    """It is no end: it has legal actions and a value."""
    task = Walk(limit=1, horizon=50)
    cut = jax.tree.map(lambda x: x[None], Line(jnp.int32(2), jnp.int32(1)))
    assert task.truncated(jax.tree.map(lambda x: x[0], cut))
    decision, _ = TreeSearch(task, "uct", capacity=32).decide(cut, budget=32, key=KEY)
    # The end beside it pays 1, which is proved; the root's mean holds what was spent on looking.
    assert decision.action[0] == 1 and 0.5 <= float(decision.value[0]) <= 1
    end = task.step(Line(jnp.int32(2), jnp.int32(1)), 1, KEY)
    with pytest.raises(FinishedGameError):
        task.step(end, 1, KEY)


@pytest.mark.parametrize(
    "task",
    [Walk(limit=5), Walk(horizon=400), Walk(continuing=True, horizon=10**9)],
    ids=["cut", "ends", "continuing"],
)
def test_the_contract_knows_all_three(task):
    check_task(task, episodes=16)
    check_decider(UniformRandom(task))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Walk(horizon=5), "not terminal after traits.horizon = 5 actions, nor truncated"),
        (Walk(limit=5, flaw="dict"), "`observe` gives .*'place'.* must give one array"),
        (Walk(limit=5, flaw="number"), "`truncated` gives int32"),
        (Walk(limit=3, flaw="cut is stuck"), "is not terminal and has no legal action"),
        (Walk(limit=5, flaw="fingerprint"), "differs in `cut`"),
    ],
)
def test_what_breaks_the_contract_is_named(task, message):
    with pytest.raises(ContractError, match=message):
        check_task(task, episodes=16)


def test_random_playouts_are_bounded_by_the_horizon():
    """A walk without an end would be played for ever."""
    task = Walk(continuing=True, horizon=25)
    start = jax.tree.map(lambda x: x[None], task.init(KEY))
    one = random_playouts(task, task.objective, start, jnp.array([True]), seeds(KEY)[None])
    gain, plies = one.returns[:, 0], one.steps
    assert plies.tolist() == [25] and abs(float(gain[0])) <= 25


def test_training_starts_anew_where_an_episode_is_cut():
    """Nothing ends a pendulum's episode: five actions are one of three and two of the next."""
    task = make_task("pendulum", horizon=3)
    tiny = ImitationSettings(updates=1, rows=2, steps=5, simulations=2, fits=1, width=2, hasty=True)
    planner = RandomShooting(task, horizon=2)
    carry = planner_imitation._begin(planner, tiny, KEY)
    (state, age, _), *_ = planner_imitation._play(planner, tiny, None, carry, KEY)
    assert state.time.tolist() == age.tolist() == [2, 2]
    positions = random_positions(make_task("cartpole", horizon=2), 8, KEY)
    assert 1 in positions.time and positions.time.max() == 1


@pytest.mark.parametrize(("name", "ends"), [("cartpole", False), ("gridworld", True)])
def test_learned_worlds_end_at_the_horizon_only_where_the_task_does(name, ends):
    task = make_task(name, horizon=4)
    ensemble = Ensemble.of(task, key=KEY, members=1, width=2)
    model = LearnedModel(task, ensemble, ends=lambda seen: jnp.bool_(False))
    world = LatentTask(task, LatentNetworks.of(task, key=KEY, latent=2, width=2), 1.0)

    @eqx.filter_jit
    def told():
        after = model.advance(model.enter(task.init(KEY), 3), jnp.int32(1), KEY)
        late = eqx.tree_at(lambda s: s.time, world.init(KEY), jnp.int32(3))
        onward = world.advance(late, jnp.int32(1), KEY)
        return (
            model.terminated(after), ~model.truncated(after), ~model.legal(after).any(),
            world.terminated(onward), ~world.legal(onward).any(),
        )  # fmt: skip

    assert np.array(told()).tolist() == [ends] * 5


def test_self_play_goes_on_from_an_opening_where_a_game_is_cut(monkeypatch):
    """One lane is cut and one is not; the search stands still for both."""
    task, rows = Walk(limit=5), jnp.zeros(2, jnp.int32)
    even = SimpleNamespace(action=rows + 1, weights=jnp.ones((2, 2)) / 2, value=jnp.zeros(2))
    outcome = SimpleNamespace(
        done=rows > 0, model_steps=rows, evaluations=rows, sound=rows == 0, stuck=rows > 0
    )
    monkeypatch.setattr(games, "plan", lambda *_: (even, outcome))
    lanes, openings = Line(jnp.array([1, 1]), jnp.array([4, 5])), Line(rows, rows)
    given = (openings, jax.random.split(KEY, 2))
    planner = TreeSearch(task, "uct")
    after, moment = games._ply(planner, Pays(), jnp.int32(1), jnp.float32(0), 4, lanes, given)
    assert moment.fresh.tolist() == [False, True] and after.time.tolist() == [5, 1]
    assert not moment.over.any(), "it is cut there, so that its value goes on"
